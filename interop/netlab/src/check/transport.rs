//! A TURN client on real sockets, driven by polling.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Batch, Datagram, Instant, Layer as _, Limits, Overhead, Path, Rng, Transport};
use weft_net::{Clock, Framing, RecvBuffer, Roots, StreamConfig, StreamSocket, TlsConfig, UdpSocket, entropy_seed};
use weft_stun::turn::{Client, Config, Event, MAX_OVERHEAD, Received};

/// How long a thing may take on loopback, with other tests running.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing happens before the sockets are looked at again.
const NAP: Duration = Duration::from_micros(300);

enum Socket {
    Udp(Box<UdpSocket>, Box<RecvBuffer>),
    Stream(Box<StreamSocket>),
}

/// A client and its socket.
pub struct Driver {
    /// The client.
    pub client: Client,
    /// What it has told.
    pub events: Vec<Event>,
    /// What peers sent: from, content.
    pub received: VecDeque<(SocketAddr, Vec<u8>)>,
    socket: Socket,
    clock: Clock,
    batch: Batch<Path>,
}

/// Why a driver cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// A socket.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// TLS.
    #[error("TLS: {0}")]
    Tls(#[from] weft_net::TlsError),
    /// It took too long.
    #[error("no connection within {PATIENCE:?}")]
    Slow,
}

impl Driver {
    /// A client of `server`; `certificate` is what the server shows over TLS.
    ///
    /// # Errors
    /// [`BeginError`].
    pub fn begin(
        transport: Transport,
        server: SocketAddr,
        certificate: &[u8],
        config: Config,
    ) -> Result<Self, BeginError> {
        let clock = Clock::new();
        let (socket, path) = open(&clock, transport, server, certificate)?;
        let rng = Rng::from_seed(entropy_seed()?);
        Ok(Self {
            client: Client::new(clock.now(), config, path, rng),
            events: Vec::new(),
            received: VecDeque::new(),
            socket,
            clock,
            batch: Batch::new(1 << 18, Limits::SINGLE),
        })
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Everything that can be done now.
    ///
    /// # Errors
    /// If the socket is broken or the connection has ended.
    pub fn turn(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        self.read(now)?;
        let Ok(()) = self.client.handle_timeout(now);
        while let Some(mut frame) = self.batch.frame(1500, Overhead::NONE) {
            let Some(path) = self.client.poll_transmit(now, &mut frame) else { break };
            let frame = frame.finish();
            self.batch.commit(frame, path);
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
        self.write()
    }

    fn read(&mut self, now: Instant) -> io::Result<()> {
        let Self { client, received, .. } = self;
        let mut take = |datagram: Datagram<'_>| {
            let Ok(outcome) = client.handle_input(now, datagram);
            if let Received::Relayed(datagram) = outcome {
                received.push_back((datagram.path.remote, datagram.payload.to_vec()));
            }
        };
        match &mut self.socket {
            Socket::Udp(socket, buffer) => {
                while blocked(socket.try_recv(buffer))?.is_some() {
                    while let Some(datagram) = buffer.next_datagram() {
                        take(datagram);
                    }
                }
            }
            Socket::Stream(socket) => {
                while let Some(datagram) = blocked(socket.try_recv())? {
                    take(datagram);
                }
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        if let Socket::Stream(socket) = &mut self.socket {
            blocked(socket.flush())?;
        }
        while let Some((run, bytes)) = self.batch.front() {
            let sent = match &mut self.socket {
                Socket::Udp(socket, _) => socket.try_send(run, bytes),
                Socket::Stream(socket) => socket.try_send(run, bytes),
            };
            if blocked(sent)?.is_none() {
                break;
            }
            self.batch.sent();
        }
        Ok(())
    }

    /// Sends `content` to `peer`; false if the client cannot.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn send(&mut self, peer: SocketAddr, content: &[u8]) -> io::Result<bool> {
        let Some(mut frame) = self.batch.frame(content.len() + MAX_OVERHEAD.total(), MAX_OVERHEAD) else {
            return Ok(false);
        };
        let wrapped = frame.push(content).is_ok() && self.client.wrap(peer, &mut frame).is_ok();
        if wrapped {
            let path = self.client.path();
            let frame = frame.finish();
            self.batch.commit(frame, path);
            self.write()?;
        }
        Ok(wrapped)
    }

    /// Goes on until `done`, for [`PATIENCE`] at most; says whether it came to that.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn until(&mut self, done: impl Fn(&Self) -> bool) -> io::Result<bool> {
        self.until_within(PATIENCE, done)
    }

    /// Goes on until `done`, for `time` at most.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn until_within(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> io::Result<bool> {
        let end = self.clock.now() + time;
        loop {
            self.turn()?;
            if done(self) {
                return Ok(true);
            }
            if self.clock.now() >= end {
                return Ok(false);
            }
            std::thread::sleep(NAP);
        }
    }

    /// Goes on for `time`.
    ///
    /// # Errors
    /// If the socket is broken.
    pub fn pass(&mut self, time: Duration) -> io::Result<()> {
        self.until_within(time, |_| false).map(|_| ())
    }
}

fn open(
    clock: &Clock,
    transport: Transport,
    server: SocketAddr,
    certificate: &[u8],
) -> Result<(Socket, Path), BeginError> {
    if transport == Transport::Udp {
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0))?;
        let path = Path::udp(socket.local_addr(), server);
        return Ok((Socket::Udp(Box::new(socket), Box::new(RecvBuffer::new())), path));
    }
    let config = if transport == Transport::Tls {
        let tls = Arc::new(TlsConfig::new(&Roots::Only(vec![certificate.to_vec()]))?);
        StreamConfig::tls(Framing::Turn, tls, server.ip().to_string())
    } else {
        StreamConfig::tcp(Framing::Turn)
    };
    let mut socket = StreamSocket::connect(None, server, &config)?;
    let end = clock.now() + PATIENCE;
    while !socket.try_connect()? {
        if clock.now() >= end {
            return Err(BeginError::Slow);
        }
        std::thread::sleep(NAP);
    }
    let path = socket.path();
    Ok((Socket::Stream(Box::new(socket)), path))
}

fn blocked<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
