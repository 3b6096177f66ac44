//! The peer connection without I/O: datagrams and time in, datagrams and events out.
//!
//! [`PeerConnection`] composes the layers and holds no protocol of its own:
//!
//! ```text
//!  datagram in ──► ICE ──► first byte (RFC 7983) ──► DTLS opens in place ──► SCTP ──► messages
//!  messages ──► SCTP writes chunks ──► DTLS seals in place ──► batch, by the selected path ──► datagrams out
//! ```

mod association;
mod candidates;
mod channel;
mod configure;
mod generation;
mod input;
#[cfg(feature = "metrics")]
mod meter;
mod negotiate;
mod output;
mod pieces;
mod renegotiate;
mod report;
mod settle;
mod snap;
mod stats;
mod tally;
mod tidy;

use std::collections::VecDeque;
use std::sync::Arc;

use weft_core::{Instant, Path, Rng, Seed};
use weft_dtls::Certificate;
use weft_ice::Agent;
use weft_sctp::DataChannels;
use weft_sdp::jsep::{IceCandidate, Negotiator, NegotiatorConfig, SignalingState};
use weft_stun::ServerUrl;

use crate::capture::Interface;
use crate::config::Config;
use crate::error::Error;
use crate::event::{ConnectionState, DtlsState, Event, GatheringState, IceConnectionState, Request, SctpState};
use crate::shared_config::{SharedConfig, sdp_limits};
use association::Terms;
pub use channel::{DataChannelInit, Message, MessageKind, Reliability};
use generation::Generations;
pub use negotiate::OfferOptions;
pub use report::{
    CandidateStats, CertificateStats, DataChannelStats, PairTraffic, SctpTransportStats, StatsReport, TransportStats,
};
pub use stats::{Stats, Timeline};
use tally::Tally;
pub use tally::Traffic;

/// A WebRTC peer connection with data channels, as a value.
///
/// # Order of calls
/// Hand in everything that arrived ([`handle_input`](Self::handle_input)) and let due timers fire
/// ([`handle_timeout`](Self::handle_timeout)); then drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), and sleep until [`poll_timeout`](Self::poll_timeout). Every other call may make
/// something to transmit, so drain after those too.
///
/// # Logging
/// It logs with `tracing` and makes no span, as it would have to enter it for each datagram. Whoever drives many enters one
/// around the calls, as the drivers of this crate do:
/// `tracing::info_span!("peer_connection", ufrag = connection.ice_ufrag())`.
#[derive(Debug)]
pub struct PeerConnection {
    config: SharedConfig,
    certificate: Arc<Certificate>,
    seed: Seed,
    negotiator: Negotiator,
    generations: Generations,
    ice: Agent,
    dtls: Dtls,
    /// What `dtls` was made for.
    dtls_terms: Option<Terms>,
    /// A new DTLS connection waits for the pair of the ICE session that came with it.
    await_pair: bool,
    channels: DataChannels,
    /// Our INIT chunk, where SNAP is spoken.
    own_init: Option<weft_sdp::SctpInit>,
    /// A channel was created, so that a data section is wanted.
    channels_wanted: bool,
    /// `[[LocalIceCredentialsToReplace]]`: the user name fragments that an offer must not have.
    to_replace: Vec<String>,
    /// The same, because other servers or another policy were set; no offer is needed for that alone.
    outdated: Vec<String>,
    /// When room that setting up took is given back.
    tidy_at: Option<Instant>,
    /// When channels end because ICE failed and did not restart.
    restart_by: Option<Instant>,
    /// Where data went last.
    path: Option<Path>,
    sockets: candidates::Sockets,
    unresolved: candidates::Unresolved,
    /// DTLS datagrams that came before there was a connection for them: the peer knew first that a path works.
    early_dtls: Vec<Vec<u8>>,
    /// Candidates that came before the description they belong to.
    early_candidates: Vec<IceCandidate>,
    states: States,
    events: VecDeque<Event>,
    /// What the driver is to do.
    requests: VecDeque<Request>,
    timeline: Timeline,
    counters: Counters,
    /// What `counters` have that is not data of the selected pair.
    not_of_pair: PairTraffic,
    tally: Tally,
    #[cfg(feature = "metrics")]
    meter: crate::metrics::Meter,
    /// Where SCTP packets are written to.
    capture: Option<Interface>,
    /// What the servers are called in our settings.
    servers: Vec<(weft_ice::ServerId, ServerUrl)>,
}

