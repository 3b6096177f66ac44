//! What only a peer that breaks the rules of 1.3 can show.

#[cfg(test)]
use weft_core::Layer as _;

use super::tests::{pass, take};
use super::*;
use crate::certificate::Certificate;
use crate::crypto::HashAlgorithm;
use crate::verifier::Verifier;
use crate::wire::{Fragment, HandshakeType};

pub(super) fn pair() -> (Connection, Connection) {
    let own: Vec<_> = (0..2).map(|_| Arc::new(Certificate::generate().unwrap())).collect();
    let config = |own: &Arc<Certificate>, peer: &Arc<Certificate>| {
        let known = Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
        Arc::new(Config::new(own.clone(), known))
    };
    let client = Connection::new(config(&own[0], &own[1]), Role::Client, Rng::from_test_seed(1));
    let server = Connection::new(config(&own[1], &own[0]), Role::Server, Rng::from_test_seed(2));
    (client, server)
}

/// A client that has its last flight still to send.
pub(super) fn half_way() -> (Connection, Connection) {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    assert!(client.is_connected() && !server.is_connected());
    (client, server)
}

pub(super) fn connected() -> (Connection, Connection) {
    let (mut client, mut server) = half_way();
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    assert!(client.is_connected() && server.is_connected());
    (client, server)
}

/// Sends one whole handshake message of the peer's making, in its newest epoch.
fn send(from: &mut Connection, to: &mut Connection, message_type: HandshakeType, body: &[u8]) -> Result<(), Error> {
    let message_seq = from.core.flight.next_message_seq();
    let fragment = Fragment { message_type, length: body.len(), message_seq, offset: 0, body };
    let mut buffer = [0; 1500];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    let epoch = from.core.records.write_epoch();
    from.core.records.append(&mut frame, epoch, ContentType::HANDSHAKE, &[&fragment.header(), body]).unwrap();
    to.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop)
}

//= rfc8446#4
//# Protocol messages MUST be sent in the order defined in Section 4.4.1 and shown in the diagrams in Section 2. A peer
//# which receives a handshake message in an unexpected order MUST abort the handshake with an "unexpected_message"
//# alert.
//= rfc8446#4.4.3
//# When sent, this message MUST appear immediately after the Certificate message and immediately prior to the Finished
//# message.
#[test]
fn cve_2022_29222_certificate_without_certificate_verify() {
    let (mut client, mut server) = half_way();
    client.core.flight.leave_out(HandshakeType::CERTIFICATE_VERIFY);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    assert!(server.info().is_none());
}

/// Of the two that RFC 8446 section 4.4.2.4 leaves to the server.
#[test]
fn an_empty_client_certificate_is_refused() {
    let (mut client, mut server) = half_way();
    client.core.flight.replace(HandshakeType::CERTIFICATE, vec![0, 0, 0, 0]);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::CERTIFICATE_REQUIRED));
}

//= rfc8446#4.4.4
//# Recipients of Finished messages MUST verify that the contents are correct and if incorrect MUST terminate the
//# connection with a "decrypt_error" alert.
#[test]
fn wrong_finished_is_refused_by_either_side() {
    let (mut client, mut server) = half_way();
    client.core.flight.replace(HandshakeType::FINISHED, vec![0; 32]);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
    // The client is told under protection, and believes it.
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error, Error::AlertReceived(AlertDescription::DECRYPT_ERROR));

    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    server.core.flight.replace(HandshakeType::FINISHED, vec![0; 32]);
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
    assert!(client.info().is_none());
}

//= rfc8446#4.6.1
//# Clients MUST ignore unrecognized extensions.
#[test]
fn session_tickets_are_acknowledged_and_passed_over() {
    let (mut client, mut server) = connected();
    server.core.flight.begin();
    server.core.flight.push(3, HandshakeType::NEW_SESSION_TICKET, vec![7; 90]);
    pass(&mut server, &mut client).unwrap();
    assert!(!server.core.flight.is_empty());
    pass(&mut client, &mut server).unwrap();
    assert!(server.core.flight.is_empty(), "acknowledged");
    // A server is given none.
    let error = send(&mut client, &mut server, HandshakeType::NEW_SESSION_TICKET, &[7; 90]).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
}

