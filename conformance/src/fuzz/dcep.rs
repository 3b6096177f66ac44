//! DATA_CHANNEL_OPEN and DATA_CHANNEL_ACK.

use weft_sctp::wire::Dcep;

/// What is read and written again reads as the same message.
pub(super) fn run(data: &[u8]) {
    let Some(message) = Dcep::parse(data) else { return };
    let mut written = Vec::new();
    message.write(&mut written);
    assert_eq!(Dcep::parse(&written), Some(message), "written as {written:02x?}");
}
