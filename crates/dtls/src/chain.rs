//! Certificates vouched for by an authority: the judgement of [webpki](https://docs.rs/rustls-webpki).

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage};

use crate::verifier::{Rejection, VerifyCertificate};

/// What a chain of certificates is judged by: authorities that are trusted, a name, and the time of day.
///
/// It takes X.509 v3 alone. A peer that is known by its fingerprint needs none of this.
pub struct ChainVerifier {
    anchors: Vec<TrustAnchor<'static>>,
    /// The name that a server must have; `None` for clients, which have none.
    server: Option<ServerName<'static>>,
    wall_clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// Why there is no verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainVerifierError {
    /// The certificate of an authority is malformed.
    #[error("malformed certificate of an authority")]
    Authority,
    /// Neither a DNS name nor an IP address.
    #[error("malformed server name")]
    Name,
}

impl ChainVerifier {
    /// Judges servers: `authorities` are certificates in DER, `name` is a DNS name or an IP address, and `wall_clock` tells
    /// the time since 1970 UTC whenever a certificate is judged, because this crate reads no clock.
    pub fn of_server<'a>(
        authorities: impl IntoIterator<Item = &'a [u8]>,
        name: &str,
        wall_clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, ChainVerifierError> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| ChainVerifierError::Name)?;
        Ok(Self { server: Some(server), ..Self::of_client(authorities, wall_clock)? })
    }

    /// Judges clients, which have no name.
    pub fn of_client<'a>(
        authorities: impl IntoIterator<Item = &'a [u8]>,
        wall_clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, ChainVerifierError> {
        let anchor = |der: &'a [u8]| {
            let certificate = CertificateDer::from(der);
            webpki::anchor_from_trusted_cert(&certificate).map(|anchor| anchor.to_owned())
        };
        let anchors = authorities.into_iter().map(anchor).collect::<Result<_, _>>();
        let anchors = anchors.map_err(|_| ChainVerifierError::Authority)?;
        Ok(Self { anchors, server: None, wall_clock: Arc::new(wall_clock) })
    }

    fn judge(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), Error> {
        let certificate = CertificateDer::from(certificate);
        let certificate = EndEntityCert::try_from(&certificate)?;
        let intermediates: Vec<CertificateDer<'_>> =
            intermediates.iter().map(|der| CertificateDer::from(*der)).collect();
        let time = UnixTime::since_unix_epoch((self.wall_clock)());
        let usage = if self.server.is_some() { KeyUsage::server_auth() } else { KeyUsage::client_auth() };
        certificate.verify_for_usage(ALL_VERIFICATION_ALGS, &self.anchors, &intermediates, time, usage, None, None)?;
        self.server.as_ref().map_or(Ok(()), |name| certificate.verify_is_valid_for_subject_name(name))
    }
}

impl VerifyCertificate for ChainVerifier {
    fn verify(&self, certificate: &[u8], intermediates: &[&[u8]]) -> Result<(), Rejection> {
        self.judge(certificate, intermediates).map_err(|error| match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Rejection::Expired,
            Error::UnknownIssuer => Rejection::UnknownIssuer,
            Error::CertNotValidForName(_) => Rejection::WrongName,
            Error::InvalidSignatureForPublicKey
            | Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Rejection::Signature,
            Error::BadDer => Rejection::Malformed,
            Error::UnsupportedCertVersion => Rejection::Unsupported,
            _ => Rejection::Other,
        })
    }
}

impl fmt::Debug for ChainVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainVerifier")
            .field("authorities", &self.anchors.len())
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
