//! Says what a session description offers, and where it is wrong: `cargo run -p weft-sdp --example read -- FILE`.
//!
//! Without an argument it reads one of its own.

use std::error::Error;

use weft_sdp::{Candidate, Session};

const SAMPLE: &str = "v=0\r\no=- 3432448249181442268 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=application 45587 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.0.2.2\r\n\
    a=candidate:1 1 udp 2113937151 192.0.2.2 45587 typ host\r\n\
    a=candidate:2 1 udp 1677729535 198.51.100.7 45587 typ srflx raddr 192.0.2.2 rport 45587\r\n\
    a=ice-ufrag:aB3x\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n";

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => SAMPLE.to_owned(),
    };
    let session = Session::parse(&text)?;
    println!("session {} in version {}", session.origin.session_id, session.origin.session_version);
    for media in &session.media {
        println!("section {}: {} over {}", media.mid().unwrap_or("without a name"), media.kind, media.protocol);
        for attribute in media.attributes_named("candidate") {
            let candidate: Candidate = attribute.parse()?;
            println!("  {:?} at {} port {}", candidate.candidate_type, candidate.address, candidate.port);
        }
    }
    // What was read is written again byte for byte.
    if session.to_string() == text { Ok(()) } else { Err("written differently".into()) }
}
