//! The crate `webrtc-dtls`, on one thread of tokio.

use std::sync::Arc;

use tokio::runtime::Runtime;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_util::conn::conn_pipe::pipe;

/// What both sides need before they begin.
pub(crate) struct Ends {
    runtime: Arc<Runtime>,
    configs: [Config; 2],
}

impl Ends {
    pub(crate) fn new() -> Self {
        // It asks for one without saying which; a second time this changes nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let configs = [(), ()].map(|()| Config {
            certificates: vec![Certificate::generate_self_signed(vec!["peer".to_owned()]).expect("a certificate")],
            cipher_suites: vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256],
            client_auth: ClientAuthType::RequireAnyClientCert,
            extended_master_secret: ExtendedMasterSecretType::Require,
            insecure_skip_verify: true,
            server_name: "peer".to_owned(),
            ..Config::default()
        });
        Self { runtime: Arc::new(runtime), configs }
    }

    pub(crate) fn connect(&self) -> Pair {
        let [client, server] = self.configs.clone();
        let (near, far) = pipe();
        let (client, server) = self.runtime.block_on(async {
            tokio::join!(
                DTLSConn::new(Arc::new(near), client, true, None),
                DTLSConn::new(Arc::new(far), server, false, None)
            )
        });
        let runtime = self.runtime.clone();
        Pair { runtime, client: client.expect("a handshake"), server: server.expect("a handshake") }
    }
}

/// Two connections that have shaken hands.
pub(crate) struct Pair {
    runtime: Arc<Runtime>,
    client: DTLSConn,
    server: DTLSConn,
}

impl Pair {
    pub(crate) fn connected() -> Self {
        Ends::new().connect()
    }

    pub(crate) fn seal_and_open(&self, content: &[u8]) -> usize {
        self.runtime.block_on(async {
            self.client.write(content, None).await.expect("keys");
            let mut buffer = [0; 1500];
            self.server.read(&mut buffer, None).await.expect("keys")
        })
    }
}
