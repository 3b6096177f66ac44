//! DTLS record headers, one after another as in a datagram.

use weft_dtls::wire::{Ack, Alert, RECORD_HEADER, RecordHeader, UNIFIED_HEADER, UnifiedHeader};

/// A header writes back to its own bytes; an alert too. The headers and ACKs of 1.3 stay inside their bytes.
pub(super) fn run(data: &[u8]) {
    std::hint::black_box(UnifiedHeader::parse(data).is_ok());
    std::hint::black_box(UnifiedHeader::parse(data.get(..UNIFIED_HEADER).unwrap_or(data)).is_ok());
    std::hint::black_box(Ack::parse(data).is_ok());
    let mut rest = data;
    while let Ok(header) = RecordHeader::parse(rest) {
        assert_eq!(rest.get(..RECORD_HEADER), Some(header.to_bytes().as_slice()));
        assert_eq!(header.epoch_and_sequence() >> 48, u64::from(header.epoch));
        let end = RECORD_HEADER + usize::from(header.length);
        let fragment = rest.get(RECORD_HEADER..end).unwrap_or_default();
        if let Ok(alert) = Alert::parse(fragment) {
            assert_eq!(fragment, alert.to_bytes());
        }
        rest = rest.get(end..).unwrap_or_default();
    }
}
