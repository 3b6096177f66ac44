//! The runner's command line, as far as it says something here. A flag that is not known ends the test as
//! unimplemented.

use std::collections::HashMap;

use crate::Stop;

/// Flags without a value that the exchange or the settings ask for.
const SWITCHES: &[&str] = &[
    "-check-close-notify",
    "-expect-extended-master-secret",
    "-expect-hrr",
    "-expect-no-hrr",
    "-expect-no-peer-cert",
    "-expect-session-miss",
    "-expect-verify-result",
    "-key-update-before-read",
    "-no-tls12",
    "-no-tls13",
    "-reject-alpn",
    "-require-any-client-certificate",
    "-send-alert",
    "-server",
    "-shim-shuts-down",
    "-shim-writes-first",
    "-use-custom-verify-callback",
    "-use-export-context",
    "-verify-fail",
    "-verify-peer",
];

/// Flags without a value that change nothing for a sans-IO library, or ask for what it always does.
const NO_OPS: &[&str] = &[
    // Every call of ours can be interrupted between any two datagrams.
    "-async",
    "-implicit-handshake",
    // There are no tickets, no sessions, and no version below 1.2.
    "-no-ticket",
    "-no-tls1",
    "-no-tls11",
    "-expect-no-session",
    "-expect-no-session-id",
    // A name that a client asks for is never acknowledged: no certificate is chosen by it.
    "-no-server-name-ack",
    // How a program gives BoringSSL its certificate.
    "-use-old-client-cert-callback",
    "-use-early-callback",
    // Never offered here either way.
    "-decline-alpn",
    "-enable-grease",
    "-permute-extensions",
];

/// Flags with a value that is of use.
const VALUES: &[&str] = &[
    "-advertise-alpn",
    "-cipher",
    "-expect-alpn",
    "-expect-cipher",
    "-expect-curve-id",
    "-expect-peer-cert-file",
    "-expect-selected-credential",
    "-expect-server-name",
    "-expect-version",
    "-export-context",
    "-export-keying-material",
    "-export-label",
    "-host-name",
    "-initial-timeout-duration-ms",
    "-max-cert-list",
    "-max-version",
    "-min-version",
    "-mtu",
    "-port",
    "-read-size",
    "-resume-count",
    "-select-alpn",
    "-shim-id",
    "-srtp-profiles",
];

/// Flags with a value that may stand more than once.
const LISTS: &[&str] = &["-curves", "-verify-prefs"];

/// Flags with a value that changes nothing.
const NO_OP_VALUES: &[&str] = &["-trust-cert"];

/// What a command line is.
pub(crate) enum Parsed {
    Flags(Box<Flags>),
    /// A question whether there is a second program, for handshakes split in two. There is not.
    Question,
}

/// A certificate, by its files, and what it may sign with if not with all that it can.
#[derive(Default)]
pub(crate) struct Credential {
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) signing_prefs: Vec<u16>,
}

#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) port: u16,
    pub(crate) shim_id: u64,
    pub(crate) ipv6: bool,
    pub(crate) resume_count: u32,
    switches: Vec<&'static str>,
    values: HashMap<&'static str, String>,
    lists: HashMap<&'static str, Vec<String>>,
    /// Certificates, the preferred first; the last is the one that was given without being called a credential.
    pub(crate) credentials: Vec<Credential>,
}

impl Flags {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Parsed, Stop> {
        let mut flags = Self::default();
        let mut dtls = false;
        let mut last = Credential::default();
        let mut arguments = arguments;
        while let Some(flag) = arguments.next() {
            let known = |list: &'static [&'static str]| list.iter().copied().find(|known| *known == flag);
            let mut value = || arguments.next().ok_or_else(|| Stop::Failed(format!("{flag} has no value")));
            if flag == "-is-handshaker-supported" {
                return Ok(Parsed::Question);
            } else if flag == "-dtls" {
                dtls = true;
            } else if flag == "-ipv6" {
                flags.ipv6 = true;
            } else if flag == "-new-x509-credential" {
                flags.credentials.push(Credential::default());
            } else if let "-cert-file" | "-key-file" | "-signing-prefs" = flag.as_str() {
                // Of the newest credential.
                let value = value()?;
                let credential = flags.credentials.last_mut().unwrap_or(&mut last);
                match flag.as_str() {
                    "-cert-file" => credential.certificate = Some(value),
                    "-key-file" => credential.key = Some(value),
                    _ => credential.signing_prefs.push(number(&flag, &value)?),
                }
            } else if let Some(switch) = known(SWITCHES) {
                flags.switches.push(switch);
            } else if let Some(name) = known(VALUES) {
                flags.values.insert(name, value()?);
            } else if let Some(name) = known(LISTS) {
                flags.lists.entry(name).or_default().push(value()?);
            } else if known(NO_OP_VALUES).is_some() {
                value()?;
            } else if known(NO_OPS).is_none() {
                return Err(Stop::Unimplemented(format!("flag {flag}")));
            }
        }
        if !dtls {
            return Err(Stop::Unimplemented("TLS and QUIC".to_owned()));
        }
        flags.credentials.push(last);
        flags.port = flags.number("-port")?.ok_or_else(|| Stop::Failed("no -port".to_owned()))?;
        flags.shim_id = flags.number("-shim-id")?.unwrap_or_default();
        flags.resume_count = flags.number("-resume-count")?.unwrap_or_default();
        if flags.resume_count > 0 && !flags.has("-expect-session-miss") {
            return Err(Stop::Unimplemented("resumption".to_owned()));
        }
        Ok(Parsed::Flags(Box::new(flags)))
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.switches.contains(&switch)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.lists.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn number<T: core::str::FromStr>(&self, name: &str) -> Result<Option<T>, Stop> {
        self.value(name).map(|value| number(name, value)).transpose()
    }
}

pub(crate) fn number<T: core::str::FromStr>(name: &str, value: &str) -> Result<T, Stop> {
    value.parse().map_err(|_| Stop::Unimplemented(format!("{name} {value}")))
}
