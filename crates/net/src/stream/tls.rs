//! TLS below TURN and STUN: rustls, with the primitives of aws-lc-rs.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// The authorities of the system, once they were read.
static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();

/// Reads the authorities that the system trusts, unless that was done. [`TlsConfig::new`] does it by itself where it needs
/// them; as it takes milliseconds and reads hundreds of files, a driver does it where nobody waits for it.
pub fn load_system_roots() {
    system();
}

/// Whether the authorities of the system were read.
pub fn system_roots_are_loaded() -> bool {
    SYSTEM.get().is_some()
}

fn system() -> &'static RootCertStore {
    SYSTEM.get_or_init(|| {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::debug!(%error, "certificates of the system not read");
        }
        let mut store = RootCertStore::empty();
        // Some systems hold certificates that cannot be read; the others serve.
        store.add_parsable_certificates(system.certs);
        store
    })
}

/// Whose certificates are trusted. The system's authorities are read once in the life of a process.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// The authorities that the operating system trusts.
    #[default]
    System,
    /// These alone: X.509 certificates in DER.
    Only(Vec<Vec<u8>>),
    /// Those of the system, and these.
    SystemAnd(Vec<Vec<u8>>),
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate that was given cannot be read.
    #[error("certificate {0} cannot be read: {1}")]
    Certificate(usize, rustls::Error),
    /// There is no authority to trust: the system has none, and none was given.
    #[error("there is no certificate authority to trust")]
    NoRoots,
    /// The TLS library refuses its own defaults.
    #[error(transparent)]
    Setup(#[from] rustls::Error),
}

/// How to check a TLS server. It holds all authorities, so one serves many connections.
#[derive(Debug)]
pub struct TlsConfig {
    config: Arc<ClientConfig>,
}

impl TlsConfig {
    /// TLS 1.3 and 1.2 with servers whose certificates `roots` vouch for.
    ///
    /// # Errors
    /// If there is nobody to trust or a certificate given is none.
    pub fn new(roots: &Roots) -> Result<Self, TlsError> {
        let mut store = match roots {
            Roots::System | Roots::SystemAnd(_) => system().clone(),
            Roots::Only(_) => RootCertStore::empty(),
        };
        if let Roots::Only(own) | Roots::SystemAnd(own) = roots {
            for (index, der) in own.iter().enumerate() {
                store.add(CertificateDer::from(der.clone())).map_err(|error| TlsError::Certificate(index, error))?;
            }
        }
        if store.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self { config: Arc::new(config.with_root_certificates(store).with_no_client_auth()) })
    }

    pub(super) fn connection(&self, name: &str) -> io::Result<ClientConnection> {
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut connection =
            ClientConnection::new(self.config.clone(), name).map_err(|error| io::Error::other(error.to_string()))?;
        // `StreamSocket` takes no more than a run at a time.
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}
