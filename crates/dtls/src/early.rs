//! Records that overtook what they depend on, kept within bounds.

use std::collections::VecDeque;

use crate::config::Limits;

/// A bounded queue of records.
pub(crate) struct EarlyRecords {
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    max_records: usize,
    max_bytes: usize,
}

impl EarlyRecords {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { records: VecDeque::new(), bytes: 0, max_records: limits.early_records, max_bytes: limits.early_bytes }
    }

    /// Keeps a copy of `record`; whether there was room. What is there is never displaced, or a flood could.
    pub(crate) fn keep(&mut self, record: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(record.len());
        if self.records.len() >= self.max_records || bytes > self.max_bytes {
            return false;
        }
        self.bytes = bytes;
        self.records.push_back(record.to_vec());
        true
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        let record = self.records.pop_front()?;
        self.bytes = self.bytes.saturating_sub(record.len());
        if self.records.is_empty() {
            self.clear();
        }
        Some(record)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.records = VecDeque::new();
        self.bytes = 0;
    }
}
