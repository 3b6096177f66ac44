//! SCTP stacks behind one interface: ours and, with the feature `peers`, others. The benchmarks measure them side by
//! side, the conformance tests let them talk to each other.

#[cfg(feature = "peers")]
mod dcsctp;
#[cfg(feature = "peers")]
mod rtc_sctp;
#[cfg(feature = "peers")]
mod sctp_proto;
mod weft;

use bytes::Bytes;
use weft_core::{Datagram, Frame, Instant, Path};
use weft_sctp::Reliability;
use weft_testkit::Host;

#[cfg(feature = "peers")]
pub use self::dcsctp::{DcSctp, options as dcsctp_options};
#[cfg(feature = "peers")]
pub use self::rtc_sctp::RtcSctp;
#[cfg(feature = "peers")]
pub use self::sctp_proto::SctpProto;
pub use self::weft::Weft;

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

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its stream.
    pub stream: u16,
    /// In order with the others of the stream.
    pub ordered: bool,
    /// When it is given up.
    pub reliability: Reliability,
    /// What it says.
    pub payload: Bytes,
}

/// Where stacks differ in what they can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// How many short messages may be queued when a shutdown begins, and are still sent.
    pub messages_before_shutdown: u32,
    /// The largest message that may expire without holding up what follows, bytes.
    pub largest_with_a_lifetime: usize,
    /// It knows when the shutdown it began is over.
    pub notes_the_end: bool,
    /// Its application must reset its own side of a stream that the far side has reset.
    pub resets_by_hand: bool,
    /// It sends a request to reset a stream again when that, or its answer, was lost (RFC 6525 section 5.1.1).
    pub repeats_resets: bool,
    /// It takes a SHUTDOWN COMPLETE with its own tag reflected and the T bit (RFC 9260 section 8.5.1), which is what answers
    /// it when the first one was lost (section 8.4).
    pub takes_reflected_tags: bool,
    /// It sends a SHUTDOWN only when nothing is left that it must send again (RFC 9260 section 9.2).
    pub shuts_down_last: bool,
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
    /// Queues a message; `false` when enough is queued.
    fn send_message(&mut self, now: Instant, message: &Outgoing) -> bool;
    /// Queues an ordered, reliable message; `false` when enough is queued.
    fn send(&mut self, now: Instant, stream: u16, message: &Bytes) -> bool {
        let payload = message.clone();
        self.send_message(now, &Outgoing { stream, ordered: true, reliability: Reliability::Reliable, payload })
    }
    /// Takes what has arrived: stream and content of each message.
    fn read(&mut self, now: Instant, each: &mut dyn FnMut(u16, &[u8]));
    /// What is known of it now.
    fn snapshot(&self) -> Snapshot;
    /// Resets the outgoing side of a stream (both sides, where a stack can only do that).
    fn reset(&mut self, now: Instant, stream: u16);
    /// The streams that the far side has reset since.
    fn take_resets(&mut self) -> Vec<u16>;
    /// The streams whose reset, asked for here, is done.
    fn take_resets_done(&mut self) -> Vec<u16>;
    /// Begins an orderly shutdown.
    fn shutdown(&mut self, now: Instant);
    /// Whether it was up, and is over.
    fn is_over(&self) -> bool;
    /// Why it failed, if it did.
    fn fault(&self) -> Option<&str>;
    /// In what it differs.
    fn habits(&self) -> Habits;
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
