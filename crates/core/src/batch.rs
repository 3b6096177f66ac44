//! The caller's send buffer.

use crate::frame::{Committable, Frame, Overhead};

/// What one send call may carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Datagrams in one run: what the socket's segmentation offload takes (64 on Linux), or 1 without it.
    pub max_segments: usize,
    /// Bytes in one run. The kernel takes at most 65,507 over IPv4 (65,535 less the IP and UDP headers).
    pub max_run_bytes: usize,
}

impl Limits {
    /// Every datagram is a run of its own.
    pub const SINGLE: Self = Self { max_segments: 1, max_run_bytes: 65_507 };
    /// As Linux's UDP_SEGMENT takes them.
    pub const GSO: Self = Self { max_segments: 64, max_run_bytes: 65_507 };
}

/// Datagrams for one route that lie end to end and leave in one call: all `segment_size` long, but for the last, which
/// may be shorter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run<R> {
    /// Where it goes.
    pub route: R,
    /// Where it starts in the buffer.
    start: usize,
    /// How long it is.
    len: usize,
    /// Length of every datagram but the last.
    pub segment_size: usize,
    /// Whether the network may fragment it (clear DF).
    pub may_fragment: bool,
    /// A shorter datagram ended it.
    closed: bool,
}

impl<R> Run<R> {
    /// How many datagrams it holds.
    pub fn segments(&self) -> usize {
        if self.segment_size == 0 { 1 } else { self.len.div_ceil(self.segment_size) }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no bytes (one empty datagram).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// One send buffer, owned by the caller and used again: datagrams are built in it end to end and grouped into runs.
///
/// The law of segmentation offload: a run holds datagrams of equal length, a shorter one ends it, and so does a change
/// of route. Datagrams are cut to the path MTU, never to the segment size of a run that happens to be open: a longer one
/// starts a new run in the same buffer.
///
/// A socket that blocks keeps its runs: [`sent`](Self::sent) removes what went out, the rest is tried again.
#[derive(Debug)]
pub struct Batch<R> {
    buf: Vec<u8>,
    len: usize,
    runs: std::collections::VecDeque<Run<R>>,
    limits: Limits,
}

impl<R: PartialEq> Batch<R> {
    /// A batch with a buffer of `capacity` bytes. 65,536 and a bit hold one full run.
    pub fn new(capacity: usize, limits: Limits) -> Self {
        Self { buf: vec![0; capacity], len: 0, runs: std::collections::VecDeque::with_capacity(64), limits }
    }

    /// Changes what one call may carry (a socket refused segmentation offload). Runs already built stay as they are.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Starts the next datagram, of at most `max_datagram` bytes including `room`. `None` when less than that is left of
    /// the buffer: send what is in it first.
    pub fn frame(&mut self, max_datagram: usize, room: Overhead) -> Option<Frame<'_>> {
        let end = self.len.checked_add(max_datagram)?;
        Some(Frame::new(self.buf.get_mut(self.len..end)?, room))
    }

    /// Takes in the datagram built in the frame that [`frame`](Self::frame) gave last.
    ///
    /// Head room that was reserved but not used is closed up by moving the datagram, so reserve what will be used.
    pub fn commit(&mut self, frame: Committable, route: R) {
        let len = frame.end.saturating_sub(frame.start);
        if self.len + frame.end > self.buf.len() {
            return; // not a frame of this batch
        }
        if frame.start != 0 {
            self.buf.copy_within(self.len + frame.start..self.len + frame.end, self.len);
        }
        let start = self.len;
        self.len += len;
        if let Some(run) = self.runs.back_mut() {
            let fits = !run.closed
                && run.segment_size >= len
                && run.segment_size > 0
                && len > 0
                && run.route == route
                && run.may_fragment == frame.may_fragment
                && run.segments() < self.limits.max_segments
                && run.len + len <= self.limits.max_run_bytes;
            if fits {
                run.len += len;
                run.closed = len < run.segment_size;
                return;
            }
        }
        self.runs.push_back(Run {
            route,
            start,
            len,
            segment_size: len,
            may_fragment: frame.may_fragment,
            closed: false,
        });
    }

    /// The first run still to be sent, and its bytes.
    pub fn front(&self) -> Option<(&Run<R>, &[u8])> {
        let run = self.runs.front()?;
        Some((run, self.buf.get(run.start..run.start + run.len)?))
    }

    /// All runs still to be sent, oldest first, each with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Run<R>, &[u8])> {
        self.runs.iter().filter_map(|run| Some((run, self.buf.get(run.start..run.start + run.len)?)))
    }

    /// The first run was sent (or given up): removes it. The buffer is free again when the last one is gone.
    pub fn sent(&mut self) {
        self.runs.pop_front();
        if self.runs.is_empty() {
            self.len = 0;
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.len = 0;
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes of the buffer that are taken, including runs already sent while others wait behind them.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many runs wait.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }
}
