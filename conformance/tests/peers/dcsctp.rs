//! The `dcsctp` crate.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, SocketEvent, SocketState, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use weft_core::Instant;
use weft_sctp::Reliability;

use crate::side::{Outgoing, Side};

pub(crate) struct DcSctp {
    socket: Box<dyn DcSctpSocket>,
    packets: VecDeque<Vec<u8>>,
    resets: Vec<u16>,
    done: Vec<u16>,
    was_up: bool,
    over: bool,
}

pub(crate) fn options() -> Options {
    Options { max_retransmissions: None, max_init_retransmits: None, ..Options::default() }
}

/// As SCTP over DTLS may be.
pub(crate) fn zero_checksum() -> Options {
    Options {
        zero_checksum_alternate_error_detection_method: ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
        ..options()
    }
}

impl DcSctp {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            socket: dcsctp::new_socket("peer", options),
            packets: VecDeque::new(),
            resets: Vec::new(),
            done: Vec::new(),
            was_up: false,
            over: false,
        }
    }

    fn at(&mut self, now: Instant) {
        self.socket.advance_time(time(now));
        self.events();
    }

    fn events(&mut self) {
        let ids = |streams: Vec<StreamId>| streams.into_iter().map(|s| s.0).collect::<Vec<_>>();
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.packets.push_back(packet),
                SocketEvent::OnConnected() => self.was_up = true,
                SocketEvent::OnClosed() => self.over = true,
                SocketEvent::OnAborted(kind, text) => panic!("dcsctp aborts: {kind:?} {text}"),
                SocketEvent::OnStreamsResetFailed(streams) => panic!("dcsctp cannot reset {streams:?}"),
                SocketEvent::OnStreamsResetPerformed(streams) => self.done.extend(ids(streams)),
                SocketEvent::OnIncomingStreamReset(streams) => self.resets.extend(ids(streams)),
                _ => {}
            }
        }
    }
}

fn time(now: Instant) -> SocketTime {
    SocketTime::zero() + Duration::from_nanos(now.as_nanos())
}

impl Side for DcSctp {
    fn connect(&mut self, now: Instant) {
        self.at(now);
        self.socket.connect();
    }

    fn input(&mut self, now: Instant, packet: &[u8]) {
        self.at(now);
        self.socket.handle_input(packet);
        self.events();
    }

    fn output(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.packets.is_empty() {
            self.at(now);
        }
        self.packets.pop_front()
    }

    fn timeout(&mut self, now: Instant) {
        self.at(now);
    }

    fn next(&self) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        (at != SocketTime::infinite_future()).then(|| Instant::ORIGIN + (at - SocketTime::zero()).max(Duration::ZERO))
    }

    fn up(&self) -> bool {
        self.socket.state() == SocketState::Connected
    }

    fn down(&self) -> bool {
        self.was_up && self.over
    }

    fn send(&mut self, now: Instant, message: &Outgoing) -> bool {
        self.at(now);
        let (lifetime, max_retransmissions) = match message.reliability {
            Reliability::Reliable => (None, None),
            Reliability::MaxRetransmits(n) => (None, Some(u16::try_from(n).unwrap_or(u16::MAX))),
            Reliability::MaxLifetime(ms) => (Some(Duration::from_millis(ms.into())), None),
        };
        let options =
            SendOptions { unordered: !message.ordered, lifetime, max_retransmissions, ..SendOptions::default() };
        let sent =
            self.socket.send(Message::new(StreamId(message.stream), PpId(53), message.payload.to_vec()), &options);
        self.events();
        sent.is_ok()
    }

    fn receive(&mut self, _: Instant) -> Option<(u16, Bytes)> {
        self.socket.get_next_message().map(|m| (m.stream_id.0, Bytes::from(m.payload)))
    }

    fn reset(&mut self, now: Instant, stream: u16) {
        self.at(now);
        self.socket.reset_streams(&[StreamId(stream)]).unwrap();
        self.events();
    }

    fn take_resets(&mut self) -> Vec<u16> {
        core::mem::take(&mut self.resets)
    }

    fn take_resets_done(&mut self) -> Vec<u16> {
        core::mem::take(&mut self.done)
    }

    fn shutdown(&mut self, now: Instant) {
        self.at(now);
        self.socket.shutdown();
        self.events();
    }

    /// It looks at what is outstanding alone.
    fn messages_before_shutdown(&self) -> u32 {
        3
    }

    /// One that expires half sent is not skipped, when what was sent of it is acknowledged.
    fn largest_with_a_lifetime(&self) -> usize {
        1000
    }
}
