//! What went through the channels.

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

#[cfg(feature = "metrics")]
impl Traffic {
    fn add(&mut self, other: &Self) {
        self.messages_sent += other.messages_sent;
        self.bytes_sent += other.bytes_sent;
        self.messages_received += other.messages_received;
        self.bytes_received += other.bytes_received;
    }
}

/// The channels there are, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Channels that came to be open.
    pub(super) opened: u64,
    /// Of those, channels that are closed.
    pub(super) closed: u64,
    /// What went through channels that are no more.
    #[cfg(feature = "metrics")]
    past: Traffic,
    /// In order: most are made at its end.
    channels: Vec<(ChannelId, Entry)>,
}

#[derive(Debug, Default)]
struct Entry {
    traffic: Traffic,
    open: bool,
}

impl Tally {
    fn get_mut(&mut self, id: ChannelId) -> Option<&mut Entry> {
        let at = self.find(id).ok()?;
        self.channels.get_mut(at).map(|(_, entry)| entry)
    }

    fn find(&self, id: ChannelId) -> Result<usize, usize> {
        self.channels.binary_search_by_key(&id, |(id, _)| *id)
    }

    fn insert(&mut self, id: ChannelId) {
        if let Err(at) = self.find(id) {
            self.channels.insert(at, (id, Entry::default()));
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.channels.shrink_to_fit();
    }

    pub(super) fn created(&mut self, id: ChannelId) {
        self.insert(id);
    }

    pub(super) fn opened(&mut self, id: ChannelId) {
        self.opened += 1;
        self.insert(id);
        if let Some(entry) = self.get_mut(id) {
            entry.open = true;
        }
    }

    pub(super) fn closed(&mut self, id: ChannelId) {
        let Ok(at) = self.find(id) else { return };
        let (_, entry) = self.channels.remove(at);
        self.closed += u64::from(entry.open);
        #[cfg(feature = "metrics")]
        self.past.add(&entry.traffic);
    }

    /// Bytes were queued; with `last` they end a message.
    pub(super) fn sent(&mut self, id: ChannelId, bytes: usize, last: bool) {
        if let Some(Entry { traffic, .. }) = self.get_mut(id) {
            traffic.bytes_sent += bytes as u64;
            traffic.messages_sent += u64::from(last);
        }
    }

    /// Bytes were taken; with `last` they end a message.
    pub(super) fn received(&mut self, id: ChannelId, bytes: usize, last: bool) {
        if let Some(Entry { traffic, .. }) = self.get_mut(id) {
            traffic.bytes_received += bytes as u64;
            traffic.messages_received += u64::from(last);
        }
    }

    /// What went through all channels there were.
    #[cfg(feature = "metrics")]
    pub(super) fn total(&self) -> Traffic {
        let mut total = self.past;
        self.channels.iter().for_each(|(_, entry)| total.add(&entry.traffic));
        total
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ChannelId, Traffic)> {
        self.channels.iter().map(|(id, entry)| (*id, entry.traffic))
    }
}
