//! Everything two associations send, from INIT to SHUTDOWN COMPLETE, against the rules of format of RFC 9260.

use std::collections::{HashMap, HashSet};

use weft_core::Layer;
use weft_sctp::wire::{self, Data, Init, Packet, Sack, data, kind, param};
use weft_sctp::{Config, Reliability, SendOptions};

use crate::common::{Duo, millis, packets, payload};

const MTU: usize = 600;

/// All packets in the order sent, and whether A sent them.
fn trace() -> Vec<(bool, Vec<u8>)> {
    let config = Config { mtu: MTU, zero_checksum: false, receive_buffer: 1000, ..Config::default() };
    let mut duo =
        Duo::with(config.clone(), Config { out_streams: 300, in_streams: 20, receive_buffer: 1 << 20, ..config });
    let kinds = [
        SendOptions::default(),
        SendOptions { ordered: false, ..SendOptions::default() },
        SendOptions { reliability: Reliability::MaxRetransmits(0), ..SendOptions::default() },
    ];
    duo.a.connect(duo.now);
    let mut all = Vec::new();
    let mut lost = 0;
    for round in 0..400_u32 {
        if round < 60 {
            for (n, options) in kinds.into_iter().enumerate() {
                duo.a.send(duo.now, n as u16, 77, payload(round, 1 + round as usize * 41), options).unwrap();
                duo.b.send(duo.now, n as u16, 77, payload(round, 1 + round as usize % 7), options).unwrap();
            }
        }
        if round == 300 {
            duo.a.shutdown(duo.now);
        }
        for from_a in [true, false] {
            for packet in packets(if from_a { &mut duo.a } else { &mut duo.b }, duo.now) {
                lost += 1;
                all.push((from_a, packet.clone()));
                if lost % 11 != 0 {
                    let _ = (if from_a { &mut duo.b } else { &mut duo.a }).handle_input(duo.now, &packet);
                }
            }
        }
        while duo.a.receive().is_some() || duo.b.receive().is_some() {}
        duo.now += millis(400);
        let _ = duo.a.handle_timeout(duo.now);
        let _ = duo.b.handle_timeout(duo.now);
    }
    assert!(duo.a.is_over() && duo.b.is_over() && all.len() > 200, "{} packets", all.len());
    all
}

#[test]
fn packets_and_chunks_are_well_formed() {
    //= rfc9260#3
    //# All integer fields in an SCTP packet MUST be transmitted in network byte order, unless otherwise stated.
    //= rfc9260#3.2
    //# The total length of a chunk (including Type, Length, and Value fields) MUST be a multiple of 4 bytes.
    //= rfc9260#3.2
    //# If the length of the chunk is not a multiple of 4 bytes, the sender MUST pad the chunk with all zero bytes, and this padding is not included in the Chunk Length field.
    //= rfc9260#3.2
    //# The sender MUST NOT pad with more than 3 bytes.
    //= rfc9260#3.3.1
    //# The implementation MUST pad the end of the data to a 4-byte boundary with all zero bytes.
    //= rfc9260#3.3.1
    //# Any padding MUST NOT be included in the Length field.
    //= rfc9260#3.3.1
    //# A sender MUST never add more than 3 bytes of padding.
    //= rfc9260#3.1
    //# The Source Port Number 0 MUST NOT be used.
    //= rfc9260#3.1
    //# The Destination Port Number 0 MUST NOT be used.
    //= rfc9260#6.8
    //# When sending an SCTP packet, the endpoint MUST strengthen the data integrity of the transmission by including the CRC32c checksum value calculated on the packet, as described below.
    //= rfc9260#6.8
    //# After the packet is constructed (containing the SCTP common header and one or more control or DATA chunks), the transmitter MUST:
    //= rfc9260#6.10
    //# Partial chunks MUST NOT be placed in an SCTP packet.
    //= rfc9260#6.9
    //# If an endpoint supports fragmentation, it MUST fragment a user message if the size of the user message to be sent causes the outbound SCTP packet size to exceed the current PMTU.
    //= rfc9260#6.9
    //# When determining when to fragment, the SCTP implementation MUST take into account the SCTP packet header as well as the DATA chunk header(s).
    //= rfc9260#6.9
    //# The implementation MUST also take into account the space required for a SACK chunk if bundling a SACK chunk with the DATA chunk.
    for (_, packet) in trace() {
        assert!(packet.len() <= MTU && packet.len().is_multiple_of(4));
        assert_eq!(packet[..4], [0x13, 0x88, 0x13, 0x88], "ports, in network byte order");
        assert_eq!(packet[8..12], wire::crc(&packet).to_le_bytes());
        let mut rest = &packet[12..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let whole = len.next_multiple_of(4);
            assert!(len >= 4 && whole <= rest.len(), "no partial chunk");
            assert!(rest[len..whole].iter().all(|b| *b == 0), "zero padding, at most three bytes");
            rest = &rest[whole..];
        }
    }
}