//= rfc8446#4.6.3
//# If the request_update field is set to "update_requested", then the receiver MUST send a KeyUpdate of its own with
//# request_update set to "update_not_requested" prior to sending its next Application Data record.
//= rfc8446#4.6.3
//# Both sender and receiver MUST encrypt their KeyUpdate messages with the old keys.
#[test]
fn a_requested_key_update_is_sent() {
    let (mut client, mut server) = connected();
    send(&mut client, &mut server, HandshakeType::KEY_UPDATE, &[1]).unwrap();
    assert_eq!((server.core.records.read_epoch(), server.core.records.write_epoch()), (4, 3));
    pass(&mut server, &mut client).unwrap();
    assert_eq!(client.core.records.read_epoch(), 4);
    pass(&mut client, &mut server).unwrap();
    assert_eq!(server.core.records.write_epoch(), 4, "only once it is acknowledged");
}

//= rfc8446#4.6.3
//# If an implementation receives any other value, it MUST terminate the connection with an "illegal_parameter" alert.
//= rfc8446#4.1.2
//# Because TLS 1.3 forbids renegotiation, if a server has negotiated TLS 1.3 and receives a ClientHello at any other
//# time, it MUST terminate the connection with an "unexpected_message" alert.
//= rfc8446#6
//# Peers which receive a message which cannot be parsed according to the syntax (e.g., have a length extending beyond
//# the message boundary or contain an out-of-range length) MUST terminate the connection with a "decode_error" alert.
//= rfc8446#6.2
//# Upon transmission or receipt of a fatal alert message, both parties MUST immediately close the connection.
//= rfc9147#9
//# If an implementation receives these messages when CIDs were not negotiated, it MUST abort the connection with an
//# "unexpected_message" alert.
//= rfc8446#6
//# Upon receiving an error alert, the TLS implementation SHOULD indicate an error to the application and MUST NOT
//# allow any further data to be sent or received on the connection.
//= rfc8446#6.2
//# Whenever an implementation encounters a fatal error condition, it SHOULD send an appropriate fatal alert and MUST
//# close the connection without sending or receiving any additional data.
#[test]
fn malformed_and_foreign_messages_after_the_handshake_are_fatal() {
    for (message_type, body, alert) in [
        (HandshakeType::KEY_UPDATE, &[2][..], AlertDescription::ILLEGAL_PARAMETER),
        (HandshakeType::KEY_UPDATE, &[], AlertDescription::DECODE_ERROR),
        (HandshakeType::CLIENT_HELLO, &[0; 50], AlertDescription::UNEXPECTED_MESSAGE),
        (HandshakeType::FINISHED, &[0; 32], AlertDescription::UNEXPECTED_MESSAGE),
        // NewConnectionId and RequestConnectionId.
        (HandshakeType(10), &[0, 2, 1, 7, 0], AlertDescription::UNEXPECTED_MESSAGE),
        (HandshakeType(9), &[1], AlertDescription::UNEXPECTED_MESSAGE),
    ] {
        let (mut client, mut server) = connected();
        let error = send(&mut client, &mut server, message_type, body).unwrap_err();
        assert_eq!(error.alert_sent(), Some(alert), "{message_type} {body:?}");
        let error = pass(&mut server, &mut client).unwrap_err();
        assert_eq!(error, Error::AlertReceived(alert));
        assert!(client.overhead().is_none() && server.overhead().is_none());
    }
}

