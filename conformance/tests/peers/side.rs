//! One end of an association, whoever wrote it.

use std::collections::VecDeque;

use bytes::Bytes;
use weft_core::{Datagram, Frame, Instant, Layer as _, Overhead, Path, Rng};
use weft_sctp::{Association, Config, Event, Reliability, SendOptions, State};
use weft_testkit::{A_V4, B_V4, Host};

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) stream: u16,
    pub(crate) ordered: bool,
    pub(crate) reliability: Reliability,
    pub(crate) payload: Bytes,
}

/// What a test does with either end.
pub(crate) trait Side {
    fn connect(&mut self, now: Instant);
    fn input(&mut self, now: Instant, packet: &[u8]);
    fn output(&mut self, now: Instant) -> Option<Vec<u8>>;
    fn timeout(&mut self, now: Instant);
    fn next(&self) -> Option<Instant>;
    /// Whether it is up.
    fn up(&self) -> bool;
    /// Whether it was up, and is over.
    fn down(&self) -> bool;
    /// False when it has no room.
    fn send(&mut self, now: Instant, message: &Outgoing) -> bool;
    /// The next message: stream and content.
    fn receive(&mut self, now: Instant) -> Option<(u16, Bytes)>;
    /// Resets the outgoing side of a stream (both sides, where the peer can only that).
    fn reset(&mut self, now: Instant, stream: u16);
    /// The streams that were reset since, by the far side.
    fn take_resets(&mut self) -> Vec<u16>;
    /// The streams whose reset, asked for here, is done.
    fn take_resets_done(&mut self) -> Vec<u16>;
    fn shutdown(&mut self, now: Instant);
    /// How many short messages may be queued when a shutdown begins, and are still sent.
    fn messages_before_shutdown(&self) -> u32 {
        20
    }
    /// The largest message that may expire without holding up what follows.
    fn largest_with_a_lifetime(&self) -> usize {
        usize::MAX
    }
    /// Whether it knows when the shutdown it began is over.
    fn notes_the_end(&self) -> bool {
        true
    }
    /// Whether its application must reset its own side of a stream that the far side has reset.
    fn resets_by_hand(&self) -> bool {
        true
    }
}

/// Ours.
pub(crate) struct Weft {
    pub(crate) association: Association,
    was_up: bool,
    resets: Vec<u16>,
    done: Vec<u16>,
    buffer: Vec<u8>,
    died: Option<String>,
}

impl Weft {
    pub(crate) fn new(config: Config, rng: Rng) -> Self {
        Self {
            association: Association::new(config, rng),
            was_up: false,
            resets: Vec::new(),
            done: Vec::new(),
            buffer: vec![0; 2000],
            died: None,
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::Established => self.was_up = true,
                Event::IncomingReset(id) => self.resets.push(id),
                Event::OutgoingReset(id, true) => self.done.push(id),
                Event::OutgoingReset(id, false) => panic!("the peer refuses to reset {id}"),
                _ => {}
            }
        }
    }

    fn note(&mut self, result: Result<(), weft_sctp::AssociationError>) {
        if let Err(error) = result {
            self.died.get_or_insert_with(|| error.to_string());
        }
        self.events();
    }
}

impl Side for Weft {
    fn connect(&mut self, now: Instant) {
        self.association.connect(now);
    }

    fn input(&mut self, now: Instant, packet: &[u8]) {
        let result = self.association.handle_input(now, packet);
        self.note(result);
    }

    fn output(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut frame = Frame::new(&mut self.buffer, Overhead::NONE);
        self.association.poll_transmit(now, &mut frame)?;
        Some(frame.content().to_vec())
    }

    fn timeout(&mut self, now: Instant) {
        let result = self.association.handle_timeout(now);
        self.note(result);
    }

    fn next(&self) -> Option<Instant> {
        self.association.poll_timeout()
    }

    fn up(&self) -> bool {
        if let Some(died) = &self.died {
            panic!("weft: {died}");
        }
        self.association.state() == State::Established
    }

    fn down(&self) -> bool {
        self.was_up && self.association.is_over()
    }

    fn send(&mut self, now: Instant, message: &Outgoing) -> bool {
        let options =
            SendOptions { ordered: message.ordered, reliability: message.reliability, ..SendOptions::default() };
        self.association.send(now, message.stream, 53, message.payload.clone(), options).is_ok()
    }

    fn receive(&mut self, _: Instant) -> Option<(u16, Bytes)> {
        self.association.receive().map(|m| (m.stream, m.payload))
    }

    fn reset(&mut self, now: Instant, stream: u16) {
        self.association.reset_streams(now, &[stream]);
    }

    fn take_resets(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.resets)
    }

    fn take_resets_done(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.done)
    }

    fn shutdown(&mut self, now: Instant) {
        self.association.shutdown(now);
    }
}

/// A [`Side`] at an end of the test kit's links.
pub(crate) struct End {
    pub(crate) side: Box<dyn Side>,
    pub(crate) got: VecDeque<(u16, Bytes)>,
    path: Path,
}

impl End {
    pub(crate) fn new(side: Box<dyn Side>) -> Self {
        Self { side, got: VecDeque::new(), path: Path::udp(A_V4, B_V4) }
    }
}

impl Host for End {
    fn assign(&mut self, path: Path) {
        self.path = path;
    }

    fn receive(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.side.input(now, datagram.payload);
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<Path> {
        let packet = self.side.output(now)?;
        frame.push(&packet).expect("no packet is larger than the path takes");
        Some(self.path)
    }

    fn settle(&mut self, now: Instant) {
        while let Some(message) = self.side.receive(now) {
            self.got.push_back(message);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.side.timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.side.next()
    }
}
