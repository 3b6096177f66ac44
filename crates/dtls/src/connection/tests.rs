//! What only a peer that breaks the rules can show.

#[cfg(test)]
use weft_core::Layer as _;

use super::*;
use crate::certificate::Certificate;
use crate::crypto::HashAlgorithm;
use crate::verifier::Verifier;
use crate::wire::{AlertLevel, Fragment, HandshakeType, RECORD_HEADER, put_u8_vector};

pub(super) fn pair() -> (Connection, Connection) {
    let own: Vec<_> = (0..2).map(|_| Arc::new(Certificate::generate().unwrap())).collect();
    let config = |own: &Arc<Certificate>, peer: &Arc<Certificate>| {
        let known = Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
        let mut config = Config::new(own.clone(), known);
        config.versions = vec![crate::wire::ProtocolVersion::DTLS_1_2];
        Arc::new(config)
    };
    let client = Connection::new(config(&own[0], &own[1]), Role::Client, Rng::from_test_seed(1));
    let server = Connection::new(config(&own[1], &own[0]), Role::Server, Rng::from_test_seed(2));
    (client, server)
}

pub(super) fn take(from: &mut Connection) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 1500];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if from.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
            return all;
        }
        all.push(frame.content().to_vec());
    }
}

pub(super) fn pass(from: &mut Connection, to: &mut Connection) -> Result<usize, Error> {
    let mut records = 0;
    for mut datagram in take(from) {
        let mut yielded = to.handle_input(Instant::ORIGIN, &mut datagram)?;
        while yielded.next().is_some() {
            records += 1;
        }
    }
    Ok(records)
}

pub(super) fn connected() -> (Connection, Connection) {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    for _ in 0..2 {
        pass(&mut client, &mut server).unwrap();
        pass(&mut server, &mut client).unwrap();
    }
    assert!(client.is_connected() && server.is_connected());
    (client, server)
}

/// Sends one record of the peer's making under its keys.
fn send(from: &mut Connection, to: &mut Connection, content_type: ContentType, content: &[u8]) -> Result<usize, Error> {
    let mut buffer = [0; 1500];
    let mut frame = Frame::new(&mut buffer, Overhead::NONE);
    from.core.records.append(&mut frame, 1, content_type, &[content]).unwrap();
    let mut datagram = frame.content().to_vec();
    let mut records = to.handle_input(Instant::ORIGIN, &mut datagram)?;
    Ok(usize::from(records.next().is_some()))
}

/// pion/dtls: a client certificate was believed without proof of its key.
#[test]
fn cve_2022_29222_certificate_without_certificate_verify() {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap_or_default();
    client.core.flight.leave_out(HandshakeType::CERTIFICATE_VERIFY);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNEXPECTED_MESSAGE));
    assert!(!server.is_connected() && server.info().is_none());
}

#[test]
fn an_empty_client_certificate_is_refused() {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    client.core.flight.replace(HandshakeType::CERTIFICATE, vec![0, 0, 0]);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::HANDSHAKE_FAILURE));
}

//= rfc5246#7.4.9
//# Recipients of Finished messages MUST verify that the contents are correct.
#[test]
fn wrong_finished_is_refused_by_either_side() {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    client.core.flight.replace(HandshakeType::FINISHED, vec![0; 12]);
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));

    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    pass(&mut server, &mut client).unwrap();
    pass(&mut client, &mut server).unwrap();
    server.core.flight.replace(HandshakeType::FINISHED, vec![0; 12]);
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
    // The peer is told under protection, and believes it.
    let error = pass(&mut client, &mut server).unwrap_err();
    assert_eq!(error, Error::AlertReceived(AlertDescription::DECRYPT_ERROR));
}

