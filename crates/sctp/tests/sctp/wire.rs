//! Parsers: whatever comes, they neither panic nor loop.

use proptest::prelude::*;
use weft_core::{Frame, Overhead, Serial16, Serial32};
use weft_sctp::Reliability;
use weft_sctp::wire::{self, Data, Dcep, ForwardTsn, Init, Packet, Params, Request, Sack, cause, heartbeat};

fn parse_everything(bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes) {
        packet.checksum_ok();
        assert!(packet.chunks().count() <= bytes.len() / 4);
        for chunk in packet.chunks() {
            parse_value(chunk.flags, chunk.value);
        }
    }
    parse_value(0, bytes);
}

fn parse_value(flags: u8, value: &[u8]) {
    Data::parse(flags, value);
    if let Some(sack) = Sack::parse(value) {
        sack.gap_blocks().count();
        sack.duplicates().count();
    }
    if let Some(init) = Init::parse(value) {
        init.extensions();
        init.params.well_formed();
    }
    for param in Params::new(value) {
        if let Some(Request::OutgoingReset { streams, .. } | Request::IncomingReset { streams, .. }) =
            Request::parse(&param)
        {
            streams.iter().count();
        }
    }
    if let Some(forward) = ForwardTsn::parse(value) {
        forward.skipped().count();
    }
    Dcep::parse(value);
    cause::first(value);
    heartbeat::parse(value);
    wire::shutdown::parse(value);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_everything(&bytes);
    }

    #[test]
    fn data_round_trips(flags in 0_u8..16, tsn: u32, stream: u16, ssn: u16, ppid: u32,
                        payload in proptest::collection::vec(any::<u8>(), 1..50)) {
        let data = Data { flags, tsn: Serial32(tsn), stream, ssn: Serial16(ssn), ppid, payload: &payload };
        let mut buffer = [0xFF; 200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        data.write(&mut frame).unwrap();
        prop_assert_eq!(frame.len(), Data::wire_len(payload.len()));
        let len = 16 + payload.len();
        prop_assert_eq!(&frame.content()[2..4], (len as u16).to_be_bytes());
        prop_assert!(frame.content()[len..].iter().all(|b| *b == 0), "padding is zero");
        prop_assert_eq!(Data::parse(flags, &frame.content()[4..len]), Some(data));
    }

    #[test]
    fn dcep_round_trips(ordered: bool, n: u16, which in 0..3, priority: u16, label in ".{0,40}", protocol in ".{0,40}") {
        let reliability = match which {
            0 => Reliability::Reliable,
            1 => Reliability::MaxRetransmits(n),
            _ => Reliability::MaxLifetime(n),
        };
        let open = Dcep::Open { ordered, reliability, priority, label: &label, protocol: &protocol };
        let mut out = Vec::new();
        open.write(&mut out);
        prop_assert_eq!(Dcep::parse(&out), Some(open));
        for cut in 0..out.len() {
            prop_assert_eq!(Dcep::parse(&out[..cut]), None);
        }
    }
}

#[test]
fn impossible_lengths_are_refused() {
    let mut bytes = vec![0; 16];
    assert!(Packet::parse(&bytes).is_err(), "a chunk of length 0");
    bytes[15] = 3;
    assert!(Packet::parse(&bytes).is_err());
    bytes[15] = 4;
    assert!(Packet::parse(&bytes).is_ok());
    bytes[15] = 5;
    assert!(Packet::parse(&bytes).is_err(), "beyond the packet");
    for len in 0..16 {
        assert!(Packet::parse(&bytes[..len]).is_err());
    }
}

/// The INIT of Chromium 156 (from its `a=sctp-init`): what we make of it.
#[test]
fn chromiums_init_is_understood() {
    let value = [
        0x12, 0x34, 0x56, 0x78, 0x00, 0x50, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x09, 0xC0, 0x00,
        0x00, 0x04, 0x80, 0x08, 0x00, 0x06, 0x82, 0xC0,
    ];
    let init = Init::parse(&value).unwrap();
    assert_eq!((init.a_rwnd, init.outbound_streams, init.inbound_streams), (5 << 20, 65_535, 65_535));
    let extensions = init.extensions();
    assert!(extensions.forward_tsn && extensions.re_config && !extensions.zero_checksum);
    let mut ours = Vec::new();
    init.write(&mut ours, wire::kind::INIT, extensions, |_| {});
    assert_eq!(ours[..4], [1, 0, 0, 0x1E], "as long as Chromium's");
    assert_eq!(ours[4..30], value);
}
