//! Offer and answer for one data section: the signaling state machine of RFC 8829 and of the W3C's
//! `RTCPeerConnection`.
//!
//! A [`Negotiator`] makes offers and answers out of [`LocalParameters`] and reads those of the peer into
//! [`RemoteParameters`]. Sections for audio and video in a peer's offer are answered as rejected. A call that fails
//! changes nothing.
//!
//! ```
//! use weft_sdp::jsep::{LocalParameters, Negotiator, NegotiatorConfig};
//! use weft_sdp::DtlsRole;
//!
//! # fn parameters(ufrag: &str) -> LocalParameters {
//! let fingerprint = format!("sha-256 {}", ["AB"; 32].join(":")).parse().unwrap();
//! LocalParameters::new(ufrag, "at-least-22-characters", vec![fingerprint])
//! # }
//! # let (alice_parameters, bob_parameters) = (parameters("alic"), parameters("bobs"));
//! let mut alice = Negotiator::new(NegotiatorConfig::new(1));
//! let mut bob = Negotiator::new(NegotiatorConfig::new(2));
//!
//! let offer = alice.create_offer(&alice_parameters)?;
//! alice.set_local(&offer)?;
//! bob.set_remote(&offer)?;
//!
//! let answer = bob.create_answer(&bob_parameters)?;
//! bob.set_local(&answer)?;
//! alice.set_remote(&answer)?;
//!
//! assert_eq!(alice.dtls_role(), Some(DtlsRole::Server));
//! assert_eq!(bob.dtls_role(), Some(DtlsRole::Client));
//! assert_eq!(alice.remote().map(|remote| remote.ufrag.as_str()), Some("bobs"));
//! # Ok::<(), weft_sdp::jsep::NegotiationError>(())
//! ```

mod build;
mod description;
mod error;
mod known;
mod negotiator;
mod pack;
mod parameters;
mod read;
mod state;
mod trickle;

pub use description::{Description, IceCandidate, SdpType, Trickled};
pub use error::{NegotiationError, Operation, Required};
pub use negotiator::{LocalApplied, Negotiator, NegotiatorConfig, RemoteApplied};
pub use parameters::{LocalParameters, RemoteParameters};
pub use state::SignalingState;
