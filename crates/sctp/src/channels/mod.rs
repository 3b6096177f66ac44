//! Data channels ([RFC 8831](https://www.rfc-editor.org/rfc/rfc8831), [RFC 8832](https://www.rfc-editor.org/rfc/rfc8832)).

mod close;
mod event;
mod open;
mod receive;
mod send;
mod table;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Rng};

pub use event::{
    ChannelEvent, ChannelId, ChannelInfo, ChannelInit, ChannelMessage, ChannelPiece, ChannelState, CloseReason,
    MessageKind, Role,
};
use table::{Channel, Table};

use crate::error::AssociationError;
use crate::event::Event;
use crate::{Association, Config};

/// Payload Protocol Identifiers (RFC 8831 section 8, RFC 8832 section 8.1).
mod ppid {
    pub(super) const DCEP: u32 = 50;
    pub(super) const STRING: u32 = 51;
    pub(super) const BINARY: u32 = 53;
    pub(super) const STRING_EMPTY: u32 = 56;
    pub(super) const BINARY_EMPTY: u32 = 57;
}

/// What a peer takes that says nothing about it in its SDP (RFC 8841 section 6.1).
const DEFAULT_REMOTE_MAX_MESSAGE_SIZE: u64 = 65_536;

/// Data channels over one association.
///
/// Messages not yet read count against the receive window, so that a slow reader slows the sender. Sending is bounded by
/// [`Config::send_buffer`]: [`SendError::Full`](crate::SendError::Full) says to wait for [`ChannelEvent::Writable`].
#[derive(Debug)]
pub struct DataChannels {
    association: Association,
    role: Option<Role>,
    remote_max: Option<u64>,
    table: Table,
    /// Channels that have no stream id because the role is not known.
    waiting: VecDeque<ChannelId>,
    events: VecDeque<ChannelEvent>,
    max_channels: usize,
    label_bytes: usize,
    max_label_bytes: usize,
    connected: bool,
    over: bool,
    /// Messages that somebody watches, by the number the association knows.
    notices: BTreeMap<u64, (ChannelId, u64)>,
    next_notice: u64,
    /// Messages dropped: on no channel, of unknown kind, or malformed.
    dropped: u64,
}

impl DataChannels {
    /// Data channels over an association not yet set up.
    ///
    /// Many may share their settings: give each a clone of one `Arc<Config>`.
    pub fn new(config: impl Into<Arc<Config>>, rng: Rng) -> Self {
        let config = config.into();
        Self {
            role: None,
            remote_max: Some(DEFAULT_REMOTE_MAX_MESSAGE_SIZE),
            table: Table::default(),
            waiting: VecDeque::new(),
            events: VecDeque::new(),
            max_channels: config.max_channels,
            label_bytes: 0,
            max_label_bytes: config.max_label_bytes,
            connected: false,
            over: false,
            notices: BTreeMap::new(),
            next_notice: 0,
            dropped: 0,
            association: Association::new(config, rng),
        }
    }

    /// Gives back room that is not needed now: for who has thousands of them.
    pub fn shrink_to_fit(&mut self) {
        self.table.shrink_to_fit();
        self.waiting.shrink_to_fit();
        self.events.shrink_to_fit();
        self.association.shrink_to_fit();
    }

    /// The association underneath.
    pub fn association(&self) -> &Association {
        &self.association
    }

    /// Messages that were dropped because they were on no channel, of no known kind, or malformed.
    pub fn dropped_messages(&self) -> u64 {
        self.dropped
    }

    /// Starts to set the association up.
    pub fn connect(&mut self, now: Instant) {
        self.association.connect(now);
    }

    /// Our INIT chunk, to be exchanged by other means: [`Association::local_init`].
    pub fn local_init(&self) -> Vec<u8> {
        self.association.local_init()
    }

    /// Sets the association up by the peer's INIT chunk, without a handshake: [`Association::connect_with_init`].
    ///
    /// # Errors
    /// As there.
    pub fn connect_with_init(&mut self, now: Instant, chunk: &[u8]) -> Result<(), crate::InitError> {
        self.association.connect_with_init(now, chunk)?;
        self.pump(now);
        Ok(())
    }

    /// Packets go by another path from now on: [`Association::change_path`].
    pub fn change_path(&mut self, now: Instant, rtt: Option<core::time::Duration>) {
        self.association.change_path(now, rtt);
    }

    /// The peer's `max-message-size`: `None` for no limit. Until it is set, 65,536 bytes (RFC 8841 section 6.1).
    pub fn set_remote_max_message_size(&mut self, bytes: Option<u64>) {
        self.remote_max = bytes;
    }

    /// The channel's stream id, once it has one.
    pub fn stream(&self, id: ChannelId) -> Option<u16> {
        self.table.get(id)?.stream
    }

