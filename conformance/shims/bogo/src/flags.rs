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
    "-require-any-client-certificate",
    "-server",
    "-shim-shuts-down",
    "-shim-writes-first",
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
    // How a program gives BoringSSL its certificate, or judges the peer's.
    "-use-custom-verify-callback",
    "-use-old-client-cert-callback",
    "-use-early-callback",
    // Never offered here either way.
    "-decline-alpn",
    "-enable-grease",
    "-permute-extensions",
];

/// Flags with a value that is of use.
const VALUES: &[&str] = &[
    "-cert-file",
    "-cipher",
    "-expect-cipher",
    "-expect-curve-id",
    "-expect-peer-cert-file",
    "-expect-selected-credential",
    "-expect-version",
    "-export-context",
    "-export-keying-material",
    "-export-label",
    "-host-name",
    "-initial-timeout-duration-ms",
    "-key-file",
    "-max-version",
    "-min-version",
    "-mtu",
    "-port",
    "-read-size",
    "-resume-count",
    "-shim-id",
    "-srtp-profiles",
];

/// Flags with a value that may stand more than once.
const LISTS: &[&str] = &["-curves"];

/// Flags with a value that changes nothing.
const NO_OP_VALUES: &[&str] = &["-trust-cert"];

/// What a command line is.
pub(crate) enum Parsed {
    Flags(Box<Flags>),
    /// A question whether there is a second program, for handshakes split in two. There is not.
    Question,
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
}

impl Flags {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Parsed, Stop> {
        let mut flags = Self::default();
        let mut dtls = false;
        let mut credentials = 0;
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
                // The only one of its kind is no different from one given without this flag.
                credentials += 1;
                if credentials > 1 {
                    return Err(Stop::Unimplemented("more than one certificate".to_owned()));
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
        let Some(value) = self.value(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| Stop::Unimplemented(format!("{name} {value}")))
    }
}
