//! What the flags ask of the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weft_dtls::{
    AlertDescription, Certificate, CertificateError, CipherSuite, ClientAuthentication, Config, NamedGroup,
    ProtocolVersion, Rejection, Role, SignatureScheme, SrtpProfile, Verifier, VerifyCertificate,
};

use crate::Stop;
use crate::flags::{Credential, Flags, number};

/// The library has a deadline for handshakes, the runner knows none: after this much of its time nothing is left to see.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The runner takes BoringSSL's for granted where it says nothing.
const INITIAL_TIMEOUT: Duration = Duration::from_millis(400);

/// The runner's certificates are its own: what matters is what becomes of the verdict.
#[derive(Debug)]
pub(crate) struct Verdict {
    verdict: Result<(), Rejection>,
    asked: AtomicBool,
}

impl Verdict {
    /// Whether it was asked for, since it was last asked this.
    pub(crate) fn was_asked_for(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}

impl VerifyCertificate for Verdict {
    fn verify(&self, _certificate: &[u8], _intermediates: &[&[u8]]) -> Result<(), Rejection> {
        self.asked.store(true, Ordering::Relaxed);
        self.verdict
    }
}

pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) config: Arc<Config>,
    pub(crate) verdict: Arc<Verdict>,
}

impl Settings {
    pub(crate) fn new(flags: &Flags) -> Result<Self, Stop> {
        let role = if flags.has("-server") { Role::Server } else { Role::Client };
        let insists = flags.has("-require-any-client-certificate");
        // Without these the verdict is only told.
        let counts = flags.has("-verify-peer") || insists;
        let fails = counts && flags.has("-verify-fail");
        // BoringSSL's older callback says nothing but no; it then makes of that what it likes.
        let older = Rejection::With(AlertDescription::HANDSHAKE_FAILURE);
        let rejection = if flags.has("-use-custom-verify-callback") { Rejection::Other } else { older };
        let verdict = if fails { Err(rejection) } else { Ok(()) };
        let verdict = Arc::new(Verdict { verdict, asked: AtomicBool::new(false) });
        let mut certificates = flags.credentials.iter().filter_map(certificate).collect::<Result<Vec<_>, Stop>>()?;
        let anonymous = certificates.is_empty();
        if anonymous {
            if role == Role::Server {
                return Err(Stop::Unimplemented("a server without certificate".to_owned()));
            }
            certificates.push(Certificate::generate().map_err(|error| Stop::Failed(error.to_string()))?);
        }
        let mut certificates = certificates.into_iter().map(Arc::new);
        let first = certificates.next().ok_or_else(|| Stop::Failed("no certificate".to_owned()))?;
        let mut config = Config::new(first, Verifier::Custom(verdict.clone()));
        config.other_certificates = certificates.collect();
        config.versions = versions(flags)?;
        config.client_authentication = match counts {
            _ if insists => ClientAuthentication::Required,
            true => ClientAuthentication::Optional,
            false => ClientAuthentication::None,
        };
        config.anonymous_client = anonymous;
        if let Some(groups) = groups(flags)? {
            config.groups = groups;
        }
        if let Some(suite) = flags.value("-cipher") {
            config.cipher_suites = vec![cipher_suite(&config, suite)?];
        }
        let schemes =
            flags.list("-verify-prefs").iter().map(|value| number("-verify-prefs", value).map(SignatureScheme));
        let schemes = schemes.collect::<Result<Vec<_>, Stop>>()?;
        if let Some(unknown) = schemes.iter().find(|scheme| !config.signature_schemes.contains(scheme)) {
            return Err(Stop::Unimplemented(format!("signature scheme {unknown}")));
        }
        if !schemes.is_empty() {
            config.signature_schemes = schemes;
        }
        config.application_protocols = application_protocols(flags);
        if let Some(longest) = flags.number("-max-cert-list")? {
            config.limits.reassembly_bytes = longest;
        }
        if let Some(mtu) = flags.number("-mtu")? {
            config.mtu = mtu;
        }
        config.initial_rto = INITIAL_TIMEOUT;
        if let Some(timeout) = flags.number("-initial-timeout-duration-ms")? {
            config.initial_rto = Duration::from_millis(timeout);
        }
        config.server_name = flags.value("-host-name").map(str::to_owned);
        config.handshake_timeout = NEVER;
        if let Some(names) = flags.value("-srtp-profiles") {
            config.srtp_profiles = srtp_profiles(names)?;
        }
        Ok(Self { role, config: Arc::new(config), verdict })
    }
}

