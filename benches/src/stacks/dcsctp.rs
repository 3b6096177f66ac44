//! The `dcsctp` crate.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use dcsctp::api::{
    DcSctpSocket, Message, Options, PpId, SendOptions, SocketEvent, SocketState, SocketTime, StreamId,
    ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use weft_core::{Frame, Instant};

use super::{Snapshot, Stack};

/// `dcsctp`, with zero checksums.
pub struct DcSctp {
    socket: Box<dyn DcSctpSocket>,
    packets: VecDeque<Vec<u8>>,
    mtu: usize,
}

impl Default for DcSctp {
    fn default() -> Self {
        Self::new()
    }
}

impl DcSctp {
    /// A socket with packets as large as ours begin, and retransmission without limits.
    pub fn new() -> Self {
        let options = Options {
            mtu: 1188,
            max_retransmissions: None,
            max_init_retransmits: None,
            zero_checksum_alternate_error_detection_method:
                ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
            ..Options::default()
        };
        Self { socket: dcsctp::new_socket("bench", &options), packets: VecDeque::new(), mtu: 1188 }
    }

    fn at(&mut self, now: Instant) {
        self.socket.advance_time(SocketTime::zero() + Duration::from_nanos(now.as_nanos()));
        self.events();
    }

    fn events(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            if let SocketEvent::SendPacket(packet) = event {
                self.packets.push_back(packet);
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
        (at != SocketTime::infinite_future()).then(|| Instant::ORIGIN + (at - SocketTime::zero()))
    }

    fn timeout(&mut self, now: Instant) {
        self.at(now);
    }

    fn send(&mut self, now: Instant, stream: u16, message: &Bytes) -> bool {
        if !self.is_up() || (stream == 0 && self.socket.buffered_amount(StreamId(0)) > 1 << 20) {
            return false;
        }
        self.at(now);
        let message = Message::new(StreamId(stream), PpId(53), message.to_vec());
        let sent = self.socket.send(message, &SendOptions::default()).is_ok();
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
}