/// What a client may be sent in the handshake, or by a server that speaks of 0-RTT, but not after it.
//= rfc8446#4.6.2
//# A client that receives a CertificateRequest message without having sent the "post_handshake_auth" extension MUST
//# send an "unexpected_message" fatal alert.
//= rfc8446#4.5
//# Servers MUST NOT send this message, and clients receiving it MUST terminate the connection with an
//# "unexpected_message" alert.
#[test]
fn requests_and_ends_of_early_data_after_the_handshake_are_fatal() {
    let request: &[u8] = &[0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    for (message_type, body) in [(HandshakeType::CERTIFICATE_REQUEST, request), (HandshakeType(5), &[])] {
        let (mut client, mut server) = connected();
        let error = send(&mut server, &mut client, message_type, body).unwrap_err();
        assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE), "{message_type}");
    }
}

//= rfc8446#6
//# All the alerts listed in Section 6.2 MUST be sent with AlertLevel=fatal and MUST be treated as error alerts when
//# received regardless of the AlertLevel in the message.
//= rfc8446#6
//# Unknown Alert types MUST be treated as error alerts.
#[test]
fn alerts_are_fatal_whatever_their_level_and_number() {
    for alert in [[1, 40], [2, 40], [1, 200]] {
        let (mut client, mut server) = connected();
        let mut buffer = [0; 100];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        client.core.records.append(&mut frame, 3, ContentType::ALERT, &[&alert]).unwrap();
        let error = server.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap_err();
        assert_eq!(error.alert_received().map(|description| description.0), Some(alert[1]));
        assert!(server.overhead().is_none());
    }
}

//= rfc9147#4.5.3
//# Implementations SHOULD NOT protect more records than allowed by the limit specified for the negotiated AEAD.
//= rfc9147#4.5.3
//# Implementations SHOULD initiate a key update before reaching this limit.
//= rfc9147#4.2.1
//# Implementations MUST either abandon an association or rekey prior to allowing the sequence number to wrap.
//= rfc8446#5.3
//# If a TLS implementation would need to wrap a sequence number, it MUST either rekey (Section 4.6.3) or terminate the
//# connection.
#[test]
fn keys_are_changed_before_they_are_spent_and_spent_keys_seal_nothing() {
    let (mut client, _) = connected();
    let wrap = |client: &mut Connection| {
        let mut buffer = [0; 100];
        let mut frame = Frame::new(&mut buffer, client.overhead().unwrap());
        frame.push(b"data").unwrap();
        client.wrap(&mut frame)
    };
    client.core.records.set_next_sequence(client.config.limits.records_per_key - 1);
    assert!(take(&mut client).is_empty());
    wrap(&mut client).unwrap();
    assert_eq!(take(&mut client).len(), 1, "a KeyUpdate");
    client.core.records.set_next_sequence(23_726_565);
    assert_eq!(wrap(&mut client), Ok(()));
    assert_eq!(wrap(&mut client), Err(Spent::KeysExhausted));
}

/// A client that takes small records alone gets none that are longer.
//= rfc8449#4
//# Even if a larger record size limit is provided by a peer, an endpoint MUST NOT send records larger than the
//# protocol-defined limit, unless explicitly allowed by a future TLS version or extension.
#[test]
fn the_record_size_limit_is_respected() {
    let (_, mut server) = connected();
    server.core.records.set_content_limit(usize::from(u16::MAX));
    assert_eq!(server.core.records.content_limit(), 1 << 14);
    server.core.records.set_content_limit(63);
    for (length, expected) in [(63, Ok(())), (64, Err(Spent::NoRoom))] {
        let mut buffer = [0; 200];
        let mut frame = Frame::new(&mut buffer, server.overhead().unwrap());
        frame.push(&vec![1; length]).unwrap();
        assert_eq!(server.wrap(&mut frame), expected);
    }
    server.core.flight.begin();
    server.core.flight.push(3, HandshakeType::NEW_SESSION_TICKET, vec![7; 90]);
    let datagram = take(&mut server).remove(0);
    assert_eq!(datagram.len(), 90 + 2 * (12 + 22), "in two records");
}

