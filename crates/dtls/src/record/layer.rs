//! Opening, sealing and packing records.

use core::ops::Range;

use weft_core::{Frame, Full, Overhead, Spent};

use super::epoch::{ReadEpoch, WriteEpoch};
use super::protection::Protection;
use super::v13::INTEGRITY;
use crate::event::Counters;
use crate::wire::{
    ContentType, MAX_CIPHERTEXT, MAX_PLAINTEXT, ProtocolVersion, RECORD_HEADER, RecordHeader, UnifiedHeader,
};

/// Protected epochs to read in 1.3: the newest, for its two low bits tell the epochs apart, and those before it, for
/// records that were overtaken.
const READ_EPOCHS_V13: usize = 3;
/// Write epochs of 1.3 kept: messages are repeated in the epoch they were first sent in.
const WRITE_EPOCHS_V13: usize = 3;

/// The records of a connection: every epoch that has keys, in both directions.
pub(crate) struct RecordLayer {
    read: Vec<ReadEpoch>,
    write: Vec<WriteEpoch>,
    /// The version field of records sent; 1.0 until the version is agreed (RFC 6347 section 4.2.1).
    version: ProtocolVersion,
    /// The longest content that the peer takes in a protected record (RFC 8449).
    content_limit: usize,
}

/// What became of a record that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Incoming {
    /// Opened; its content lies at this range of the record.
    Opened { content_type: ContentType, epoch: u16, sequence: u64, content: Range<usize> },
    /// It belongs to an epoch whose keys are not here yet.
    Early,
    /// Counted and dropped.
    Dropped,
}

/// The record that `datagram` holds from `at` on: its header and where it ends.
pub(crate) fn split(datagram: &[u8], at: usize) -> Option<(RecordHeader, usize)> {
    let rest = datagram.get(at..)?;
    let header = RecordHeader::parse(rest).ok()?;
    let end = at.checked_add(RECORD_HEADER)?.checked_add(header.length.into())?;
    (end <= datagram.len()).then_some((header, end))
}

/// Where the record ends that starts at `at` of the datagram.
pub(crate) fn record_end(datagram: &[u8], at: usize) -> Option<usize> {
    let rest = datagram.get(at..)?;
    if !UnifiedHeader::is_unified(*rest.first()?) {
        return split(datagram, at).map(|(_, end)| end);
    }
    let header = UnifiedHeader::parse(rest).ok()?;
    let Some(length) = header.length else { return Some(datagram.len()) };
    let end = at.checked_add(header.ciphertext_offset())?.checked_add(length.into())?;
    (end <= datagram.len()).then_some(end)
}

impl RecordLayer {
    pub(crate) fn new() -> Self {
        Self {
            read: vec![ReadEpoch::new(0, Protection::Plaintext)],
            write: vec![WriteEpoch::new(0, Protection::Plaintext)],
            version: ProtocolVersion::DTLS_1_0,
            content_limit: MAX_PLAINTEXT,
        }
    }

    pub(crate) fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// The longest content to put into a protected record.
    pub(crate) fn set_content_limit(&mut self, limit: usize) {
        self.content_limit = limit.min(MAX_PLAINTEXT);
    }

    pub(crate) fn content_limit(&self) -> usize {
        self.content_limit
    }

