//! A stack at an end of the test kit's links, which keeps what arrives.

use std::collections::VecDeque;

use bytes::Bytes;
use weft_benches::stacks::{self, Stack};
use weft_core::{Datagram, Frame, Instant, Path};
use weft_testkit::Host;

pub(crate) struct End {
    inner: stacks::End,
    pub(crate) got: VecDeque<(u16, Bytes)>,
}

impl End {
    pub(crate) fn new(stack: Box<dyn Stack>) -> Self {
        Self { inner: stacks::End::new(stack), got: VecDeque::new() }
    }

    /// The stack, in good health.
    pub(crate) fn side(&mut self) -> &mut dyn Stack {
        assert_eq!(self.inner.stack.fault(), None);
        self.inner.stack.as_mut()
    }
}

impl Host for End {
    fn assign(&mut self, path: Path) {
        self.inner.assign(path);
    }

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.inner.receive(now, datagram);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        self.inner.transmit(now, frame)
    }

    fn settle(&mut self, now: Instant) {
        let Self { inner, got } = self;
        inner.stack.read(now, &mut |stream, content| got.push_back((stream, Bytes::copy_from_slice(content))));
    }

    fn timeout(&mut self, now: Instant) {
        self.inner.timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.inner.next_timeout()
    }
}
