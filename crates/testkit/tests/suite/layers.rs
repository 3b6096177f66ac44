//! Small layers of every shape a `Node` serves.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer, Path};

/// What the shapes of input have in common.
pub(crate) trait Bytes {
    fn bytes(&self) -> &[u8];
}
impl Bytes for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}
impl Bytes for &mut [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}
impl Bytes for Datagram<'_> {
    fn bytes(&self) -> &[u8] {
        self.payload
    }
}

/// A shape of input.
pub(crate) trait Shape: 'static {
    type Of<'d>: Bytes + From<Datagram<'d>>;
}
pub(crate) struct Shared;
pub(crate) struct InPlace;
pub(crate) struct Whole;
impl Shape for Shared {
    type Of<'d> = &'d [u8];
}
impl Shape for InPlace {
    type Of<'d> = &'d mut [u8];
}
impl Shape for Whole {
    type Of<'d> = Datagram<'d>;
}

/// A dead layer.
#[derive(Debug, PartialEq)]
pub(crate) struct Poisoned;

/// Sends what it is told, and again every 100 ms until it is answered; yields what arrives; tells its length as event.
/// The word `die` kills it.
pub(crate) struct Talker<S, R> {
    pub to_send: VecDeque<Vec<u8>>,
    pub unanswered: Option<(Vec<u8>, Instant)>,
    pub route: R,
    pub received: usize,
    /// How many datagrams came in since the last transmit call.
    pub burst: usize,
    pub largest_burst: usize,
    pub may_fragment: bool,
    events: VecDeque<usize>,
    shape: PhantomData<S>,
}

impl<S, R> Talker<S, R> {
    pub(crate) fn new(route: R) -> Self {
        Self {
            to_send: VecDeque::new(),
            unanswered: None,
            route,
            received: 0,
            burst: 0,
            largest_burst: 0,
            may_fragment: false,
            events: VecDeque::new(),
            shape: PhantomData,
        }
    }

    pub(crate) fn say(&mut self, what: &[u8]) {
        self.to_send.push_back(what.to_vec());
    }

    pub(crate) fn ask(&mut self, now: Instant, what: &[u8]) {
        self.unanswered = Some((what.to_vec(), now));
    }
}

impl<S: Shape, R: Clone + 'static> Layer for Talker<S, R> {
    type Input<'d> = S::Of<'d>;
    type Yield<'s> = S::Of<'s>;
    type Route = R;
    type Event = usize;
    type Error = Poisoned;

    fn handle_input<'s>(&'s mut self, _: Instant, input: S::Of<'s>) -> Result<S::Of<'s>, Poisoned> {
        if input.bytes() == b"die" {
            return Err(Poisoned);
        }
        self.received += 1;
        self.burst += 1;
        self.largest_burst = self.largest_burst.max(self.burst);
        self.unanswered = None;
        self.events.push_back(input.bytes().len());
        Ok(input)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Poisoned> {
        if let Some((what, at)) = self.unanswered.as_mut().filter(|(_, at)| *at <= now) {
            self.to_send.push_back(what.clone());
            *at = now + Duration::from_millis(100);
        }
        Ok(())
    }

    fn poll_transmit(&mut self, _: Instant, frame: &mut Frame<'_>) -> Option<R> {
        self.burst = 0;
        frame.push(&self.to_send.pop_front()?).unwrap();
        if self.may_fragment {
            frame.set_may_fragment();
        }
        Some(self.route.clone())
    }

    fn poll_event(&mut self) -> Option<usize> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.unanswered.as_ref().map(|(_, at)| *at)
    }
}

/// The plain kind.
pub(crate) type Plain = Talker<Shared, ()>;
/// The kind an ICE agent is.
pub(crate) type Routed = Talker<Whole, Path>;
