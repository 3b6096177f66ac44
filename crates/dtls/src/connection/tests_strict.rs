//! How strictly an authenticated peer is held to the rules, and what it is told.

use weft_core::Layer as _;

use super::tests::{pass, take};
use super::tests_v13;
use super::*;
use crate::wire::{Fragment, HandshakeType, MAX_PLAINTEXT, ProtocolVersion, RecordHeader};

/// Seals one record of the peer's making in its newest epoch and hands it over.
fn send(from: &mut Connection, to: &mut Connection, content_type: ContentType, content: &[u8]) -> Result<(), Error> {
    let mut buffer = vec![0; MAX_PLAINTEXT + 100];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    let epoch = from.core.records.write_epoch();
    from.core.records.append(&mut frame, epoch, content_type, &[content]).unwrap();
    to.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop)
}

fn whole(message_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let fragment = Fragment { message_type, length: body.len(), message_seq, offset: 0, body };
    [&fragment.header(), body].concat()
}

fn connected_pairs() -> [(Connection, Connection); 2] {
    [super::tests::connected(), tests_v13::connected()]
}

/// The alerts of a server that answer the client's certificate are under the keys of application data.
//= rfc8446#4.4.4
//# Any records following a Finished message MUST be encrypted under the appropriate application traffic key as
//# described in Section 7.2.
// In particular, this includes any alerts sent by the server in response to client Certificate and CertificateVerify
// messages.
#[test]
fn what_follows_our_finished_is_under_application_keys() {
    let (mut client, mut server) = tests_v13::half_way();
    client.core.flight.replace(HandshakeType::CERTIFICATE, vec![0, 0, 0, 0]);
    pass(&mut client, &mut server).unwrap_err();
    assert_eq!(server.core.records.write_epoch(), 3);
    let alert = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(alert.alert_received(), Some(AlertDescription::CERTIFICATE_REQUIRED));
}

/// A client that gives up before its own Finished was sent says so under the handshake's keys: the server has no use for
/// others yet.
#[test]
fn what_comes_before_our_finished_is_under_handshake_keys() {
    let (mut client, mut server) = tests_v13::half_way();
    let message_seq = server.core.flight.next_message_seq();
    let message = whole(HandshakeType::FINISHED, message_seq, &[0; 32]);
    let mut buffer = [0; 200];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    server.core.records.append(&mut frame, 2, ContentType::HANDSHAKE, &[&message]).unwrap();
    let error = client.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    let alert = take(&mut client).remove(0);
    assert_eq!(alert[0] & 3, 2, "the epoch's low bits");
}

/// Several messages share a record in 1.3: the client's Certificate, CertificateVerify and Finished need one.
#[test]
fn messages_of_a_flight_share_records() {
    let (mut client, mut server) = tests_v13::half_way();
    let datagrams = take(&mut client);
    assert_eq!(datagrams.len(), 1);
    let received = server.counters().records_received;
    server.handle_input(Instant::ORIGIN, &mut datagrams[0].clone()).map(drop).unwrap();
    assert!(server.is_connected());
    assert_eq!(server.counters().records_received - received, 1);
}

#[test]
fn a_record_of_more_than_it_may_hold_is_fatal() {
    for (mut client, mut server) in connected_pairs() {
        let record = client.core.records.seal_beyond_limit(&vec![7; MAX_PLAINTEXT + 1]);
        let error = server.handle_input(Instant::ORIGIN, &mut record.clone()).map(drop).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::RECORD_OVERFLOW));
    }
}

#[test]
fn malformed_alerts_are_fatal_if_they_are_the_peers() {
    for (content, alert) in [
        (&[0x42, 10][..], AlertDescription::ILLEGAL_PARAMETER),
        (&[1], AlertDescription::DECODE_ERROR),
        (&[1, 10, 1, 10], AlertDescription::DECODE_ERROR),
    ] {
        for (mut client, mut server) in connected_pairs() {
            let error = send(&mut client, &mut server, ContentType::ALERT, content).unwrap_err();
            assert_eq!(error.alert_sent(), Some(alert), "{content:?}");
        }
    }
}

