//! What client and server have in common.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, Config, Connection, Fingerprint, HashAlgorithm, Rejection, Verifier};

/// Says who the peer is and takes it. Good for trying things out, for nothing else.
#[derive(Debug)]
struct PrintAndAccept;

impl weft_dtls::VerifyCertificate for PrintAndAccept {
    fn verify(&self, certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        eprintln!("peer is {}, unverified", Fingerprint::of(HashAlgorithm::Sha256, certificate));
        Ok(())
    }
}

/// A new certificate, and the peer's fingerprint if it is known.
pub fn config(peer: Option<&str>) -> Result<Config, Box<dyn std::error::Error>> {
    let certificate = Arc::new(Certificate::generate()?);
    eprintln!("we are {}", certificate.fingerprint(HashAlgorithm::Sha256));
    let verifier = match peer {
        Some(text) => Verifier::Fingerprints(vec![text.parse()?]),
        None => Verifier::Custom(Arc::new(PrintAndAccept)),
    };
    Ok(Config::new(certificate, verifier))
}

/// A generator from the operating system's entropy.
pub fn rng() -> Result<Rng, Box<dyn std::error::Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(Rng::from_seed(seed))
}

/// Sends what a connection has to send.
pub fn flush(connection: &mut Connection, now: Instant, socket: &UdpSocket, peer: SocketAddr) -> io::Result<()> {
    loop {
        let mut buffer = [0; 2048];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if connection.poll_transmit(now, &mut frame).is_none() {
            return Ok(());
        }
        socket.send_to(frame.content(), peer)?;
    }
}

/// Sends application data.
pub fn send(
    connection: &mut Connection,
    data: &[u8],
    socket: &UdpSocket,
    peer: SocketAddr,
) -> Result<(), Box<dyn std::error::Error>> {
    let room = connection.overhead().ok_or("not connected")?;
    let mut buffer = vec![0; data.len() + room.total()];
    let mut frame = Frame::new(&mut buffer, room);
    frame.push(data)?;
    connection.wrap(&mut frame)?;
    socket.send_to(frame.content(), peer)?;
    Ok(())
}
