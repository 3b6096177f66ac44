//! The last epochs and the last message numbers.

#[cfg(test)]
use weft_core::Layer as _;

use super::tests::{pass, take};
use super::tests_v13::connected;
use super::*;
use crate::config::Limits;
use crate::event::Event;
use crate::key_updates::KeyUpdateError;
use crate::wire::UnifiedHeader;

const LAST: u16 = u16::MAX;

/// Two ends that have changed keys until epoch `epoch`.
fn at_epoch(epoch: u16) -> (Connection, Connection) {
    let (mut client, mut server) = connected();
    for end in [&mut client, &mut server] {
        end.core.records.set_epochs(epoch);
    }
    (client, server)
}

fn seal(from: &mut Connection) -> Vec<u8> {
    let mut buffer = [0; 100];
    let mut frame = Frame::new(&mut buffer, from.overhead().unwrap());
    frame.push(b"data").unwrap();
    from.wrap(&mut frame).unwrap();
    frame.content().to_vec()
}

fn talk(ends: [&mut Connection; 2]) {
    let mut ends = ends;
    for _ in 0..2 {
        let [from, to] = &mut ends;
        let mut datagram = seal(from);
        let mut records = to.handle_input(Instant::ORIGIN, &mut datagram).unwrap();
        assert_eq!(records.next(), Some(&b"data"[..]));
        drop(records);
        ends.reverse();
    }
}

/// The last epoch is reached, and no key is changed any more, whoever wishes it; data flows on.
//= rfc9147#8
//# If a sending implementation receives a KeyUpdate with request_update set to "update_requested", it MUST NOT send its own
//# KeyUpdate if that would cause it to exceed these limits and SHOULD instead ignore the "update_requested" flag.
//= rfc9147#8
//# In order to provide an extra margin of security, sending implementations MUST NOT allow the epoch to exceed 2^48-1.
#[test]
fn the_last_epoch_is_kept() {
    let (mut client, mut server) = at_epoch(LAST - 1);
    client.update_keys(false).unwrap();
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    assert_eq!((client.core.records.write_epoch(), server.core.records.read_epoch()), (LAST, LAST));
    talk([&mut client, &mut server]);
    assert_eq!(client.update_keys(false), Err(KeyUpdateError::Exhausted));

    server.update_keys(true).unwrap();
    pass(&mut server, &mut client).unwrap();
    assert_eq!(take(&mut client).len(), 1, "an ACK");
    assert!(client.core.flight.is_empty(), "no KeyUpdate of its own");
    server.handle_timeout(server.poll_timeout().unwrap()).unwrap();
    pass(&mut server, &mut client).unwrap();
    pass(&mut client, &mut server).unwrap();
    assert_eq!((client.core.records.write_epoch(), server.core.records.write_epoch()), (LAST, LAST));
    talk([&mut client, &mut server]);
}

/// A peer that goes beyond it is told so.
//= rfc9147#6.1
//# If a DTLS implementation would need to wrap the epoch value, it MUST terminate the connection.
#[test]
fn an_update_beyond_the_last_epoch_ends_the_connection() {
    let (mut client, mut server) = at_epoch(LAST - 1);
    client.update_keys(false).unwrap();
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    // As a peer without our limit has it.
    client.core.flight.begin();
    client.core.flight.push(LAST, crate::wire::HandshakeType::KEY_UPDATE, vec![0]);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    assert_eq!(pass(&mut server, &mut client).unwrap_err().alert_received(), error.alert_sent());
}

/// When the last key has sealed what it may, the connection ends in an orderly way.
//= rfc9147#4.2.1
//# Implementations MUST NOT allow the epoch to wrap, but instead MUST establish a new association, terminating the old
//# association.
#[test]
fn a_connection_ends_with_its_last_key() {
    let (mut client, mut server) = at_epoch(LAST);
    client.core.records.set_next_sequence(client.config.limits.records_per_key);
    assert!(take(&mut client).is_empty(), "no KeyUpdate");
    client.core.records.set_next_sequence(23_726_000);
    server.core.records.expect_sequence(23_726_000);
    talk([&mut client, &mut server]);
    client.core.records.set_next_sequence(23_726_540);
    assert_eq!(pass(&mut client, &mut server), Ok(0));
    assert_eq!(core::iter::from_fn(|| server.poll_event()).last(), Some(Event::PeerClosed));
    assert_eq!(client.handle_timeout(Instant::ORIGIN), Err(Error::KeysUsedUp));
    assert!(client.overhead().is_none());
}

