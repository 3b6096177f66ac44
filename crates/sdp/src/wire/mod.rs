//! What stands on the wire: the document, and the attributes that WebRTC data channels give a meaning to.

mod candidate;
mod cursor;
mod fingerprint;
mod group;
mod ice;
mod parse;
mod remote_candidates;
mod sctp;
mod session;
mod setup;
mod tls_id;
mod write;

pub use candidate::{Address, Candidate, CandidateTransport, CandidateType, TcpType};
pub use fingerprint::{Fingerprint, HashFunction};
pub use group::{Group, Mid};
pub use ice::{IceOptions, IcePwd, IceUfrag};
pub use remote_candidates::RemoteCandidates;
pub use sctp::{MaxMessageSize, SctpInit, SctpMap, SctpPort};
pub use session::{Attribute, Bandwidth, Connection, Media, Origin, Session, Time};
pub use setup::{DtlsRole, Setup};
pub use tls_id::TlsId;
