//! UDP without a protocol: the floor of a round trip, with both kinds of driver; with tokio it is measured by turns with ours
//! ([`Turns`](super::cases::Turns)). The sockets are those that peer connections use:
//! not connected, as one serves many peers, at the loopback address that ICE prefers (RFC 8421).

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::Result;
use super::cases::{Case, Samples, What};

pub(crate) const MESSAGE: [u8; 100] = [1; 100];

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    match case.what {
        What::RoundTrip => blocking(seconds).map(Some),
        What::Throughput(_) | What::Setup | What::Browser(_) => Ok(None),
    }
}

/// Two sockets.
pub(crate) fn pair() -> Result<(UdpSocket, UdpSocket)> {
    let bind = || UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0"));
    Ok((bind()?, bind()?))
}

/// A thread for each end.
fn blocking(seconds: f64) -> Result<Value> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let (a, b) = pair()?;
    let to = b.local_addr()?;
    b.set_read_timeout(Some(Duration::from_millis(100)))?;
    a.set_read_timeout(Some(Duration::from_millis(100)))?;
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while !STOP.load(Ordering::Relaxed) {
            if let Ok((len, from)) = b.recv_from(&mut buffer) {
                let _ = b.send_to(buffer.get(..len).unwrap_or_default(), from);
            }
        }
    });
    let (mut samples, mut buffer) = (Samples::round_trips(seconds), [0; 2048]);
    while samples.more() {
        a.send_to(&MESSAGE, to)?;
        if a.recv_from(&mut buffer).is_ok() {
            samples.done();
        }
    }
    let report = samples.report();
    STOP.store(true, Ordering::Relaxed);
    let _ = echo.join();
    report
}

fn on_tokio(socket: UdpSocket) -> Result<tokio::net::UdpSocket> {
    socket.set_nonblocking(true)?;
    Ok(tokio::net::UdpSocket::from_std(socket)?)
}

/// Sends back what comes, for ever.
pub(crate) async fn echo(socket: UdpSocket) -> Result<()> {
    let (socket, mut buffer) = (on_tokio(socket)?, [0; 2048]);
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(buffer.get(..len).unwrap_or_default(), from).await?;
    }
}

/// A task for each end; this one is ours.
pub(crate) struct Echoed {
    socket: tokio::net::UdpSocket,
    to: SocketAddr,
    buffer: [u8; 2048],
}

impl Echoed {
    /// Sends by `socket`, within a runtime, to where one that echoes is bound.
    pub(crate) fn new(socket: UdpSocket, to: SocketAddr) -> Result<Self> {
        Ok(Self { socket: on_tokio(socket)?, to, buffer: [0; 2048] })
    }

    /// One message there and back.
    pub(crate) async fn round_trip(&mut self) -> Result<()> {
        self.socket.send_to(&MESSAGE, self.to).await?;
        self.socket.recv_from(&mut self.buffer).await?;
        Ok(())
    }
}