    /// Adds an epoch to read. Of many the oldest protected one is forgotten.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        if self.read.len() > READ_EPOCHS_V13 {
            self.read.remove(1);
        }
        self.read.push(epoch);
    }

    pub(crate) fn install_write(&mut self, epoch: WriteEpoch) {
        if self.write.len() > WRITE_EPOCHS_V13 {
            self.write.remove(1);
        }
        self.write.push(epoch);
    }

    /// Forgets the keys of everything but epoch 0, so that nothing more is sealed or opened.
    pub(crate) fn wipe(&mut self) {
        self.read.truncate(1);
        self.write.truncate(1);
    }

    /// The newest epoch to read.
    pub(crate) fn read_epoch(&self) -> u16 {
        self.read.last().map_or(0, |e| e.epoch)
    }

    /// Records sealed in the newest epoch.
    pub(crate) fn sealed(&self) -> u64 {
        self.write.last().map_or(0, WriteEpoch::sealed)
    }

    /// The newest epoch to write in.
    pub(crate) fn write_epoch(&self) -> u16 {
        self.write.last().map_or(0, |e| e.epoch)
    }

    /// Opens the record in place. `record` is header and fragment, as [`record_end`] found them.
    pub(crate) fn open(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        match record.first() {
            Some(first) if UnifiedHeader::is_unified(*first) => self.open_v13(record, counters),
            _ => self.open_v12(record, counters),
        }
    }

    /// Opens a record that has the header of DTLS 1.3.
    fn open_v13(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        let Ok(header) = UnifiedHeader::parse(record) else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let newest = self.read_epoch();
        let found = self.read.iter_mut().rev().find_map(|half| match &half.protection {
            Protection::V13(keys) if half.epoch & 3 == header.epoch_bits.into() => {
                Some((half.epoch, keys, &mut half.window, &mut half.forged))
            }
            _ => None,
        });
        let Some((epoch, keys, window, forged)) = found else {
            // Before there are keys, 2 and 3 are to come; then one after the other.
            let coming =
                if newest == 0 { header.epoch_bits >= 2 } else { (newest + 1) & 3 == header.epoch_bits.into() };
            if coming {
                return Incoming::Early;
            }
            counters.unexpected_records += 1;
            return Incoming::Dropped;
        };
        if record.len() > MAX_CIPHERTEXT || *forged >= INTEGRITY {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        let Ok(sequence) = keys.unmask(header, record, window.next()) else {
            counters.forged_records += 1;
            return Incoming::Dropped;
        };
        if !window.may_be_new(sequence) {
            counters.replayed_records += 1;
            return Incoming::Dropped;
        }
        let Ok((content_type, content)) = keys.open(header, sequence, record) else {
            *forged += 1;
            counters.forged_records += 1;
            return Incoming::Dropped;
        };
        window.mark(sequence);
        if content.len() > MAX_PLAINTEXT {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        counters.records_received += 1;
        Incoming::Opened { content_type, epoch, sequence, content }
    }

    /// Opens a record that has the header of DTLS 1.2.
    fn open_v12(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        let Some((header_bytes, fragment)) = record.split_at_mut_checked(RECORD_HEADER) else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let Ok(header) = RecordHeader::parse(header_bytes) else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let newest = self.read_epoch();
        let Some(epoch) = self.read.iter_mut().find(|e| e.epoch == header.epoch) else {
            if header.epoch == newest.saturating_add(1) {
                return Incoming::Early;
            }
            counters.unexpected_records += 1;
            return Incoming::Dropped;
        };
        if fragment.len() > MAX_CIPHERTEXT {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        // Anybody can write a plaintext record, so those must not move a window: handshake messages have numbers of
        // their own to tell repeats by.
        let protected = !matches!(epoch.protection, Protection::Plaintext);
        // In the clear the version says nothing: peers write 1.0 or 1.2 into a first flight (RFC 6347 section 4.2.1), and
        // in 1.3 it is to be ignored (RFC 9147 section 4).
        if protected && header.version != ProtocolVersion::DTLS_1_2 {
            counters.unexpected_records += 1;
            return Incoming::Dropped;
        }
        if protected && !epoch.window.may_be_new(header.sequence_number) {
            counters.replayed_records += 1;
            return Incoming::Dropped;
        }
        let Ok(content) = epoch.protection.open(header, fragment) else {
            counters.forged_records += 1;
            return Incoming::Dropped;
        };
        if content.len() > MAX_PLAINTEXT {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        // Only now is the record known to be the peer's (RFC 6347 section 4.1.2.6).
        if protected {
            epoch.window.mark(header.sequence_number);
        }
        counters.records_received += 1;
        let content = content.start.saturating_add(RECORD_HEADER)..content.end.saturating_add(RECORD_HEADER);
        Incoming::Opened {
            content_type: header.content_type,
            epoch: header.epoch,
            sequence: header.sequence_number,
            content,
        }
    }

    fn write_half(&mut self, epoch: u16) -> Option<&mut WriteEpoch> {
        self.write.iter_mut().find(|e| e.epoch == epoch)
    }

    /// What a record of `epoch` is longer than its content.
    pub(crate) fn overhead(&self, epoch: u16) -> Option<Overhead> {
        self.write.iter().find(|e| e.epoch == epoch).map(|e| e.protection.overhead())
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
        let half = self.write_half(epoch).ok_or(Spent::NoKeys)?;
        let overhead = half.protection.overhead();
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
        half.protection.seal_record(header, record).map_err(|_| Spent::NoKeys)?;
        Ok(header.sequence_number)
    }

    /// Seals the whole content of the frame in place as one record.
    pub(crate) fn wrap(&mut self, frame: &mut Frame<'_>, epoch: u16, content_type: ContentType) -> Result<(), Spent> {
        let (version, limit) = (self.version, self.content_limit);
        let half = self.write_half(epoch).ok_or(Spent::NoKeys)?;
        let overhead = half.protection.overhead();
        if frame.head_room() < overhead.head || frame.tail_room() < overhead.tail || frame.len() > limit {
            return Err(Spent::NoRoom);
        }
        let total = overhead.total().saturating_add(frame.len());
        let header = new_header(half, content_type, version, total)?;
        frame.claim_head(overhead.head).map_err(|Full| Spent::NoRoom)?;
        frame.claim_tail(overhead.tail).map_err(|Full| Spent::NoRoom)?;
        half.protection.seal_record(header, frame.content_mut()).map_err(|_| Spent::NoKeys)
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
