//! What `configure` asks for, checked as webrtc-pc checks a configuration, then measured by what this stack has.

use std::sync::Arc;
use std::time::SystemTime;

use weft_rtc::dtls::NamedGroup;
use weft_rtc::ice::Policy;
use weft_rtc::sctp::congestion::ControllerKind;
use weft_rtc::stun::{Credentials, ServerUrl};
use weft_rtc::{Certificate, Config, MdnsPolicy};

use super::command::{Configure, IceServer, TransportPolicy, Urls};
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
}

impl Default for Settings {
    fn default() -> Self {
        Self { trickle: true, manual: false }
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
    let servers = check(asked)?;
    let defaults = Settings::default();
    let settings = Settings {
        trickle: asked.trickle.unwrap_or(defaults.trickle),
        manual: asked.manual.unwrap_or(defaults.manual),
    };
    let mut config = default_config();
    config.trickle = settings.trickle;
    config.loopback = asked.loopback.unwrap_or(false);
    config.port = asked.port.unwrap_or(0);
    config.interfaces.clone_from(&asked.interfaces);
    if let Some(bytes) = asked.max_message_size {
        config.max_message_size = bytes;
        config.receive_buffer = config.receive_buffer.max(bytes as usize);
    }
    config.dtls_versions = asked.dtls.unwrap_or_default().versions();
    config.dtls_records_per_key = asked.dtls_records_per_key;
    config.interleaving = asked.interleaving.unwrap_or(config.interleaving);
    if let Some(name) = &asked.controller {
        let unknown = || Refusal::unsupported(format!("no congestion controller {name}"));
        config.controller = ControllerKind::from_name(name).ok_or_else(unknown)?;
    }
    config.ice_servers = servers;
    config.ice_transport_policy = policy(asked);
    config.mdns = match asked.mdns {
        Some(true) => MdnsPolicy::Hide,
        Some(false) => MdnsPolicy::Off,
        None => config.mdns,
    };
    config.snap = asked.snap.unwrap_or(false);
    config.dtls_groups = asked.groups.as_deref().map(groups).transpose()?;
    if let Some(pem) = &asked.certificate_pem {
        let certificate = Certificate::from_pem(pem).map_err(|error| Refusal::invalid_access(error.to_string()))?;
        // As the constructor of RTCPeerConnection has it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if certificate.expires().is_some_and(|expires| expires < now) {
            return Err(Refusal::invalid_access("the certificate has expired"));
        }
        config.certificate = Some(Arc::new(certificate));
    }
    Ok((settings, config))
}

/// The key exchange groups with these names.
fn groups(names: &[String]) -> Result<Vec<NamedGroup>, Refusal> {
    if names.is_empty() {
        return Err(Refusal::type_error("groups: there must be at least one"));
    }
    let find = |name: &String| dtls::group(name).ok_or_else(|| Refusal::unsupported(format!("no group {name}")));
    names.iter().map(find).collect()
}

/// A later `configure`: as W3C `setConfiguration`, it may change servers, policy and pool size alone.
pub(super) fn again(asked: &Configure, config: &Config) -> Result<Config, Refusal> {
    let servers = check(asked)?;
    let fixed = [
        ("bundle_policy", asked.bundle_policy.is_some()),
        ("trickle", asked.trickle.is_some()),
        ("manual", asked.manual.is_some()),
        ("dtls", asked.dtls.is_some()),
        ("groups", asked.groups.is_some()),
        ("dtls_records_per_key", asked.dtls_records_per_key.is_some()),
        ("certificate_pem", asked.certificate_pem.is_some()),
        ("mdns", asked.mdns.is_some()),
        ("interfaces", asked.interfaces.is_some()),
        ("loopback", asked.loopback.is_some()),
        ("port", asked.port.is_some()),
        ("max_message_size", asked.max_message_size.is_some()),
        ("interleaving", asked.interleaving.is_some()),
        ("snap", asked.snap.is_some()),
        ("sped", asked.sped.is_some()),
        ("controller", asked.controller.is_some()),
    ];
    if let Some((name, _)) = fixed.iter().find(|(_, given)| *given) {
        return Err(Refusal::invalid_modification(format!("{name} cannot change any more")));
    }
    let mut config = config.clone();
    if asked.ice_servers.is_some() {
        config.ice_servers = servers;
    }
    if asked.transport_policy.is_some() {
        config.ice_transport_policy = policy(asked);
    }
    Ok(config)
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

fn policy(asked: &Configure) -> Policy {
    if asked.transport_policy == Some(TransportPolicy::Relay) { Policy::Relay } else { Policy::All }
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
        let config = default_config();
        let again = |json| again(&serde_json::from_str(json).unwrap(), &config).err().map(|refusal| refusal.kind);
        assert_eq!(again(r#"{"ice_servers":[],"transport_policy":"all","ice_candidate_pool_size":1}"#), None);
        assert_eq!(again(r#"{"port":1}"#), Some("InvalidModificationError"));
        assert_eq!(again(r#"{"ice_servers":[{"urls":"x"}]}"#), Some("SyntaxError"));
    }
}
