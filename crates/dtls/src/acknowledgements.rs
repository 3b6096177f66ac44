//! Which handshake records of DTLS 1.3 came in, to tell the peer (RFC 9147 section 7).

use weft_core::Frame;

use crate::record::RecordLayer;
use crate::wire::{Ack, ContentType, RECORD_NUMBER};

/// Record numbers remembered; of more the oldest are forgotten, and come again.
const MAX_NUMBERS: usize = 32;

/// The records to acknowledge.
#[derive(Default)]
pub(crate) struct Acknowledgements {
    numbers: Vec<(u16, u64)>,
    due: bool,
}

impl Acknowledgements {
    /// A record came whose fragments were all taken, now or before.
    pub(crate) fn note(&mut self, epoch: u16, sequence: u64) {
        if self.numbers.len() >= MAX_NUMBERS {
            self.numbers.remove(0);
        }
        self.numbers.push((epoch, sequence));
    }

    /// What is noted shall be sent now, if there is anything.
    pub(crate) fn send_now(&mut self) {
        self.due = !self.numbers.is_empty();
    }

    /// Another flight begins, which acknowledges the one before by itself.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.due = false;
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.numbers.shrink_to_fit();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// Appends an ACK to the frame; whether it did. Of more numbers than there is room for, the newest go. What was
    /// acknowledged before goes along, for that ACK may be lost (RFC 9147 section 7.1).
    pub(crate) fn write(&mut self, records: &mut RecordLayer, frame: &mut Frame<'_>) -> bool {
        let epoch = records.write_epoch();
        self.due = false;
        // In the clear nothing is acknowledged: the peer may speak 1.2, and could believe no such ACK anyway.
        if epoch < 2 {
            return false;
        }
        let Some(overhead) = records.overhead(epoch) else { return false };
        let room = frame.remaining().saturating_sub(overhead.total()).min(records.content_limit()).saturating_sub(2);
        let first = self.numbers.len().saturating_sub(room / RECORD_NUMBER);
        let mut newest = self.numbers.get(first..).unwrap_or_default().to_vec();
        newest.sort_unstable();
        newest.dedup();
        if newest.is_empty() || records.append(frame, epoch, ContentType::ACK, &[&Ack::write(&newest)]).is_err() {
            return false;
        }
        true
    }
}
