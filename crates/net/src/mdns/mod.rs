//! Names of the local link ([RFC 6762](https://www.rfc-editor.org/rfc/rfc6762)): `.local` names of peers resolved, and our own
//! addresses hidden behind names, as browsers do with ICE host candidates (draft-ietf-mmusic-mdns-ice-candidates).

mod engine;
mod message;
mod socket;

pub use engine::{GROUP_V4, Mdns, MdnsError, MdnsEvent, MdnsStats, Outlet};
pub use socket::MdnsSocket;
