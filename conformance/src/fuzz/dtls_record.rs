//! DTLS record headers, one after another as in a datagram.

use weft_dtls::wire::{Alert, RECORD_HEADER, RecordHeader};

/// A header writes back to its own bytes; an alert too.
pub(super) fn run(data: &[u8]) {
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
