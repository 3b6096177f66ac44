//! The peer connection as both engines see it: numbers for errors, dictionaries for options.

use std::collections::VecDeque;

use weft_core::Transport;
use weft_rtc::ice::{CandidateKind, GatheringError};
use weft_rtc::polled::{ChannelOptions, Configuration, Error, IceServer, PeerConnection};
use weft_rtc::{GatheringState, SignalingState};

use crate::channel::Channel;
use crate::error;
use crate::value::Value;

/// What `poll` has to tell, in the engine's terms.
pub(crate) enum Signal {
    /// `session_description_created(type, sdp)`.
    SessionDescriptionCreated {
        /// `offer` or `answer`.
        kind: String,
        /// The text.
        sdp: String,
    },
    /// `ice_candidate_created(media, index, name)`.
    IceCandidateCreated {
        /// The section's name.
        media: String,
        /// The section's number.
        index: i32,
        /// `candidate:…`
        name: String,
    },
    /// `data_channel_received(channel)`.
    DataChannelReceived(Channel),
}

/// ICE errors kept for scripts.
const MAX_ICE_ERRORS: usize = 16;

/// A `WebRTCPeerConnection`.
pub(crate) struct Peer {
    inner: PeerConnection,
    /// What servers answered instead of a candidate, the latest last.
    ice_errors: VecDeque<Value>,
    /// Says why a call was refused, where the game's developer looks.
    log: fn(&str),
}

impl Peer {
    /// A new one, usable without `initialize`.
    pub(crate) fn new(log: fn(&str)) -> Self {
        Self { inner: PeerConnection::new(), ice_errors: VecDeque::new(), log }
    }

    pub(crate) fn initialize(&mut self, configuration: &Value) -> i32 {
        let done = configuration_from(configuration).and_then(|configuration| self.inner.initialize(&configuration));
        self.answer(done)
    }

    pub(crate) fn create_data_channel(&mut self, label: &str, options: &Value) -> Option<Channel> {
        let made = options_from(options).and_then(|options| self.inner.create_data_channel(label, &options));
        match made {
            Ok(channel) => Some(Channel::new(channel)),
            Err(error) => {
                self.answer(Err(error));
                None
            }
        }
    }

    pub(crate) fn create_offer(&mut self) -> i32 {
        let done = self.inner.create_offer();
        self.answer(done)
    }

    pub(crate) fn set_local_description(&mut self, kind: &str, sdp: &str) -> i32 {
        let done = self.inner.set_local_description(kind, sdp);
        self.answer(done)
    }

    pub(crate) fn set_remote_description(&mut self, kind: &str, sdp: &str) -> i32 {
        let done = self.inner.set_remote_description(kind, sdp);
        self.answer(done)
    }

    pub(crate) fn add_ice_candidate(&mut self, media: &str, index: i32, name: &str) -> i32 {
        let done = self.inner.add_ice_candidate(media, index, name);
        self.answer(done)
    }

    pub(crate) fn poll(&mut self) -> i32 {
        let done = self.inner.poll();
        self.answer(done)
    }

    pub(crate) fn next_signal(&mut self) -> Option<Signal> {
        use weft_rtc::polled::Signal as Polled;
        loop {
            return Some(match self.inner.next_signal()? {
                Polled::SessionDescriptionCreated { kind, sdp } => Signal::SessionDescriptionCreated { kind, sdp },
                Polled::IceCandidateCreated { media, index, name } => {
                    Signal::IceCandidateCreated { media, index, name }
                }
                Polled::IceCandidateError(error) => {
                    self.remember(&error);
                    continue;
                }
                Polled::DataChannelReceived(channel) => Signal::DataChannelReceived(Channel::new(channel)),
                _ => continue,
            });
        }
    }

    pub(crate) fn connection_state(&self) -> i32 {
        self.inner.connection_state() as i32
    }

    /// `GatheringState` of Godot 4: NEW 0, GATHERING 1, COMPLETE 2.
    pub(crate) fn gathering_state(&self) -> i32 {
        match self.inner.gathering_state() {
            GatheringState::New => 0,
            GatheringState::Gathering => 1,
            GatheringState::Complete => 2,
        }
    }

