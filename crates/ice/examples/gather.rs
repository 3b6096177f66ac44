//! Asks a STUN server what it sees of a plain UDP socket, as an agent does while it gathers:
//! `cargo run -p weft-ice --example gather -- 192.0.2.1:3478`.
//!
//! Without an argument it starts a server of its own on loopback and asks that.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example is a driver: it owns sockets and a clock

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant as Clock};

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, Event, LocalCandidate, Role, Server};
use weft_stun::{Class, Message, MessageBuilder, Method, XorMappedAddress};

fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::args().nth(1) {
        Some(address) => address.parse()?,
        None => serve()?,
    };
    // The address that leads to the server; `connect` sends nothing.
    let probe = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    probe.connect(server)?;
    let socket = UdpSocket::bind(SocketAddr::new(probe.local_addr()?.ip(), 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    let base = socket.local_addr()?;

    let start = Clock::now();
    let now = || Instant::ORIGIN + start.elapsed();
    // A program seeds from the operating system's entropy.
    let mut agent = Agent::new(Config::default(), Role::Controlling, Rng::from_test_seed(1));
    agent.add_server(now(), Server::from(server))?;
    agent.add_local_candidate(now(), LocalCandidate::host(base))?;
    agent.end_of_local_candidates(now());
    println!("host  {base}");
    let mut buf = [0; 1500];
    loop {
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        while let Some(path) = agent.poll_transmit(now(), &mut frame) {
            socket.send_to(frame.content(), path.remote)?;
            frame.truncate(0);
        }
        while let Some(event) = agent.poll_event() {
            match event {
                Event::LocalCandidate(found) => println!("{} {} after {:?}", found.kind.token(), found.address, now()),
                Event::GatheringError(error) => println!("error {}: {}", error.code, error.reason),
                Event::GatheringComplete => return Ok(()),
                _ => {}
            }
        }
        if let Ok((len, from)) = socket.recv_from(&mut buf) {
            let datagram = Datagram::new(Path::udp(base, from), buf.get_mut(..len).unwrap_or_default());
            agent.handle_input(now(), datagram)?;
        }
        agent.handle_timeout(now())?;
    }
}

/// A STUN server in ten lines. It reports another address than it sees, as a NAT would have it: an agent drops what is
/// its own.
fn serve() -> Result<SocketAddr, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let (mut buf, mut out) = ([0; 1500], [0; 1500]);
        while let Ok((len, from)) = socket.recv_from(&mut buf) {
            let Ok(request) = Message::parse(buf.get(..len).unwrap_or_default()) else { continue };
            let outside = XorMappedAddress(SocketAddr::from(([192, 0, 2, 1], from.port())));
            let mut frame = Frame::new(&mut out, Overhead::NONE);
            let built = MessageBuilder::new(&mut frame, Class::Success, Method::BINDING, request.transaction_id())
                .and_then(|mut response| response.attribute(&outside)?.fingerprint());
            if built.is_ok() && socket.send_to(frame.content(), from).is_err() {
                return;
            }
        }
    });
    Ok(address)
}
