//! Congestion control ([RFC 9260 section 7](https://www.rfc-editor.org/rfc/rfc9260#section-7)).
//!
//! A [`Controller`] decides how much may be in flight and, where it wants to, how fast it leaves. Which one an
//! association has is chosen by [`ControllerKind`] in its [`Config`](crate::Config); another can be given to
//! [`Association::set_controller`](crate::Association::set_controller).

mod bbr;
mod cubic;
mod filter;
mod hystart;
mod newreno;
mod round;
mod share;

use core::fmt::Debug;
use core::time::Duration;

use weft_core::Instant;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use newreno::NewReno;

/// The constant of the initial window, bytes (RFC 9260 section 7.2.1): that for IPv6. For IPv4 it may be 4404, but below
/// DTLS and ICE nobody can tell which it is, and a sender may be more careful than it must.
const INITIAL_WINDOW: usize = 4344;

/// The initial window for chunks of up to `chunk` bytes of user data (RFC 9260 section 7.2.1).
fn initial_window(chunk: usize) -> usize {
    (4 * chunk).min((2 * chunk).max(INITIAL_WINDOW))
}

/// Which congestion control an association has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum ControllerKind {
    /// [`NewReno`]: the one RFC 9260 describes.
    NewReno,
    /// [`Cubic`] (RFC 9438).
    Cubic,
    /// [`Bbr`]: by a model of the path.
    #[default]
    Bbr,
}

impl ControllerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NewReno, Self::Cubic, Self::Bbr];

    /// Its name: `newreno`, `cubic`, `bbr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewReno => "newreno",
            Self::Cubic => "cubic",
            Self::Bbr => "bbr",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// A controller of this kind. `chunk` is the most user data a chunk carries, bytes; `slow_start_limit` the L of RFC
    /// 9260 section 7.2.1; `hystart` lets NewReno and CUBIC leave slow start when the delay grows (RFC 9406). They begin
    /// with a window of `initial` packets, where that is not `None`.
    pub fn build(
        self,
        chunk: usize,
        slow_start_limit: usize,
        hystart: bool,
        initial: Option<usize>,
    ) -> Box<dyn Controller> {
        let limit = slow_start_limit;
        match self {
            Self::NewReno => Box::new(NewReno::new(chunk, limit).with_hystart(hystart).with_initial_window(initial)),
            Self::Cubic => Box::new(Cubic::new(chunk, limit).with_hystart(hystart).with_initial_window(initial)),
            Self::Bbr => Box::new(Bbr::new(chunk).with_initial_window(initial)),
        }
    }
}

/// How fast data was delivered, measured from when a packet was sent to when it was acknowledged.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct RateSample {
    /// User bytes a second.
    pub bytes_per_second: f64,
    /// Time it was measured over.
    pub interval: Duration,
    /// There was not always something to send: the path may be faster.
    pub app_limited: bool,
    /// User bytes delivered in all when the packet was sent.
    pub prior_delivered: u64,
    /// User bytes in flight when the packet had been sent.
    pub flight_at_send: usize,
    /// User bytes found lost since the packet was sent.
    pub lost: u64,
}

/// What a SACK acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acknowledged {
    /// User bytes newly acknowledged, cumulatively or by gap block.
    pub bytes: usize,
    /// User bytes in flight before the SACK.
    pub flight_before: usize,
    /// User bytes in flight after it.
    pub flight_after: usize,
    /// Whether the Cumulative TSN Ack Point advanced.
    pub advanced: bool,
    /// Whether the sender is in Fast Recovery.
    pub in_recovery: bool,
    /// Whether the window kept the sender from sending more, rather than want of data or the peer's window.
    pub window_limited: bool,
    /// Smoothed round-trip time.
    pub srtt: Option<Duration>,
    /// Round-trip time of the packet sent last among those acknowledged, if none of it was sent twice.
    pub rtt: Option<Duration>,
    /// User bytes delivered in all.
    pub delivered: u64,
    /// User bytes newly found lost.
    pub lost: usize,
    /// Delivery rate, where one could be measured.
    pub rate: Option<RateSample>,
}

/// Decides how much may be in flight.
///
/// For each SACK `on_ack` is called first, then `on_loss` where it began Fast Recovery.
pub trait Controller: Debug + Send {
    /// A SACK acknowledged something.
    fn on_ack(&mut self, now: Instant, ack: &Acknowledged);
    /// Loss was detected by missing reports or by time: Fast Recovery begins, with `flight` user bytes in flight.
    fn on_loss(&mut self, now: Instant, flight: usize);
    /// T3-rtx expired.
    fn on_timeout(&mut self, now: Instant);
    /// What the last `on_loss` or `on_timeout` took for lost had arrived: undo it.
    fn on_spurious_loss(&mut self, now: Instant) {
        let _ = now;
    }
    /// Nothing was sent for a whole RTO.
    fn on_idle(&mut self);
    /// Sending begins after a pause in which nothing was in flight.
    fn on_resume(&mut self, now: Instant) {
        let _ = now;
    }
    /// The association started anew: as when it was made.
    fn restart(&mut self);
    /// The largest chunk of user data changed to this many bytes.
    fn set_chunk_size(&mut self, bytes: usize);
    /// Congestion window, bytes.
    fn window(&self) -> usize;
    /// Slow start threshold, bytes (`usize::MAX` where there is none).
    fn threshold(&self) -> usize;
    /// User bytes a second at which data is to leave; `None` paces by window and round-trip time.
    fn pacing_rate(&self) -> Option<f64> {
        None
    }
    /// The window is still being opened exponentially.
    fn in_slow_start(&self) -> bool {
        self.window() <= self.threshold()
    }
}