/// With the last message, ahead of it, and after it.
#[test]
fn nothing_follows_finished_in_1_2() {
    let refused = |error: Error| assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    let (mut client, mut server) = super::tests::connected();
    let next = client.core.flight.next_message_seq();
    refused(
        send(&mut client, &mut server, ContentType::HANDSHAKE, &whole(HandshakeType::FINISHED, next, &[0; 12]))
            .unwrap_err(),
    );

    let (mut client, mut server) = super::tests::pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    let datagrams = take(&mut client);
    let next = client.core.flight.next_message_seq();
    send(&mut client, &mut server, ContentType::HANDSHAKE, &whole(HandshakeType::FINISHED, next, &[0; 12])).unwrap();
    let mut outcomes =
        datagrams.into_iter().map(|mut datagram| server.handle_input(Instant::ORIGIN, &mut datagram).map(drop));
    refused(outcomes.find_map(Result::err).unwrap());
}

/// From a server of 1.2 alone: it will not come to an end with this client.
#[test]
fn a_hello_verify_request_ends_a_client_of_1_3_alone() {
    let (client, _) = tests_v13::pair();
    let mut config = (*client.config).clone();
    config.versions = vec![ProtocolVersion::DTLS_1_3];
    let mut client = Connection::new(Arc::new(config), Role::Client, Rng::from_test_seed(1));
    client.start(Instant::ORIGIN);
    let content = whole(HandshakeType::HELLO_VERIFY_REQUEST, 0, &[0xFE, 0xFF, 2, 1, 2]);
    let header = RecordHeader {
        content_type: ContentType::HANDSHAKE,
        version: ProtocolVersion::DTLS_1_0,
        epoch: 0,
        sequence_number: 0,
        length: content.len() as u16,
    };
    let mut record = [&header.to_bytes()[..], &content].concat();
    let error = client.handle_input(Instant::ORIGIN, &mut record).map(drop).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::PROTOCOL_VERSION));
}

/// What was acknowledged is acknowledged again beside what is new: the first ACK may be lost.
//= rfc9147#7.1
//# In general, implementations SHOULD ACK as many received packets as can fit into the ACK record, as this provides the
//# most complete information and thus reduces the chance of spurious retransmission; if space is limited,
//# implementations SHOULD favor including records which have not yet been acknowledged.
#[test]
fn acks_repeat_what_was_acknowledged() {
    let (mut client, mut server) = tests_v13::connected();
    for round in 0..2 {
        let message_seq = server.core.flight.next_message_seq() + round;
        let ticket = whole(HandshakeType::NEW_SESSION_TICKET, message_seq, &[0; 20]);
        send(&mut server, &mut client, ContentType::HANDSHAKE, &ticket).unwrap();
        let before = client.acknowledgements.len();
        assert_eq!(take(&mut client).len(), 1);
        assert_eq!(client.acknowledgements.len(), before, "kept for the next ACK");
        assert!(before > usize::from(round));
    }
}

#[test]
fn a_new_mtu_holds_from_then_on() {
    let (mut client, _) = tests_v13::pair();
    client.start(Instant::ORIGIN);
    let sizes = |all: Vec<Vec<u8>>| all.iter().map(Vec::len).max().unwrap();
    assert!(sizes(take(&mut client)) > 1000);
    client.set_mtu(300);
    let due = client.poll_timeout().unwrap();
    client.handle_timeout(due).unwrap();
    let longest = sizes(take(&mut client));
    assert!((250..=300).contains(&longest), "{longest}");
    client.set_mtu(0);
    let due = client.poll_timeout().unwrap();
    client.handle_timeout(due).unwrap();
    assert!((200..=MIN_MTU).contains(&sizes(take(&mut client))), "not below the least");
}

/// Names of authorities matter to nobody here, but those of an authenticated server are to be well-formed.
#[test]
fn empty_authorities_are_refused() {
    use crate::wire::CertificateRequest13;
    let block = |authorities: &[u8]| {
        let schemes = [0, 13, 0, 4, 0, 2, 4, 3];
        let data = (authorities.len() as u16).to_be_bytes();
        let total = ((schemes.len() + 4 + authorities.len()) as u16).to_be_bytes();
        [&[0], &total[..], &schemes, &[0, 47], &data, authorities].concat()
    };
    assert!(CertificateRequest13::parse(&block(&[0, 3, 0, 1, 7])).is_ok());
    for bad in [&[0, 0][..], &[0, 2, 0, 0], &[0, 3, 0, 1, 7, 7], &[0, 3, 0, 2, 7]] {
        assert!(CertificateRequest13::parse(&block(bad)).is_err(), "{bad:?}");
    }
}
