//! The epochs of a connection, and sealing and packing records.

use core::ops::Range;

use weft_core::{Frame, Full, Overhead, Spent};

use super::connection_id::ConnectionIds;
use super::epoch::{ReadEpoch, WriteEpoch};
use super::protection::Protection;
use crate::config::Limits;
use crate::crypto::Failed;
use crate::wire::{ContentType, MAX_PLAINTEXT, ProtocolVersion, RECORD_HEADER, RecordHeader, UnifiedHeader};

/// Protected epochs to read in 1.3: the newest, for its two low bits tell the epochs apart, and those before it, for
/// records that were overtaken.
const READ_EPOCHS_V13: usize = 3;
/// Write epochs of 1.3 kept: messages are repeated in the epoch they were first sent in.
const WRITE_EPOCHS_V13: usize = 3;

/// Records that the last key of all keeps for the end.
const RESERVED: u64 = 64;

/// The records of a connection: every epoch that has keys, in both directions.
pub(crate) struct RecordLayer {
    /// Protected ones; epoch 0 needs nothing to be read.
    pub(super) read: Vec<ReadEpoch>,
    write: Vec<WriteEpoch>,
    /// The version field of records sent; 1.0 until the version is agreed (RFC 6347 section 4.2.1).
    version: ProtocolVersion,
    /// The longest content that the peer takes in a protected record (RFC 8449).
    content_limit: usize,
    /// The longest plaintext of a protected record that we take: content, and in 1.3 its type and padding.
    pub(super) own_limit: usize,
    /// Records that may fail to authenticate under one key.
    pub(super) forgery_limit: u64,
    pub(crate) connection_ids: ConnectionIds,
}

/// What became of a record that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Incoming {
    /// Opened; its content lies at this range of the record.
    Opened {
        content_type: ContentType,
        epoch: u16,
        sequence: u64,
        /// Whether no later one was opened before.
        newest: bool,
        content: Range<usize>,
    },
    /// It belongs to an epoch whose keys are not here yet.
    Early,
    /// The peer sealed more than a record may hold.
    Overflow,
    /// Counted and dropped.
    Dropped,
    /// Dropped, and what follows it in its datagram is to be: it has a connection id that is none of ours.
    Foreign,
    /// Dropped, and the key must open nothing any more: too many records failed to authenticate.
    Spent,
}

/// The record that `datagram` holds from `at` on: its header and where it ends.
#[cfg(test)]
pub(crate) fn split(datagram: &[u8], at: usize) -> Option<(RecordHeader, usize)> {
    let rest = datagram.get(at..)?;
    let header = RecordHeader::parse(rest).ok()?;
    let end = at.checked_add(RECORD_HEADER)?.checked_add(header.length.into())?;
    (end <= datagram.len()).then_some((header, end))
}

