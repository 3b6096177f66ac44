//! ChannelData messages and the boundaries of a TURN stream.

use weft_core::{Frame, Overhead};
use weft_stun::{ChannelData, stream_message_len};

/// What is read is written the same, padded or not, and a stream is cut where it was put together.
pub(super) fn run(data: &[u8]) {
    if let Ok(Some(len)) = stream_message_len(data) {
        assert!((4..=65_555).contains(&len));
    }
    let Some(message) = ChannelData::parse(data) else { return };
    assert!(ChannelData::claims(data) && message.data.len() + 4 <= data.len());
    for padded in [false, true] {
        let mut buf = vec![0; message.data.len() + 8];
        let mut frame = Frame::new(&mut buf, Overhead { head: 4, tail: 3 });
        assert!(frame.push(message.data).is_ok());
        assert!(ChannelData::wrap(message.number, padded, &mut frame).is_ok());
        assert_eq!(ChannelData::parse(frame.content()), Some(message));
        assert!(!padded || stream_message_len(frame.content()) == Ok(Some(frame.len())));
    }
}