/// No message number is used twice, and the last one is taken once.
#[test]
fn the_last_message_number_is_taken_once() {
    let (mut client, mut server) = connected();
    client.core.flight.continue_from(LAST);
    server.reassembly = Reassembly::starting_at(LAST, &Limits::default());
    client.update_keys(false).unwrap();
    let update = take(&mut client).remove(0);
    server.handle_input(Instant::ORIGIN, &mut update.clone()).map(drop).unwrap();
    assert_eq!(server.core.records.read_epoch(), 4);
    // The ACK is lost: the update comes again, in another record.
    take(&mut server);
    client.handle_timeout(client.poll_timeout().unwrap()).unwrap();
    pass(&mut client, &mut server).unwrap();
    assert_eq!(server.core.records.read_epoch(), 4);
    pass(&mut server, &mut client).unwrap();
    assert_eq!(client.core.records.write_epoch(), 4);
    talk([&mut client, &mut server]);
    assert_eq!(client.update_keys(false), Err(KeyUpdateError::Exhausted));
    client.core.records.set_next_sequence(client.config.limits.records_per_key);
    assert!(take(&mut client).is_empty());
}

/// The peer believes that its KeyUpdate was acknowledged, which never came: what it seals with the new keys is not
/// opened until it does.
//= rfc8446#4.6.3
//# Additionally, both sides MUST enforce that a KeyUpdate with the old key is received before accepting any messages
//# encrypted with the new key.
#[test]
fn new_keys_open_nothing_before_their_key_update() {
    let (mut client, mut server) = connected();
    client.update_keys(false).unwrap();
    let mut update = take(&mut client).remove(0);
    let sealed = client.core.records.sealed() - 1;
    let mut buffer = [0; 100];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    let ack = crate::wire::Ack::write(&[(3, sealed)]);
    server.core.records.append(&mut frame, 3, ContentType::ACK, &[&ack]).unwrap();
    client.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap();
    assert_eq!(client.core.records.write_epoch(), 4);
    let early = seal(&mut client);
    assert!(server.handle_input(Instant::ORIGIN, &mut early.clone()).unwrap().next().is_none());
    assert_eq!(server.counters().unexpected_records, 1);
    assert!(server.handle_input(Instant::ORIGIN, &mut update).unwrap().next().is_none());
    assert_eq!(server.handle_input(Instant::ORIGIN, &mut early.clone()).unwrap().next(), Some(&b"data"[..]));
}

/// A peer that asks again and again gets one update until it has acknowledged that.
//= rfc9147#5.8.4
//# In contrast, implementations MUST NOT send KeyUpdate, NewConnectionId, or RequestConnectionId messages if an earlier
//# message of the same type has not yet been acknowledged.
#[test]
fn one_key_update_is_under_way_at_a_time() {
    let (mut client, mut server) = connected();
    let mut updates = 0;
    for epoch in 4..20 {
        server.update_keys(true).unwrap();
        let _ = client.update_keys(epoch % 2 == 0);
        pass(&mut server, &mut client).unwrap();
        let mut buffer = [0; 1500];
        // The ACK comes first; what follows it is lost, so it is never acknowledged.
        for number in 0.. {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if client.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
                break;
            }
            if number == 0 {
                server.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap();
            } else {
                updates += 1;
            }
        }
        assert_eq!(server.core.records.write_epoch(), epoch, "the server's own updates go on");
    }
    assert_eq!((updates, client.core.records.write_epoch()), (1, 3));
    assert_eq!(UnifiedHeader::parse(&seal(&mut client)).unwrap().epoch_bits, 3);
}