#[test]
fn chunks_are_bundled_in_the_right_order() {
    //= rfc9260#3
    //# INIT, INIT ACK, and SHUTDOWN COMPLETE chunks MUST NOT be bundled with any other chunk into an SCTP packet.
    //= rfc9260#5.1
    //# An INIT or INIT ACK chunk MUST NOT be bundled with any other chunk.
    //= rfc9260#5.1
    //# They MUST be the only chunks present in the SCTP packets that carry them.
    //= rfc9260#12.3
    //# Accordingly, we stress the requirements, as stated in Section 3.1, that (1) an INIT chunk MUST NOT be bundled with any other chunk in a packet and (2) a packet containing an INIT chunk MUST have a zero Verification Tag.
    //= rfc9260#3.2.2
    //# Any time a COOKIE ECHO chunk is sent in a packet, it MUST be the first chunk.
    //= rfc9260#5.1
    //# A COOKIE ACK chunk MAY be bundled with any pending DATA chunks (and/or SACK chunks), but the COOKIE ACK chunk MUST be the first chunk in the packet.
    //= rfc9260#5.1.5
    //# As mentioned in step 6, if the SACK chunk is bundled with the COOKIE ACK chunk, the COOKIE ACK chunk MUST appear first in the SCTP packet.
    //= rfc9260#3.3.11
    //# This chunk MUST precede any DATA chunk sent within the association but MAY be bundled with one or more DATA chunks in the same packet.
    //= rfc9260#3.3.12
    //# This chunk MUST precede any DATA or SACK chunk sent within the association but MAY be bundled with one or more DATA chunks or SACK chunk's in the same SCTP packet.
    //= rfc9260#6
    //# Control chunks MUST come before DATA chunks in the packet.
    //= rfc9260#6.10
    //# When bundling control chunks with DATA chunks, an endpoint MUST place control chunks first in the outbound SCTP packet.
    //= rfc9260#6.10
    //# The transmitter MUST transmit DATA chunks within an SCTP packet in increasing order of TSN.
    //= rfc9260#3.3.7
    //# DATA chunks MUST NOT be bundled with ABORT chunks.
    //= rfc9260#5
    //# Before the first data transmission can take place from one SCTP endpoint ("A") to another SCTP endpoint ("Z"), the two endpoints MUST complete an initialization process in order to set up an SCTP association between them.
    let mut seen_data = [false; 2];
    for (from_a, packet) in trace() {
        let all: Vec<_> = Packet::parse(&packet).unwrap().chunks().collect();
        let kinds: Vec<u8> = all.iter().map(|c| c.kind).collect();
        if kinds.iter().any(|k| [kind::INIT, kind::INIT_ACK, kind::SHUTDOWN_COMPLETE].contains(k)) {
            assert_eq!(kinds.len(), 1, "{kinds:?}");
        }
        for first in [kind::COOKIE_ECHO, kind::COOKIE_ACK] {
            assert!(!kinds.iter().skip(1).any(|k| *k == first), "{kinds:?}");
            if kinds[0] == first && !core::mem::replace(&mut seen_data[usize::from(from_a)], true) {
                assert_eq!(first == kind::COOKIE_ECHO, from_a);
            }
        }
        let data: Vec<u32> =
            all.iter().filter(|c| c.kind == kind::DATA).map(|c| Data::parse(c.flags, c.value).unwrap().tsn.0).collect();
        assert!(kinds.iter().rev().take(data.len()).all(|k| *k == kind::DATA), "control chunks first: {kinds:?}");
        assert!(data.is_empty() || seen_data[usize::from(from_a)], "no DATA before COOKIE ECHO or COOKIE ACK");
        assert!(data.windows(2).all(|w| w[1].wrapping_sub(w[0]) < 1 << 31), "TSNs ascend: {data:?}");
        assert!(!kinds.contains(&kind::ABORT));
    }
}

