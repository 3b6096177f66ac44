//! The `dcsctp` crate.

use core::time::Duration;
use std::collections::VecDeque;

use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, SocketEvent, SocketState, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use weft_core::{Frame, Instant};
use weft_sctp::Reliability;

use super::{Habits, Outgoing, Snapshot, Stack};

/// `dcsctp`.
pub struct DcSctp {
    socket: Box<dyn DcSctpSocket>,
    packets: VecDeque<Vec<u8>>,
    mtu: usize,
    resets: Vec<u16>,
    done: Vec<u16>,
    was_up: bool,
    over: bool,
    fault: Option<String>,
}

/// Packets as large as ours begin, retransmission without limits, nothing else set.
pub fn options() -> Options {
    Options { mtu: 1188, max_retransmissions: None, max_init_retransmits: None, ..Options::default() }
}

impl Default for DcSctp {
    /// With zero checksums, as over DTLS.
    fn default() -> Self {
        Self::new(&Options {
            zero_checksum_alternate_error_detection_method:
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
            ..options()
        })
    }
}

impl DcSctp {
    /// A socket set up by `options`.
    pub fn new(options: &Options) -> Self {
        Self {
            socket: dcsctp::new_socket("peer", options),
            packets: VecDeque::new(),
            mtu: options.mtu,
            resets: Vec::new(),
            done: Vec::new(),
            was_up: false,
            over: false,
            fault: None,
        }
    }

    fn at(&mut self, now: Instant) {
        self.socket.advance_time(SocketTime::zero() + Duration::from_nanos(now.as_nanos()));
        self.events();
    }

    fn events(&mut self) {
        let ids = |streams: Vec<StreamId>| streams.into_iter().map(|s| s.0);
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => self.packets.push_back(packet),
                SocketEvent::OnConnected() => self.was_up = true,
                SocketEvent::OnClosed() => self.over = true,
                SocketEvent::OnAborted(kind, text) => self.fault = Some(format!("dcsctp aborts: {kind:?} {text}")),
                SocketEvent::OnStreamsResetFailed(streams) => {
                    self.fault = Some(format!("dcsctp cannot reset {streams:?}"));
                }
                SocketEvent::OnStreamsResetPerformed(streams) => self.done.extend(ids(streams)),
                SocketEvent::OnIncomingStreamReset(streams) => self.resets.extend(ids(streams)),
                _ => {}
            }
        }
    }
}

impl Stack for DcSctp {
    fn connect(&mut self, now: Instant) {
        self.at(now);
        self.socket.connect();
        self.events();
    }

    fn is_up(&self) -> bool {
        self.socket.state() == SocketState::Connected
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        self.at(now);
        self.socket.handle_input(packet);
        self.events();
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        if self.packets.is_empty() {
            self.at(now);
        }
        self.packets.pop_front().is_some_and(|packet| frame.push(&packet).is_ok())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let at = self.socket.poll_timeout();
        (at != SocketTime::infinite_future()).then(|| Instant::ORIGIN + (at - SocketTime::zero()).max(Duration::ZERO))
    }

    fn timeout(&mut self, now: Instant) {
        self.at(now);
    }

    fn send_message(&mut self, now: Instant, message: &Outgoing) -> bool {
        let stream = StreamId(message.stream);
        if !self.is_up() || self.socket.buffered_amount(stream) > 1 << 20 {
            return false;
        }
        self.at(now);
        let (lifetime, max_retransmissions) = match message.reliability {
            Reliability::Reliable => (None, None),
            Reliability::MaxRetransmits(n) => (None, Some(n)),
            Reliability::MaxLifetime(ms) => (Some(Duration::from_millis(ms.into())), None),
        };
        let options =
            SendOptions { unordered: !message.ordered, lifetime, max_retransmissions, ..SendOptions::default() };
        let sent = self.socket.send(Message::new(stream, PpId(53), message.payload.to_vec()), &options).is_ok();
        self.events();
        sent
    }

    fn read(&mut self, _now: Instant, each: &mut dyn FnMut(u16, &[u8])) {
        while let Some(message) = self.socket.get_next_message() {
            each(message.stream_id.0, &message.payload);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let metrics = self.socket.get_metrics();
        Snapshot {
            window: metrics.as_ref().map_or(0, |m| m.cwnd_bytes),
            srtt: metrics.as_ref().map_or(0.0, |m| m.srtt.as_secs_f64()),
            packet: self.mtu,
            retransmissions: metrics.as_ref().map_or(0, |m| m.rtx_packets_count as u64),
            timeouts: 0,
        }
    }

    fn reset(&mut self, now: Instant, stream: u16) {
        self.at(now);
        if let Err(error) = self.socket.reset_streams(&[StreamId(stream)]) {
            self.fault = Some(format!("dcsctp does not reset {stream}: {error:?}"));
        }
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

    fn is_over(&self) -> bool {
        self.was_up && self.over
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// When it shuts down it looks at what is outstanding alone. Chunks that were lost and wait to be sent again are so no
    /// more, and its SHUTDOWN may overtake them. Of a message that expires when part of it has left and is acknowledged, it
    /// drops the rest and abandons nothing, so that no FORWARD TSN tells the receiver not to wait.
    fn habits(&self) -> Habits {
        Habits {
            messages_before_shutdown: 3,
            largest_with_a_lifetime: 1000,
            notes_the_end: true,
            resets_by_hand: true,
            repeats_resets: true,
            takes_reflected_tags: true,
            shuts_down_last: false,
        }
    }
}
