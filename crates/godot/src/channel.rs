//! The data channel as both engines see it.

use bytes::Bytes;
use weft_rtc::polled::{ChannelState, DataChannel, WriteMode};

use crate::error;

/// `WRITE_MODE_BINARY`.
pub(crate) const WRITE_MODE_BINARY: i32 = WriteMode::Binary as i32;
/// `STATE_CLOSED`.
pub(crate) const STATE_CLOSED: i32 = ChannelState::Closed as i32;
/// What numbers that are not set answer.
pub(crate) const UNSET: i32 = weft_rtc::polled::UNSET;

/// A `WebRTCDataChannel`.
pub(crate) struct Channel {
    inner: DataChannel,
}

impl Channel {
    pub(crate) fn new(inner: DataChannel) -> Self {
        Self { inner }
    }

    pub(crate) fn get_packet(&mut self) -> Result<Bytes, i32> {
        self.inner.get_packet().map_err(|error| error.code() as i32)
    }

    pub(crate) fn put_packet(&mut self, packet: &[u8]) -> i32 {
        match self.inner.put_packet(packet) {
            Ok(()) => error::OK,
            Err(error) => error.code() as i32,
        }
    }

    pub(crate) fn available_packets(&self) -> i32 {
        count(self.inner.available_packet_count())
    }

    pub(crate) fn max_packet_size(&self) -> i32 {
        self.inner.max_packet_size()
    }

    pub(crate) fn set_write_mode(&mut self, mode: i32) {
        let mode = if mode == WriteMode::Text as i32 { WriteMode::Text } else { WriteMode::Binary };
        self.inner.set_write_mode(mode);
    }

    pub(crate) fn write_mode(&self) -> i32 {
        self.inner.write_mode() as i32
    }

    pub(crate) fn was_string_packet(&self) -> bool {
        self.inner.was_string_packet()
    }

    pub(crate) fn ready_state(&self) -> i32 {
        self.inner.ready_state() as i32
    }

    pub(crate) fn label(&self) -> &str {
        self.inner.label()
    }

    pub(crate) fn protocol(&self) -> &str {
        self.inner.protocol()
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.inner.is_ordered()
    }

    pub(crate) fn is_negotiated(&self) -> bool {
        self.inner.is_negotiated()
    }

    pub(crate) fn id(&self) -> i32 {
        self.inner.id()
    }

    pub(crate) fn max_packet_life_time(&self) -> i32 {
        self.inner.max_packet_life_time()
    }

    pub(crate) fn max_retransmits(&self) -> i32 {
        self.inner.max_retransmits()
    }

    pub(crate) fn buffered_amount(&self) -> i32 {
        count(self.inner.buffered_amount())
    }

    pub(crate) fn close(&mut self) {
        self.inner.close();
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
