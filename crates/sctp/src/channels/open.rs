//! Opening a channel ([RFC 8832 section 6](https://www.rfc-editor.org/rfc/rfc8832#section-6)).

use bytes::Bytes;
use weft_core::Instant;

use super::{Channel, ChannelEvent, ChannelId, ChannelInit, ChannelState, CloseReason, DataChannels, Role, ppid};
use crate::error::OpenError;
use crate::wire::{Dcep, dcep};

/// 65,535 is no stream id of a data channel (RFC 8831 section 6.2: "the stream identifier 65535 is reserved").
const MAX_STREAM: u16 = 65_534;

impl DataChannels {
    /// Our side of the DTLS handshake, once known: channels opened in band get their stream ids then.
    pub fn set_role(&mut self, now: Instant, role: Role) {
        self.role = Some(role);
        while let Some(id) = self.waiting.pop_front() {
            if self.table.get(id).is_none() {
                continue;
            }
            if let Some(stream) = self.free_stream(role) {
                self.start(now, id, stream);
            } else {
                if let Some(channel) = self.table.get_mut(id) {
                    channel.reason = CloseReason::NoStream;
                }
                self.finish_close(id);
            }
        }
    }

    /// Opens a channel. It may be called before the role is known or the association is up.
    pub fn open(&mut self, now: Instant, init: ChannelInit) -> Result<ChannelId, OpenError> {
        if self.over || self.association.is_over() {
            return Err(OpenError::Closed);
        }
        if init.label.len() > 65_535 || init.protocol.len() > 65_535 {
            return Err(OpenError::TextTooLong);
        }
        if self.table.len >= self.max_channels {
            return Err(OpenError::TooMany);
        }
        if let Some(stream) = init.negotiated {
            if stream > MAX_STREAM || stream >= self.streams() || !self.is_free(stream) {
                return Err(OpenError::IdTaken);
            }
            let priority = init.priority;
            let id = self.table.insert(Channel::new(init, false));
            self.association.set_priority(stream, priority);
            self.set_open(id);
            return Ok(id);
        }
        let Some(role) = self.role else {
            let id = self.table.insert(Channel::new(init, false));
            self.waiting.push_back(id);
            return Ok(id);
        };
        let stream = self.free_stream(role).ok_or(OpenError::TooMany)?;
        let id = self.table.insert(Channel::new(init, false));
        self.start(now, id, stream);
        Ok(id)
    }

    fn set_open(&mut self, id: ChannelId) {
        if self.connected
            && let Some(channel) = self.table.get_mut(id)
        {
            channel.state = ChannelState::Open;
            self.events.push_back(ChannelEvent::Opened(id));
        }
    }

    /// Binds a channel of ours to its stream and sends DATA_CHANNEL_OPEN.
    fn start(&mut self, now: Instant, id: ChannelId, stream: u16) {
        self.table.bind(id, stream);
        let Some(channel) = self.table.get(id) else { return };
        let mut message = Vec::new();
        Dcep::Open {
            ordered: channel.init.ordered,
            reliability: channel.init.reliability,
            priority: channel.init.priority,
            label: &channel.init.label,
            protocol: &channel.init.protocol,
        }
        .write(&mut message);
        let (threshold, priority, piecewise) = (channel.threshold, channel.init.priority, channel.piecewise);
        self.association.send_control(now, stream, ppid::DCEP, Bytes::from(message));
        self.association.set_buffered_amount_low_threshold(stream, threshold);
        self.association.set_priority(stream, priority);
        if piecewise {
            self.association.set_piecewise(stream, true);
        }
        self.set_open(id);
    }

    /// Streams usable both ways.
    fn streams(&self) -> u16 {
        self.association.out_streams().min(self.association.in_streams())
    }

    fn is_free(&self, stream: u16) -> bool {
        self.table.on_stream(stream).is_none() && !self.association.is_resetting(stream)
    }

    /// The lowest free stream id of our parity.
    fn free_stream(&mut self, role: Role) -> Option<u16> {
        let parity = match role {
            Role::Client => 0,
            Role::Server => 1,
        };
        let end = self.streams();
        self.table.free_stream(parity, end, |stream| self.association.is_resetting(stream))
    }

    /// The peer's channel on `stream` is refused: our direction is reset, which tells it so.
    pub(super) fn reject(&mut self, now: Instant, stream: u16) {
        match self.table.on_stream(stream) {
            Some(id) => {
                if let Some(channel) = self.table.get_mut(id)
                    && matches!(channel.state, ChannelState::Connecting | ChannelState::Open)
                {
                    channel.reason = CloseReason::Remote;
                    channel.state = ChannelState::Closing;
                    self.events.push_back(ChannelEvent::Closing(id));
                    self.association.reset_streams(now, &[stream]);
                }
            }
            None => self.association.reset_streams(now, &[stream]),
        }
    }

    pub(super) fn on_dcep(&mut self, now: Instant, stream: u16, bytes: &[u8]) {
        match Dcep::parse(bytes) {
            Some(Dcep::Open { ordered, reliability, priority, label, protocol }) => {
                let theirs = match self.role {
                    Some(Role::Client) => stream % 2 == 1,
                    Some(Role::Server) => stream.is_multiple_of(2),
                    None => true,
                };
                if self.table.on_stream(stream).is_none() {
                    // A channel was refused here: the peer has seen our reset, or it would not open another.
                    self.association.settle_reset(stream);
                }
                let text = label.len() + protocol.len();
                let room = self.table.len < self.max_channels && self.label_bytes + text <= self.max_label_bytes;
                if !theirs || stream >= self.streams() || !self.is_free(stream) || !room {
                    self.dropped += 1;
                    return self.reject(now, stream);
                }
                self.label_bytes += text;
                let mut channel = Channel::new(
                    ChannelInit {
                        label: label.to_owned(),
                        protocol: protocol.to_owned(),
                        ordered,
                        reliability,
                        priority,
                        negotiated: None,
                    },
                    true,
                );
                channel.state = ChannelState::Open;
                let id = self.table.insert(channel);
                self.table.bind(id, stream);
                self.association.set_priority(stream, priority);
                self.association.send_control(now, stream, ppid::DCEP, Bytes::from_static(&[dcep::ACK]));
                self.events.push_back(ChannelEvent::Incoming(id));
            }
            Some(Dcep::Ack) => {
                if let Some(channel) = self.table.on_stream(stream).and_then(|id| self.table.get_mut(id)) {
                    channel.acknowledged = true;
                } else {
                    self.dropped += 1;
                }
            }
            None => {
                self.dropped += 1;
                self.reject(now, stream);
            }
        }
    }
}