/// The one hello of both versions goes on with a server of 1.2 that wants its cookie back.
#[test]
fn a_hello_of_both_versions_is_repeated_with_the_cookie_of_1_2() {
    let (mut client, _) = pair();
    client.start(Instant::ORIGIN);
    let first = take(&mut client).remove(0);
    let body = [0xFE, 0xFF, 2, 7, 9];
    let message_type = HandshakeType::HELLO_VERIFY_REQUEST;
    let request = Fragment { message_type, length: body.len(), message_seq: 0, offset: 0, body: &body };
    let mut buffer = [0; 200];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    RecordLayer::new(&crate::Limits::default())
        .append(&mut frame, 0, ContentType::HANDSHAKE, &[&request.header(), &body])
        .unwrap();
    client.handle_input(Instant::ORIGIN, frame.content_mut()).unwrap();
    let again = take(&mut client).remove(0);
    let [before, after] = [&first, &again].map(|hello| Fragment::parse(&hello[13..]).unwrap().0);
    assert_eq!((after.message_seq, after.length), (1, before.length + 2));
    assert_eq!(before.body[..35], after.body[..35]);
    assert_eq!(after.body[35..38], [2, 7, 9]);
    assert_eq!(before.body[36..200], after.body[38..202]);
    assert!(matches!(client.handshake, Handshake::Client12(_)));
}

/// A KeyUpdate in place of the client's Certificate, under the handshake's keys.
//= rfc8446#4.6.3
//# Implementations that receive a KeyUpdate message prior to receiving a Finished message MUST terminate the
//# connection with an "unexpected_message" alert.
#[test]
fn a_key_update_within_the_handshake_is_refused() {
    let (mut client, mut server) = half_way();
    let body = [0];
    let message_type = HandshakeType::KEY_UPDATE;
    let fragment = Fragment { message_type, length: 1, message_seq: 1, offset: 0, body: &body };
    let mut buffer = [0; 100];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    client.core.records.append(&mut frame, 2, ContentType::HANDSHAKE, &[&fragment.header(), &body]).unwrap();
    let error = server.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
}

/// What a server may not say under its handshake keys.
//= rfc8446#4.2.3
//# The keys found in certificates MUST also be of appropriate type for the signature algorithms they are used with.
//= rfc8446#4.3.1
//# The client MUST check EncryptedExtensions for the presence of any forbidden extensions and if any are found MUST
//# abort the handshake with an "illegal_parameter" alert.
//= rfc8446#4.4.2.4
//# If the server supplies an empty Certificate message, the client MUST abort the handshake with a "decode_error"
//# alert.
//= rfc8446#4.4.3
//# If the CertificateVerify message is sent by a server, the signature algorithm MUST be one offered in the client's
//# "signature_algorithms" extension unless no valid certificate chain can be produced without unsupported algorithms
//# (see Section 4.2.3).
//= rfc8446#4.4.3
//# RSA signatures MUST use an RSASSA-PSS algorithm, regardless of whether RSASSA-PKCS1-v1_5 algorithms appear in
//# "signature_algorithms".
//= rfc8446#4.4.3
//# The SHA-1 algorithm MUST NOT be used in any signatures of CertificateVerify messages.
#[test]
fn servers_that_break_the_rules_under_protection_are_refused() {
    let cases: [(_, &[u8], _); 9] = [
        (HandshakeType::CERTIFICATE, &[0, 0, 0, 0], AlertDescription::DECODE_ERROR),
        // key_share, which belongs into a ServerHello; one that we did not offer.
        (HandshakeType::ENCRYPTED_EXTENSIONS, &[0, 4, 0, 51, 0, 0], AlertDescription::ILLEGAL_PARAMETER),
        (HandshakeType::ENCRYPTED_EXTENSIONS, &[0, 4, 0, 14, 0, 0], AlertDescription::UNSUPPORTED_EXTENSION),
        (HandshakeType::ENCRYPTED_EXTENSIONS, &[0, 9, 0, 51, 0, 0], AlertDescription::DECODE_ERROR),
        // RSA-PKCS1 and SHA-1 with ECDSA are no schemes for a CertificateVerify of 1.3.
        (HandshakeType::CERTIFICATE_VERIFY, &[4, 1, 0, 1, 7], AlertDescription::ILLEGAL_PARAMETER),
        (HandshakeType::CERTIFICATE_VERIFY, &[2, 3, 0, 1, 7], AlertDescription::ILLEGAL_PARAMETER),
        // RSA-PSS, Ed25519 and ECDSA on P-384 are no schemes for a key on P-256.
        (HandshakeType::CERTIFICATE_VERIFY, &[8, 4, 0, 1, 7], AlertDescription::DECRYPT_ERROR),
        (HandshakeType::CERTIFICATE_VERIFY, &[8, 7, 0, 1, 7], AlertDescription::DECRYPT_ERROR),
        (HandshakeType::CERTIFICATE_VERIFY, &[5, 3, 0, 1, 7], AlertDescription::DECRYPT_ERROR),
    ];
    for (message_type, body, alert) in cases {
        let (mut client, mut server) = pair();
        client.start(Instant::ORIGIN);
        pass(&mut client, &mut server).unwrap();
        server.core.flight.replace(message_type, body.to_vec());
        let error = pass(&mut server, &mut client).unwrap_err();
        assert_eq!(error.alert_sent(), Some(alert), "{message_type} {body:?}");
        assert!(client.info().is_none());
        let error = pass(&mut client, &mut server).unwrap_err();
        assert_eq!(error, Error::AlertReceived(alert), "told under protection");
    }
}

