//! What the flags ask of the library.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weft_dtls::{
    Certificate, CertificateError, CipherSuite, ClientAuthentication, Config, NamedGroup, ProtocolVersion, Rejection,
    Role, SrtpProfile, Verifier, VerifyCertificate,
};

use crate::Stop;
use crate::flags::Flags;

/// The library has a deadline for handshakes, the runner knows none: after this much of its time nothing is left to see.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The runner takes BoringSSL's for granted where it says nothing.
const INITIAL_TIMEOUT: Duration = Duration::from_millis(400);

/// The runner's certificates are its own: what matters is what becomes of the verdict.
#[derive(Debug)]
pub(crate) struct Verdict {
    accept: bool,
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
        if self.accept { Ok(()) } else { Err(Rejection::Other) }
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
        let accept = !counts || !flags.has("-verify-fail");
        let verdict = Arc::new(Verdict { accept, asked: AtomicBool::new(false) });
        let mut config = Config::new(Arc::new(certificate(flags, role)?), Verifier::Custom(verdict.clone()));
        config.versions = versions(flags)?;
        config.client_authentication = match counts {
            _ if insists => ClientAuthentication::Required,
            true => ClientAuthentication::Optional,
            false => ClientAuthentication::None,
        };
        config.anonymous_client = flags.value("-cert-file").is_none();
        if let Some(groups) = groups(flags)? {
            config.groups = groups;
        }
        if let Some(suite) = flags.value("-cipher") {
            config.cipher_suites = vec![cipher_suite(&config, suite)?];
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

fn certificate(flags: &Flags, role: Role) -> Result<Certificate, Stop> {
    let (Some(certificate), Some(key)) = (flags.value("-cert-file"), flags.value("-key-file")) else {
        if role == Role::Server {
            return Err(Stop::Unimplemented("a server without certificate".to_owned()));
        }
        return Certificate::generate().map_err(|error| Stop::Failed(error.to_string()));
    };
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| Stop::Failed(format!("{path}: {error}")));
    Certificate::from_pem(&format!("{}\n{}", read(certificate)?, read(key)?)).map_err(|error| match error {
        CertificateError::Key => Stop::Unimplemented("a private key of this kind".to_owned()),
        other => Stop::Failed(other.to_string()),
    })
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
