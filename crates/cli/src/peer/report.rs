//! From events of the connection to lines: what changed, in the order in which it changed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use weft_rtc::core::Transport;
use weft_rtc::dtls;
use weft_rtc::ice;
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::sctp::{AssociationError, CloseReason};
use weft_rtc::stun::ServerUrl;
use weft_rtc::{ChannelId, Description, Event, Failure, IceCandidate};

use super::channels::{Channel, Channels};
use super::session::Session;
use super::state::{ReportedCandidate, ReportedDescription, ReportedPair, State};

/// What was told of the state, and what is to be told next.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// As last told.
    told: State,
    /// As it is now.
    now: State,
    /// Something may have changed. The rest of the state is costly to look at, so it is not looked at for each packet.
    stale: bool,
    /// A local description was set and is to be announced.
    pub(super) announce_description: bool,
}

impl Reporter {
    /// Notes a change of one of the states that have events. A change that was not told yet is due first.
    fn note<T: PartialEq>(&mut self, field: impl Fn(&mut State) -> &mut T, value: &T) -> bool {
        self.stale = true;
        let untold = field(&mut self.now) != field(&mut self.told);
        untold && field(&mut self.now) != value
    }

    /// The connection was closed: its states are what `close()` makes them, without events.
    pub(super) fn closed(&mut self) {
        self.stale = true;
        self.now.ice = "closed";
        self.now.connection = "closed";
        self.now.dtls = self.now.dtls.map(|_| "closed");
        self.now.sctp = self.now.sctp.map(|_| "closed");
    }
}

impl Session {
    /// Takes the events of the connection, to be reported in their turn.
    pub(super) fn collect(&mut self) {
        if let Some(link) = &mut self.link {
            while let Some(event) = link.pc.poll_event() {
                self.events.push_back(event);
            }
        }
    }

    /// After a command: tells the states that it changed. What else it brought about comes after its answer.
    pub(super) fn settle_command(&mut self) {
        self.collect();
        while let Some(event) = self.events.pop_front() {
            if !self.note(&event) {
                self.events.push_front(event);
                break;
            }
        }
        self.reporter.stale = true;
        self.tell_state();
    }

    /// Reports everything that happened.
    pub(super) fn process_events(&mut self) {
        self.collect();
        while let Some(event) = self.events.pop_front() {
            if !self.note(&event) {
                self.report(&event);
            }
            self.collect();
        }
        self.tell_state();
    }

    /// Notes a change of state; `false` for events of other kinds.
    fn note(&mut self, event: &Event) -> bool {
        macro_rules! note {
            ($field:ident, $value:expr) => {{
                let value = $value;
                if self.reporter.note(|state| &mut state.$field, &value) {
                    self.tell_state();
                }
                self.reporter.now.$field = value;
            }};
        }
        match event {
            Event::SignalingState(state) => note!(signaling, state.to_string()),
            Event::GatheringState(state) => note!(gathering, state.as_str()),
            Event::IceConnectionState(state) => note!(ice, state.as_str()),
            Event::ConnectionState(state) => note!(connection, state.as_str()),
            Event::DtlsState(state) => note!(dtls, Some(state.as_str())),
            Event::SctpState(state) => note!(sctp, Some(state.as_str())),
            Event::SelectedPair(_) => self.reporter.stale = true,
            _ => return false,
        }
        true
    }

    fn report(&mut self, event: &Event) {
        match event {
            Event::IceCandidate(candidate) => {
                self.reporter.stale = true;
                self.tell_state();
                if self.settings.trickle {
                    let server = self.link.as_ref().and_then(|link| link.pc.candidate_server(candidate));
                    self.out.event("candidate", &reported(candidate, server));
                }
                return;
            }
            Event::Readable(id) => {
                if let Some(channel) = self.channels.by_id(*id) {
                    channel.readable = true;
                }
                return;
            }
            Event::Writable(id) => {
                if let Some(channel) = self.channels.by_id(*id) {
                    channel.blocked = false;
                }
                return;
            }
            _ => self.tell_state(),
        }
        match event {
            Event::NegotiationNeeded => self.out.event("negotiation_needed", &json!({})),
            Event::IceCandidateError(error) => self.server_failed(error),
            Event::DataChannel(id) => self.opened_by_peer(*id),
            Event::Open(id) => self.opened(*id),
            Event::BufferedAmountLow(id) => {
                if let Some((channel, link)) = self.channels.by_id(*id).zip(self.link.as_ref()) {
                    let buffered = link.pc.buffered_amount(*id);
                    self.out.event("buffered_low", &json!({"channel": channel.handle, "buffered": buffered}));
                }
            }
            Event::Closing(id) => {
                if let Some(channel) = self.channels.by_id(*id) {
                    self.out.event("closing", &json!({"channel": channel.handle}));
                }
            }
            Event::Closed(id, reason) => self.channel_closed(*id, *reason),
            Event::Failed(failure) => self.failed(failure),
            _ => {}
        }
    }

