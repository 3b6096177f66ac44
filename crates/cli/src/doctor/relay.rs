//! TURN servers by each transport.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde::Serialize;
use weft_rtc::ice::Policy;
use weft_rtc::sdp;
use weft_rtc::stun::{Credentials, Scheme, ServerUrl};
use weft_rtc::{Config, DataChannelInit, GatheringState, IceServer, PeerConnection, PeerEvent};

use super::ms;

const PATIENCE: Duration = Duration::from_secs(12);

/// A TURN server by one transport.
#[derive(Debug, Serialize)]
pub(crate) struct RelayReport {
    pub(super) url: String,
    /// `UDP`, `TCP` or `TLS`.
    pub(super) transport: &'static str,
    /// The address on the relay; `None` if there is none.
    pub(super) relayed: Option<String>,
    /// Until the relay was there.
    pub(super) ms: Option<f64>,
    /// Why there is none.
    pub(super) error: Option<String>,
}

/// Asks all of them at once.
pub(super) async fn examine(config: &Config, urls: &[ServerUrl], credentials: &Credentials) -> Vec<RelayReport> {
    let ways = urls.iter().flat_map(ways);
    join_all(ways.map(|(url, transport)| ask(config, url, transport, credentials))).await
}

/// The transports of a URL.
fn ways(url: &ServerUrl) -> Vec<(ServerUrl, &'static str)> {
    let text = url.to_string();
    let by = |query: &str| format!("{text}?transport={query}").parse::<ServerUrl>().ok();
    match (url.scheme(), text.split_once("?transport=")) {
        (Scheme::Turns, _) => vec![(url.clone(), "TLS")],
        (_, Some((_, "tcp"))) => vec![(url.clone(), "TCP")],
        (_, Some(_)) => vec![(url.clone(), "UDP")],
        (_, None) => {
            let all = [(by("udp"), "UDP"), (by("tcp"), "TCP")];
            all.into_iter().filter_map(|(url, transport)| Some((url?, transport))).collect()
        }
    }
}

async fn ask(config: &Config, url: ServerUrl, transport: &'static str, credentials: &Credentials) -> RelayReport {
    let mut report =
        RelayReport { url: url.to_string(), transport, relayed: None, ms: None, error: Some("no answer".to_owned()) };
    let mut config = config.clone();
    config.ice_transport_policy = Policy::Relay;
    config.ice_servers = vec![IceServer { urls: vec![url], credentials: Some(credentials.clone()) }];
    let began = Instant::now();
    let first = async {
        let peer = PeerConnection::new(config)?;
        let _channel = peer.create_data_channel(DataChannelInit::new("doctor"))?;
        peer.set_local_description(None)?;
        while let Some(event) = peer.next_event().await {
            match event {
                PeerEvent::IceCandidate(candidate) if !candidate.candidate.is_empty() => {
                    report.relayed = candidate.candidate.parse::<sdp::Candidate>().ok().map(|candidate| {
                        let ip = candidate.address.ip().map(|ip| std::net::SocketAddr::new(ip, candidate.port));
                        ip.map_or_else(String::new, |address| address.to_string())
                    });
                    (report.ms, report.error) = (Some(ms(began.elapsed())), None);
                    return Ok(());
                }
                PeerEvent::IceCandidateError(error) => {
                    report.error = Some(format!("{} {}", error.code, error.reason).trim().to_owned());
                }
                PeerEvent::GatheringState(GatheringState::Complete) => return Ok(()),
                _ => {}
            }
        }
        Ok::<(), weft_rtc::Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, first).await {
        report.error = Some(error.to_string());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_a_way() {
        let of = |url: &str| ways(&url.parse().unwrap()).into_iter().map(|(_, way)| way).collect::<Vec<_>>();
        assert_eq!(of("turn:192.0.2.1"), ["UDP", "TCP"]);
        assert_eq!(of("turn:turn.example:80?transport=tcp"), ["TCP"]);
        assert_eq!(of("turn:turn.example?transport=udp"), ["UDP"]);
        assert_eq!(of("turns:turn.example"), ["TLS"]);
    }
}