#[test]
fn tags_and_fixed_fields_of_the_set_up() {
    //= rfc9260#3.1
    //# On transmit, the value of the Verification Tag MUST be set to the value of the Initiate Tag received from the peer endpoint during the association initialization, with the following exceptions:
    //= rfc9260#3.1
    //# A packet containing an INIT chunk MUST have a zero Verification Tag.
    //= rfc9260#8.5
    //# When sending an SCTP packet, the endpoint MUST fill in the Verification Tag field of the outbound packet with the tag value in the Initiate Tag parameter of the INIT or INIT ACK chunk received from its peer.
    //= rfc9260#8.5.1
    //# The sender MUST set the Verification Tag of the packet to 0.
    //= rfc9260#8.5.1
    //# When sending a COOKIE ECHO chunk, the endpoint MUST use the value of the Initiate Tag received in the INIT ACK chunk.
    //= rfc9260#3.3.2
    //# This value MUST be placed into the Verification Tag field of every SCTP packet that the receiver of the INIT chunk transmits within this association.
    //= rfc9260#3.3.3
    //# This value MUST be placed into the Verification Tag field of every SCTP packet that the receiver of the INIT ACK chunk transmits within this association.
    //= rfc9260#3.3.3
    //# The Initiate Tag MUST NOT take the value 0. See Section 5.3.1 for more on the selection of the Initiate Tag value.
    //= rfc9260#5.1
    //# In the INIT chunk, "A" MUST provide its Verification Tag (Tag_A) in the Initiate Tag field.
    //= rfc9260#5.1
    //# In the response, besides filling in other parameters, "Z" MUST set the Verification Tag field to Tag_A and also provide its own Verification Tag (Tag_Z) in the Initiate Tag field.
    //= rfc9260#5.1
    //# Moreover, "Z" MUST generate and send along with the INIT ACK chunk a State Cookie.
    //= rfc9260#5.3.1
    //# Moreover, the Verification Tag value used by either endpoint in a given association MUST NOT change during the life time of an association.
    //= rfc9260#3.3.2
    //# Unless otherwise noted, each parameter MUST only be included once in the INIT chunk.
    //= rfc9260#3.3.2
    //# Note 3: An INIT chunk MUST NOT contain the Host Name Address parameter.
    //= rfc9260#3.3.2.1.4
    //# The sender of an INIT chunk or INIT ACK chunk MUST NOT include this parameter.
    //= rfc9260#3.3.3
    //# Note 3: An INIT ACK chunk MUST NOT contain the Host Name Address parameter.
    //= rfc9260#3.3.3.1
    //# The Host Name Address parameter is described in Section 3.3.2.1.4 and MUST NOT be included in an INIT ACK chunk.
    //= rfc9260#3.3.2.1
    //# Any Type-Length-Value fields MUST be placed after the fixed-length fields.
    //= rfc9260#3.3.3.1
    //# Any Type-Length-Value fields MUST be placed after the fixed-length fields.
    //= rfc9260#3.3.2
    //# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
    //= rfc9260#3.3.2
    //# The value of 0 MUST NOT be used.
    //= rfc9260#3.3.2
    //# The value 0 MUST NOT be used.
    //= rfc9260#3.3.3
    //# The value of 0 MUST NOT be used, and the value MUST NOT be greater than the MIS value sent in the INIT chunk.
    //= rfc9260#3.3.3
    //# The value 0 MUST NOT be used.
    //= rfc9260#5.1.1
    //# In the INIT and INIT ACK chunks, the sender of the chunk MUST indicate the number of outbound streams (OS) it wishes to have in the association, as well as the maximum inbound streams (MIS) it will accept from the other endpoint.
    //= rfc9260#3.3.11
    //# This field MUST contain the exact cookie received in the State Cookie parameter from the previous INIT ACK chunk.
    //= rfc9260#5.1.4
    //# When an endpoint (in the COOKIE-WAIT state) receives an INIT ACK chunk with a State Cookie parameter, it MUST immediately send a COOKIE ECHO chunk to its peer with the received State Cookie.
    //= rfc6525#5.1.1
    //# An SCTP endpoint supporting this extension MUST include the chunk type of the RE-CONFIG chunk in the Supported Extensions Parameter in either the INIT or INIT-ACK.
    //= rfc9260#8.5.1
    //# When sending a SHUTDOWN COMPLETE chunk, if the receiver of the SHUTDOWN ACK chunk has a TCB, then the destination endpoint's tag MUST be used and the T bit MUST NOT be set.
    //= rfc9260#3.3.13
    //# This chunk MUST be used to acknowledge the receipt of the SHUTDOWN ACK chunk at the completion of the shutdown process; see Section 9.2 for details.
    //= rfc9260#3.3.9
    //# This chunk MUST be used to acknowledge the receipt of the SHUTDOWN chunk at the completion of the shutdown process; see Section 9.2 for details.
    //= rfc9260#3.3.8
    //# An endpoint in an association MUST use this chunk to initiate a graceful close of the association with its peer.
    // The cookie is found only if what is before it, of six bytes, was padded by two.
    //= rfc9260#3.2.1
    //# The total length of a parameter (including Parameter Type, Parameter Length, and Parameter Value fields) MUST be a multiple of 4 bytes.
    //= rfc9260#3.2.1
    //# A sender MUST NOT pad with more than 3 bytes.
    //= rfc8831#6.1
    //# The dynamic address reconfiguration extension defined in [RFC5061] MUST be used to signal the support of the stream reset extension defined in [RFC6525].
    let mut tags = [0_u32; 2]; // what A's packets must have, what B's
    let mut cookie = Vec::new();
    let mut seen = HashSet::new();
    let all = trace();
    for (from_a, packet) in &all {
        let parsed = Packet::parse(packet).unwrap();
        let first = parsed.chunks().next().unwrap();
        for chunk in parsed.chunks() {
            seen.insert((*from_a, chunk.kind));
        }
        if first.kind == kind::INIT || first.kind == kind::INIT_ACK {
            let init = Init::parse(first.value).unwrap();
            assert!(init.initiate_tag != 0 && init.a_rwnd >= 1500, "the buffer of 1000 bytes notwithstanding");
            // OS and MIS as configured, the answer's OS no more than the INIT's MIS.
            let streams = (init.outbound_streams, init.inbound_streams);
            assert_eq!(streams, if *from_a { (65_535, 65_535) } else { (300, 20) });
            let params: Vec<_> = init.params.clone().map(|p| p.kind).collect();
            assert_eq!(params.iter().collect::<HashSet<_>>().len(), params.len(), "each once: {params:?}");
            assert!(!params.contains(&param::HOST_NAME_ADDRESS) && init.params.well_formed());
            assert!(init.params.find(param::SUPPORTED_EXTENSIONS).unwrap().contains(&kind::RE_CONFIG));
            tags[usize::from(*from_a)] = init.initiate_tag;
            if let Some(value) = init.params.find(param::STATE_COOKIE) {
                assert!(!from_a);
                cookie = value.to_vec();
            }
        }
        let tag = if first.kind == kind::INIT { 0 } else { tags[usize::from(!from_a)] };
        assert_eq!(parsed.header.verification_tag, tag, "chunk {}", first.kind);
        if first.kind == kind::COOKIE_ECHO {
            assert!(!cookie.is_empty() && first.value == cookie);
        }
        assert!(first.kind != kind::SHUTDOWN_COMPLETE || first.flags == 0, "the tag is known: no T bit");
    }
    for step in [(true, kind::SHUTDOWN), (false, kind::SHUTDOWN_ACK), (true, kind::SHUTDOWN_COMPLETE)] {
        assert!(seen.contains(&step), "{step:?}");
    }
}