    /// `SignalingState` of Godot 4: STABLE 0, HAVE_LOCAL_OFFER 1, HAVE_REMOTE_OFFER 2, HAVE_LOCAL_PRANSWER 3,
    /// HAVE_REMOTE_PRANSWER 4, CLOSED 5.
    pub(crate) fn signaling_state(&self) -> i32 {
        match self.inner.signaling_state() {
            SignalingState::Stable => 0,
            SignalingState::HaveLocalOffer => 1,
            SignalingState::HaveRemoteOffer => 2,
            SignalingState::HaveLocalPrAnswer => 3,
            SignalingState::HaveRemotePrAnswer => 4,
            SignalingState::Closed => 5,
        }
    }

    pub(crate) fn close(&mut self) {
        self.inner.close();
    }

    /// `restart_ice()`: `session_description_created` follows.
    pub(crate) fn restart_ice(&mut self) -> i32 {
        let done = self.inner.restart_ice();
        self.answer(done)
    }

    /// `get_ice_errors()`: which servers gave no candidate and why, up to 16, the latest last.
    pub(crate) fn ice_errors(&self) -> Value {
        Value::Array(self.ice_errors.iter().cloned().collect())
    }

    fn remember(&mut self, error: &GatheringError) {
        if self.ice_errors.len() >= MAX_ICE_ERRORS {
            self.ice_errors.pop_front();
        }
        let address = error.address.map(|address| address.to_string());
        (self.log)(&format!("ICE server {}: {} {}", address.as_deref().unwrap_or("?"), error.code, error.reason));
        self.ice_errors.push_back(Value::dictionary([
            ("address", error.address.map(|address| address.ip().to_string()).into()),
            ("port", error.address.map(|address| i64::from(address.port())).into()),
            ("code", i64::from(error.code).into()),
            ("text", error.reason.to_string().into()),
        ]));
    }

    /// `get_selected_pair()`: how data travels, or `null`.
    pub(crate) fn selected_pair(&self) -> Value {
        let Some(pair) = self.inner.selected_pair() else { return Value::Nil };
        Value::dictionary([
            ("local", candidate_value(&pair.local)),
            ("remote", candidate_value(&pair.remote)),
            ("rtt_ms", pair.rtt.map(|rtt| rtt.as_secs_f64() * 1e3).into()),
        ])
    }

    /// `get_stats()`: figures of the connection, or `null` before it began.
    pub(crate) fn stats(&self) -> Value {
        let Some(stats) = self.inner.stats() else { return Value::Nil };
        Value::dictionary([
            ("bytes_sent", stats.counters.bytes_sent.into()),
            ("bytes_received", stats.counters.bytes_received.into()),
            ("packets_sent", stats.counters.datagrams_sent.into()),
            ("packets_received", stats.counters.datagrams_received.into()),
            ("selected_pair", self.selected_pair()),
        ])
    }

    fn answer(&self, done: Result<(), Error>) -> i32 {
        match done {
            Ok(()) => error::OK,
            Err(error) => {
                (self.log)(&format!("{error}"));
                error.code() as i32
            }
        }
    }
}

fn candidate_value(candidate: &weft_rtc::ice::Candidate) -> Value {
    let kind = match candidate.kind {
        CandidateKind::Host => "host",
        CandidateKind::ServerReflexive => "srflx",
        CandidateKind::PeerReflexive => "prflx",
        CandidateKind::Relayed => "relay",
    };
    Value::dictionary([
        ("type", kind.into()),
        ("protocol", if candidate.transport == Transport::Udp { "udp" } else { "tcp" }.into()),
        ("address", candidate.address.ip().to_string().into()),
        ("port", i64::from(candidate.address.port()).into()),
    ])
}

fn wrong(what: &str) -> Error {
    Error::Parameter(what.to_owned())
}