    /// What is known of a channel; `None` once it is closed and read empty.
    pub fn info(&self, id: ChannelId) -> Option<ChannelInfo<'_>> {
        let channel = self.table.get(id)?;
        Some(ChannelInfo {
            label: &channel.init.label,
            protocol: &channel.init.protocol,
            ordered: channel.init.ordered,
            reliability: channel.init.reliability,
            priority: channel.init.priority,
            negotiated: channel.init.negotiated.is_some(),
            incoming: channel.incoming,
            stream: channel.stream,
            state: channel.state,
        })
    }

    /// Handles of all channels that are not both closed and read empty.
    pub fn ids(&self) -> Vec<ChannelId> {
        self.table.ids()
    }

    /// Shuts the association down in order once everything queued is acknowledged.
    pub fn shutdown(&mut self, now: Instant) {
        self.association.shutdown(now);
        self.pump(now);
    }

    /// Ends the association at once, telling the peer. What was queued is lost.
    pub fn abort(&mut self, now: Instant) {
        self.association.abort(now);
        self.pump(now);
    }

    /// Starts over with a new association, as a new DTLS connection asks for (RFC 8841 section 9.3): channels of the one
    /// before are closed, and what arrived on them can still be read.
    pub fn renew(&mut self, config: impl Into<Arc<Config>>, rng: Rng) {
        self.close_all();
        for id in self.table.ids() {
            if let Some(channel) = self.table.get_mut(id) {
                channel.orphan = true;
            }
        }
        for number in self.notices.keys().copied().collect::<Vec<_>>() {
            self.tell(number, false);
        }
        self.association = Association::new(config, rng);
        (self.role, self.over) = (None, false);
        self.remote_max = Some(DEFAULT_REMOTE_MAX_MESSAGE_SIZE);
    }

    /// Sets the peer's SCTP port, as negotiated (RFC 8841 section 5). Only before the association begins.
    pub fn set_remote_port(&mut self, port: u16) {
        self.association.set_remote_port(port);
    }

    /// Whether [`poll_transmit`](Layer::poll_transmit) may have something to write: [`Association::wants_transmit`].
    pub fn wants_transmit(&mut self) -> bool {
        self.association.wants_transmit() || self.association.has_news()
    }

    /// Takes over what the association received and reports.
    fn pump(&mut self, now: Instant) {
        while let Some(event) = self.association.poll_event() {
            match event {
                Event::Established => self.on_established(),
                Event::Restarted => self.close_all(),
                Event::Delivered(number) => self.tell(number, true),
                Event::Abandoned(number) => self.tell(number, false),
                Event::Flushed(stream) => self.on_flushed(stream),
                // A channel stays what it is when its stream starts anew or there are more of them.
                Event::Readable
                | Event::ShuttingDown
                | Event::ResetRefused(_)
                | Event::TsnsReset(_)
                | Event::OutgoingStreams(_)
                | Event::IncomingStreams(_)
                | Event::StreamsRefused => {}
                Event::Writable => {
                    for id in self.table.ids() {
                        if let Some(channel) = self.table.get_mut(id).filter(|c| c.blocked) {
                            channel.blocked = false;
                            self.events.push_back(ChannelEvent::Writable(id));
                        }
                    }
                }
                Event::BufferedAmountLow(stream) => {
                    if let Some(id) = self.table.on_stream(stream) {
                        self.events.push_back(ChannelEvent::BufferedAmountLow(id));
                    }
                }
                Event::OutgoingReset(stream, done) => self.on_outgoing_reset(stream, done),
                Event::IncomingReset(stream) => {
                    self.take_messages(now);
                    self.on_incoming_reset(now, stream);
                }
                Event::Closed => {
                    self.take_messages(now);
                    self.disconnected(None);
                }
            }
        }
        self.take_messages(now);
    }

    fn on_established(&mut self) {
        if core::mem::replace(&mut self.connected, true) {
            return;
        }
        self.events.push_back(ChannelEvent::Connected);
        let streams = self.association.out_streams().min(self.association.in_streams());
        for id in self.table.ids() {
            let Some(channel) = self.table.get_mut(id) else { continue };
            let Some(stream) = channel.stream else { continue };
            if channel.piecewise {
                self.association.set_piecewise(stream, true);
            }
            if stream >= streams {
                channel.reason = CloseReason::NoStream;
                self.finish_close(id);
            } else if channel.state == ChannelState::Connecting {
                channel.state = ChannelState::Open;
                self.events.push_back(ChannelEvent::Opened(id));
            }
        }
    }
}

impl Layer for DataChannels {
    type Input<'d> = &'d [u8];
    type Yield<'s> = ();
    type Route = ();
    type Event = ChannelEvent;
    type Error = AssociationError;

    fn handle_input(&mut self, now: Instant, packet: &[u8]) -> Result<(), AssociationError> {
        let result = self.association.handle_input(now, packet);
        if self.association.has_news() {
            self.pump(now);
        }
        result.inspect_err(|error| self.disconnected(Some(error.clone())))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), AssociationError> {
        let result = self.association.handle_timeout(now);
        self.pump(now);
        result.inspect_err(|error| self.disconnected(Some(error.clone())))
    }

    fn poll_transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> Option<()> {
        let sent = self.association.poll_transmit(now, frame);
        if self.association.has_news() {
            self.pump(now);
        }
        sent
    }

    fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.association.poll_timeout()
    }
}