    /// A server gave no candidate (webrtc-pc section 4.8.2).
    fn server_failed(&mut self, error: &ice::GatheringError) {
        let url = self.link.as_ref().and_then(|link| link.pc.ice_server(error.server));
        let event = json!({
            "url": url.map(ToString::to_string),
            "address": error.base.map(|base| base.ip().to_string()),
            "port": error.base.map(|base| base.port()),
            "code": error.code,
            "text": error.reason,
        });
        self.out.event("ice_error", &event);
    }

    fn opened_by_peer(&mut self, id: ChannelId) {
        let handle = self.channels.fresh_handle();
        let Some(info) = self.link.as_ref().and_then(|link| link.pc.data_channel(id)) else { return };
        let mut channel = Channel::new(handle, id, info.label.to_owned(), info.protocol.to_owned());
        channel.stream = info.stream;
        let (retransmits, life_time) = super::traffic::limits(info.reliability);
        let event = json!({
            "channel": channel.handle,
            "label": channel.label,
            "ordered": info.ordered,
            "max_retransmits": retransmits,
            "max_packet_life_time": life_time,
            "protocol": channel.protocol,
            "negotiated": info.negotiated,
            "stream": channel.stream,
            "priority": super::traffic::priority_name(info.priority),
        });
        self.out.event("channel", &event);
        self.channels.add(channel);
        self.opened(id);
    }

    fn opened(&mut self, id: ChannelId) {
        if let Some(channel) = self.channels.by_id(id) {
            self.out.event("open", &json!({"channel": channel.handle, "stream": channel.stream}));
        }
    }

    /// What came before the end comes out before it.
    fn channel_closed(&mut self, id: ChannelId, reason: CloseReason) {
        self.take_rest(id);
        let error = self.close_error(reason);
        let Some(channel) = self.channels.by_id(id) else { return };
        channel.closed = true;
        channel.streams.clear();
        channel.echo = None;
        let handle = channel.handle.clone();
        let finishing = std::mem::take(&mut channel.finishing);
        if let Some(counted) = super::stats::counted(channel) {
            self.out.event("counted", &counted);
        }
        let mut closed = json!({"channel": handle, "stream": channel.stream});
        if let (Some(error), Value::Object(fields)) = (&error, &mut closed) {
            fields.insert("error".to_owned(), error.clone());
        }
        self.out.event("closed", &closed);
        for id in finishing {
            if error.is_none() {
                self.done(id.as_ref(), &serde_json::Map::new());
            } else {
                let why = "the channel broke before everything was delivered";
                self.refuse(id.as_ref(), &super::refusal::Refusal::operation(why));
            }
        }
    }

    /// Why a channel closed, when it was not by `close()` of either side.
    fn close_error(&self, reason: CloseReason) -> Option<Value> {
        match reason {
            CloseReason::Local | CloseReason::Remote => None,
            CloseReason::NoStream => {
                Some(json!({"detail": "data-channel-failure", "message": "the peer has no stream with this id"}))
            }
            CloseReason::Disconnected => {
                // The association closes its channels before it says why it ended.
                let failure = self.events.iter().find_map(|event| match event {
                    Event::Failed(Failure::Sctp(error)) => Some(sctp_failure(error)),
                    _ => None,
                });
                let unknown = || json!({"detail": "sctp-failure", "message": "the association ended"});
                Some(self.broken.clone().or(failure).unwrap_or_else(unknown))
            }
        }
    }

