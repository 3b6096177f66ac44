//! Our side, the certificates of both, and a network that loses.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, Config, Connection, Event, Rejection, Role, SessionInfo, Verifier, VerifyCertificate};

#[derive(Debug)]
struct Anybody;

impl VerifyCertificate for Anybody {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        Ok(())
    }
}

/// A self-signed certificate, as DER and PKCS #8.
pub(crate) struct Identity {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
}

impl Identity {
    pub(crate) fn new(algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["peer".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    pub(crate) fn ours(&self) -> Arc<Certificate> {
        Arc::new(Certificate::from_pem(&format!("{}{}", self.certificate_pem, self.key_pem)).unwrap())
    }
}

pub(crate) fn config(identity: &Identity) -> Config {
    Config::new(identity.ours(), Verifier::Custom(Arc::new(Anybody)))
}

pub(crate) fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Whether datagrams arrive.
pub(crate) struct Luck {
    rng: Rng,
    loss: f64,
}

impl Luck {
    pub(crate) fn perfect() -> Self {
        Self::lossy(0.0, 0)
    }

    pub(crate) fn lossy(loss: f64, seed: u64) -> Self {
        Self { rng: Rng::from_test_seed(seed), loss }
    }

    pub(crate) fn arrives(&mut self) -> bool {
        !self.rng.chance(self.loss)
    }
}

/// A connection of ours that is handed datagrams.
pub(crate) struct Own {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) info: Option<SessionInfo>,
    pub(crate) received: Vec<Vec<u8>>,
    /// The longest datagram that was taken.
    pub(crate) longest: usize,
}

impl Own {
    pub(crate) fn new(config: Config, role: Role) -> Self {
        let mut connection = Connection::new(Arc::new(config), role, Rng::from_test_seed(7));
        connection.start(Instant::ORIGIN);
        Self { connection, now: Instant::ORIGIN, info: None, received: Vec::new(), longest: 0 }
    }

    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.connection.poll_transmit(self.now, &mut frame).is_none() {
                break;
            }
            self.longest = self.longest.max(frame.len());
            all.push(frame.content().to_vec());
        }
        while let Some(event) = self.connection.poll_event() {
            if let Event::Connected(info) = event {
                self.info = Some(info);
            }
        }
        all
    }

    pub(crate) fn give(&mut self, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let mut records = self.connection.handle_input(self.now, &mut datagram).unwrap();
        while let Some(record) = records.next() {
            self.received.push(record.to_vec());
        }
    }

    pub(crate) fn timeout(&mut self) {
        self.connection.handle_timeout(self.now).unwrap();
    }

    pub(crate) fn seal(&mut self, data: &[u8]) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let mut frame = Frame::new(&mut buffer, self.connection.overhead().unwrap());
        frame.push(data).unwrap();
        self.connection.wrap(&mut frame).unwrap();
        frame.content().to_vec()
    }

    /// Names of version, suite and group.
    pub(crate) fn agreed(&self) -> (&'static str, &'static str, &'static str) {
        let info = self.info.as_ref().unwrap();
        (info.version.name().unwrap(), info.cipher_suite.name().unwrap(), info.group.name().unwrap())
    }
}
