//! What `configure` asks for, checked as webrtc-pc checks a configuration, then measured by what this stack has.

use std::sync::Arc;
use std::time::SystemTime;

use weft_rtc::dtls::NamedGroup;
use weft_rtc::ice::Policy;
use weft_rtc::sctp::congestion::ControllerKind;
use weft_rtc::stun::{Credentials, ServerUrl};
use weft_rtc::{Certificate, Config, MdnsPolicy};

use super::command::{BundlePolicy, Configure, IceServer, TransportPolicy, Urls};
use super::refusal::Refusal;
use crate::dtls;

/// Bytes that may wait in the connection for the network. Generous, so that a script may queue some large messages
/// without minding the buffer.
const SEND_BUFFER: usize = 16 * 1024 * 1024;

/// How commands behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Settings {
    /// Candidates are events, and descriptions do not wait for them.
    pub(super) trickle: bool,
    /// Making and setting descriptions are steps apart.
    pub(super) manual: bool,
    /// What was asked for. There is one section, so that all policies come to the same.
    bundle_policy: BundlePolicy,
    /// What was asked for. Candidates are gathered when a description is set, whatever it is.
    pool_size: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { trickle: true, manual: false, bundle_policy: BundlePolicy::Balanced, pool_size: 0 }
    }
}

/// The connection's settings when nothing was asked for.
pub(super) fn default_config() -> Config {
    let mut config = Config::default();
    config.send_buffer = SEND_BUFFER;
    config
}

/// The first `configure`.
pub(super) fn first(asked: &Configure) -> Result<(Settings, Config), Refusal> {
    apply(asked, Settings::default(), default_config())
}

/// A later `configure`: as W3C `setConfiguration`, it may change servers and policy, and the pool size until a description is
/// `announced`. The rest is compared by who takes the configuration.
pub(super) fn again(
    asked: &Configure,
    before: Settings,
    config: &Config,
    announced: bool,
) -> Result<(Settings, Config), Refusal> {
    let (settings, config) = apply(asked, before, config.clone())?;
    let changes = [
        ("bundle_policy", settings.bundle_policy != before.bundle_policy),
        ("trickle", settings.trickle != before.trickle),
        ("manual", settings.manual != before.manual),
        ("ice_candidate_pool_size", announced && settings.pool_size != before.pool_size),
    ];
    match changes.iter().find(|(_, changes)| *changes) {
        Some((name, _)) => Err(Refusal::invalid_modification(format!("{name} cannot change any more"))),
        None => Ok((settings, config)),
    }
}

/// The settings with what was asked for in place of what there was.
fn apply(asked: &Configure, mut settings: Settings, mut config: Config) -> Result<(Settings, Config), Refusal> {
    let servers = check(asked)?;
    settings.trickle = asked.trickle.unwrap_or(settings.trickle);
    settings.manual = asked.manual.unwrap_or(settings.manual);
    settings.bundle_policy = asked.bundle_policy.unwrap_or(settings.bundle_policy);
    settings.pool_size = asked.ice_candidate_pool_size.unwrap_or(settings.pool_size);
    config.trickle = settings.trickle;
    config.loopback = asked.loopback.unwrap_or(config.loopback);
    config.port = asked.port.unwrap_or(config.port);
    if asked.interfaces.is_some() {
        config.interfaces.clone_from(&asked.interfaces);
    }
    if let Some(bytes) = asked.max_message_size {
        config.max_message_size = bytes;
        config.receive_buffer = config.receive_buffer.max(bytes as usize);
    }
    if let Some(versions) = asked.dtls {
        config.dtls_versions = versions.versions();
    }
    config.dtls_records_per_key = asked.dtls_records_per_key.or(config.dtls_records_per_key);
    config.interleaving = asked.interleaving.unwrap_or(config.interleaving);
    if let Some(name) = &asked.controller {
        let unknown = || Refusal::unsupported(format!("no congestion controller {name}"));
        config.controller = ControllerKind::from_name(name).ok_or_else(unknown)?;
    }
    if asked.ice_servers.is_some() {
        config.ice_servers = servers;
    }
    config.ice_transport_policy = asked.transport_policy.map_or(config.ice_transport_policy, policy);
    config.mdns = match asked.mdns {
        Some(true) => MdnsPolicy::Hide,
        Some(false) => MdnsPolicy::Off,
        None => config.mdns,
    };
    config.snap = asked.snap.unwrap_or(config.snap);
    if let Some(names) = &asked.groups {
        config.dtls_groups = Some(groups(names)?);
    }
    if let Some(pem) = &asked.certificate_pem {
        config.certificate = Some(Arc::new(certificate(pem)?));
    }
    Ok((settings, config))
}

fn certificate(pem: &str) -> Result<Certificate, Refusal> {
    let certificate = Certificate::from_pem(pem).map_err(|error| Refusal::invalid_access(error.to_string()))?;
    // As the constructor of RTCPeerConnection has it.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if certificate.expires().is_some_and(|expires| expires < now) {
        return Err(Refusal::invalid_access("the certificate has expired"));
    }
    Ok(certificate)
}

/// The key exchange groups with these names.
fn groups(names: &[String]) -> Result<Vec<NamedGroup>, Refusal> {
    if names.is_empty() {
        return Err(Refusal::type_error("groups: there must be at least one"));
    }
    let find = |name: &String| dtls::group(name).ok_or_else(|| Refusal::unsupported(format!("no group {name}")));
    names.iter().map(find).collect()
}

