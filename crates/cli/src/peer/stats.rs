//! The command `stats`.

use serde_json::{Map, Value, json};
use weft_core::Instant;
use weft_rtc::dtls::HashAlgorithm;
use weft_rtc::ice::{CheckState, PairStats};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{CandidateStats, CertificateStats, ChannelState, StatsReport};

use super::channels::{Channel, Channels};
use super::command::Mode;
use super::refusal::Refusal;
use super::report::{pair_of, protocol_name};
use super::session::{Outcome, Session};

impl Session {
    pub(super) fn stats(&mut self, w3c: bool) -> Result<Outcome, Refusal> {
        self.link()?;
        let Some(link) = &self.link else { return Ok(Outcome::nothing()) };
        let mut stats = figures(&link.pc, &self.channels);
        if w3c && let Value::Object(fields) = &mut stats {
            fields.insert("report".to_owned(), report(&link.pc, &self.channels, self.clock.now()));
        }
        self.out.event("stats", &stats);
        for channel in self.channels.iter() {
            if !channel.closed
                && let Some(counted) = counted(channel)
            {
                self.out.event("counted", &counted);
            }
        }
        Ok(Outcome::nothing())
    }
}

/// The `counted` event of a channel that counts.
pub(super) fn counted(channel: &Channel) -> Option<Value> {
    let counted = &channel.counted;
    (channel.mode == Mode::Count || counted.messages > 0).then(|| {
        json!({
            "channel": channel.handle,
            "bytes": counted.bytes,
            "messages": counted.messages,
            "sha256": counted.sha256(),
        })
    })
}

fn figures(pc: &PeerConnection, channels: &Channels) -> Value {
    let stats = pc.stats();
    let pair = stats.selected_pair.as_ref().map(|pair| {
        let ends = pair_of(pc, pair);
        json!({"local": ends.local, "remote": ends.remote, "rtt_ms": pair.rtt.map(|rtt| rtt.as_secs_f64() * 1e3)})
    });
    let dtls = stats.dtls.as_ref().map(|dtls| {
        json!({
            "version": dtls.version.to_string(),
            "cipher": dtls.cipher_suite.to_string(),
            "group": dtls.group.to_string(),
            "role": stats.dtls_role.map(role_name),
            "key_updates": stats.dtls_counters.key_updates,
            "fingerprint": pc.certificate().fingerprint(HashAlgorithm::Sha256).to_string(),
        })
    });
    let association = pc.data_channels().association();
    let sctp = pc.sctp_state().map(|_| {
        json!({
            "max_message_size": super::traffic::max_message_size(pc),
            "max_channels": association.out_streams().min(association.in_streams()),
            "mtu": stats.sctp.mtu,
            "cwnd": stats.sctp.cwnd,
            "rtt_ms": stats.sctp.srtt.map(|rtt| rtt.as_secs_f64() * 1e3),
            "retransmissions": stats.sctp.retransmissions,
        })
    });
    let channels: Map<String, Value> = channels.iter().map(|c| (c.handle.clone(), of_channel(pc, c))).collect();
    json!({
        "selected_pair": pair,
        "dtls": dtls,
        "sctp": sctp,
        "channels": channels,
        "bytes_sent": stats.counters.bytes_sent,
        "bytes_received": stats.counters.bytes_received,
    })
}

fn of_channel(pc: &PeerConnection, channel: &Channel) -> Value {
    json!({
        "state": state_name(pc, channel),
        "buffered": pc.buffered_amount(channel.id),
        "sent": channel.traffic.sent,
        "received": channel.traffic.received,
        "bytes_sent": channel.traffic.bytes_sent,
        "bytes_received": channel.traffic.bytes_received,
    })
}

/// `RTCDataChannelState`.
fn state_name(pc: &PeerConnection, channel: &Channel) -> &'static str {
    let state = pc.data_channel(channel.id).map(|info| info.state);
    match state {
        _ if channel.closed || pc.is_closed() => "closed",
        Some(ChannelState::Connecting) => "connecting",
        Some(ChannelState::Open) => "open",
        Some(ChannelState::Closing) => "closing",
        Some(ChannelState::Closed) | None => "closed",
    }
}

fn role_name(role: weft_rtc::dtls::Role) -> &'static str {
    match role {
        weft_rtc::dtls::Role::Client => "client",
        weft_rtc::dtls::Role::Server => "server",
    }
}

/// W3C webrtc-stats objects.
fn report(pc: &PeerConnection, channels: &Channels, now: Instant) -> Value {
    let report = pc.stats_report(now);
    let mut all = Objects { timestamp: now.as_nanos() as f64 / 1e6, all: Vec::new() };
    let opened = json!({
        "dataChannelsOpened": report.data_channels_opened, "dataChannelsClosed": report.data_channels_closed,
    });
    all.add("peer-connection", "peer-connection", opened);
    for channel in channels.iter() {
        all.add(&format!("channel-{}", channel.handle), "data-channel", channel_object(pc, channel));
    }
    all.add("certificate-local", "certificate", certificate_object(&report.local_certificate));
    if let Some(certificate) = &report.remote_certificate {
        all.add("certificate-remote", "certificate", certificate_object(certificate));
    }
    if pc.local_description().is_some() {
        all.add("transport", "transport", transport_object(pc, &report));
    }
    if let Some(sctp) = &report.sctp_transport {
        let fields = json!({
            "transportId": "transport", "congestionWindow": sctp.congestion_window,
            "receiverWindow": sctp.receiver_window, "mtu": sctp.mtu, "unackData": sctp.in_flight,
            "smoothedRoundTripTime": sctp.smoothed_round_trip_time.map(|rtt| rtt.as_secs_f64()),
            "retransmissions": sctp.retransmissions, "losses": sctp.losses, "timeouts": sctp.timeouts,
        });
        all.add("sctp-transport", "sctp-transport", fields);
    }
    for (n, pair) in report.candidate_pairs.iter().enumerate() {
        all.add(&format!("pair-{n}"), "candidate-pair", pair_object(&report, pair));
    }
    for (side, list) in [("local", &report.local_candidates), ("remote", &report.remote_candidates)] {
        for (n, candidate) in list.iter().enumerate() {
            all.add(&format!("{side}-{n}"), &format!("{side}-candidate"), candidate_object(candidate));
        }
    }
    Value::Array(all.all)
}

