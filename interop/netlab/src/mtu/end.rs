//! One end: an association on a socket of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Instant as Clock;

use weft_core::{Batch, Instant, Layer as _, Overhead, Path, Rng};
use weft_net::{RecvBuffer, UdpSocket};
use weft_sctp::{Association, AssociationError, Config};

/// More than any packet.
const MAX_DATAGRAM: usize = 2048;

pub(super) struct End {
    pub(super) association: Association,
    /// Why it died.
    pub(super) error: Option<AssociationError>,
    socket: UdpSocket,
    path: Path,
    origin: Clock,
    batch: Batch<Path>,
    received: RecvBuffer,
}

impl End {
    pub(super) fn new(socket: UdpSocket, remote: SocketAddr, seed: u64) -> Self {
        let path = Path::udp(socket.local_addr(), remote);
        let batch = Batch::new(64 * MAX_DATAGRAM, socket.limits());
        Self {
            association: Association::new(Config::rtc(), Rng::from_test_seed(seed)),
            error: None,
            socket,
            path,
            origin: Clock::now(),
            batch,
            received: RecvBuffer::with_slots(4),
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// Takes what has come, and sends what is due. `false`: there was nothing to do.
    pub(super) fn turn(&mut self) -> io::Result<bool> {
        let mut busy = false;
        loop {
            match self.socket.try_recv(&mut self.received) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            let now = self.now();
            while let Some(datagram) = self.received.next_datagram() {
                busy = true;
                let result = self.association.handle_input(now, datagram.payload);
                self.error = self.error.take().or(result.err());
            }
        }
        let now = self.now();
        if self.association.poll_timeout().is_some_and(|at| at <= now) {
            busy = true;
            let result = self.association.handle_timeout(now);
            self.error = self.error.take().or(result.err());
        }
        while self.association.poll_event().is_some() {}
        while let Some(mut frame) = self.batch.frame(MAX_DATAGRAM, Overhead::NONE) {
            if self.association.poll_transmit(now, &mut frame).is_none() {
                break;
            }
            let frame = frame.finish();
            self.batch.commit(frame, self.path);
        }
        while let Some((run, bytes)) = self.batch.front() {
            busy = true;
            match self.socket.try_send(run, bytes) {
                Ok(()) => self.batch.sent(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(busy)
    }
}
