//! What went through the channels.

use std::collections::BTreeMap;

use weft_sctp::ChannelId;

/// Messages and bytes of a channel.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages that were queued to be sent.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages that the application took.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// The channels there are, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Channels that came to be open.
    pub(super) opened: u64,
    /// Of those, channels that are closed.
    pub(super) closed: u64,
    channels: BTreeMap<ChannelId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    traffic: Traffic,
    open: bool,
}

impl Tally {
    pub(super) fn created(&mut self, id: ChannelId) {
        self.channels.entry(id).or_default();
    }

    pub(super) fn opened(&mut self, id: ChannelId) {
        self.opened += 1;
        self.channels.entry(id).or_default().open = true;
    }

    pub(super) fn closed(&mut self, id: ChannelId) {
        if self.channels.remove(&id).is_some_and(|entry| entry.open) {
            self.closed += 1;
        }
    }

    /// Bytes were queued; with `last` they end a message.
    pub(super) fn sent(&mut self, id: ChannelId, bytes: usize, last: bool) {
        if let Some(Entry { traffic, .. }) = self.channels.get_mut(&id) {
            traffic.bytes_sent += bytes as u64;
            traffic.messages_sent += u64::from(last);
        }
    }

    /// Bytes were taken; with `last` they end a message.
    pub(super) fn received(&mut self, id: ChannelId, bytes: usize, last: bool) {
        if let Some(Entry { traffic, .. }) = self.channels.get_mut(&id) {
            traffic.bytes_received += bytes as u64;
            traffic.messages_received += u64::from(last);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ChannelId, Traffic)> {
        self.channels.iter().map(|(id, entry)| (*id, entry.traffic))
    }
}