/// The INIT ACK offers no more streams than the INIT said are taken.
#[test]
fn the_answer_offers_no_more_streams_than_are_taken() {
    //= rfc9260#3.3.3
    //# The value of 0 MUST NOT be used, and the value MUST NOT be greater than the MIS value sent in the INIT chunk.
    //= rfc9260#5.1.1
    //# After receiving the stream configuration information from the other side, each endpoint MUST perform the following check: If the peer's MIS is less than the endpoint's OS, meaning that the peer is incapable of supporting all the outbound streams the endpoint wants to configure, the endpoint MUST use MIS outbound streams and MAY report any shortage to the upper layer.
    let mut duo = Duo::with(Config { in_streams: 7, ..Config::rtc() }, Config::rtc());
    duo.a.connect(duo.now);
    let init = packets(&mut duo.a, duo.now).remove(0);
    duo.b.handle_input(duo.now, &init).unwrap();
    let ack = packets(&mut duo.b, duo.now).remove(0);
    let chunk = Packet::parse(&ack).unwrap().chunks().next().unwrap();
    assert_eq!(Init::parse(chunk.value).unwrap().outbound_streams, 7);
    duo.a.handle_input(duo.now, &ack).unwrap();
    duo.settle();
    assert_eq!((duo.b.out_streams(), duo.a.in_streams()), (7, 7));
}

