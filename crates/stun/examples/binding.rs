//! Asks a STUN server for our reflexive address: `cargo run -p weft-stun --example binding -- 192.0.2.53:3478`.
//!
//! Without an argument it starts a server of its own on loopback and asks that.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example is a driver: it owns socket, clock and thread

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use weft_core::{Frame, Instant, Overhead, Rng};
use weft_stun::{Class, Message, MessageBuilder, Method, Step, Timing, Transaction, TransactionId, XorMappedAddress};

fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::args().nth(1) {
        Some(address) => address.parse()?,
        None => serve()?,
    };
    let local: SocketAddr = if server.is_ipv4() { "0.0.0.0:0".parse()? } else { "[::]:0".parse()? };
    let socket = UdpSocket::bind(local)?;
    let start = Clock::now();
    let now = || Instant::ORIGIN + start.elapsed();

    // An example may take the clock for a seed; a program takes the operating system's entropy.
    let mut rng = Rng::from_test_seed(std::time::UNIX_EPOCH.elapsed()?.subsec_nanos().into());
    let mut transaction = Transaction::new(now(), TransactionId::random(&mut rng), Timing::default());
    let mut buf = [0; 1500];
    loop {
        match transaction.step(now()) {
            Step::TimedOut => return Err("no response".into()),
            Step::Send => {
                let mut frame = Frame::new(&mut buf, Overhead::NONE);
                MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, transaction.id())?.fingerprint()?;
                socket.send_to(frame.content(), server)?;
                transaction.on_sent(now());
            }
            Step::Wait => {
                let wait = transaction.deadline().saturating_duration_since(now());
                socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
                let Ok((len, from)) = socket.recv_from(&mut buf) else { continue };
                let Ok(message) = Message::parse(buf.get(..len).unwrap_or_default()) else { continue };
                if from != server || message.transaction_id() != transaction.id() {
                    continue;
                }
                let Some(XorMappedAddress(address)) = message.get()? else { return Err("refused".into()) };
                println!("{server} sees us as {address}, round trip {:?}", transaction.round_trip(now()));
                return Ok(());
            }
        }
    }
}

/// A STUN server in ten lines.
fn serve() -> Result<SocketAddr, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let (mut buf, mut out) = ([0; 1500], [0; 1500]);
        while let Ok((len, from)) = socket.recv_from(&mut buf) {
            let Ok(request) = Message::parse(buf.get(..len).unwrap_or_default()) else { continue };
            let mut frame = Frame::new(&mut out, Overhead::NONE);
            let built = MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, request.transaction_id())
                .and_then(|mut response| response.attribute(&XorMappedAddress(from))?.fingerprint());
            if built.is_ok() && socket.send_to(frame.content(), from).is_err() {
                return;
            }
        }
    });
    Ok(address)
}