//= rfc6347#4.2.1
//# The client MUST retransmit the ClientHello with the cookie added.
//= rfc6347#4.2.1
//# DTLS 1.2 and 1.0 clients MUST use the version solely to indicate packet formatting (which is the same in both DTLS 1.2
//# and 1.0) and not as part of version negotiation.
//= rfc6347#4.2.1
//# Clients MUST be prepared to do a cookie exchange with every handshake.
//= rfc6347#5
//# Clients MUST be prepared to do a cookie exchange with every handshake.
//= rfc6347#4.2.1
//# Clients SHOULD handle this by sending a new ClientHello with a cookie in response to the new HelloVerifyRequest.
//= rfc6347#4.2.1
//# When responding to a HelloVerifyRequest, the client MUST use the same
//# parameter values (version, random, session_id, cipher_suites,
//# compression_method) as it did in the original ClientHello.
#[test]
fn hello_verify_requests_are_answered_with_their_cookie() {
    let (mut client, _) = pair();
    client.start(Instant::ORIGIN);
    let first = take(&mut client).remove(0);
    for round in 0..4_u16 {
        let mut body = vec![0xFE, 0xFF];
        put_u8_vector(&mut body, &[7, round as u8]);
        let message_type = HandshakeType::HELLO_VERIFY_REQUEST;
        let request = Fragment { message_type, length: body.len(), message_seq: round, offset: 0, body: &body };
        let mut record = RecordLayer::new(&crate::Limits::default());
        let mut buffer = [0; 200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        record.append(&mut frame, 0, ContentType::HANDSHAKE, &[&request.header(), &body]).unwrap();
        client.handle_input(Instant::ORIGIN, frame.content_mut()).unwrap();
        let answer = take(&mut client);
        if round == 3 {
            assert!(answer.is_empty(), "no end of cookies");
            return;
        }
        let (fragment, _) = Fragment::parse(&answer[0][RECORD_HEADER..]).unwrap();
        assert_eq!(fragment.message_seq, round + 1);
        // Version, random and the empty session id are as before; then the cookie; then all the rest as before.
        let (before, after) = (&first[RECORD_HEADER + 12..], fragment.body);
        assert_eq!(before[..35], after[..35]);
        assert_eq!(after[35..38], [2, 7, round as u8]);
        assert_eq!(before[36..], after[38..]);
    }
}

//= rfc5246#7.2.2
//# Servers and clients MUST forget any session-identifiers, keys, and secrets associated with a failed connection.
#[test]
fn protected_fatal_alerts_are_final() {
    let (mut client, mut server) = connected();
    let warning = Alert { level: AlertLevel::Warning, description: AlertDescription::USER_CANCELED };
    send(&mut client, &mut server, ContentType::ALERT, &warning.to_bytes()).unwrap();
    assert!(server.is_connected());
    let fatal = Alert::fatal(AlertDescription::INTERNAL_ERROR);
    let error = send(&mut client, &mut server, ContentType::ALERT, &fatal.to_bytes()).unwrap_err();
    assert_eq!(error, Error::AlertReceived(AlertDescription::INTERNAL_ERROR));
    assert_eq!(server.overhead(), None);
    assert!(take(&mut server).is_empty(), "an alert is not answered with one");
}

#[test]
fn renegotiation_is_refused_and_the_connection_lives() {
    for by_client in [true, false] {
        let (mut client, mut server) = connected();
        let (from, to, message_type) = if by_client {
            (&mut client, &mut server, HandshakeType::CLIENT_HELLO)
        } else {
            (&mut server, &mut client, HandshakeType::HELLO_REQUEST)
        };
        let request = Fragment { message_type, length: 0, message_seq: 0, offset: 0, body: &[] };
        for _ in 0..100 {
            send(from, to, ContentType::HANDSHAKE, &request.header()).unwrap();
        }
        assert_eq!(pass(to, from), Ok(0));
        assert_eq!(from.counters().warnings, 1);
        assert!(from.is_connected() && to.is_connected());
    }
}

//= rfc6347#4.1
//# As in TLS, implementations MUST either abandon an association or rehandshake prior to allowing the sequence number to
//# wrap.
#[test]
fn sequence_numbers_refuse_to_wrap() {
    let (mut client, mut server) = connected();
    client.core.records.set_next_sequence((1 << 48) - 2);
    for expected in [Ok(()), Ok(()), Err(Spent::KeysExhausted), Err(Spent::KeysExhausted)] {
        let mut buffer = [0; 100];
        let mut frame = Frame::new(&mut buffer, client.overhead().unwrap());
        frame.push(b"data").unwrap();
        assert_eq!(client.wrap(&mut frame), expected);
        if expected.is_ok() {
            let mut datagram = frame.content().to_vec();
            let mut records = server.handle_input(Instant::ORIGIN, &mut datagram).unwrap();
            assert_eq!(records.next(), Some(&b"data"[..]));
        } else {
            assert_eq!(frame.content(), b"data", "the frame is as it was");
        }
    }
}

#[test]
fn early_records_are_bounded() {
    let (_, mut server) = pair();
    let limits = server.config.limits;
    for n in 0..10_000_u64 {
        let mut datagram = vec![0; 1200];
        let header = crate::wire::RecordHeader {
            content_type: ContentType::APPLICATION_DATA,
            version: crate::wire::ProtocolVersion::DTLS_1_2,
            epoch: 1,
            sequence_number: n,
            length: 1187,
        };
        datagram[..RECORD_HEADER].copy_from_slice(&header.to_bytes());
        server.handle_input(Instant::ORIGIN, &mut datagram).unwrap();
    }
    let kept = server.counters().early_records_kept;
    assert!(kept > 0 && kept * 1200 <= limits.early_bytes as u64 && kept <= limits.early_records as u64);
    assert_eq!(server.counters().early_records_dropped, 10_000 - kept);
}

#[test]
fn connections_can_change_threads() {
    fn is_send<T: Send>() {}
    is_send::<Connection>();
}

/// What a flight of one datagram holds: content type, epoch, and the handshake type of what is in the clear.
fn contents(datagram: &[u8]) -> Vec<(u8, u16, u8)> {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some((header, end)) = crate::record::split(datagram, at) {
        let first = if header.epoch == 0 && header.content_type == ContentType::HANDSHAKE {
            datagram[at + RECORD_HEADER]
        } else {
            0
        };
        all.push((header.content_type.0, header.epoch, first));
        at = end;
    }
    all
}

//= rfc5246#7.1
//# Immediately after sending this message, the sender MUST instruct the record layer to make the write pending state
//# the write active state.
//= rfc5246#7.1
//# However, once the ChangeCipherSpec has been sent, the new CipherSpec MUST be used.
//= rfc5246#7.4.7
//# It MUST immediately follow the client certificate message, if it is sent.
//= rfc5246#7.4.7
//# Otherwise, it MUST be the first message sent by the client after it receives the ServerHelloDone message.
//= rfc5246#7.4.8
//# When sent, it MUST immediately follow the client key exchange message.
//= rfc5246#7.4.8
//# The hash and signature algorithms used in the signature MUST be one of those present in the
//# supported_signature_algorithms field of the CertificateRequest message.
//= rfc5246#7.4.8
//# In addition, the hash and signature algorithms MUST be compatible with the key in the client's end-entity
//# certificate.
#[test]
fn flight_5_is_in_order() {
    for authenticated in [true, false] {
        let (mut client, mut server) = pair();
        let mut config = (*server.config).clone();
        if !authenticated {
            config.client_authentication = crate::ClientAuthentication::None;
        }
        server = Connection::new(Arc::new(config), Role::Server, Rng::from_test_seed(2));
        client.start(Instant::ORIGIN);
        pass(&mut client, &mut server).unwrap();
        pass(&mut server, &mut client).unwrap();
        let flight = take(&mut client).remove(0);
        let rest = [(20, 0, 0), (22, 1, 0)];
        let expected = if authenticated { vec![(22, 0, 11), (22, 0, 16), (22, 0, 15)] } else { vec![(22, 0, 16)] };
        assert_eq!(contents(&flight), [&expected[..], &rest].concat());
        server.handle_input(Instant::ORIGIN, &mut flight.clone()).unwrap();
        assert_eq!(contents(&take(&mut server)[0]), rest);
    }
}

//= rfc5246#1.2
//# After a certificate_request, if no certificates are available, clients now MUST send an empty certificate list.
//= rfc5246#7.4.4
//# Any certificates provided by the client MUST be signed using a hash/signature algorithm pair found in
//# supported_signature_algorithms.
//= rfc5246#7.4.4
//# The end-entity certificate provided by the client MUST contain a key that is compatible with certificate_types.
//= rfc5246#7.4.4
//# If the key is a signature key, it MUST be usable with some hash/signature algorithm pair in
//# supported_signature_algorithms.
//= rfc5246#7.4.6
//# If no suitable certificate is available, the client MUST send a certificate message containing no certificates.
//= rfc5246#7.4.6
//# The certificate MUST be appropriate for the negotiated cipher suite's key exchange algorithm, and any negotiated
//# extensions.
//= rfc5246#7.4.6
//# The certificates MUST be signed using an acceptable hash/ signature algorithm pair, as described in Section 7.4.4.
//= rfc8422#3
//# In this case, the ClientKeyExchange MUST be sent as described in Section 2, and the CertificateVerify MUST NOT be
//# sent.
#[test]
fn a_client_without_a_fitting_certificate_says_so() {
    // Takes RSA keys alone; takes ECDSA keys, but no signature that ours makes.
    for (certificate_type, scheme) in [(1, [4, 3]), (64, [4, 1])] {
        let (mut client, mut server) = pair();
        client.start(Instant::ORIGIN);
        pass(&mut client, &mut server).unwrap();
        let request = vec![1, certificate_type, 0, 2, scheme[0], scheme[1], 0, 0];
        server.core.flight.replace(HandshakeType::CERTIFICATE_REQUEST, request);
        pass(&mut server, &mut client).unwrap();
        let flight = take(&mut client).remove(0);
        assert_eq!(contents(&flight), [(22, 0, 11), (22, 0, 16), (20, 0, 0), (22, 1, 0)]);
        let (certificate, _) = Fragment::parse(&flight[RECORD_HEADER..]).unwrap();
        assert_eq!(certificate.body, [0, 0, 0]);
    }
}

//= rfc8422#2.1
//# In ECDHE_ECDSA, the server's certificate MUST contain an ECDSA- or EdDSA-capable public key.
//= rfc8422#2.2
//# This key exchange algorithm is the same as ECDHE_ECDSA except that the server's certificate MUST contain an RSA
//# public key authorized for signing and the signature in the ServerKeyExchange message must be computed with the
//# corresponding RSA private key.
//= rfc8422#5.3
//# ECDHE_ECDSA Certificate MUST contain an ECDSA- or EdDSA-capable public key.
//= rfc8422#5.3
//# ECDHE_RSA Certificate MUST contain an RSA public key.
#[test]
fn a_certificate_that_does_not_fit_the_suite_is_refused() {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    let hello = crate::wire::ServerHello::write_v12(
        &[1; 32],
        crate::wire::CipherSuite::ECDHE_RSA_AES_128_GCM_SHA256,
        false,
        false,
        &[],
    );
    server.core.flight.replace(HandshakeType::SERVER_HELLO, hello);
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::UNSUPPORTED_CERTIFICATE));
}

#[test]
fn a_forged_server_key_exchange_is_refused() {
    let (mut client, mut server) = pair();
    client.start(Instant::ORIGIN);
    pass(&mut client, &mut server).unwrap();
    // Another random under the same signature.
    let suite = crate::wire::CipherSuite::ECDHE_ECDSA_AES_128_GCM_SHA256;
    server
        .core
        .flight
        .replace(HandshakeType::SERVER_HELLO, crate::wire::ServerHello::write_v12(&[1; 32], suite, false, false, &[]));
    let error = pass(&mut server, &mut client).unwrap_err();
    assert_eq!(error.alert_sent(), Some(AlertDescription::DECRYPT_ERROR));
}
