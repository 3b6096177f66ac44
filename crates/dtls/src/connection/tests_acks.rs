//! What is acknowledged, and under which keys.

#[cfg(test)]
use weft_core::Layer as _;

use super::tests::{pass, take};
use super::tests_v13::{connected, pair};
use super::*;
use crate::record::Incoming;
use crate::wire::{Ack, Fragment, HandshakeType};

/// The epoch of a datagram's first record, and the record numbers that it acknowledges; as `by` reads it.
fn acknowledged(by: &mut Connection, datagram: &[u8]) -> (u16, Vec<(u64, u64)>) {
    let end = by.core.records.record_end(datagram, 0).unwrap();
    let mut record = datagram[..end].to_vec();
    let opened = by.core.records.open(&mut record, &mut Counters::default());
    let Incoming::Opened { content_type: ContentType::ACK, epoch, content, .. } = opened else {
        panic!("{opened:?}");
    };
    (epoch, Ack::parse(&record[content]).unwrap().iter().collect())
}

/// One record of handshake fragments, with its number.
fn record_of(from: &mut Connection, fragments: &[Fragment<'_>]) -> (Vec<u8>, u64) {
    let epoch = from.core.records.write_epoch();
    let headers: Vec<_> = fragments.iter().map(Fragment::header).collect();
    let parts: Vec<&[u8]> =
        headers.iter().zip(fragments).flat_map(|(header, fragment)| [&header[..], fragment.body]).collect();
    let mut buffer = [0; 1500];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    let number = from.core.records.append(&mut frame, epoch, ContentType::HANDSHAKE, &parts).unwrap();
    (frame.content().to_vec(), number)
}

fn give(to: &mut Connection, datagram: &[u8]) {
    to.handle_input(Instant::ORIGIN, &mut datagram.to_vec()).map(drop).unwrap();
}

/// Fragments of which some are dropped: too far ahead, or without a byte.
//= rfc9147#7
//# Implementations MUST NOT acknowledge records containing handshake messages or fragments which have not been processed
//# or buffered.
//= rfc9147#7
//# As an example, implementations MUST NOT send ACKs for handshake messages which they discard because they are not the
//# next expected message.
#[test]
fn records_with_anything_that_was_dropped_are_not_acknowledged() {
    let (mut client, mut server) = connected();
    let next = server.core.flight.next_message_seq();
    let ticket = |message_seq: u16| Fragment {
        message_type: HandshakeType::NEW_SESSION_TICKET,
        length: 3,
        message_seq,
        offset: 0,
        body: &[1, 2, 3],
    };
    let beyond = next + client.config.limits.reassembly_messages + 1;
    let empty = Fragment { body: &[], ..ticket(next + 3) };
    let records = [
        (vec![ticket(next)], true),
        (vec![ticket(beyond)], false),
        (vec![ticket(next + 1), ticket(beyond)], false),
        // Kept for later, and so acknowledged; and once more, as one that was dealt with before.
        (vec![ticket(next + 4)], true),
        (vec![ticket(next)], true),
        (vec![empty], false),
    ];
    let mut expected = Vec::new();
    for (fragments, counts) in records {
        let (datagram, number) = record_of(&mut server, &fragments);
        give(&mut client, &datagram);
        expected.extend(counts.then_some((3, number)));
    }
    let acks = take(&mut client);
    assert_eq!(acks.len(), 1);
    let (epoch, numbers) = acknowledged(&mut server, &acks[0]);
    // The client's own handshake had records of the server's acknowledged implicitly; they are no part of this.
    assert_eq!((epoch, numbers), (3, expected));
}

//= rfc9147#7.1
//# ACKs MUST NOT be sent for records of any content type other than handshake or for records which cannot be
//# deprotected.
#[test]
fn nothing_but_handshake_records_is_acknowledged() {
    let (mut client, mut server) = connected();
    let warning = [1, AlertDescription::USER_CANCELED.0];
    for (content_type, content) in [
        (ContentType::APPLICATION_DATA, &b"data"[..]),
        (ContentType::ALERT, &warning),
        (ContentType::ACK, &[0, 0]),
        (ContentType(99), &[1]),
    ] {
        let mut buffer = [0; 100];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        server.core.records.append(&mut frame, 3, content_type, &[content]).unwrap();
        give(&mut client, frame.content());
        assert!(take(&mut client).is_empty(), "{content_type:?}");
    }
    let message_seq = server.core.flight.next_message_seq();
    let ticket =
        Fragment { message_type: HandshakeType::NEW_SESSION_TICKET, length: 1, message_seq, offset: 0, body: &[1] };
    let (mut forged, _) = record_of(&mut server, &[ticket]);
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    give(&mut client, &forged);
    assert!(take(&mut client).is_empty());
    assert_eq!(client.counters().forged_records, 1);
    assert!(client.poll_timeout().is_none());
}

/// Parts of a flight, on either side.
//= rfc9147#7
//# During the handshake, ACK records MUST be sent with an epoch which is equal to or higher than the record which is being
//# acknowledged.
#[test]
fn acks_within_the_handshake_are_under_the_newest_keys() {
    let (mut client, mut server) = pair();
    for end in [&mut client, &mut server] {
        end.set_mtu(400);
    }
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    let flight = take(&mut server);
    for datagram in &flight[..flight.len() - 1] {
        give(&mut client, datagram);
    }
    let late = client.poll_timeout().unwrap();
    client.handle_timeout(late).unwrap();
    let acks = take(&mut client);
    let (epoch, numbers) = acknowledged(&mut server, &acks[0]);
    assert_eq!(epoch, 2);
    assert!(numbers.iter().any(|(epoch, _)| *epoch == 0) && numbers.iter().any(|(epoch, _)| *epoch == 2));

    give(&mut client, &flight[flight.len() - 1]);
    assert!(client.is_connected());
    let flight = take(&mut client);
    assert!(flight.len() > 1);
    give(&mut server, &flight[0]);
    let late = server.poll_timeout().unwrap();
    server.handle_timeout(late).unwrap();
    let acks = take(&mut server);
    let (epoch, numbers) = acknowledged(&mut client, &acks[0]);
    assert!(epoch == 3 && !numbers.is_empty() && numbers.iter().all(|(epoch, _)| *epoch == 2));
}

//= rfc9147#7
//# After the handshake, implementations MUST use the highest available sending epoch.
#[test]
fn acks_after_the_handshake_are_under_the_newest_keys() {
    let (mut client, mut server) = connected();
    for epoch in 3..8 {
        client.update_keys(true).unwrap();
        pass(&mut client, &mut server).unwrap();
        let answers = take(&mut server);
        assert_eq!(u16::from(answers[0][0] & 3), epoch & 3, "the server's own keys have not changed yet");
        for answer in &answers {
            give(&mut client, answer);
        }
        assert_eq!(client.core.records.write_epoch(), epoch + 1);
        let acks = take(&mut client);
        assert_eq!(acks.len(), 1);
        assert_eq!(u16::from(acks[0][0] & 3), (epoch + 1) & 3);
        give(&mut server, &acks[0]);
        assert_eq!(server.core.records.write_epoch(), epoch + 1);
    }
}
