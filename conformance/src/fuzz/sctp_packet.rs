//! SCTP packets: the common header, every chunk, every parameter.

use weft_sctp::wire::{
    Chunk, Data, ForwardTsn, Init, Packet, Params, Request, Sack, Unknown, cause, heartbeat, kind, shutdown,
};

/// Every chunk's parser sees every chunk that is addressed to it, and what it gives out is read to the end.
pub(super) fn run(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else { return };
    std::hint::black_box(packet.checksum_ok());
    let mut length = 0;
    for chunk in packet.chunks() {
        length += chunk.raw.len();
        assert_eq!(chunk.raw.len(), chunk.value.len() + 4);
        read(&chunk);
    }
    assert!(length + 12 <= data.len(), "chunks of {length} bytes in a packet of {}", data.len());
}

fn read(chunk: &Chunk<'_>) {
    let value = chunk.value;
    match chunk.kind {
        kind::DATA => {
            if let Some(data) = Data::parse(chunk.flags, value) {
                assert!(data.payload.len() <= value.len());
            }
        }
        kind::INIT | kind::INIT_ACK => {
            if let Some(init) = Init::parse(value) {
                std::hint::black_box(init.extensions());
            }
        }
        kind::SACK => {
            if let Some(sack) = Sack::parse(value) {
                let blocks = sack.gap_blocks().count() + sack.duplicates().count();
                assert!(blocks * 4 <= value.len());
            }
        }
        kind::HEARTBEAT | kind::HEARTBEAT_ACK => {
            assert!(heartbeat::parse(value).is_none_or(|info| info.len() <= value.len()));
        }
        kind::ABORT | kind::ERROR => {
            assert!(cause::first(value).is_none_or(|(_, info)| info.len() <= value.len()));
        }
        kind::SHUTDOWN => assert!(shutdown::parse(value).is_none() || value.len() >= 4),
        kind::RE_CONFIG => {
            for param in Params::new(value) {
                std::hint::black_box(Request::parse(&param));
            }
        }
        kind::FORWARD_TSN => {
            if let Some(forward) = ForwardTsn::parse(value) {
                assert!(forward.skipped().count() * 4 <= value.len());
            }
        }
        unknown => assert_eq!(Unknown::chunk(unknown).report, unknown & 0x40 != 0),
    }
}
