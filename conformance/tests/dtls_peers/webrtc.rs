//! Against `webrtc-dtls`, which speaks 1.2 with AES-128-GCM.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use tokio::time::timeout;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_util::conn::{Conn, conn_pipe::pipe};
use weft_core::Instant;
use weft_dtls::{NamedGroup, ProtocolVersion, Role};

use crate::own::{Identity, Luck, Own, config};

const PATIENCE: Duration = Duration::from_secs(30);

/// Lets our side talk over `wire` until `done`.
async fn run(own: &mut Own, wire: &impl Conn, origin: Clock, luck: &mut Luck, done: impl Fn(&Own) -> bool) {
    let end = Clock::now() + PATIENCE;
    loop {
        own.now = Instant::ORIGIN + origin.elapsed();
        own.timeout();
        for datagram in own.take() {
            if luck.arrives() {
                wire.send(&datagram).await.unwrap();
            }
        }
        if done(own) {
            return;
        }
        assert!(Clock::now() < end, "{:?} {:?}", own.connection, own.connection.counters());
        let mut buffer = [0; 2048];
        if let Ok(length) = timeout(Duration::from_millis(20), wire.recv(&mut buffer)).await
            && luck.arrives()
        {
            own.give(&buffer[..length.unwrap()]);
        }
    }
}

/// Their PEM is like everybody's but for one character.
fn theirs(identity: &Identity) -> Certificate {
    let key = identity.key_pem.replace("PRIVATE KEY", "PRIVATE_KEY");
    Certificate::from_pem(&format!("{key}{}", identity.certificate_pem)).unwrap()
}

/// One connection, and a message either way.
struct Meeting<'a> {
    ours: &'a Identity,
    theirs: &'a Identity,
    role: Role,
    group: NamedGroup,
    suite: CipherSuiteId,
    mtu: usize,
    luck: Luck,
}

impl Meeting<'_> {
    async fn hold(mut self) {
        // It asks for one without saying which; a second time this changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let their_config = Config {
            certificates: vec![theirs(self.theirs)],
            cipher_suites: vec![self.suite],
            client_auth: ClientAuthType::RequireAnyClientCert,
            extended_master_secret: ExtendedMasterSecretType::Require,
            flight_interval: Duration::from_millis(100),
            insecure_skip_verify: true,
            mtu: self.mtu,
            server_name: "peer".to_owned(),
            ..Config::default()
        };
        let (near, far) = pipe();
        let their_role_is_client = self.role == Role::Server;
        let connecting = tokio::spawn(async move {
            DTLSConn::new(Arc::new(far), their_config, their_role_is_client, None).await.unwrap()
        });
        let mut config = config(self.ours);
        config.groups = vec![self.group];
        config.mtu = self.mtu;
        config.initial_rto = Duration::from_millis(100);
        let mut own = Own::new(config, self.role);
        let origin = Clock::now();
        run(&mut own, &near, origin, &mut self.luck, |own| own.info.is_some() && connecting.is_finished()).await;
        let connection = connecting.await.unwrap();
        assert!(own.longest <= self.mtu);
        let name = match self.suite {
            CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256 => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            _ => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        };
        assert_eq!(own.agreed(), (ProtocolVersion::DTLS_1_2.name().unwrap(), name, self.group.name().unwrap()));
        near.send(&own.seal(b"from weft")).await.unwrap();
        let mut buffer = [0; 2048];
        let length = connection.read(&mut buffer, Some(PATIENCE)).await.unwrap();
        assert_eq!(&buffer[..length], b"from weft");
        connection.write(b"from webrtc-dtls", Some(PATIENCE)).await.unwrap();
        run(&mut own, &near, origin, &mut Luck::perfect(), |own| !own.received.is_empty()).await;
        assert_eq!(own.received, [b"from webrtc-dtls"]);
        let state = connection.connection_state().await;
        assert_eq!(state.peer_certificates.first(), Some(&self.ours.certificate));
    }
}

const ECDSA: CipherSuiteId = CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256;
const RSA: CipherSuiteId = CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256;

#[tokio::test(flavor = "multi_thread")]
async fn both_roles_with_every_suite_group_and_certificate() {
    let [p256, ed25519, rsa] = [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519, &PKCS_RSA_SHA256].map(Identity::new);
    for role in [Role::Client, Role::Server] {
        for group in [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
            // It refuses keys of RSA for itself.
            for (ours, is_rsa, theirs) in [
                (&p256, false, &p256),
                (&p256, false, &ed25519),
                (&ed25519, false, &p256),
                (&rsa, true, &p256),
                (&rsa, true, &ed25519),
            ] {
                // The suite tells the kind of the server's key.
                let suite = if role == Role::Server && is_rsa { RSA } else { ECDSA };
                Meeting { ours, theirs, role, group, suite, mtu: 1200, luck: Luck::perfect() }.hold().await;
            }
        }
    }
}

/// No datagram of the handshake is longer than the least MTU.
#[tokio::test(flavor = "multi_thread")]
async fn small_datagrams() {
    let p256 = Identity::new(&PKCS_ECDSA_P256_SHA256);
    for role in [Role::Client, Role::Server] {
        let (group, luck) = (NamedGroup::X25519, Luck::perfect());
        Meeting { ours: &p256, theirs: &p256, role, group, suite: ECDSA, mtu: 256, luck }.hold().await;
    }
}

/// A fifth of the datagrams of the handshake is lost.
#[tokio::test(flavor = "multi_thread")]
async fn loss() {
    let p256 = Identity::new(&PKCS_ECDSA_P256_SHA256);
    for seed in 0..5 {
        for role in [Role::Client, Role::Server] {
            let (group, luck) = (NamedGroup::X25519, Luck::lossy(0.2, seed));
            Meeting { ours: &p256, theirs: &p256, role, group, suite: ECDSA, mtu: 1200, luck }.hold().await;
        }
    }
}