/// A signature that is none of the key's.
//= rfc8446#4.4.3
//# If the verification fails, the receiver MUST terminate the handshake with a "decrypt_error" alert.
#[test]
fn forged_signatures_are_refused_by_either_side() {
    let forged = vec![4, 3, 0, 4, 1, 2, 3, 4];
    let (mut client, mut server) = half_way();
    client.core.flight.replace(HandshakeType::CERTIFICATE_VERIFY, forged.clone());
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    server.core.flight.replace(HandshakeType::CERTIFICATE_VERIFY, forged);
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
}

/// A second HelloRetryRequest, or one that asks for nothing new, ends the handshake.
//= rfc8446#4.1.4
//# If a client receives a second HelloRetryRequest in the same connection (i.e., where the ClientHello was itself in
//# response to a HelloRetryRequest), it MUST abort the handshake with an "unexpected_message" alert.
//= rfc8446#4.1.4
//# Clients MUST abort the handshake with an "illegal_parameter" alert if the HelloRetryRequest would not result in any
//# change in the ClientHello.
//= rfc9147#5.1
//# As described in Section 4.1.4 of [TLS13], clients MUST abort the handshake with an "unexpected_message" alert in
//# response to any second HelloRetryRequest which was sent in the same connection (i.e., where the ClientHello was
//# itself in response to a HelloRetryRequest).
#[test]
fn retries_without_end_or_sense_are_refused() {
    use crate::wire::{CipherSuite, NamedGroup, ServerHello};
    let retry = |client: &mut Connection, message_seq: u16, group: NamedGroup| {
        let body = ServerHello::write_retry(CipherSuite::AES_128_GCM_SHA256, Some(group), None);
        let message_type = HandshakeType::SERVER_HELLO;
        let whole = Fragment { message_type, length: body.len(), message_seq, offset: 0, body: &body };
        let mut buffer = [0; 200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        RecordLayer::new(&crate::Limits::default())
            .append(&mut frame, 0, ContentType::HANDSHAKE, &[&whole.header(), &body])
            .unwrap();
        client.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop)
    };
    let (mut client, _) = pair();
    client.start(Instant::ORIGIN);
    let error = retry(&mut client, 0, NamedGroup::X25519).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::ILLEGAL_PARAMETER), "it has that share");
    let (mut client, _) = pair();
    client.start(Instant::ORIGIN);
    retry(&mut client, 0, NamedGroup::SECP256R1).unwrap();
    let error = retry(&mut client, 1, NamedGroup::SECP384R1).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
}

