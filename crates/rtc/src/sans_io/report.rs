//! Figures as the W3C's [webrtc-stats](https://www.w3.org/TR/webrtc-stats/) has them, as types.

use std::time::Duration;

use weft_core::{Instant, Transport};
use weft_dtls::{CipherSuite, Fingerprint, HashAlgorithm, NamedGroup, ProtocolVersion};
use weft_ice::{Candidate, CandidateKind, PairStats};
use weft_sctp::{ChannelId, ChannelState};
use weft_stun::ServerUrl;

use super::tally::Traffic;
use super::{Counters, PeerConnection};
use crate::event::{DtlsState, IceConnectionState};

/// What W3C's `getStats()` tells of a connection with data channels, and what Weft knows beyond it. Members have the names of
/// webrtc-stats, in Rust's spelling; where a name differs, the docs say so.
///
/// Left out of the dictionaries that are here:
/// * `id` and the references between objects: the report is one value, and a pair has its candidates in it;
/// * traffic of the candidate pairs that are not selected, as it would cost a search for each datagram: the selected one's is
///   [`selected_pair_traffic`](Self::selected_pair_traffic);
/// * times of the last packet and of the nomination, estimates of the bitrate and `packetsDiscardedOnSend`: data channels
///   have no use for them, or nothing here measures them;
/// * `networkType` and `vpn`, which browsers leave out, too, as they tell users apart;
/// * all of media, and `issuerCertificateId`: certificates are signed by themselves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatsReport {
    /// When it was made, on the connection's clock.
    pub timestamp: Instant,
    /// `dataChannelsOpened`: channels that came to be open.
    pub data_channels_opened: u64,
    /// `dataChannelsClosed`: of those, channels that are closed.
    pub data_channels_closed: u64,
    /// `transport`.
    pub transport: TransportStats,
    /// `candidate-pair`, the best first; each with its two candidates, its state, and whether it is the selected one.
    pub candidate_pairs: Vec<PairStats>,
    /// `packetsSent`, `packetsReceived`, `bytesSent` and `bytesReceived` of the selected `candidate-pair`.
    pub selected_pair_traffic: PairTraffic,
    /// `local-candidate`.
    pub local_candidates: Vec<CandidateStats>,
    /// `remote-candidate`.
    pub remote_candidates: Vec<CandidateStats>,
    /// `certificate`: ours.
    pub local_certificate: CertificateStats,
    /// `certificate`: the peer's, once it was shown.
    pub remote_certificate: Option<CertificateStats>,
    /// `sctp-transport`, once it was negotiated.
    pub sctp_transport: Option<SctpTransportStats>,
    /// `data-channel`: those that are not closed.
    pub data_channels: Vec<DataChannelStats>,
}

/// What has gone by the selected pair since it was selected, checks of ICE apart. All zero before one is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PairTraffic {
    /// Datagrams sent.
    pub packets_sent: u64,
    /// Datagrams received. One that comes late by the pair before counts here, too.
    pub packets_received: u64,
    /// UDP payload bytes sent.
    pub bytes_sent: u64,
    /// UDP payload bytes received.
    pub bytes_received: u64,
}

impl PairTraffic {
    pub(super) fn of(counters: &Counters) -> Self {
        Self {
            packets_sent: counters.datagrams_sent,
            packets_received: counters.datagrams_received,
            bytes_sent: counters.bytes_sent,
            bytes_received: counters.bytes_received,
        }
    }

    fn since(self, other: Self) -> Self {
        Self {
            packets_sent: self.packets_sent - other.packets_sent,
            packets_received: self.packets_received - other.packets_received,
            bytes_sent: self.bytes_sent - other.bytes_sent,
            bytes_received: self.bytes_received - other.bytes_received,
        }
    }
}

/// `RTCIceCandidateStats`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CandidateStats {
    /// Address, protocol, type, priority, foundation, related address and TCP type.
    pub candidate: Candidate,
    /// `usernameFragment`: that of its side's ICE session.
    pub username_fragment: Option<String>,
    /// `url`: of the server that gave it; none of the peer's.
    pub url: Option<ServerUrl>,
    /// `relayProtocol`: how its TURN server is reached; of our relayed candidates.
    pub relay_protocol: Option<Transport>,
}

/// `RTCTransportStats`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransportStats {
    /// Datagrams sent, those of ICE and DTLS included.
    pub packets_sent: u64,
    /// Datagrams received.
    pub packets_received: u64,
    /// UDP payload bytes sent.
    pub bytes_sent: u64,
    /// UDP payload bytes received.
    pub bytes_received: u64,
    /// `iceRole`.
    pub ice_role: weft_ice::Role,
    /// `iceLocalUsernameFragment`.
    pub ice_local_username_fragment: String,
    /// `iceState`.
    pub ice_state: IceConnectionState,
    /// `dtlsState`.
    pub dtls_state: DtlsState,
    /// `dtlsRole`, once the descriptions have settled it.
    pub dtls_role: Option<weft_dtls::Role>,
    /// `tlsVersion`, of an established association.
    pub tls_version: Option<ProtocolVersion>,
    /// `dtlsCipher`.
    pub dtls_cipher: Option<CipherSuite>,
    /// The group of the key exchange.
    pub dtls_group: Option<NamedGroup>,
    /// `selectedCandidatePairChanges`.
    pub selected_candidate_pair_changes: u64,
}

