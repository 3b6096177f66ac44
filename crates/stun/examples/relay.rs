//! A TURN client over a plain UDP socket: `cargo run -p weft-stun --example relay -- ADDRESS:PORT USER PASSWORD`.
//!
//! It has a relayed address allocated, lets a peer (another socket of this program) through, binds a channel to it, and has a
//! datagram go each way. Without arguments it starts a coturn (Debian: `coturn`) of its own on loopback and asks that.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example is a driver: it owns sockets and a clock

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Clock};

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_stun::Credentials;
use weft_stun::turn::{Client, Config, Event, MAX_OVERHEAD, Received};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [server, user, password] = arguments.as_slice() {
        return talk(server.parse()?, Credentials::new(user, password));
    }
    let (mut coturn, server) = start_coturn()?;
    let outcome = talk(server, Credentials::new("alice", "secret"));
    coturn.kill()?;
    coturn.wait()?;
    outcome
}

/// What a peer sent, and which.
type Sent = (SocketAddr, Vec<u8>);

/// A client and its socket.
struct Turn {
    client: Client,
    socket: UdpSocket,
    start: Clock,
}

fn talk(server: SocketAddr, credentials: Credentials) -> Result<(), Box<dyn Error>> {
    let any = if server.ip().is_loopback() { "127.0.0.1:0" } else { "0.0.0.0:0" };
    let (socket, peer) = (UdpSocket::bind(any)?, UdpSocket::bind(any)?);
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    peer.set_read_timeout(Some(Duration::from_millis(5)))?;
    let path = Path::udp(socket.local_addr()?, server);
    // An example may take the clock for a seed; a program takes the operating system's entropy.
    let rng = Rng::from_test_seed(std::time::UNIX_EPOCH.elapsed()?.subsec_nanos().into());
    let client = Client::new(Instant::ORIGIN, Config::new(credentials), path, rng);
    let mut turn = Turn { client, socket, start: Clock::now() };

    let mut relayed = None;
    let (mut bound, mut answered) = (false, false);
    let mut buf = [0; 1500];
    while turn.start.elapsed() < Duration::from_secs(20) {
        if turn.turn()?.is_some_and(|(from, data)| from == peer_address(&peer) && data == b"hello back") {
            println!("the peer's answer came by the relay");
            answered = true;
        }
        while let Some(event) = turn.client.poll_event() {
            match event {
                Event::Allocated(allocation) => {
                    println!("{server} relays for us at {}, sees us as {}", allocation.relayed, allocation.mapped);
                    relayed = Some(allocation.relayed);
                    turn.client.bind_channel(turn.now(), peer_address(&peer))?;
                }
                Event::ChannelBound(to) => {
                    println!("a channel to {to}: 4 bytes of overhead");
                    bound = true;
                    turn.send(to, b"hello")?;
                }
                Event::Closed => return if answered { Ok(()) } else { Err("no answer came".into()) },
                Event::Failed(failure) => return Err(failure.into()),
                other => println!("{other:?}"),
            }
        }
        // The peer answers whatever comes from the relayed address.
        if let (true, Ok((len, from))) = (bound, peer.recv_from(&mut buf)) {
            println!("the peer received {:?} from {from}", String::from_utf8_lossy(buf.get(..len).unwrap_or_default()));
            peer.send_to(b"hello back", relayed.unwrap_or(from))?;
        }
        if answered {
            turn.client.close(turn.now());
        }
    }
    Err("not done within 20 s".into())
}

/// Where the server reaches the peer. Behind a translator, or with a server elsewhere, a program learns that by STUN.
fn peer_address(peer: &UdpSocket) -> SocketAddr {
    peer.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)))
}

impl Turn {
    fn now(&self) -> Instant {
        Instant::ORIGIN + self.start.elapsed()
    }

    /// One turn of the event loop: fire timers, send, receive. Gives what a peer sent.
    fn turn(&mut self) -> Result<Option<Sent>, Box<dyn Error>> {
        let now = self.now();
        let mut buf = [0; 1500];
        self.client.handle_timeout(now)?;
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        while let Some(path) = self.client.poll_transmit(now, &mut frame) {
            self.socket.send_to(frame.content(), path.remote)?;
            frame.truncate(0);
        }
        let Ok((len, from)) = self.socket.recv_from(&mut buf) else { return Ok(None) };
        let path = Path::udp(self.socket.local_addr()?, from);
        let datagram = Datagram::new(path, buf.get_mut(..len).unwrap_or_default());
        match self.client.handle_input(self.now(), datagram)? {
            Received::Relayed(datagram) => Ok(Some((datagram.path.remote, datagram.payload.to_vec()))),
            Received::Taken | Received::NotOurs(_) => Ok(None),
        }
    }

    /// Data for a peer: written once, wrapped where it lies.
    fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut buf = [0; 1500];
        let mut frame = Frame::new(&mut buf, MAX_OVERHEAD);
        frame.push(data)?;
        let path = self.client.wrap(peer, &mut frame)?;
        self.socket.send_to(frame.content(), path.remote)?;
        Ok(())
    }
}

fn start_coturn() -> Result<(Child, SocketAddr), Box<dyn Error>> {
    // A port that was free a moment ago.
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let relays = ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers", "--no-cli", "--no-tls"];
    let users = ["--lt-cred-mech", "--realm=example", "--user=alice:secret", "--no-tcp", "--log-file=/dev/null"];
    let mut command = Command::new("turnserver");
    command.args(["-n", "--pidfile=/dev/null", "--no-dtls", "--simple-log", "--listening-port", &port]);
    command.args(relays).args(users).stdout(Stdio::null()).stderr(Stdio::null());
    let missing = |error| format!("turnserver does not start (Debian: apt-get install coturn): {error}");
    let coturn = command.spawn().map_err(missing)?;
    Ok((coturn, format!("127.0.0.1:{port}").parse()?))
}
