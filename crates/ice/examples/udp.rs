//! Two agents in one process find each other over real UDP sockets on loopback and exchange a datagram each way:
//! `cargo run -p weft-ice --example udp`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example is a driver: it owns sockets and a clock

use std::error::Error;
use std::net::UdpSocket;
use std::time::{Duration, Instant as Clock};

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, Event, LocalCandidate, Role};

/// An agent and its socket.
struct Peer {
    name: &'static str,
    agent: Agent,
    socket: UdpSocket,
    received: bool,
}

impl Peer {
    fn new(name: &'static str, role: Role, seed: u64) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        // A program seeds from the operating system's entropy: these credentials can be guessed.
        let mut agent = Agent::new(Config::default(), role, Rng::from_test_seed(seed));
        agent.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(socket.local_addr()?))?;
        Ok(Self { name, agent, socket, received: false })
    }

    /// What signalling would carry to the other side.
    fn describe_to(&self, other: &mut Agent, now: Instant) -> Result<(), Box<dyn Error>> {
        other.set_remote_credentials(now, self.agent.local_credentials());
        for candidate in self.agent.local_candidates() {
            other.add_remote_candidate(now, *candidate)?;
        }
        other.end_of_remote_candidates(now);
        Ok(())
    }

    /// One turn of the event loop: receive, fire timers, send, look at events.
    fn turn(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let mut buf = [0; 1500];
        if let Ok((len, from)) = self.socket.recv_from(&mut buf) {
            let path = Path::udp(self.socket.local_addr()?, from);
            let datagram = Datagram::new(path, buf.get_mut(..len).unwrap_or_default());
            if let Some(data) = self.agent.handle_input(now, datagram)? {
                println!("{}: received {:?}", self.name, String::from_utf8_lossy(data.payload));
                self.received = true;
            }
        }
        self.agent.handle_timeout(now)?;
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        while let Some(path) = self.agent.poll_transmit(now, &mut frame) {
            self.socket.send_to(frame.content(), path.remote)?;
            frame.truncate(0);
        }
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::State(state) => println!("{}: {state:?} after {now:?}", self.name),
                Event::SelectedPair(pair) => println!("{}: data goes {:?}", self.name, pair.path),
                _ => {}
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let now = || Instant::ORIGIN + start.elapsed();
    let mut a = Peer::new("a", Role::Controlling, 1)?;
    let mut b = Peer::new("b", Role::Controlled, 2)?;
    a.describe_to(&mut b.agent, now())?;
    b.describe_to(&mut a.agent, now())?;
    let mut greeted = false;
    while !(a.received && b.received) {
        a.turn(now())?;
        b.turn(now())?;
        if let (Some(from_a), Some(from_b), false) = (a.agent.selected_path(), b.agent.selected_path(), greeted) {
            // Not STUN: the first byte is above 3.
            a.socket.send_to(b"hello from a", from_a.remote)?;
            b.socket.send_to(b"hello from b", from_b.remote)?;
            greeted = true;
        }
        if now() > Instant::from_millis(5_000) {
            return Err("they did not find each other".into());
        }
    }
    Ok(())
}