    fn failed(&mut self, failure: &Failure) {
        match failure {
            Failure::Dtls(error) => {
                let mismatch = dtls::Error::CertificateRejected(dtls::Rejection::FingerprintMismatch);
                let detail = if *error == mismatch { "fingerprint-failure" } else { "dtls-failure" };
                let error = json!({
                    "detail": detail,
                    "message": failure.to_string(),
                    "sent_alert": error.alert_sent().map(|alert| alert.0),
                    "received_alert": error.alert_received().map(|alert| alert.0),
                });
                self.out.event("transport_error", &error);
                self.broken = Some(error);
            }
            Failure::Sctp(error) => self.broken = Some(sctp_failure(error)),
            _ => {}
        }
    }

    /// Writes a `state` line if anything changed.
    pub(super) fn tell_state(&mut self) {
        if !self.reporter.stale {
            return;
        }
        self.reporter.stale = false;
        let hidden = Hidden::of(&self.events);
        let Some(link) = &self.link else { return };
        look(&mut self.reporter.now, &link.pc, &mut self.channels, &hidden);
        if let Some(change) = self.reporter.now.change(&self.reporter.told) {
            self.out.event("state", &change);
        }
        // Each stream is told once.
        self.reporter.now.streams.clear();
        self.reporter.told = self.reporter.now.clone();
    }

    /// The local description with the candidates that were announced (all of them without trickle).
    pub(super) fn visible_local_description(&self) -> Option<ReportedDescription> {
        let description = self.link.as_ref()?.pc.local_description()?;
        Some(Hidden::of(&self.events).show(&description))
    }

    /// Announces a local description that was set.
    pub(super) fn announce_description(&mut self) {
        if self.reporter.announce_description
            && self.takes_commands()
            && let Some(description) = self.visible_local_description()
        {
            self.reporter.announce_description = false;
            self.out.event("description", &description);
        }
    }
}

fn sctp_failure(error: &AssociationError) -> Value {
    let cause = if let AssociationError::PeerAborted { code, .. } = error { *code } else { None };
    json!({"detail": "sctp-failure", "message": error.to_string(), "sctp_cause": cause})
}

/// Candidates that are in the descriptions already but whose events are still to come: a description is told with those
/// alone that were, or are about to be, announced.
struct Hidden<'a> {
    candidates: Vec<&'a str>,
}

impl<'a> Hidden<'a> {
    fn of(events: &'a std::collections::VecDeque<Event>) -> Self {
        let candidates = events.iter().filter_map(|event| match event {
            Event::IceCandidate(candidate) => Some(candidate.candidate.as_str()),
            _ => None,
        });
        Self { candidates: candidates.collect() }
    }

    fn show(&self, description: &Description) -> ReportedDescription {
        let hidden = |line: &str| match line.strip_prefix("a=") {
            Some("end-of-candidates") => self.candidates.contains(&""),
            Some(attribute) if attribute.starts_with("candidate:") => self.candidates.contains(&attribute),
            _ => false,
        };
        let sdp = description.sdp.split_inclusive('\n').filter(|line| !hidden(line.trim_end())).collect();
        ReportedDescription { kind: description.kind.to_string(), sdp }
    }
}

/// Looks at what has no events of its own.
fn look(state: &mut State, pc: &PeerConnection, channels: &mut Channels, hidden: &Hidden<'_>) {
    let negotiator = pc.negotiator();
    let show = |description: Option<Description>| description.map(|description| hidden.show(&description));
    state.signaling = pc.signaling_state().to_string();
    state.negotiation_needed = pc.negotiation_needed();
    state.current_local = show(negotiator.current_local_description());
    state.pending_local = show(negotiator.pending_local_description());
    state.current_remote = show(negotiator.current_remote_description());
    state.pending_remote = show(negotiator.pending_remote_description());
    if pc.is_closed() {
        return;
    }
    if state.current_local.is_some() || state.pending_local.is_some() {
        state.dtls = Some(pc.dtls_state().as_str());
        state.ice_role = Some(role_name(pc.ice_role()));
    }
    let remote = negotiator.remote();
    state.can_trickle = remote.map(|remote| remote.ice_options.trickle());
    if pc.sctp_state().is_some() {
        state.max_message_size = super::traffic::max_message_size(pc);
    }
    if state.sctp == Some("connected") {
        let association = pc.data_channels().association();
        state.max_channels = Some(association.out_streams().min(association.in_streams()));
    }
    state.streams = new_streams(pc, channels);
    let stats = pc.stats();
    state.selected_pair = stats.selected_pair.as_ref().map(|pair| pair_of(pc, pair));
    state.remote_certificates =
        stats.dtls.and_then(|dtls| dtls.peer_certificate).iter().map(|der| BASE64.encode(der)).collect();
}