/// `{ "iceServers": [ { "urls": [...], "username": "", "credential": "" } ], "iceTransportPolicy": "all" }`. Servers that are
/// no array are passed over, as the engine's other implementations do.
fn configuration_from(value: &Value) -> Result<Configuration, Error> {
    let mut configuration = Configuration::default();
    if let Some(Value::Array(servers)) = value.get("iceServers") {
        for server in servers {
            configuration.ice_servers.push(server_from(server)?);
        }
    }
    // Never guessed: who meant relays alone would tell the other side addresses.
    configuration.relay_only = match value.get("iceTransportPolicy") {
        None | Some(Value::Nil) => false,
        Some(Value::Text(policy)) if policy == "all" => false,
        Some(Value::Text(policy)) if policy == "relay" => true,
        Some(_) => return Err(wrong("iceTransportPolicy is the text all or relay, in small letters")),
    };
    Ok(configuration)
}

fn server_from(value: &Value) -> Result<IceServer, Error> {
    let Value::Dictionary(_) = value else { return Err(wrong("each entry of iceServers is a dictionary")) };
    let text = |key: &str| match value.get(key) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong("username and credential of an ICE server are text")),
    };
    let urls = match value.get("urls") {
        Some(Value::Text(url)) => vec![url.clone()],
        Some(Value::Array(urls)) => urls
            .iter()
            .map(|url| match url {
                Value::Text(url) => Ok(url.clone()),
                _ => Err(wrong("each of an ICE server's urls is text")),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(wrong("an ICE server needs urls: text or an array of texts")),
    };
    Ok(IceServer { urls, username: text("username")?, credential: text("credential")? })
}

/// The options of `create_data_channel`. Whole numbers may come as reals, as JSON brings them; any other value of a
/// wrong type is an error.
fn options_from(value: &Value) -> Result<ChannelOptions, Error> {
    let mut options = ChannelOptions::default();
    if let Some(negotiated) = flag(value, "negotiated")? {
        options.negotiated = negotiated;
    }
    if let Some(ordered) = flag(value, "ordered")? {
        options.ordered = ordered;
    }
    options.id = number(value, "id")?;
    options.max_retransmits = number(value, "maxRetransmits")?;
    // The engine's own multiplayer classes write the second spelling.
    options.max_packet_life_time = match number(value, "maxPacketLifeTime")? {
        Some(millis) => Some(millis),
        None => number(value, "maxPacketLifetime")?,
    };
    match value.get("protocol") {
        None | Some(Value::Nil) => {}
        Some(Value::Text(protocol)) => options.protocol.clone_from(protocol),
        Some(_) => return Err(wrong("the option protocol is text")),
    }
    Ok(options)
}

fn flag(value: &Value, key: &str) -> Result<Option<bool>, Error> {
    match value.get(key) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::Int(number)) => Ok(Some(*number != 0)),
        Some(_) => Err(wrong(&format!("the option {key} is true or false"))),
    }
}

