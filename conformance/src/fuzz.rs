//! Fuzz targets: functions over any bytes at all, which may refuse but never panic, hang or allocate without limit.
//!
//! Each target also checks what must hold of the input it accepts (what was read writes back to the same value; a view
//! stays inside its bytes), so that fuzzing finds wrong answers as well as crashes. `fuzz/fuzz_targets/` runs them under
//! cargo-fuzz, and an ordinary test replays `fuzz/corpus/` through them.

mod channel_data;
mod dcep;
mod dtls_certificate;
mod dtls_client;
mod dtls_handshake;
mod dtls_live;
mod dtls_record;
mod dtls_server;
mod ice_agent;
mod peer_connection;
mod sctp_association;
mod sctp_packet;
mod sctp_peer;
mod sctp_reassembly;
mod sdp_candidate;
mod sdp_negotiation;
mod sdp_session;
mod server_url;
mod stream_framing;
mod stun_message;
mod turn_client;

/// A target's name, which is also that of its corpus and of its file in `fuzz_targets`, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("channel_data", channel_data::run),
    ("dcep", dcep::run),
    ("dtls_certificate", dtls_certificate::run),
    ("dtls_client", dtls_client::run),
    ("dtls_handshake", dtls_handshake::run),
    ("dtls_record", dtls_record::run),
    ("dtls_server", dtls_server::run),
    ("ice_agent", ice_agent::run),
    ("peer_connection", peer_connection::run),
    ("sctp_association", sctp_association::run),
    ("sctp_packet", sctp_packet::run),
    ("sctp_reassembly", sctp_reassembly::run),
    ("sdp_candidate", sdp_candidate::run),
    ("sdp_negotiation", sdp_negotiation::run),
    ("sdp_session", sdp_session::run),
    ("server_url", server_url::run),
    ("stream_framing", stream_framing::run),
    ("stun_message", stun_message::run),
    ("turn_client", turn_client::run),
];

/// Runs the target with this name.
///
/// # Panics
/// If there is none, or if the target finds a fault.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    assert!(target.is_some(), "no fuzz target `{name}`");
    if let Some((_, run)) = target {
        run(data);
    }
}