/// Checks what W3C checks, then what is not supported; gives the servers.
fn check(asked: &Configure) -> Result<Vec<weft_rtc::IceServer>, Refusal> {
    let servers = asked.ice_servers.iter().flatten().map(server).collect::<Result<Vec<_>, _>>()?;
    let missing = [
        (servers.iter().flat_map(|server| &server.urls).any(is_stuns), "STUN over TLS"),
        (asked.sped == Some(true), "SPED"),
    ];
    match missing.iter().find(|(wanted, _)| *wanted) {
        Some((_, what)) => Err(Refusal::unsupported(format!("not supported yet: {what}"))),
        None => Ok(servers),
    }
}

fn is_stuns(url: &ServerUrl) -> bool {
    !url.scheme().is_turn() && weft_rtc::ice::Server::from_url(url, None).is_err()
}

fn policy(asked: TransportPolicy) -> Policy {
    match asked {
        TransportPolicy::All => Policy::All,
        TransportPolicy::Relay => Policy::Relay,
    }
}

/// The checks of webrtc-pc section 4.4.1.1 (set a configuration) on one server.
fn server(server: &IceServer) -> Result<weft_rtc::IceServer, Refusal> {
    let urls = match &server.urls {
        Urls::One(url) => std::slice::from_ref(url),
        Urls::Many(urls) => urls.as_slice(),
    };
    if urls.is_empty() {
        return Err(Refusal::syntax("an ICE server needs at least one URL"));
    }
    let parse = |url: &String| {
        url.parse::<ServerUrl>().map_err(|error| Refusal::syntax(format!("not a STUN or TURN URL: {url}: {error}")))
    };
    let parsed = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let credentials = server.username.as_ref().zip(server.credential.as_ref());
    if let Some(url) = parsed.iter().find(|url| url.scheme().is_turn())
        && credentials.is_none()
    {
        return Err(Refusal::invalid_access(format!("{url} needs a username and a credential")));
    }
    let credentials = credentials.map(|(name, word)| Credentials::new(name.as_str(), word.as_str()));
    Ok(weft_rtc::IceServer { urls: parsed, credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> Option<&'static str> {
        first(&serde_json::from_str(json).unwrap()).err().map(|refusal| refusal.kind)
    }

    #[test]
    fn bad_servers_get_the_error_of_w3c_before_support_is_asked() {
        assert_eq!(kind(r#"{"ice_servers":[]}"#), None);
        assert_eq!(kind(r#"{"ice_servers":[{"urls":[]}]}"#), Some("SyntaxError"));
        for url in ["", "stun", "http://a", "stun:", "stun:a:99999", "stun:a b", "stun:a?transport=udp", "stun:[::1"] {
            assert_eq!(kind(&format!(r#"{{"ice_servers":[{{"urls":"{url}"}}]}}"#)), Some("SyntaxError"), "{url}");
        }
        assert_eq!(kind(r#"{"ice_servers":[{"urls":"turn:a"}]}"#), Some("InvalidAccessError"));
        assert_eq!(kind(r#"{"ice_servers":[{"urls":["stun:a:1","stuns:a:2"]}]}"#), Some("Unsupported"));
        let servers =
            r#"{"ice_servers":[{"urls":["stun:a:1","turns:b?transport=tcp"],"username":"u","credential":"w"}]}"#;
        let (_, config) = first(&serde_json::from_str(servers).unwrap()).unwrap();
        assert_eq!((config.ice_servers[0].urls.len(), config.ice_servers[0].credentials.is_some()), (2, true));
    }

    #[test]
    fn what_later_layers_bring_is_unsupported() {
        for json in [r#"{"groups":["X448"]}"#, r#"{"sped":true}"#, r#"{"controller":"reno"}"#] {
            assert_eq!(kind(json), Some("Unsupported"), "{json}");
        }
        let fine = r#"{"transport_policy":"all","bundle_policy":"max-bundle","ice_candidate_pool_size":3,"dtls":"1.3","groups":["X25519","P-256"],
            "mdns":false,"interleaving":false,"snap":false,"sped":false,"controller":"newreno","loopback":true}"#;
        assert_eq!(kind(fine), None);
        for controller in ["newreno", "cubic", "bbr"] {
            let asked = format!(r#"{{"interleaving":true,"controller":"{controller}"}}"#);
            let (_, config) = first(&serde_json::from_str(&asked).unwrap()).unwrap();
            assert_eq!((config.interleaving, config.controller.name()), (true, controller));
        }
        assert_eq!(kind(r#"{"certificate_pem":"nonsense"}"#), Some("InvalidAccessError"));
    }

    #[test]
    fn only_some_things_change_later() {
        let again = |json, announced| {
            let asked = serde_json::from_str(json).unwrap();
            again(&asked, Settings::default(), &default_config(), announced).err().map(|refusal| refusal.kind)
        };
        assert_eq!(again(r#"{"ice_servers":[],"transport_policy":"relay","ice_candidate_pool_size":1}"#, false), None);
        assert_eq!(again(r#"{"ice_candidate_pool_size":1}"#, true), Some("InvalidModificationError"));
        assert_eq!(again(r#"{"bundle_policy":"balanced","trickle":true,"ice_candidate_pool_size":0}"#, true), None);
        assert_eq!(again(r#"{"manual":true}"#, false), Some("InvalidModificationError"));
        assert_eq!(again(r#"{"ice_servers":[{"urls":"x"}]}"#, false), Some("SyntaxError"));
    }
}
