//! A live TURN client between a server and somebody who may send it anything.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer as _, Overhead, Path, Rng, Transport};
use weft_stun::turn::{Client, Config, MAX_OVERHEAD, Received};
use weft_stun::{Credentials, OAuthToken};
use weft_testkit::{ThirdParty, TurnServer, TurnServerConfig};

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1)), 5000);
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 1)), 3478);
const RELAY: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 2));

struct World {
    now: Instant,
    client: Client,
    server: TurnServer,
    /// What the server has to say.
    replies: Vec<Vec<u8>>,
}

/// The first byte chooses transport and server; then commands of two bytes and what follows them.
pub(super) fn run(data: &[u8]) {
    let Some((&kind, mut rest)) = data.split_first() else { return };
    let transport = if kind & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let mut rng = Rng::from_test_seed(1);
    let config = TurnServerConfig {
        algorithms: kind & 2 != 0,
        anonymous: kind & 4 != 0,
        user: (kind & 8 == 0).then(|| ("alice".to_owned(), "secret".to_owned())),
        nonce_lifetime: Duration::from_secs(if kind & 16 == 0 { 3600 } else { 5 }),
        third_party: (kind & 32 != 0).then(|| third_party(0)),
        ..TurnServerConfig::default()
    };
    let mut settings = Config::new(credentials(kind & 64 != 0, 0));
    (settings.max_permissions, settings.max_channels, settings.max_events) = (8, 8, 16);
    let path = Path { transport, local: LOCAL, remote: SERVER };
    let mut world = World {
        now: Instant::ORIGIN,
        client: Client::new(Instant::ORIGIN, settings, path, rng.fork()),
        server: TurnServer::new(SERVER, RELAY, config, rng.fork()),
        replies: Vec::new(),
    };
    for _ in 0..200 {
        let Some((&[command, argument], after)) = rest.split_first_chunk::<2>() else { break };
        rest = world.command(command, argument, after);
        world.settle();
    }
}

/// A server that takes the `n`th token.
fn third_party(n: u8) -> ThirdParty {
    ThirdParty { server_name: "turn".to_owned(), tokens: vec![(vec![n; 30], vec![n; 20])] }
}

/// A password, and perhaps the `n`th token.
fn credentials(token: bool, n: u8) -> Credentials {
    let password = Credentials::new("alice", "secret");
    if token { password.with_token(OAuthToken::new("kid", [n; 30], [n; 20])) } else { password }
}

impl World {
    fn command<'d>(&mut self, command: u8, argument: u8, rest: &'d [u8]) -> &'d [u8] {
        let peer = SocketAddr::new(IpAddr::from([203, 0, 113, argument % 16]), 7000 + u16::from(argument / 16));
        match command % 10 {
            // What the network may do to the server's answers: deliver, drop, flip a byte.
            0 => {
                if let Some(reply) = (!self.replies.is_empty()).then(|| self.replies.remove(0)) {
                    self.give(reply);
                }
            }
            1 => {
                if let Some(mut reply) = self.replies.pop() {
                    let at = usize::from(argument) % reply.len().max(1);
                    if let Some(byte) = reply.get_mut(at) {
                        *byte ^= command | 1;
                    }
                    self.give(reply);
                }
            }
            2 => self.now += Duration::from_millis(u64::from(argument) * u64::from(argument) * 20),
            3 => drop(self.client.permit(self.now, peer.ip())),
            4 => drop(self.client.bind_channel(self.now, peer)),
            5 => self.client.revoke(self.now, peer.ip()),
            6 => {
                let mut buf = [7; 400];
                let mut frame = Frame::new(&mut buf, MAX_OVERHEAD);
                let overhead = self.client.overhead(peer);
                let len = usize::from(argument);
                assert!(frame.push_uninit(len).is_ok());
                if self.client.wrap(peer, &mut frame).is_ok() {
                    let grown = frame.len() - len;
                    assert!(overhead.is_some_and(|o| (o.head..=o.total()).contains(&grown)));
                }
            }
            // Anything at all from the server's address.
            7 => {
                let (bytes, after) = rest.split_at(usize::from(argument).min(rest.len()));
                self.give(bytes.to_vec());
                return after;
            }
            // The tokens change, at the server, at the client or at both.
            8 if argument >= 128 => {
                let n = argument / 4 % 2;
                if argument & 1 != 0 {
                    self.server.config.third_party = Some(third_party(n));
                }
                if argument & 2 != 0 {
                    self.client.set_credentials(self.now, credentials(argument & 8 == 0, n));
                }
            }
            8 => match argument % 4 {
                0 => self.client.close(self.now),
                1 => self.client.disconnected(self.now),
                2 => self.server.restart(),
                _ => {
                    let path = self.client.path();
                    self.client.connect(self.now, path);
                }
            },
            _ => {
                if let Some(allocation) = self.client.allocation() {
                    let (relayed, content) = (allocation.relayed, [argument; 9]);
                    self.replies.extend(self.server.handle(self.now, peer, relayed, &content).into_iter().map(|s| s.2));
                }
            }
        }
        rest
    }

    fn give(&mut self, mut bytes: Vec<u8>) {
        let path = self.client.path();
        let Ok(received) = self.client.handle_input(self.now, Datagram::new(path, &mut bytes));
        if let Received::Relayed(datagram) = received {
            assert!(datagram.path.transport == Transport::Udp);
        }
    }

    /// Lets the client do what it wants to, which comes to an end.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100, "the client never rests");
            let Ok(()) = self.client.handle_timeout(self.now);
            let mut buf = [0; 1500];
            let mut frame = Frame::new(&mut buf, Overhead::NONE);
            while let Some(path) = self.client.poll_transmit(self.now, &mut frame) {
                let sent = self.server.handle(self.now, LOCAL, path.remote, frame.content());
                self.replies.extend(sent.into_iter().filter(|(_, to, _)| *to == LOCAL).map(|(.., bytes)| bytes));
                frame.truncate(0);
            }
            let events = core::iter::from_fn(|| self.client.poll_event()).count();
            assert!(events <= 16);
            if self.client.poll_timeout().is_none_or(|at| at > self.now) {
                break;
            }
        }
        self.replies.truncate(64);
    }
}