/// Channels whose stream became known after they were made.
fn new_streams(pc: &PeerConnection, channels: &mut Channels) -> BTreeMap<String, u16> {
    let mut streams = BTreeMap::new();
    for channel in channels.iter_mut().filter(|channel| channel.stream.is_none()) {
        if let Some(stream) = pc.data_channel(channel.id).and_then(|info| info.stream) {
            channel.stream = Some(stream);
            streams.insert(channel.handle.clone(), stream);
        }
    }
    streams
}

/// A pair, its ends shaped like `candidate` events.
pub(super) fn pair_of(pc: &PeerConnection, pair: &ice::PairInfo) -> ReportedPair {
    let negotiator = pc.negotiator();
    let remote = negotiator.remote();
    let mid = remote.and_then(|remote| remote.mid.clone());
    let index = remote.and_then(|remote| u16::try_from(remote.mline_index).ok());
    let end = |candidate: &ice::Candidate, ufrag: Option<String>, server: Option<&ServerUrl>| ReportedCandidate {
        candidate: candidate_line(candidate),
        mid: mid.clone(),
        index,
        ufrag,
        url: server.map(ToString::to_string),
        relay_protocol: server.filter(|_| candidate.kind == ice::CandidateKind::Relayed).and_then(relay_protocol),
    };
    ReportedPair {
        local: end(&pair.local, local_ufrag(pc), pc.server_of(&pair.local)),
        remote: end(&pair.remote, remote.map(|remote| remote.ufrag.clone()), None),
    }
}

/// A candidate as `a=candidate` has it (RFC 8839 section 5.1, RFC 6544 section 4.5).
fn candidate_line(candidate: &ice::Candidate) -> String {
    let ice::Candidate { foundation, component, priority, address, kind, .. } = candidate;
    let transport = if candidate.transport == Transport::Tcp { "tcp" } else { "udp" };
    let related = candidate.related.map(|related| format!(" raddr {} rport {}", related.ip(), related.port()));
    let tcp_type = candidate.tcp_type.map(|tcp_type| format!(" tcptype {}", tcp_type.token()));
    format!(
        "candidate:{foundation} {component} {transport} {priority} {} {} typ {}{}{}",
        address.ip(),
        address.port(),
        kind.token(),
        related.unwrap_or_default(),
        tcp_type.unwrap_or_default()
    )
}

/// Our user fragment, as our description has it.
pub(super) fn local_ufrag(pc: &PeerConnection) -> Option<String> {
    let sdp = pc.local_description()?.sdp;
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::to_owned)
}

/// `RTCIceRole`.
pub(super) fn role_name(role: ice::Role) -> &'static str {
    match role {
        ice::Role::Controlling => "controlling",
        ice::Role::Controlled => "controlled",
    }
}

/// How the client reaches the server that relays.
fn relay_protocol(server: &ServerUrl) -> Option<&'static str> {
    protocol_name(server.transport()).filter(|_| server.scheme().is_turn())
}

/// `RTCIceServerTransportProtocol`.
pub(super) fn protocol_name(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp => Some("udp"),
        Transport::Tcp => Some("tcp"),
        Transport::Tls => Some("tls"),
        _ => None,
    }
}

fn reported(candidate: &IceCandidate, server: Option<&ServerUrl>) -> ReportedCandidate {
    let relayed = candidate.candidate.contains(" typ relay");
    ReportedCandidate {
        candidate: candidate.candidate.clone(),
        mid: candidate.sdp_mid.clone(),
        index: candidate.sdp_mline_index,
        ufrag: candidate.username_fragment.clone(),
        url: server.map(ToString::to_string),
        relay_protocol: server.filter(|_| relayed).and_then(relay_protocol),
    }
}