#[test]
fn fragments_and_sequence_numbers() {
    //= rfc9260#3.3.1
    //# The following format MUST be used for the DATA chunk:
    //= rfc9260#3.3.1
    //# If an unordered user message is fragmented, each fragment of the message MUST have its U bit set to 1.
    //= rfc9260#3.3.1
    //# A DATA chunk with a User Data field of length L will have the Length field set to (16 + L) (indicating 16 + L bytes) where L MUST be greater than 0.
    //= rfc9260#3.3.1
    //# When a user message is fragmented by SCTP for transport, the same Stream Sequence Number MUST be carried in each of the fragments of the message.
    //= rfc9260#3.3.1
    //# This field MUST be sent even in fragmented DATA chunks (to make sure it is available for agents in the middle of the network).
    //= rfc9260#3.3.1
    //# An unfragmented user message MUST have both the B and E bits set to 1. Setting both B and E bits to 0 indicates a middle fragment of a multi-fragment user message, as summarized in the following table:
    //= rfc9260#3.3.1
    //# This means that the TSNs for each fragment of a fragmented user message MUST be strictly sequential.
    //= rfc9260#6
    //# 1) When converting user messages into DATA chunks, an endpoint MUST fragment large user messages into multiple DATA chunks.
    //= rfc9260#6.9
    //# 1) The data sender MUST break the user message into a series of DATA chunks.
    //= rfc9260#6.9
    //# 2) The transmitter MUST then assign, in sequence, a separate TSN to each of the DATA chunks in the series.
    //= rfc9260#6.9
    //# If the user indicates that the user message is to be delivered using unordered delivery, then the U flag of each DATA chunk of the user message MUST be set to 1.
    //= rfc9260#6.9
    //# 3) The transmitter MUST also set the B/E bits of the first DATA chunk in the series to 10, the B/E bits of the last DATA chunk in the series to 01, and the B/E bits of all other DATA chunks in the series to 00.
    //= rfc9260#6.5
    //# Every DATA chunk MUST carry a valid stream identifier.
    //= rfc9260#6.5
    //# The Stream Sequence Number in all the outgoing streams MUST start from 0 when the association is established.
    //= rfc9260#6.5
    //# The Stream Sequence Number of an outgoing stream MUST be incremented by 1 for each ordered user message sent on that outgoing stream.
    for side in [true, false] {
        let mut sent: HashMap<u32, (u8, u16, u16, Vec<u8>)> = HashMap::new();
        let mut first = None;
        for (_, packet) in trace().iter().filter(|(from_a, _)| *from_a == side) {
            for chunk in Packet::parse(packet).unwrap().chunks().filter(|c| c.kind == kind::DATA) {
                let d = Data::parse(chunk.flags, chunk.value).unwrap();
                assert!(!d.payload.is_empty() && d.ppid == 77, "the identifier in each fragment");
                assert!(d.stream < if side { 20 } else { 300 });
                let value = (chunk.flags & 7, d.stream, d.ssn.0, d.payload.to_vec());
                first.get_or_insert(d.tsn.0);
                let old = sent.insert(d.tsn.0, value.clone());
                assert!(old.is_none_or(|old| old == value), "a TSN names one chunk");
            }
        }
        let (mut tsn, mut begun, mut next, mut fragmented) = (first.unwrap(), None, HashMap::new(), 0);
        let count = sent.keys().map(|t| t.wrapping_sub(tsn)).max().unwrap() + 1;
        let mut skipped = 0;
        while tsn != first.unwrap().wrapping_add(count) {
            let Some((flags, stream, ssn, _)) = sent.get(&tsn) else {
                // The end of a message given up before it was sent.
                assert_eq!(begun.map(|b: (u8, u16, u16)| b.1), Some(2), "no gap");
                (begun, skipped, tsn) = (None, skipped + 1, tsn.wrapping_add(1));
                continue;
            };
            let unordered = flags & data::UNORDERED;
            if flags & data::BEGIN != 0 {
                assert!(
                    begun.is_none_or(|b: (u8, u16, u16)| b.1 == 2),
                    "nothing begins within a message, unless that was given up"
                );
                if unordered == 0 {
                    let expected = next.entry(*stream).or_insert(0_u16);
                    assert_eq!(ssn, expected, "stream {stream}");
                    *expected += 1;
                }
                begun = Some((unordered, *stream, *ssn));
            }
            assert_eq!(begun, Some((unordered, *stream, *ssn)), "TSNs in a row, U bit and number in each");
            fragmented += u32::from(flags & 3 != 3);
            if flags & data::END != 0 {
                begun = None;
            }
            tsn = tsn.wrapping_add(1);
        }
        assert_eq!(sent.len() as u32 + skipped, count);
        assert_eq!(fragmented > 0, side, "long messages are cut, short ones not");
    }
}

#[test]
fn sacks_have_all_their_fields() {
    //= rfc9260#3.3.4
    //# The SACK chunk MUST contain the Cumulative TSN Ack, Advertised Receiver Window Credit (a_rwnd), Number of Gap Ack Blocks, and Number of Duplicate TSNs fields.
    //= rfc9260#6.2
    //# In particular, the SCTP endpoint MUST fill in the Cumulative TSN Ack field to indicate the latest sequential TSN (of a valid DATA chunk) it has received.
    for side in [true, false] {
        let (mut sacks, mut last) = (0, None);
        for (_, packet) in trace().iter().filter(|(from_a, _)| *from_a == side) {
            for chunk in Packet::parse(packet).unwrap().chunks().filter(|c| c.kind == kind::SACK) {
                let sack = Sack::parse(chunk.value).unwrap();
                let lists = sack.gap_blocks().count() + sack.duplicates().count();
                assert_eq!(chunk.value.len(), 12 + 4 * lists);
                assert!(last.is_none_or(|l: weft_core::Serial32| l.precedes_or_is(sack.cumulative_tsn_ack)));
                last = Some(sack.cumulative_tsn_ack);
                sacks += 1;
            }
        }
        assert!(sacks > 10);
    }
}
