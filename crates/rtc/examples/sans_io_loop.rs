//! Peer connections in a loop of your own, over sockets of the standard library: `cargo run -p weft-rtc --example
//! sans_io_loop`. No runtime, no thread: datagrams and time go in, datagrams and events come out.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a driver owns sockets and a clock

use std::error::Error;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant as SystemTime};

use weft_rtc::core::{Batch, Datagram, Instant, Limits, Path, Rng};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{ChannelId, Config, DataChannelInit, Event, MessageKind};

struct Peer {
    name: &'static str,
    connection: PeerConnection,
    socket: UdpSocket,
    channel: Option<ChannelId>,
    heard: Option<String>,
}

impl Peer {
    fn new(name: &'static str, now: Instant) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        // Keys and passwords are drawn from this seed.
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let config = Config::default().with_loopback(true);
        let mut connection = PeerConnection::new(now, config, Rng::from_seed(seed))?;
        connection.add_host_address(now, socket.local_addr()?);
        Ok(Self { name, connection, socket, channel: None, heard: None })
    }

    /// One turn: in, timers, out, events.
    fn turn(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let mut buffer = [0; 2048];
        match self.socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                let path = Path::udp(self.socket.local_addr()?, from);
                let payload = buffer.get_mut(..len).unwrap_or_default();
                self.connection.handle_input(now, Datagram::new(path, payload));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.transmit(now)?;
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::ConnectionState(state) => println!("{}: {state}", self.name),
                Event::DataChannel(channel) | Event::Open(channel) => self.channel = Some(channel),
                Event::Readable(channel) => {
                    while let Some(message) = self.connection.receive(channel) {
                        self.heard = message.as_text().map(str::to_owned);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A socket of the standard library takes one datagram a call.
    fn transmit(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        let mut batch = Batch::new(16 * 1024, Limits::SINGLE);
        while self.connection.poll_transmit(now, &mut batch) > 0 {
            while let Some((run, bytes)) = batch.front() {
                self.socket.send_to(bytes, run.route.remote)?;
                batch.sent();
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = SystemTime::now();
    let now = || Instant::ORIGIN + start.elapsed();
    let (mut alice, mut bob) = (Peer::new("Alice", now())?, Peer::new("Bob", now())?);

    let channel = alice.connection.create_data_channel(now(), DataChannelInit::new("chat"))?;
    alice.connection.set_local_description(now(), None)?;
    let offer = alice.connection.local_description().ok_or("no offer")?;
    bob.connection.set_remote_description(now(), &offer)?;
    bob.connection.set_local_description(now(), None)?;
    let answer = bob.connection.local_description().ok_or("no answer")?;
    alice.connection.set_remote_description(now(), &answer)?;

    while bob.heard.is_none() {
        alice.turn(now())?;
        bob.turn(now())?;
        if alice.channel.take().is_some() {
            alice.connection.send(now(), channel, MessageKind::Text, "hello".into())?;
        }
        if start.elapsed() > Duration::from_secs(20) {
            return Err("no connection within 20 s".into());
        }
    }
    println!("Bob heard {:?} after {:?}", bob.heard, start.elapsed());

    // Says goodbye: the last datagrams have to leave.
    alice.connection.close(now());
    alice.transmit(now())
}