/// Where DTLS is.
#[derive(Debug)]
enum Dtls {
    /// Role or fingerprints are not known yet, or no path works.
    Waiting,
    /// Handshake or traffic.
    Running(Box<weft_dtls::Connection>),
    /// Closed or failed; it may still have an alert to send.
    Ended(Option<Box<weft_dtls::Connection>>),
}

/// States as last reported.
#[derive(Clone, Copy, Debug)]
struct States {
    signaling: SignalingState,
    gathering: GatheringState,
    ice: IceConnectionState,
    dtls: DtlsState,
    sctp: Option<SctpState>,
    connection: ConnectionState,
    negotiation_needed: bool,
    closed: bool,
}

/// What arrived and was dropped here, between the layers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams whose first byte is neither STUN's nor DTLS's (RFC 7983 section 7).
    pub unknown_first_byte: u64,
    /// DTLS datagrams that came before there was a DTLS connection, beyond the few that are kept for it.
    pub early_dtls: u64,
    /// Remote candidates of kinds not supported (TCP with simultaneous open, names that were not resolved), or more than are
    /// kept.
    pub ignored_candidates: u64,
    /// UDP payload bytes in.
    pub bytes_received: u64,
    /// UDP payload bytes out.
    pub bytes_sent: u64,
    /// Datagrams in.
    pub datagrams_received: u64,
    /// Datagrams out.
    pub datagrams_sent: u64,
    /// How often data went on to another pair, the first included.
    pub selected_pair_changes: u64,
}

impl PeerConnection {
    /// A new peer connection. `rng` must be seeded from the operating system's entropy, except in tests.
    ///
    /// # Errors
    /// [`Error::Config`] when a setting is out of its range, [`Error::Certificate`] when a certificate cannot be made.
    pub fn new(now: Instant, config: impl Into<SharedConfig>, mut rng: Rng) -> Result<Self, Error> {
        let config = config.into();
        config.validate()?;
        let certificate = match &config.certificate {
            Some(certificate) => Arc::clone(certificate),
            None => Arc::new(Certificate::generate().map_err(|e| Error::Certificate(e.to_string()))?),
        };
        let mut ice = Agent::new(config.ice(), weft_ice::Role::Controlling, rng.fork());
        let mut servers = Vec::new();
        for server in &config.ice_servers {
            for url in &server.urls {
                let added = weft_ice::Server::from_url(url, server.credentials.clone());
                match added.and_then(|server| ice.add_server(now, server)) {
                    Ok(id) => servers.push((id, url.clone())),
                    Err(error) => tracing::debug!(%url, %error, "server not taken"),
                }
            }
        }
        let channels = DataChannels::new(config.sctp(), rng.fork());
        let generations = Generations::new(ice.local_credentials().clone());
        let mut negotiating = NegotiatorConfig::new(rng.u64());
        negotiating.limits = sdp_limits(&config);
        let capture = config.capture.as_ref().map(|capture| capture.interface(ice.local_credentials().ufrag()));
        Ok(Self {
            certificate,
            negotiator: Negotiator::new(negotiating),
            generations,
            ice,
            dtls: Dtls::Waiting,
            dtls_terms: None,
            await_pair: false,
            own_init: Self::init_of(&config, &channels),
            channels,
            channels_wanted: false,
            to_replace: Vec::new(),
            outdated: Vec::new(),
            tidy_at: None,
            restart_by: None,
            path: None,
            sockets: candidates::Sockets::default(),
            unresolved: candidates::Unresolved::default(),
            early_dtls: Vec::new(),
            early_candidates: Vec::new(),
            states: States::default(),
            events: VecDeque::new(),
            requests: VecDeque::new(),
            timeline: Timeline { created: now, ..Timeline::default() },
            counters: Counters::default(),
            not_of_pair: PairTraffic::default(),
            tally: Tally::default(),
            #[cfg(feature = "metrics")]
            meter: crate::metrics::Meter::new(now),
            capture,
            servers,
            seed: Seed::draw(&mut rng),
            config,
        })
    }

