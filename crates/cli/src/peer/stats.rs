//! The command `stats`.

use serde_json::{Map, Value, json};
use weft_rtc::ChannelState;
use weft_rtc::dtls::HashAlgorithm;
use weft_rtc::sans_io::PeerConnection;

use super::channels::{Channel, Channels};
use super::command::Mode;
use super::refusal::Refusal;
use super::report::pair_of;
use super::session::{Outcome, Session};

impl Session {
    pub(super) fn stats(&mut self, w3c: bool) -> Result<Outcome, Refusal> {
        self.link()?;
        let Some(link) = &self.link else { return Ok(Outcome::nothing()) };
        let mut stats = figures(&link.pc, &self.channels);
        if w3c && let Value::Object(fields) = &mut stats {
            fields.insert("report".to_owned(), report(&link.pc, &self.channels, self.clock.now().as_nanos()));
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
fn report(pc: &PeerConnection, channels: &Channels, nanos: u64) -> Value {
    let timestamp = nanos as f64 / 1e6;
    let stats = pc.stats();
    let opened = channels.iter().filter(|c| c.closed || state_name(pc, c) == "open").count();
    let closed = channels.iter().filter(|c| c.closed).count();
    let mut all = vec![json!({
        "id": "peer-connection", "type": "peer-connection", "timestamp": timestamp,
        "dataChannelsOpened": opened, "dataChannelsClosed": closed,
    })];
    for channel in channels.iter() {
        all.push(json!({
            "id": format!("channel-{}", channel.handle), "type": "data-channel", "timestamp": timestamp,
            "label": channel.label, "protocol": channel.protocol, "dataChannelIdentifier": channel.stream,
            "state": state_name(pc, channel),
            "messagesSent": channel.traffic.sent, "bytesSent": channel.traffic.bytes_sent,
            "messagesReceived": channel.traffic.received, "bytesReceived": channel.traffic.bytes_received,
        }));
    }
    let certificate = |id: &str, der: &[u8]| {
        let fingerprint = weft_rtc::dtls::Fingerprint::of(HashAlgorithm::Sha256, der).to_string();
        let value = fingerprint.split_once(' ').map_or("", |(_, value)| value);
        json!({
            "id": id, "type": "certificate", "timestamp": timestamp, "fingerprint": value,
            "fingerprintAlgorithm": HashAlgorithm::Sha256.name(), "base64Certificate": base64(der),
        })
    };
    all.push(certificate("certificate-local", pc.certificate().der()));
    let remote_der = stats.dtls.as_ref().and_then(|dtls| dtls.peer_certificate.as_deref());
    all.extend(remote_der.map(|der| certificate("certificate-remote", der)));
    if pc.local_description().is_some() {
        let counters = stats.counters;
        let mut transport = json!({
            "id": "transport", "type": "transport", "timestamp": timestamp,
            "bytesSent": counters.bytes_sent, "bytesReceived": counters.bytes_received,
            "packetsSent": counters.datagrams_sent, "packetsReceived": counters.datagrams_received,
            "dtlsState": pc.dtls_state().as_str(), "iceState": pc.ice_connection_state().as_str(),
            "iceRole": super::report::role_name(pc.ice_role()),
            "iceLocalUsernameFragment": super::report::local_ufrag(pc),
            "dtlsRole": stats.dtls_role.map(role_name), "localCertificateId": "certificate-local",
        });
        if let Value::Object(fields) = &mut transport {
            if let Some(dtls) = &stats.dtls {
                fields.insert("tlsVersion".into(), format!("{:04X}", dtls.version.0).into());
                fields.insert("dtlsCipher".into(), dtls.cipher_suite.to_string().into());
            }
            if remote_der.is_some() {
                fields.insert("remoteCertificateId".into(), "certificate-remote".into());
            }
            if stats.selected_pair.is_some() {
                fields.insert("selectedCandidatePairId".into(), "pair".into());
            }
        }
        all.push(transport);
    }
    if let Some(pair) = &stats.selected_pair {
        all.push(json!({
            "id": "pair", "type": "candidate-pair", "timestamp": timestamp, "transportId": "transport",
            "localCandidateId": "candidate-local", "remoteCandidateId": "candidate-remote", "state": "succeeded",
            "nominated": pair.nominated, "currentRoundTripTime": pair.rtt.map(|rtt| rtt.as_secs_f64()),
        }));
        for (id, kind, candidate) in [
            ("candidate-local", "local-candidate", &pair.local),
            ("candidate-remote", "remote-candidate", &pair.remote),
        ] {
            all.push(json!({
                "id": id, "type": kind, "timestamp": timestamp, "transportId": "transport",
                "address": candidate.address.ip().to_string(), "port": candidate.address.port(), "protocol": "udp",
                "candidateType": candidate.kind.token(), "priority": candidate.priority,
                "foundation": candidate.foundation.to_string(),
            }));
        }
    }
    Value::Array(all)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