/// `None` of a credential without files.
fn certificate(credential: &Credential) -> Option<Result<Certificate, Stop>> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| Stop::Failed(format!("{path}: {error}")));
    let (certificate, key) = (credential.certificate.as_ref()?, credential.key.as_ref()?);
    let pem = read(certificate).and_then(|certificate| Ok(format!("{certificate}\n{}", read(key)?)));
    let schemes: Vec<_> = credential.signing_prefs.iter().copied().map(SignatureScheme).collect();
    Some(pem.and_then(|pem| {
        let certificate = Certificate::from_pem(&pem).map_err(|error| match error {
            CertificateError::Key => Stop::Unimplemented("a private key of this kind".to_owned()),
            other => Stop::Failed(other.to_string()),
        })?;
        Ok(if schemes.is_empty() { certificate } else { certificate.with_signature_schemes(schemes) })
    }))
}

/// What is offered, in the wire's form, or chosen. To reject whatever a client has is to have a protocol that nobody has.
fn application_protocols(flags: &Flags) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut rest = flags.value("-advertise-alpn").unwrap_or_default().as_bytes();
    while let Some((length, tail)) = rest.split_first() {
        let (name, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        names.push(name.to_vec());
        rest = tail;
    }
    names.extend(flags.value("-select-alpn").map(|name| name.as_bytes().to_vec()));
    names.extend(flags.has("-reject-alpn").then(|| b"rejected".to_vec()));
    names
}

fn versions(flags: &Flags) -> Result<Vec<ProtocolVersion>, Stop> {
    let bound = |name| flags.number(name).map(|number: Option<u16>| number.map(ProtocolVersion));
    let (least, most) = (bound("-min-version")?, bound("-max-version")?);
    // A newer version has the smaller number.
    let wanted = |version: &ProtocolVersion| {
        least.is_none_or(|least| *version <= least) && most.is_none_or(|most| *version >= most)
    };
    let mut versions = Vec::new();
    versions.extend((!flags.has("-no-tls13")).then_some(ProtocolVersion::DTLS_1_3).filter(wanted));
    versions.extend((!flags.has("-no-tls12")).then_some(ProtocolVersion::DTLS_1_2).filter(wanted));
    if versions.is_empty() {
        return Err(Stop::Unimplemented("no version but 1.0".to_owned()));
    }
    Ok(versions)
}

fn groups(flags: &Flags) -> Result<Option<Vec<NamedGroup>>, Stop> {
    let curves = flags.list("-curves");
    let groups = curves.iter().map(|curve| {
        let group = curve.parse().map(NamedGroup);
        group.ok().filter(|group| group.name().is_some()).ok_or_else(|| Stop::Unimplemented(format!("group {curve}")))
    });
    Ok(Some(groups.collect::<Result<Vec<_>, Stop>>()?).filter(|groups| !groups.is_empty()))
}

/// By the names that OpenSSL has for them.
fn srtp_profiles(names: &str) -> Result<Vec<SrtpProfile>, Stop> {
    let profile = |name: &str| match name {
        "SRTP_AES128_CM_SHA1_80" => Ok(SrtpProfile::AES128_CM_HMAC_SHA1_80),
        "SRTP_AES128_CM_SHA1_32" => Ok(SrtpProfile::AES128_CM_HMAC_SHA1_32),
        other => Err(Stop::Unimplemented(format!("profile {other}"))),
    };
    names.split(':').map(profile).collect()
}

fn cipher_suite(config: &Config, name: &str) -> Result<CipherSuite, Stop> {
    let found = config.cipher_suites.iter().find(|suite| suite.name() == Some(name));
    found.copied().ok_or_else(|| Stop::Unimplemented(format!("cipher {name}")))
}
