//! A channel.

use bytes::Bytes;
use weft_sctp::{ChannelId, Reliability, SendError};

use super::error::Error;
use super::state::{Shared, State, lock};
use crate::sans_io::MessageKind;

/// `WriteMode`, with Godot's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(i32)]
pub enum WriteMode {
    /// Packets go out as text.
    Text = 0,
    /// Packets go out as bytes.
    #[default]
    Binary = 1,
}

/// `ChannelState`, with Godot's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum ChannelState {
    /// Not usable yet.
    Connecting = 0,
    /// Packets flow.
    Open = 1,
    /// Closed by one side; what was queued is still delivered.
    Closing = 2,
    /// Over. What was received before can still be read.
    Closed = 3,
}

/// What `id`, `max_packet_life_time` and `max_retransmits` answer where there is none.
pub const UNSET: i32 = 65_535;

/// `get_max_packet_size`: what engines split larger data by.
const MAX_PACKET_SIZE: i32 = 16_384;

/// A data channel. Dropping it closes it.
#[derive(Debug)]
pub struct DataChannel {
    shared: Shared,
    id: ChannelId,
    label: String,
    protocol: String,
    ordered: bool,
    negotiated: bool,
    reliability: Reliability,
    stream: Option<u16>,
    write_mode: WriteMode,
    was_string: bool,
}

impl DataChannel {
    pub(super) fn new(shared: Shared, state: &State, id: ChannelId) -> Self {
        let mut channel = Self {
            shared,
            id,
            label: String::new(),
            protocol: String::new(),
            ordered: true,
            negotiated: false,
            reliability: Reliability::Reliable,
            stream: None,
            write_mode: WriteMode::default(),
            was_string: false,
        };
        if let Some(info) = state.core().and_then(|core| core.data_channel(id)) {
            info.label.clone_into(&mut channel.label);
            info.protocol.clone_into(&mut channel.protocol);
            channel.ordered = info.ordered;
            channel.negotiated = info.negotiated;
            channel.reliability = info.reliability;
            channel.stream = info.stream;
        }
        channel
    }

    /// The next packet. What arrived before the channel closed can be read after.
    ///
    /// # Errors
    /// [`Error::NoPacket`] when none waits.
    pub fn get_packet(&mut self) -> Result<Bytes, Error> {
        let message = lock(&self.shared).core_mut().and_then(|core| core.receive(self.id)).ok_or(Error::NoPacket)?;
        self.was_string = message.kind == MessageKind::Text;
        Ok(message.data)
    }

    /// Lends the next packet to `read`, and gives what that makes of it; else as [`get_packet`](Self::get_packet). The packet's
    /// buffer is used again for packets to come: in steady state, reading so allocates nothing.
    ///
    /// # Errors
    /// As [`get_packet`](Self::get_packet).
    pub fn read_packet<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Result<T, Error> {
        let packet = self.get_packet()?;
        // Nothing is locked meanwhile: it may do what it likes.
        let made = read(&packet);
        if let Some(core) = lock(&self.shared).core_mut() {
            core.recycle(packet);
        }
        Ok(made)
    }

    /// Sends a packet, as text or bytes by the [`write_mode`](Self::write_mode). It leaves with the connection's next
    /// `poll`.
    ///
    /// # Errors
    /// [`Error::Send`]: not open, larger than the other side accepts, or the buffer is full. The channel lives on.
    pub fn put_packet(&mut self, packet: &[u8]) -> Result<(), Error> {
        self.put_bytes(Bytes::copy_from_slice(packet))
    }

    /// As [`put_packet`](Self::put_packet), without a copy.
    ///
    /// # Errors
    /// As [`put_packet`](Self::put_packet).
    pub fn put_bytes(&mut self, packet: Bytes) -> Result<(), Error> {
        let mut state = lock(&self.shared);
        if state.channel_state(self.id) != weft_sctp::ChannelState::Open {
            return Err(SendError::NotOpen.into());
        }
        let kind = match self.write_mode {
            WriteMode::Text => MessageKind::Text,
            WriteMode::Binary => MessageKind::Binary,
        };
        let (now, core) = state.begin()?;
        core.send(now, self.id, kind, packet)?;
        Ok(())
    }

    /// How many packets wait to be read.
    pub fn available_packet_count(&self) -> usize {
        lock(&self.shared).core().map_or(0, |core| core.data_channels().unread(self.id))
    }

    /// What engines split larger data by, in bytes. Larger packets are carried all the same, up to what the other side
    /// accepts.
    pub fn max_packet_size(&self) -> i32 {
        MAX_PACKET_SIZE
    }

    /// How packets go out; bytes at first.
    pub fn write_mode(&self) -> WriteMode {
        self.write_mode
    }

    /// Sets [`write_mode`](Self::write_mode).
    pub fn set_write_mode(&mut self, mode: WriteMode) {
        self.write_mode = mode;
    }

    /// Whether the packet read last came as text.
    pub fn was_string_packet(&self) -> bool {
        self.was_string
    }

    /// Where the channel is.
    pub fn ready_state(&self) -> ChannelState {
        match lock(&self.shared).channel_state(self.id) {
            weft_sctp::ChannelState::Connecting => ChannelState::Connecting,
            weft_sctp::ChannelState::Open => ChannelState::Open,
            weft_sctp::ChannelState::Closing => ChannelState::Closing,
            weft_sctp::ChannelState::Closed => ChannelState::Closed,
        }
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its subprotocol.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// Whether packets keep their order.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// Whether both sides agreed on it beforehand.
    pub fn is_negotiated(&self) -> bool {
        self.negotiated
    }

    /// Its stream; [`UNSET`] until it is known.
    pub fn id(&self) -> i32 {
        let known =
            || lock(&self.shared).core().and_then(|core| core.data_channel(self.id)).and_then(|info| info.stream);
        self.stream.or_else(known).map_or(UNSET, i32::from)
    }

    /// Milliseconds that a packet may take; [`UNSET`] without a limit.
    pub fn max_packet_life_time(&self) -> i32 {
        if let Reliability::MaxLifetime(millis) = self.reliability { millis.into() } else { UNSET }
    }

    /// Retransmissions of a packet before it is given up; [`UNSET`] without a limit.
    pub fn max_retransmits(&self) -> i32 {
        if let Reliability::MaxRetransmits(times) = self.reliability { times.into() } else { UNSET }
    }

    /// Bytes queued and not sent yet.
    pub fn buffered_amount(&self) -> usize {
        lock(&self.shared).core().map_or(0, |core| core.buffered_amount(self.id))
    }

    /// Closes the channel: what is queued is delivered first.
    pub fn close(&mut self) {
        lock(&self.shared).close_channel(self.id);
    }
}

impl Drop for DataChannel {
    fn drop(&mut self) {
        lock(&self.shared).release(self.id);
    }
}
