//! DTLS as a sans-IO layer: handshakes over one record layer, records opened and sealed in place.
//!
//! A [`Connection`] is a value. Datagrams and time go in, datagrams, application data and [`Event`]s come out
//! ([`weft_core::Layer`]); once connected it seals the datagrams of the layer above in place ([`weft_core::Wrap`]).
//! It opens no socket, reads no clock, starts no thread, and takes its randomness from the generator it is given.
//!
//! It speaks DTLS 1.3 (RFC 9147), with X25519MLKEM768 for the key exchange if the peer has it, and DTLS 1.2 (RFC 6347) with
//! ECDHE, AEAD ciphers and the extended master secret; nothing weaker.
//!
//! # Example
//! Two connections that know each other's fingerprint, as SDP carries it, with nothing but buffers between them:
//!
//! ```
//! use std::sync::Arc;
//! use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
//! use weft_dtls::{Certificate, Config, Connection, HashAlgorithm, Role, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (Arc::new(Certificate::generate()?), Arc::new(Certificate::generate()?));
//! let knows = |peer: &Certificate| Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
//! let config = |own: &Arc<Certificate>, peer| Arc::new(Config::new(own.clone(), knows(peer)));
//! // Outside of tests: Rng::from_seed with 32 bytes of the operating system's entropy.
//! let mut client = Connection::new(config(&alice, &bob), Role::Client, Rng::from_test_seed(1));
//! let mut server = Connection::new(config(&bob, &alice), Role::Server, Rng::from_test_seed(2));
//!
//! let now = Instant::ORIGIN;
//! client.start(now);
//! while !(client.is_connected() && server.is_connected()) {
//!     for (from, to) in [(0, 1), (1, 0)] {
//!         let mut ends = [&mut client, &mut server];
//!         loop {
//!             let mut buffer = [0; 1500];
//!             let mut frame = Frame::new(&mut buffer, Overhead::NONE);
//!             if ends[from].poll_transmit(now, &mut frame).is_none() {
//!                 break;
//!             }
//!             let mut datagram = frame.content().to_vec();
//!             ends[to].handle_input(now, &mut datagram)?;
//!         }
//!     }
//! }
//! assert_eq!(client.info().and_then(|info| info.version.name()), Some("1.3"));
//!
//! let mut buffer = [0; 1500];
//! let room = client.overhead().ok_or("no keys")?;
//! let mut frame = Frame::new(&mut buffer, room);
//! frame.push(b"hello")?;
//! client.wrap(&mut frame)?;
//! let mut datagram = frame.content().to_vec();
//! let mut records = server.handle_input(now, &mut datagram)?;
//! assert_eq!(records.next(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # What is refused
//! A peer without the extended master secret (RFC 7627), without forward secrecy, with a group, cipher or signature that
//! is not in the README's table; renegotiation, resumption and compression.

mod acknowledgements;
#[cfg(test)]
mod captures;
mod certificate;
mod chain;
mod config;
mod connection;
mod connection_ids;
mod cookie;
pub mod crypto;
mod der;
mod early;
mod error;
mod event;
mod fingerprint;
mod flight;
mod flights;
mod handshake;
mod idle;
mod key_updates;
mod listener;
mod negotiation;
mod options;
mod reassembly;
mod receive;
mod record;
mod records;
mod srtp;
mod transcript;
mod v12;
mod v13;
mod verifier;
pub mod wire;

pub use certificate::{Certificate, CertificateError};
pub use chain::{ChainVerifier, ChainVerifierError};
pub use config::{ClientAuthentication, Config, Limits, MIN_MTU};
pub use connection::{Connection, Role};
pub use connection_ids::ConnectionIdError;
pub use crypto::{CryptoProvider, HashAlgorithm, SigningKey};
pub use error::{Blame, Error, ExportError};
pub use event::{Counters, Event, KeyLogLine, Memory, SessionInfo};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use key_updates::KeyUpdateError;
pub use listener::{Admission, Listener, ListenerCounters, ListenerLimits};
pub use records::Records;
pub use srtp::SrtpKeys;
pub use verifier::{Rejection, Verifier, VerifyCertificate};
pub use wire::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
