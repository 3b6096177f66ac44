//! What a server wants to know of its client, in either version.

use std::time::Duration;

use weft_dtls::{AlertDescription, ClientAuthentication, ProtocolVersion, Role, Verifier};

use crate::link::{CERTIFICATES, PERFECT, Pair, config_any, fingerprint_of};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

/// After a handshake, or its end without one.
fn meet(version: ProtocolVersion, wanted: ClientAuthentication, anonymous: bool, verifier: Option<Verifier>) -> Pair {
    let [mut client, mut server] = [Role::Client, Role::Server].map(config_any);
    client.versions = vec![version];
    client.anonymous_client = anonymous;
    server.client_authentication = wanted;
    if let Some(verifier) = verifier {
        server.verifier = verifier;
    }
    let mut pair = Pair::new(client, server, PERFECT, 1);
    pair.connect(Duration::from_secs(10));
    pair
}

/// Asked for, but not insisted on: the client is known if it has a certificate, and unknown without.
//= rfc8446#4.4.2
//# If the server requests client authentication but no suitable certificate is available, the client MUST send a
//# Certificate message containing no certificates (i.e., with the "certificate_list" field having length 0).
//= rfc8446#4.4.2
//# A Finished message MUST be sent regardless of whether the Certificate message is empty.
//= rfc5246#7.4.6
//# If no suitable certificate is available, the client MUST send a certificate message containing no certificates.
#[test]
fn optional_client_authentication() {
    for version in VERSIONS {
        for anonymous in [false, true] {
            let mut pair = meet(version, ClientAuthentication::Optional, anonymous, None);
            assert!(pair.both_connected(), "{version} {anonymous} {:?}", pair.errors);
            let known = pair.ends[1].info().unwrap().peer_certificate.clone();
            assert_eq!(known.as_deref(), (!anonymous).then(|| CERTIFICATES[0].der()), "{version}");
            pair.send_data(0, b"ping");
            pair.send_data(1, b"pong");
            pair.run_for(Duration::from_secs(1));
            assert_eq!(pair.received, [vec![b"pong".to_vec()], vec![b"ping".to_vec()]]);
        }
    }
}

/// A certificate that is sent is verified, needed or not.
#[test]
fn optional_client_authentication_refuses_a_wrong_certificate() {
    for version in VERSIONS {
        let wrong = fingerprint_of(&CERTIFICATES[1]);
        let pair = meet(version, ClientAuthentication::Optional, false, Some(wrong));
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(AlertDescription::BAD_CERTIFICATE), "{version}");
        assert!(pair.ends[1].info().is_none());
    }
}

#[test]
fn required_client_authentication_refuses_an_anonymous_client() {
    for (version, alert) in
        VERSIONS.into_iter().zip([AlertDescription::HANDSHAKE_FAILURE, AlertDescription::CERTIFICATE_REQUIRED])
    {
        let pair = meet(version, ClientAuthentication::Required, true, None);
        assert_eq!(pair.errors[1].unwrap().alert_sent(), Some(alert), "{version}");
        assert!(pair.ends[1].info().is_none());
    }
}

#[test]
fn no_client_authentication_asks_for_nothing() {
    for version in VERSIONS {
        for anonymous in [false, true] {
            let nobody = Verifier::Fingerprints(Vec::new());
            let pair = meet(version, ClientAuthentication::None, anonymous, Some(nobody));
            assert!(pair.both_connected(), "{version} {anonymous} {:?}", pair.errors);
            assert_eq!(pair.ends[1].info().unwrap().peer_certificate, None);
        }
    }
}