    /// `signalingState`.
    pub fn signaling_state(&self) -> SignalingState {
        self.states.signaling
    }

    /// `iceGatheringState`.
    pub fn gathering_state(&self) -> GatheringState {
        self.states.gathering
    }

    /// `iceConnectionState`.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.states.ice
    }

    /// `connectionState`.
    pub fn connection_state(&self) -> ConnectionState {
        self.states.connection
    }

    /// `RTCIceTransport.role`: which side nominates.
    pub fn ice_role(&self) -> weft_ice::Role {
        self.ice.role()
    }

    /// The user name fragment that checks of the peer name now; another one after each restart of ICE. For drivers that
    /// serve many connections with one socket.
    pub fn ice_ufrag(&self) -> &str {
        self.ice.local_credentials().ufrag()
    }

    /// Whether something authentic has come by `path`: what else comes by it is for this connection.
    pub fn is_validated(&self, path: &Path) -> bool {
        self.ice.is_validated(path)
    }

    /// `path` belongs to another connection behind the same socket: this one does not use it.
    pub fn forbid_path(&mut self, now: Instant, path: Path) {
        self.ice.forbid_path(now, path);
        self.settle(now);
    }

    /// State of the DTLS transport.
    pub fn dtls_state(&self) -> DtlsState {
        self.states.dtls
    }

    /// State of the SCTP transport; `None` before it was negotiated.
    pub fn sctp_state(&self) -> Option<SctpState> {
        self.states.sctp
    }

    /// `[[NegotiationNeeded]]`: an offer should be made.
    pub fn negotiation_needed(&self) -> bool {
        self.states.negotiation_needed
    }

    /// Our certificate.
    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }

    /// Its settings, as it was made with them or as [`set_configuration`](Self::set_configuration) changed them.
    pub fn config(&self) -> &Config {
        &self.config
    }

    #[cfg(feature = "net")]
    pub(crate) fn shared_config(&self) -> SharedConfig {
        self.config.clone()
    }

    /// Closes the connection: what is queued is dropped, the peer is told at once (SCTP ABORT, DTLS close_notify), and
    /// nothing more is reported. Drain [`poll_transmit`](Self::poll_transmit) once more to let the farewell out. To lose
    /// nothing, close the channels and wait for their `Closed` first.
    pub fn close(&mut self, now: Instant) {
        if self.states.closed {
            return;
        }
        #[cfg(feature = "metrics")]
        self.tell(now);
        self.states.closed = true;
        self.channels.abort(now);
        self.negotiator.close();
        self.states.signaling = SignalingState::Closed;
        self.states.ice = IceConnectionState::Closed;
        self.states.connection = ConnectionState::Closed;
        self.states.sctp = self.states.sctp.map(|_| SctpState::Closed);
        self.states.dtls = DtlsState::Closed;
        self.events.clear();
        #[cfg(feature = "metrics")]
        self.measure(now);
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.states.closed
    }
}

impl Default for States {
    fn default() -> Self {
        Self {
            signaling: SignalingState::Stable,
            gathering: GatheringState::New,
            ice: IceConnectionState::New,
            dtls: DtlsState::New,
            sctp: None,
            connection: ConnectionState::New,
            negotiation_needed: false,
            closed: false,
        }
    }
}
