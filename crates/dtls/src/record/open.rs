//! Opening records.

use super::epoch::ReadEpoch;
use super::layer::{Incoming, RecordLayer};
use super::protection::Protection;
use crate::crypto::TAG_LEN;
use crate::event::Counters;
use crate::wire::{
    ContentType, MAX_CIPHERTEXT, MAX_PLAINTEXT, ProtocolVersion, RECORD_HEADER, RecordHeader, UnifiedHeader,
};

impl RecordLayer {
    /// Opens the record in place. `record` is header and fragment, as [`record_end`](Self::record_end) found them.
    pub(crate) fn open(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        match record.first() {
            Some(first) if UnifiedHeader::is_unified(*first) => self.open_v13(record, counters),
            _ => self.open_v12(record, counters),
        }
    }

    /// Opens a record that has the header of DTLS 1.3.
    fn open_v13(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        let id_len = self.connection_ids.own_len();
        let Ok(header) = UnifiedHeader::parse_with_id(record, id_len) else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let id = record.get(1..header.connection_id_len.saturating_add(1)).unwrap_or_default();
        if !self.connection_ids.accepts(id) {
            counters.unexpected_records += 1;
            return if id.is_empty() { Incoming::Dropped } else { Incoming::Foreign };
        }
        let newest = self.read_epoch();
        let found = self.read.iter_mut().rev().find_map(|half| match &mut half.protection {
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
        if record.len() > MAX_CIPHERTEXT || *forged > self.forgery_limit {
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
            // An older key is just not used any more (RFC 9147 section 4.5.3).
            let spent = *forged > self.forgery_limit && epoch == newest;
            return if spent { Incoming::Spent } else { Incoming::Dropped };
        };
        let is_newest = epoch == newest && sequence >= window.next();
        window.mark(sequence);
        if content.len() > MAX_PLAINTEXT {
            return Incoming::Overflow;
        }
        // What was sealed of it, but for the tag: content, type and padding.
        let inner_len = record.len().saturating_sub(header.ciphertext_offset()).saturating_sub(TAG_LEN);
        if inner_len > self.own_limit {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        counters.records_received += 1;
        Incoming::Opened { content_type, epoch, sequence, newest: is_newest, content }
    }

    /// Opens a record that has the header of DTLS 1.2.
    fn open_v12(&mut self, record: &mut [u8], counters: &mut Counters) -> Incoming {
        let with_id = record.first() == Some(&ContentType::TLS12_CID.0);
        let id_len = if with_id { self.connection_ids.own_len() } else { 0 };
        let head_len = RECORD_HEADER.saturating_add(id_len);
        let Some((head, fragment)) = record.split_at_mut_checked(head_len) else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let parsed = if with_id {
            RecordHeader::parse_with_id(head, id_len)
        } else {
            RecordHeader::parse(head).map(|header| (header, &[][..]))
        };
        let Ok((header, id)) = parsed else {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        };
        let newest = self.read_epoch();
        // Anybody can write a record of epoch 0, so those have no window to move: handshake messages have numbers of their
        // own to tell repeats by.
        let of_v12 =
            |half: &&mut ReadEpoch| half.epoch == header.epoch && matches!(half.protection, Protection::V12(_));
        let mut half = self.read.iter_mut().find(of_v12);
        let protected = half.is_some();
        if !protected && header.epoch != 0 {
            if header.epoch == newest.saturating_add(1) {
                return Incoming::Early;
            }
            counters.unexpected_records += 1;
            return Incoming::Dropped;
        }
        if fragment.len() > MAX_CIPHERTEXT {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        // In the clear the version says nothing: peers write 1.0 or 1.2 into a first flight (RFC 6347 section 4.2.1), and
        // in 1.3 it is to be ignored (RFC 9147 section 4).
        let acceptable = header.version == ProtocolVersion::DTLS_1_2 && self.connection_ids.accepts(id);
        if protected && !acceptable || !protected && with_id {
            counters.unexpected_records += 1;
            return if with_id { Incoming::Foreign } else { Incoming::Dropped };
        }
        if half.as_ref().is_some_and(|half| !half.window.may_be_new(header.sequence_number)) {
            counters.replayed_records += 1;
            return Incoming::Dropped;
        }
        let (content_type, content, is_newest) = match &mut half {
            None => (header.content_type, 0..fragment.len(), false),
            Some(half) => {
                let Ok((content_type, content)) = half.protection.open_v12(header, with_id.then_some(id), fragment)
                else {
                    half.forged += 1;
                    counters.forged_records += 1;
                    let spent = half.forged > self.forgery_limit;
                    return if spent { Incoming::Spent } else { Incoming::Dropped };
                };
                let is_newest = header.epoch == newest && header.sequence_number >= half.window.next();
                // Only now is the record known to be the peer's (RFC 6347 section 4.1.2.6).
                half.window.mark(header.sequence_number);
                (content_type, content, is_newest)
            }
        };
        if protected && content.len() > MAX_PLAINTEXT {
            return Incoming::Overflow;
        }
        let longest = if protected { self.own_limit } else { MAX_PLAINTEXT };
        if content.len() > longest.min(MAX_PLAINTEXT) {
            counters.malformed_records += 1;
            return Incoming::Dropped;
        }
        counters.records_received += 1;
        let content = content.start.saturating_add(head_len)..content.end.saturating_add(head_len);
        Incoming::Opened {
            content_type,
            epoch: header.epoch,
            sequence: header.sequence_number,
            newest: is_newest,
            content,
        }
    }
}
