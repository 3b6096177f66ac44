//! SCTP stacks behind one interface: ours and, with the feature `peers`, others.

#[cfg(feature = "peers")]
mod dcsctp;
#[cfg(feature = "peers")]
mod sctp_proto;
mod weft;

use bytes::Bytes;
use weft_core::{Datagram, Frame, Instant, Path};
use weft_testkit::Host;

#[cfg(feature = "peers")]
pub use dcsctp::DcSctp;
#[cfg(feature = "peers")]
pub use sctp_proto::SctpProto;
pub use weft::Weft;

/// What is known of a sender at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// Congestion window, bytes; 0 where the stack does not tell.
    pub window: usize,
    /// Smoothed round-trip time, seconds; 0 where the stack does not tell.
    pub srtt: f64,
    /// Largest packet sent, bytes.
    pub packet: usize,
    /// Chunks sent again.
    pub retransmissions: u64,
    /// Expiries of T3-rtx.
    pub timeouts: u64,
}

/// One end of an association.
pub trait Stack {
    /// Starts the handshake.
    fn connect(&mut self, now: Instant);
    /// Whether the association is up.
    fn is_up(&self) -> bool;
    /// A packet arrived.
    fn receive(&mut self, now: Instant, packet: &[u8]);
    /// Writes the next packet; `false` when there is none.
    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool;
    /// When [`timeout`](Self::timeout) wants to be called.
    fn next_timeout(&self) -> Option<Instant>;
    /// Fires due timers.
    fn timeout(&mut self, now: Instant);
    /// Queues an ordered, reliable message; `false` when enough is queued.
    fn send(&mut self, now: Instant, stream: u16, message: &Bytes) -> bool;
    /// Takes what has arrived: stream and content of each message.
    fn read(&mut self, now: Instant, each: &mut dyn FnMut(u16, &[u8]));
    /// What is known of it now.
    fn snapshot(&self) -> Snapshot;
}

/// A [`Stack`] at the end of a link.
pub struct End {
    /// The stack.
    pub stack: Box<dyn Stack>,
    path: Path,
}

impl End {
    /// This stack, not yet at a link.
    pub fn new(stack: Box<dyn Stack>) -> Self {
        Self { stack, path: Path::udp(weft_testkit::A_V4, weft_testkit::B_V4) }
    }
}

impl Host for End {
    fn assign(&mut self, path: Path) {
        self.path = path;
    }

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.stack.receive(now, datagram.payload);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        self.stack.transmit(now, frame).then_some(self.path)
    }

    fn timeout(&mut self, now: Instant) {
        self.stack.timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.stack.next_timeout()
    }
}
