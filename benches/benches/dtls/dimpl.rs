//! The crate `dimpl`.

use std::sync::Arc;
use std::time::Instant;

use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite};
use dimpl::{Config, Dtls, DtlsCertificate, NamedGroup, Output};
use weft_dtls::{CipherSuite, ProtocolVersion};

/// What both sides need before they begin.
pub(crate) struct Ends {
    version: ProtocolVersion,
    config: Arc<Config>,
    certificates: [DtlsCertificate; 2],
}

impl Ends {
    /// The suite is told as one of 1.3; in 1.2 it is the one with the same cipher.
    pub(crate) fn new(version: ProtocolVersion, suite: CipherSuite) -> Self {
        let (suite12, suite13) = match suite {
            CipherSuite::AES_256_GCM_SHA384 => {
                (Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384, Dtls13CipherSuite::AES_256_GCM_SHA384)
            }
            CipherSuite::CHACHA20_POLY1305_SHA256 => {
                (Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256, Dtls13CipherSuite::CHACHA20_POLY1305_SHA256)
            }
            _ => (Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256, Dtls13CipherSuite::AES_128_GCM_SHA256),
        };
        // Cookies would cost it a round that ours does not make.
        let config = Config::builder()
            .use_server_cookie(false)
            .kx_groups(&[NamedGroup::X25519])
            .dtls12_cipher_suites(&[suite12])
            .dtls13_cipher_suites(&[suite13])
            .build()
            .expect("a configuration");
        let certificates =
            [(), ()].map(|()| dimpl::certificate::generate_self_signed_certificate().expect("a certificate"));
        Self { version, config: Arc::new(config), certificates }
    }

    pub(crate) fn connect(&self) -> Pair {
        let now = Instant::now();
        let new = |certificate: &DtlsCertificate| match self.version {
            ProtocolVersion::DTLS_1_3 => Dtls::new_13(self.config.clone(), certificate.clone(), now),
            _ => Dtls::new_12(self.config.clone(), certificate.clone(), now),
        };
        let (mut client, mut server) = (new(&self.certificates[0]), new(&self.certificates[1]));
        client.set_active(true);
        client.handle_timeout(now).expect("a start");
        server.handle_timeout(now).expect("a start");
        let mut buffer = vec![0; 2048];
        let mut connected = [false; 2];
        let mut turns = 0;
        while connected != [true; 2] {
            connected[0] |= pass(&mut client, &mut server, &mut buffer);
            connected[1] |= pass(&mut server, &mut client, &mut buffer);
            turns += 1;
            assert!(turns < 10, "no end of the handshake");
        }
        pass(&mut client, &mut server, &mut buffer);
        pass(&mut server, &mut client, &mut buffer);
        Pair { client, server, buffer }
    }
}

/// Hands over what `from` has to say; whether it has connected meanwhile.
fn pass(from: &mut Dtls, to: &mut Dtls, buffer: &mut [u8]) -> bool {
    let mut connected = false;
    loop {
        match from.poll_output(buffer) {
            Output::Packet(packet) => to.handle_packet(packet).expect("an honest peer"),
            Output::Connected => connected = true,
            Output::Timeout(_) => return connected,
            _ => {}
        }
    }
}

/// Two connections that have shaken hands.
pub(crate) struct Pair {
    client: Dtls,
    server: Dtls,
    buffer: Vec<u8>,
}

impl Pair {
    pub(crate) fn connected(version: ProtocolVersion, suite: CipherSuite) -> Self {
        Ends::new(version, suite).connect()
    }

    pub(crate) fn seal_and_open(&mut self, content: &[u8]) -> usize {
        self.client.send_application_data(content).expect("keys");
        pass(&mut self.client, &mut self.server, &mut self.buffer);
        let mut length = 0;
        loop {
            match self.server.poll_output(&mut self.buffer) {
                Output::ApplicationData(data) => length = data.len(),
                Output::Timeout(_) => return length,
                Output::Packet(packet) => self.client.handle_packet(packet).expect("an honest peer"),
                _ => {}
            }
        }
    }
}
