//! Connection ids: what each side wants to find in the records it receives (RFC 9146, RFC 9147 section 9).

/// Bytes of a connection id, at most.
pub(crate) const MAX_CONNECTION_ID: usize = 255;

/// Ids of ours that the peer may use at a time: the first, and spare ones.
const MAX_OWN: usize = 8;
/// Ids of the peer's kept in reserve.
const MAX_SPARE: usize = 8;

/// The connection ids of both directions. Empty ones are like none.
#[derive(Default)]
pub(crate) struct ConnectionIds {
    /// What records to us carry: any of these, all of one length, the newest last.
    own: Vec<Vec<u8>>,
    /// Whether the peer agreed to use ours: then it must.
    agreed: bool,
    /// What records to the peer carry.
    peer: Vec<u8>,
    /// Ids of the peer's to change to.
    spare: Vec<Vec<u8>>,
}

impl ConnectionIds {
    /// The id that we ask the peer for; nothing is agreed on yet. Until it is, records may carry the id or not.
    pub(crate) fn offer(&mut self, own: &[u8]) {
        let own = vec![own.get(..MAX_CONNECTION_ID).unwrap_or(own).to_vec()];
        *self = Self { own, ..Self::default() };
    }

    /// Both sides agreed; `peer` is the id that the peer asks for.
    pub(crate) fn agree(&mut self, peer: &[u8]) {
        self.agreed = true;
        self.peer = peer.to_vec();
    }

    /// The peer does not know connection ids.
    pub(crate) fn withdraw(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn are_agreed(&self) -> bool {
        self.agreed
    }

    /// Length of ids in records to us.
    #[inline]
    pub(crate) fn own_len(&self) -> usize {
        self.own.first().map_or(0, Vec::len)
    }

    /// Whether a record to us with this id, or with none, may be opened.
    #[inline]
    pub(crate) fn accepts(&self, id: &[u8]) -> bool {
        if id.is_empty() { !(self.agreed && self.own_len() > 0) } else { self.own.iter().any(|own| own == id) }
    }

    /// The id that records to the peer carry; empty for none.
    #[inline]
    pub(crate) fn peer(&self) -> &[u8] {
        &self.peer
    }

    /// Ids of ours, beside the first, that were given out for later use. Of too many the oldest is forgotten.
    pub(crate) fn add_own(&mut self, id: Vec<u8>) {
        if self.own.len() >= MAX_OWN {
            self.own.remove(0);
        }
        self.own.push(id);
    }

    /// The peer gives ids for later; the first of them to change to at once, if it is `immediate`. Of too many the last are
    /// left.
    pub(crate) fn add_peer<'a>(&mut self, mut ids: impl Iterator<Item = &'a [u8]>, immediate: bool) {
        if immediate && let Some(first) = ids.next() {
            self.peer = first.to_vec();
        }
        let room = MAX_SPARE.saturating_sub(self.spare.len());
        self.spare.extend(ids.take(room).map(<[u8]>::to_vec));
    }

    /// Changes to the next id of the peer's; whether there was one.
    pub(crate) fn change_peer(&mut self) -> bool {
        if self.spare.is_empty() {
            return false;
        }
        self.peer = self.spare.remove(0);
        true
    }
}