fn number(value: &Value, key: &str) -> Result<Option<u16>, Error> {
    let number = match value.get(key) {
        None | Some(Value::Nil) => return Ok(None),
        Some(Value::Int(number)) => u16::try_from(*number).ok(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // it is whole and in range
        Some(Value::Real(number)) if number.fract() == 0.0 && (0.0..=65_535.0).contains(number) => Some(*number as u16),
        Some(_) => None,
    };
    number.map(Some).ok_or_else(|| wrong(&format!("the option {key} is a whole number from 0 to 65535")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)] // tests
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer::new(|_| {})
    }

    fn array(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Array(values.into_iter().collect())
    }

    fn urls(urls: Value) -> Value {
        Value::dictionary([("urls", urls)])
    }

    #[test]
    fn ice_servers() {
        let initialize = |servers| peer().initialize(&Value::dictionary([("iceServers", servers)]));
        let stun = || Value::from("stun:192.0.2.1");
        assert_eq!(peer().initialize(&Value::Nil), error::OK);
        assert_eq!(initialize(array([urls(stun())])), error::OK);
        assert_eq!(initialize(array([urls(array([stun(), stun()]))])), error::OK);
        assert_eq!(initialize(Value::Int(7)), error::OK, "no array: passed over");
        let user = Value::dictionary([("urls", stun()), ("username", Value::Int(7))]);
        for entry in [
            Value::Int(7),
            Value::dictionary([]),
            urls(Value::Int(7)),
            urls(array([Value::Int(7)])),
            urls("stun.example.org".into()),
            urls("turn:192.0.2.1".into()),
            user,
        ] {
            assert_eq!(initialize(array([entry.clone()])), 31, "{entry:?}");
        }
    }

    /// What a peer with this policy signals within its first polls; nothing when it refuses it.
    fn signalled(policy: Option<Value>) -> Option<Vec<String>> {
        let mut peer = peer();
        let entries = policy.map(|policy| (Value::from("iceTransportPolicy"), policy));
        let code = peer.initialize(&Value::Dictionary(entries.into_iter().collect()));
        if code != error::OK {
            assert_eq!(code, 31);
            return None;
        }
        let _channel = peer.create_data_channel("x", &Value::Nil).unwrap();
        assert_eq!(peer.create_offer(), error::OK);
        let mut candidates = Vec::new();
        for _ in 0..3 {
            assert_eq!(peer.poll(), error::OK);
            while let Some(signal) = peer.next_signal() {
                match signal {
                    Signal::SessionDescriptionCreated { kind, sdp } => {
                        assert!(!sdp.contains("a=candidate"), "{sdp}");
                        assert_eq!(peer.set_local_description(&kind, &sdp), error::OK);
                    }
                    Signal::IceCandidateCreated { name, .. } => candidates.push(name),
                    Signal::DataChannelReceived(_) => {}
                }
            }
        }
        Some(candidates)
    }

    #[test]
    fn a_transport_policy_is_known_or_refused() {
        assert!(signalled(None).is_some_and(|candidates| !candidates.is_empty()));
        assert!(signalled(Some(Value::Nil)).is_some_and(|candidates| !candidates.is_empty()));
        assert!(signalled(Some("all".into())).is_some_and(|candidates| !candidates.is_empty()));
        assert_eq!(signalled(Some("relay".into())), Some(Vec::new()));
        for wrong in ["Relay", "RELAY", "relay ", "none", ""] {
            assert_eq!(signalled(Some(wrong.into())), None, "{wrong:?}");
        }
        for wrong in [Value::Int(1), Value::Bool(true), Value::Real(1.0), array(["relay".into()]), Value::Other] {
            assert_eq!(signalled(Some(wrong.clone())), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_refused_configuration_leaves_the_peer_as_it_was() {
        let mut peer = peer();
        let channel = peer.create_data_channel("x", &Value::Nil).unwrap();
        assert_eq!(peer.create_offer(), error::OK);
        let state = peer.connection_state();
        assert_eq!(peer.initialize(&Value::dictionary([("iceTransportPolicy", "Relay".into())])), 31);
        assert_eq!(peer.connection_state(), state);
        assert_eq!(peer.poll(), error::OK);
        assert!(matches!(peer.next_signal(), Some(Signal::SessionDescriptionCreated { .. })));
        drop(channel);
    }

    #[test]
    fn options_of_a_channel() {
        let made =
            |key: &str, value: Value| peer().create_data_channel("x", &Value::dictionary([(key, value)])).is_some();
        assert!(made("ordered", Value::Bool(false)) && made("ordered", Value::Int(0)) && made("ordered", Value::Nil));
        assert!(made("maxRetransmits", Value::Int(3)) && made("maxRetransmits", Value::Real(3.0)));
        assert!(made("maxPacketLifeTime", Value::Int(3)) && made("maxPacketLifetime", Value::Int(3)));
        assert!(made("protocol", "p".into()) && made("unknown", Value::Other));
        for key in ["ordered", "negotiated"] {
            assert!(!made(key, "true".into()), "{key}");
        }
        for value in [Value::Int(-1), Value::Int(65_536), Value::Real(0.5), Value::Real(f64::NAN), "3".into()] {
            assert!(!made("maxRetransmits", value.clone()) && !made("maxPacketLifeTime", value.clone()), "{value:?}");
        }
        assert!(!made("protocol", Value::Int(1)));
    }
}