impl RecordLayer {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            read: Vec::new(),
            write: vec![WriteEpoch::new(0, Protection::Plaintext)],
            version: ProtocolVersion::DTLS_1_0,
            content_limit: MAX_PLAINTEXT,
            own_limit: limits.record_plaintext().into(),
            forgery_limit: limits.forgeries(),
            connection_ids: ConnectionIds::default(),
        }
    }

    /// Where the record ends that starts at `at` of the datagram.
    #[inline]
    pub(crate) fn record_end(&self, datagram: &[u8], at: usize) -> Option<usize> {
        let rest = datagram.get(at..)?;
        let id_len = self.connection_ids.own_len();
        let (head, length) = match *rest.first()? {
            first if UnifiedHeader::is_unified(first) => {
                let header = UnifiedHeader::parse_with_id(rest, id_len).ok()?;
                let Some(length) = header.length else { return Some(datagram.len()) };
                (header.ciphertext_offset(), length)
            }
            first if ContentType(first) == ContentType::TLS12_CID => {
                let (header, id) = RecordHeader::parse_with_id(rest, id_len).ok()?;
                (RECORD_HEADER.checked_add(id.len())?, header.length)
            }
            _ => (RECORD_HEADER, RecordHeader::parse(rest).ok()?.length),
        };
        let end = at.checked_add(head)?.checked_add(length.into())?;
        (end <= datagram.len()).then_some(end)
    }

    /// Goes on counting the records of epoch 0 from `sequence`.
    pub(crate) fn continue_plaintext(&mut self, sequence: u64) {
        if let Some(plaintext) = self.write.first_mut() {
            plaintext.continue_from(sequence);
        }
    }

    /// Records that failed to authenticate under the newest key to read with.
    pub(crate) fn forged(&self) -> u64 {
        self.read.last().map_or(0, |epoch| epoch.forged)
    }

    pub(crate) fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// The longest content to put into a protected record.
    pub(crate) fn set_content_limit(&mut self, limit: usize) {
        self.content_limit = limit.min(MAX_PLAINTEXT);
    }

    pub(crate) fn content_limit(&self) -> usize {
        // With a connection id the content type counts in 1.2, too (RFC 9146 section 4).
        self.content_limit.saturating_sub(usize::from(!self.connection_ids.peer().is_empty()))
    }

    /// Adds an epoch to read. Of many the oldest is forgotten.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        if self.read.len() >= READ_EPOCHS_V13 {
            self.read.remove(0);
        }
        self.read.reserve_exact(1);
        self.read.push(epoch);
    }

    /// The keys to read with in `epoch` are hardly needed any more.
    pub(crate) fn rest_read(&mut self, epoch: u16) {
        self.read.iter_mut().filter(|half| half.epoch == epoch).for_each(|half| half.protection.rest());
    }

    /// No keys are needed for a while.
    pub(crate) fn rest(&mut self) {
        self.read.iter_mut().for_each(|half| half.protection.rest());
        self.write.iter_mut().for_each(|half| half.protection.rest());
        self.write.shrink_to_fit();
    }

    /// The peer goes on to the next keys, in 1.3. They are those of the next epoch.
    pub(crate) fn update_read(&mut self) -> Result<(), Failed> {
        let newest = self.read.last().ok_or(Failed)?;
        let next = newest.epoch.checked_add(1).ok_or(Failed)?;
        self.install_read(ReadEpoch::new(next, newest.protection.update()?));
        Ok(())
    }

    /// We go on to the next keys, in 1.3. They are those of the next epoch.
    pub(crate) fn update_write(&mut self) -> Result<(), Failed> {
        let newest = self.write.last().ok_or(Failed)?;
        let next = newest.epoch.checked_add(1).ok_or(Failed)?;
        self.install_write(WriteEpoch::new(next, newest.protection.update()?));
        Ok(())
    }

    pub(crate) fn install_write(&mut self, epoch: WriteEpoch) {
        if self.write.len() > WRITE_EPOCHS_V13 {
            self.write.remove(1);
        }
        self.write.push(epoch);
    }

    /// Forgets the keys of everything but epoch 0, so that nothing more is sealed or opened.
    pub(crate) fn wipe(&mut self) {
        self.read.clear();
        self.write.truncate(1);
    }

    /// Forgets the keys to write with in `epoch`, which is not the newest.
    pub(crate) fn retire_write(&mut self, epoch: u16) {
        self.write.retain(|half| half.epoch != epoch);
        self.write.shrink_to_fit();
    }

    /// Forgets the keys to read with in `epoch`, which is not the newest.
    pub(crate) fn retire_read(&mut self, epoch: u16) {
        self.read.retain(|half| half.epoch != epoch);
        self.read.shrink_to_fit();
    }

    /// The newest epoch to read.
    #[inline]
    pub(crate) fn read_epoch(&self) -> u16 {
        self.read.last().map_or(0, |e| e.epoch)
    }

    /// Records sealed in the newest epoch.
    pub(crate) fn sealed(&self) -> u64 {
        self.write.last().map_or(0, WriteEpoch::sealed)
    }

    /// Whether the newest key to write with may seal no more than what ends a connection.
    pub(crate) fn is_write_key_spent(&self) -> bool {
        self.write.last().is_some_and(|epoch| epoch.is_spent(RESERVED))
    }

    /// The newest epoch to write in.
    pub(crate) fn write_epoch(&self) -> u16 {
        self.write.last().map_or(0, |e| e.epoch)
    }

    /// What a record of `epoch` is longer than its content.
    pub(crate) fn overhead(&self, epoch: u16) -> Option<Overhead> {
        let id_len = self.connection_ids.peer().len();
        self.write.iter().find(|e| e.epoch == epoch).map(|e| e.protection.overhead(id_len))
    }

    /// Appends a record that holds `parts`, end to end, to the frame's content, and gives its sequence number. On failure
    /// nothing is appended.
    pub(crate) fn append(
        &mut self,
        frame: &mut Frame<'_>,
        epoch: u16,
        content_type: ContentType,
        parts: &[&[u8]],
    ) -> Result<u64, Spent> {
        let version = self.version;
        let id = self.connection_ids.peer();
        let half = self.write.iter_mut().find(|e| e.epoch == epoch).ok_or(Spent::NoKeys)?;
        let overhead = half.protection.overhead(id.len());
        let content_len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let total = overhead.total().saturating_add(content_len);
        if total > frame.remaining() || content_len > MAX_PLAINTEXT {
            return Err(Spent::NoRoom);
        }
        let header = new_header(half, content_type, version, total)?;
        let record = frame.push_uninit(total).map_err(|Full| Spent::NoRoom)?;
        let mut room = record.get_mut(overhead.head..).ok_or(Spent::NoRoom)?;
        for part in parts {
            let (here, next) = room.split_at_mut_checked(part.len()).ok_or(Spent::NoRoom)?;
            here.copy_from_slice(part);
            room = next;
        }
        half.protection.seal_record(header, id, record).map_err(|_| Spent::NoKeys)?;
        Ok(header.sequence_number)
    }

    /// Seals the whole content of the frame in place as one record of the newest epoch.
    pub(crate) fn wrap(&mut self, frame: &mut Frame<'_>, content_type: ContentType) -> Result<(), Spent> {
        let (version, limit) = (self.version, self.content_limit());
        let id = self.connection_ids.peer();
        let half = self.write.last_mut().ok_or(Spent::NoKeys)?;
        let overhead = half.protection.overhead(id.len());
        if frame.head_room() < overhead.head || frame.tail_room() < overhead.tail || frame.len() > limit {
            return Err(Spent::NoRoom);
        }
        let total = overhead.total().saturating_add(frame.len());
        let header = new_header(half, content_type, version, total)?;
        frame.claim_head(overhead.head).map_err(|Full| Spent::NoRoom)?;
        frame.claim_tail(overhead.tail).map_err(|Full| Spent::NoRoom)?;
        half.protection.seal_record(header, id, frame.content_mut()).map_err(|_| Spent::NoKeys)
    }

    /// A record of application data longer than any may be.
    #[cfg(test)]
    pub(crate) fn seal_beyond_limit(&mut self, content: &[u8]) -> Vec<u8> {
        let version = self.version;
        let half = self.write.last_mut().unwrap();
        let overhead = half.protection.overhead(0);
        let mut record = vec![0; overhead.total() + content.len()];
        record[overhead.head..overhead.head + content.len()].copy_from_slice(content);
        let header = new_header(half, ContentType::APPLICATION_DATA, version, record.len()).unwrap();
        half.protection.seal_record(header, &[], &mut record).unwrap();
        record
    }

    /// Numbers the newest keys of either direction anew.
    #[cfg(test)]
    pub(crate) fn set_epochs(&mut self, epoch: u16) {
        self.read.last_mut().unwrap().epoch = epoch;
        self.write.last_mut().unwrap().epoch = epoch;
    }

    /// As if records had come up to that number.
    #[cfg(test)]
    pub(crate) fn expect_sequence(&mut self, next: u64) {
        self.read.last_mut().unwrap().window.mark(next - 1);
    }

    #[cfg(test)]
    pub(crate) fn set_next_sequence(&mut self, next: u64) {
        if let Some(half) = self.write.last_mut() {
            half.set_next_sequence(next);
        }
    }
}

fn new_header(
    half: &mut WriteEpoch,
    content_type: ContentType,
    version: ProtocolVersion,
    total: usize,
) -> Result<RecordHeader, Spent> {
    let length = total.saturating_sub(RECORD_HEADER) as u16;
    Ok(RecordHeader { content_type, version, epoch: half.epoch, sequence_number: half.take_sequence()?, length })
}