/// `RTCCertificateStats`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CertificateStats {
    /// SHA-256 of it: `fingerprint` and `fingerprintAlgorithm`.
    pub fingerprint: Fingerprint,
    /// In DER; `base64Certificate` before base64.
    pub der: Vec<u8>,
}

/// `RTCSctpTransportStats` and what our association knows besides.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SctpTransportStats {
    /// `smoothedRoundTripTime`.
    pub smoothed_round_trip_time: Option<Duration>,
    /// `congestionWindow`, in bytes.
    pub congestion_window: usize,
    /// `receiverWindow`: what the peer takes, in bytes.
    pub receiver_window: usize,
    /// `mtu`: the largest SCTP packet, in bytes.
    pub mtu: usize,
    /// `unackData`: user bytes in flight.
    pub in_flight: usize,
    /// DATA chunks sent again.
    pub retransmissions: u64,
    /// DATA chunks found lost by what the peer reported or by time.
    pub losses: u64,
    /// Expiries of the retransmission timer.
    pub timeouts: u64,
    /// Messages given up, where channels are partially reliable.
    pub messages_abandoned: u64,
    /// The retransmission timeout.
    pub retransmission_timeout: Duration,
}

/// `RTCDataChannelStats`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DataChannelStats {
    /// Names the channel here.
    pub id: ChannelId,
    /// `label`.
    pub label: String,
    /// `protocol`.
    pub protocol: String,
    /// `dataChannelIdentifier`, once it is known.
    pub data_channel_identifier: Option<u16>,
    /// `state`.
    pub state: ChannelState,
    /// Messages and bytes each way.
    pub traffic: Traffic,
    /// `bufferedAmount`, in bytes.
    pub buffered_amount: usize,
}

impl PeerConnection {
    /// Figures as W3C's `getStats()` has them. Costs some microseconds: ask now and then, not for each message.
    pub fn stats_report(&self, now: Instant) -> StatsReport {
        let stats = self.stats();
        let certificate = |der: &[u8]| CertificateStats {
            fingerprint: Fingerprint::of(HashAlgorithm::Sha256, der),
            der: der.to_vec(),
        };
        let session = stats.dtls.as_ref();
        StatsReport {
            timestamp: now,
            data_channels_opened: self.tally.opened,
            data_channels_closed: self.tally.closed,
            transport: TransportStats {
                packets_sent: stats.counters.datagrams_sent,
                packets_received: stats.counters.datagrams_received,
                bytes_sent: stats.counters.bytes_sent,
                bytes_received: stats.counters.bytes_received,
                ice_role: self.ice.role(),
                ice_local_username_fragment: self.ice_ufrag().to_owned(),
                ice_state: self.states.ice,
                dtls_state: self.states.dtls,
                dtls_role: stats.dtls_role,
                tls_version: session.map(|session| session.version),
                dtls_cipher: session.map(|session| session.cipher_suite),
                dtls_group: session.map(|session| session.group),
                selected_candidate_pair_changes: stats.counters.selected_pair_changes,
            },
            candidate_pairs: self.ice.pairs().collect(),
            selected_pair_traffic: self
                .path
                .map_or_else(PairTraffic::default, |_| PairTraffic::of(&stats.counters).since(self.not_of_pair)),
            local_candidates: self.ice.local_candidates().map(|candidate| self.local_stats(*candidate)).collect(),
            remote_candidates: self.ice.remote_candidates().map(|candidate| self.remote_stats(*candidate)).collect(),
            local_certificate: certificate(self.certificate.der()),
            remote_certificate: session.and_then(|session| session.peer_certificate.as_deref()).map(certificate),
            sctp_transport: self.states.sctp.map(|_| SctpTransportStats {
                smoothed_round_trip_time: stats.sctp.srtt,
                congestion_window: stats.sctp.cwnd,
                receiver_window: stats.sctp.peer_rwnd,
                mtu: stats.sctp.mtu,
                in_flight: stats.sctp.in_flight,
                retransmissions: stats.sctp.retransmissions,
                losses: stats.sctp.fast_retransmissions,
                timeouts: stats.sctp.timeouts,
                messages_abandoned: stats.sctp.messages_abandoned,
                retransmission_timeout: stats.sctp.rto,
            }),
            data_channels: self.tally.iter().filter_map(|(id, traffic)| self.channel_stats(id, traffic)).collect(),
        }
    }

    fn local_stats(&self, candidate: Candidate) -> CandidateStats {
        let url = self.server_of(&candidate).cloned();
        let relay_protocol =
            url.as_ref().filter(|_| candidate.kind == CandidateKind::Relayed).map(ServerUrl::transport);
        CandidateStats { candidate, username_fragment: Some(self.ice_ufrag().to_owned()), url, relay_protocol }
    }

    fn remote_stats(&self, candidate: Candidate) -> CandidateStats {
        let username_fragment = self.generations.remote_ufrag().map(str::to_owned);
        CandidateStats { candidate, username_fragment, url: None, relay_protocol: None }
    }

    fn channel_stats(&self, id: ChannelId, traffic: Traffic) -> Option<DataChannelStats> {
        let info = self.channels.info(id)?;
        Some(DataChannelStats {
            id,
            label: info.label.to_owned(),
            protocol: info.protocol.to_owned(),
            data_channel_identifier: info.stream,
            state: info.state,
            traffic,
            buffered_amount: self.channels.buffered_amount(id),
        })
    }
}
