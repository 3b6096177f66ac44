//! What `configure` asks for, checked as webrtc-pc checks a configuration, then measured by what this stack has.

use std::sync::Arc;

use weft_rtc::dtls::NamedGroup;
use weft_rtc::sctp::congestion::ControllerKind;
use weft_rtc::{Certificate, Config};

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
    check(asked)?;
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
    config.dtls_groups = asked.groups.as_deref().map(groups).transpose()?;
    if let Some(pem) = &asked.certificate_pem {
        let certificate = Certificate::from_pem(pem).map_err(|error| Refusal::invalid_access(error.to_string()))?;
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
pub(super) fn again(asked: &Configure) -> Result<(), Refusal> {
    check(asked)?;
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
    match fixed.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Refusal::invalid_modification(format!("{name} cannot change any more"))),
        None => Ok(()),
    }
}

fn check(asked: &Configure) -> Result<(), Refusal> {
    for server in asked.ice_servers.iter().flatten() {
        check_server(server)?;
    }
    let missing = [
        (asked.ice_servers.as_ref().is_some_and(|servers| !servers.is_empty()), "STUN and TURN servers"),
        (asked.transport_policy == Some(TransportPolicy::Relay), "relayed candidates"),
        (asked.mdns == Some(true), "mDNS candidates"),
        (asked.snap == Some(true), "SNAP"),
        (asked.sped == Some(true), "SPED"),
    ];
    match missing.iter().find(|(wanted, _)| *wanted) {
        Some((_, what)) => Err(Refusal::unsupported(format!("not supported yet: {what}"))),
        None => Ok(()),
    }
}

/// The checks of webrtc-pc section 4.4.1.1 (set a configuration) on one server.
fn check_server(server: &IceServer) -> Result<(), Refusal> {
    let urls = match &server.urls {
        Urls::One(url) => std::slice::from_ref(url),
        Urls::Many(urls) => urls.as_slice(),
    };
    if urls.is_empty() {
        return Err(Refusal::syntax("an ICE server needs at least one URL"));
    }
    for url in urls {
        let bad = || Refusal::syntax(format!("not a STUN or TURN URL: {url}"));
        let (scheme, rest) = url.split_once(':').ok_or_else(bad)?;
        let (host, query) = rest.split_once('?').map_or((rest, None), |(host, query)| (host, Some(query)));
        let scheme = scheme.to_ascii_lowercase();
        let transport = query.is_none_or(|q| matches!(q, "transport=udp" | "transport=tcp"));
        match scheme.as_str() {
            "stun" | "stuns" if query.is_none() => {}
            "turn" | "turns" if transport => {
                if server.username.is_none() || server.credential.is_none() {
                    return Err(Refusal::invalid_access(format!("{url} needs a username and a credential")));
                }
            }
            _ => return Err(bad()),
        }
        if !is_host_and_port(host) {
            return Err(bad());
        }
    }
    Ok(())
}

/// `host [":" port]` of RFC 7064 and RFC 7065.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, rest)) => (address, rest.strip_prefix(':').or(Some("bad"))),
            None => return false,
        }
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let host_ok = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._~%:".contains(c));
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok())
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
        assert_eq!(kind(r#"{"ice_servers":[{"urls":["stun:a:1","stuns:[::1]:2"]}]}"#), Some("Unsupported"));
    }

    #[test]
    fn what_later_layers_bring_is_unsupported() {
        for json in [
            r#"{"transport_policy":"relay"}"#,
            r#"{"groups":["X448"]}"#,
            r#"{"mdns":true}"#,
            r#"{"snap":true}"#,
            r#"{"sped":true}"#,
            r#"{"controller":"reno"}"#,
        ] {
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
        let again = |json| again(&serde_json::from_str(json).unwrap()).err().map(|refusal| refusal.kind);
        assert_eq!(again(r#"{"ice_servers":[],"transport_policy":"all","ice_candidate_pool_size":1}"#), None);
        assert_eq!(again(r#"{"port":1}"#), Some("InvalidModificationError"));
        assert_eq!(again(r#"{"ice_servers":[{"urls":"x"}]}"#), Some("SyntaxError"));
    }
}