struct Objects {
    timestamp: f64,
    all: Vec<Value>,
}

impl Objects {
    /// Adds an object with those of the fields that have a value.
    fn add(&mut self, id: &str, kind: &str, fields: Value) {
        let mut object = json!({"id": id, "type": kind, "timestamp": self.timestamp});
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        self.all.push(object);
    }
}

fn channel_object(pc: &PeerConnection, channel: &Channel) -> Value {
    json!({
        "label": channel.label, "protocol": channel.protocol, "dataChannelIdentifier": channel.stream,
        "state": state_name(pc, channel),
        "messagesSent": channel.traffic.sent, "bytesSent": channel.traffic.bytes_sent,
        "messagesReceived": channel.traffic.received, "bytesReceived": channel.traffic.bytes_received,
    })
}

fn certificate_object(certificate: &CertificateStats) -> Value {
    let fingerprint = certificate.fingerprint.to_string();
    json!({
        "fingerprint": fingerprint.split_once(' ').map_or("", |(_, value)| value),
        "fingerprintAlgorithm": HashAlgorithm::Sha256.name(), "base64Certificate": base64(&certificate.der),
    })
}

fn transport_object(pc: &PeerConnection, report: &StatsReport) -> Value {
    let transport = &report.transport;
    let selected = report.candidate_pairs.iter().position(|pair| pair.selected);
    json!({
        "bytesSent": transport.bytes_sent, "bytesReceived": transport.bytes_received,
        "packetsSent": transport.packets_sent, "packetsReceived": transport.packets_received,
        "dtlsState": transport.dtls_state.as_str(), "iceState": transport.ice_state.as_str(),
        "iceRole": super::report::role_name(transport.ice_role),
        "iceLocalUsernameFragment": super::report::local_ufrag(pc),
        "dtlsRole": transport.dtls_role.map(role_name), "localCertificateId": "certificate-local",
        "tlsVersion": transport.tls_version.map(|version| format!("{:04X}", version.0)),
        "dtlsCipher": transport.dtls_cipher.map(|cipher| cipher.to_string()),
        "remoteCertificateId": report.remote_certificate.as_ref().map(|_| "certificate-remote"),
        "selectedCandidatePairId": selected.map(|n| format!("pair-{n}")),
        "selectedCandidatePairChanges": transport.selected_candidate_pair_changes,
    })
}

fn pair_object(report: &StatsReport, pair: &PairStats) -> Value {
    let find = |list: &[CandidateStats], wanted| list.iter().position(|known| known.candidate == wanted);
    let traffic = Some(report.selected_pair_traffic).filter(|_| pair.selected);
    let state = match pair.state {
        CheckState::Frozen => "frozen",
        CheckState::Waiting => "waiting",
        CheckState::InProgress => "in-progress",
        CheckState::Succeeded => "succeeded",
        _ => "failed",
    };
    json!({
        "transportId": "transport", "state": state, "nominated": pair.info.nominated, "priority": pair.priority,
        "localCandidateId": find(&report.local_candidates, pair.info.local).map(|n| format!("local-{n}")),
        "remoteCandidateId": find(&report.remote_candidates, pair.info.remote).map(|n| format!("remote-{n}")),
        "currentRoundTripTime": pair.info.rtt.map(|rtt| rtt.as_secs_f64()),
        "totalRoundTripTime": pair.total_round_trip_time.as_secs_f64(),
        "requestsSent": pair.checks.requests_sent, "requestsReceived": pair.checks.requests_received,
        "responsesSent": pair.checks.responses_sent, "responsesReceived": pair.checks.responses_received,
        "consentRequestsSent": pair.checks.consent_requests_sent,
        "packetsSent": traffic.map(|t| t.packets_sent), "packetsReceived": traffic.map(|t| t.packets_received),
        "bytesSent": traffic.map(|t| t.bytes_sent), "bytesReceived": traffic.map(|t| t.bytes_received),
    })
}

fn candidate_object(stats: &CandidateStats) -> Value {
    let candidate = &stats.candidate;
    json!({
        "transportId": "transport", "address": candidate.address.ip().to_string(), "port": candidate.address.port(),
        "protocol": if candidate.transport == weft_core::Transport::Udp { "udp" } else { "tcp" },
        "candidateType": candidate.kind.token(), "priority": candidate.priority,
        "foundation": candidate.foundation.to_string(), "usernameFragment": stats.username_fragment,
        "url": stats.url.as_ref().map(ToString::to_string),
        "relayProtocol": stats.relay_protocol.and_then(protocol_name),
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