/// In the same datagram and in the next.
//= rfc9147#5.10
//# Any data received with an epoch/sequence number pair after that of a valid received closure alert MUST be ignored.
#[test]
fn what_follows_close_notify_is_ignored() {
    let (mut client, mut server) = connected();
    for close in [true, false] {
        let mut buffer = [0; 200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if close {
            let alert = Alert::CLOSE_NOTIFY.to_bytes();
            client.core.records.append(&mut frame, 3, ContentType::ALERT, &[&alert]).unwrap();
        }
        client.core.records.append(&mut frame, 3, ContentType::APPLICATION_DATA, &[b"late"]).unwrap();
        let mut records = server.handle_input(Instant::ORIGIN, frame.content_mut()).unwrap();
        assert!(records.next().is_none());
    }
}

/// Messages about connection ids, from a side that must not send them.
//= rfc9147#9
//# Implementations which detect a violation of these rules MUST terminate the connection with an "unexpected_message"
//# alert.
#[test]
fn messages_about_connection_ids_that_break_the_rules_are_fatal() {
    // The client asks for no id, and takes the server's.
    let cases: [(usize, HandshakeType, &[u8], AlertDescription); 5] = [
        (0, HandshakeType::NEW_CONNECTION_ID, &[0, 2, 1, 7, 1], AlertDescription::UNEXPECTED_MESSAGE),
        (1, HandshakeType::REQUEST_CONNECTION_ID, &[1], AlertDescription::UNEXPECTED_MESSAGE),
        (0, HandshakeType::REQUEST_CONNECTION_ID, &[], AlertDescription::DECODE_ERROR),
        (1, HandshakeType::NEW_CONNECTION_ID, &[0, 1, 0, 1], AlertDescription::DECODE_ERROR),
        (1, HandshakeType::NEW_CONNECTION_ID, &[0, 0, 0], AlertDescription::DECODE_ERROR),
    ];
    for (from, message_type, body, alert) in cases {
        let (mut client, mut server) = pair();
        client.use_connection_id(b"").unwrap();
        server.use_connection_id(b"id").unwrap();
        client.start(Instant::ORIGIN);
        for _ in 0..3 {
            pass(&mut client, &mut server).unwrap();
            pass(&mut server, &mut client).unwrap();
        }
        let mut ends = [client, server];
        assert!(ends.iter().all(Connection::is_connected));
        ends[from].core.flight.begin();
        ends[from].core.flight.push(3, message_type, body.to_vec());
        let datagram = take(&mut ends[from]).remove(0);
        let error = ends[1 - from].handle_input(Instant::ORIGIN, &mut datagram.clone()).map(drop).unwrap_err();
        assert_eq!(error.alert_sent(), Some(alert), "{message_type} {body:?}");
    }
}

/// A request for connection ids that was not answered can be followed by no other, so requests do not pile up.
#[test]
fn requests_for_connection_ids_without_end_are_refused() {
    let (mut client, mut server) = pair();
    client.use_connection_id(b"").unwrap();
    server.use_connection_id(b"id").unwrap();
    client.start(Instant::ORIGIN);
    for _ in 0..3 {
        pass(&mut client, &mut server).unwrap();
        pass(&mut server, &mut client).unwrap();
    }
    let request = |client: &mut Connection, server: &mut Connection| {
        client.core.flight.begin();
        client.core.flight.push(3, HandshakeType::REQUEST_CONNECTION_ID, vec![1]);
        let mut datagram = take(client).remove(0);
        server.handle_input(Instant::ORIGIN, &mut datagram).map(drop)
    };
    request(&mut client, &mut server).unwrap();
    server.give_connection_ids(&[b"ID"], false).unwrap();
    request(&mut client, &mut server).unwrap();
    let error = request(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::TOO_MANY_CIDS_REQUESTED));
    let requests = core::iter::from_fn(|| server.poll_event());
    assert_eq!(requests.filter(|event| matches!(event, crate::Event::ConnectionIdsRequested(1))).count(), 2);
}
