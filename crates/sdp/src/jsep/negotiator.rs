//! The signaling state machine (RFC 8829 3.2 and 4.1).

use super::build::{self, Built};
use super::description::{Description, SdpType};
use super::error::{NegotiationError, Operation};
use super::known::Known;
use super::pack::Packed;
use super::parameters::{LocalParameters, RemoteParameters};
use super::read;
use super::state::{Side, SignalingState};
use crate::config::Limits;
use crate::wire::{Connection, DtlsRole, Origin, Session, Setup};

/// How a [`Negotiator`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatorConfig {
    /// The session id of all descriptions: 63 random bits (RFC 8829 5.2.1). What is above is cut off.
    pub session_id: u64,
    /// How large a remote description may be.
    pub limits: Limits,
    /// Whether a remote offer that meets a local one rolls that back, as the W3C asks for, rather than being refused.
    pub implicit_rollback: bool,
}

impl NegotiatorConfig {
    /// The default limits, and implicit rollback.
    pub fn new(session_id: u64) -> Self {
        Self { session_id, limits: Limits::DEFAULT, implicit_rollback: true }
    }
}

/// A remote description that was applied.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) kind: SdpType,
    pub(super) session: Session,
    pub(super) data: Option<RemoteParameters>,
    /// What candidates that follow are compared with, once the first does.
    pub(super) known: Option<Box<Known>>,
}

/// A local description that was created or applied.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub(super) kind: SdpType,
    pub(super) built: Built,
    /// As of [`Remote`].
    pub(super) known: Option<Box<Known>>,
}

/// What is in force, and what is proposed.
#[derive(Debug, Clone)]
pub(super) struct Slots<T> {
    pub(super) current: Option<Box<T>>,
    pub(super) pending: Option<Box<T>>,
}

impl<T> Slots<T> {
    fn new() -> Self {
        Self { current: None, pending: None }
    }

    pub(super) fn latest(&self) -> Option<&T> {
        self.pending.as_deref().or(self.current.as_deref())
    }
}

/// Makes offers and answers, applies them, and keeps what was agreed.
#[derive(Debug, Clone)]
pub struct Negotiator {
    config: NegotiatorConfig,
    pub(super) state: SignalingState,
    pub(super) local: Slots<Local>,
    pub(super) remote: Slots<Remote>,
    /// What is in force, while nothing is proposed and nobody looks at it.
    pub(super) packed: Option<Box<Packed>>,
    created_offer: Option<Box<Built>>,
    created_answer: Option<Box<Built>>,
    /// Hash of the description created last, whose version the next one continues.
    last: Option<u64>,
    version: u64,
    role: Option<DtlsRole>,
}

/// What applying a local description brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalApplied {
    /// The state now.
    pub state: SignalingState,
    /// Whether there is a data section in use, as far as this side can tell.
    pub data: bool,
    /// Whether the ICE credentials are other than those in force (RFC 8445 9).
    pub ice_restart: bool,
}

/// What applying a remote description brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteApplied {
    /// The state now.
    pub state: SignalingState,
    /// Whether a local offer was taken back for this.
    pub rolled_back: bool,
    /// What the peer says about its data section; none when it has none in use, or after a rollback to nothing.
    pub data: Option<RemoteParameters>,
    /// Whether the peer's ICE credentials are other than those applied before (RFC 8445 9).
    pub ice_restart: bool,
    /// Whether this asks for a new DTLS association (RFC 8842 3.1), as the first does: fingerprints, the TLS id or, in an offer,
    /// the roles are other than those in force. An answer that changes the role alone does not: its sender must not have done
    /// so (RFC 8842 5.3), and the roles stay.
    pub new_dtls_association: bool,
}

impl Negotiator {
    /// A negotiator in state [`Stable`](SignalingState::Stable), with nothing agreed.
    pub fn new(config: NegotiatorConfig) -> Self {
        Self {
            config,
            state: SignalingState::Stable,
            local: Slots::new(),
            remote: Slots::new(),
            packed: None,
            created_offer: None,
            created_answer: None,
            last: None,
            version: 0,
            role: None,
        }
    }

    /// The signaling state.
    pub fn signaling_state(&self) -> SignalingState {
        self.state
    }

    /// What the peer says about its data section, in its latest description.
    pub fn remote(&self) -> Option<&RemoteParameters> {
        match &self.packed {
            Some(packed) => packed.data(),
            None => self.remote.latest().and_then(|remote| remote.data.as_ref()),
        }
    }

    /// What the peer says about its data section in the description that is in force: that of the last answer, provisional
    /// ones included, and never an offer's that still waits for one.
    pub fn agreed(&self) -> Option<&RemoteParameters> {
        match self.state {
            SignalingState::HaveLocalPrAnswer | SignalingState::HaveRemotePrAnswer => self.remote(),
            _ if self.packed.is_some() => self.remote(),
            _ => self.remote.current.as_ref().and_then(|remote| remote.data.as_ref()),
        }
    }

    /// User name fragment and password of our latest description, if it has a data section.
    pub fn local_credentials(&self) -> Option<(&str, &str)> {
        match &self.packed {
            Some(packed) => packed.credentials(),
            None => self.local.latest().and_then(|local| local.built.credentials()),
        }
    }

    /// User name fragment and password of our description in force, if it has a data section.
    pub fn current_local_credentials(&self) -> Option<(&str, &str)> {
        match &self.packed {
            Some(_) => self.local_credentials(),
            None => self.local.current.as_ref().and_then(|local| local.built.credentials()),
        }
    }

    /// Whether an exchange of descriptions was completed.
    pub fn is_negotiated(&self) -> bool {
        self.packed.is_some() || self.local.current.is_some()
    }

    /// Whether an answer to the remote offer needs new ICE credentials (RFC 8839 4.4.2.1).
    pub fn answer_restarts_ice(&self) -> bool {
        let pending = self.remote.pending.as_ref().and_then(|remote| remote.data.as_ref());
        let current = self.remote.current.as_ref().and_then(|remote| remote.data.as_ref());
        self.current_local_credentials().is_some()
            && pending.zip(current).is_some_and(|(pending, current)| !pending.same_ice_session(current))
    }

    /// This side's part in the DTLS handshake, once an answer is applied.
    pub fn dtls_role(&self) -> Option<DtlsRole> {
        self.role
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Creates an offer (RFC 8829 5.2). New ICE credentials in `local` make it a restart of ICE.
    ///
    /// # Errors
    /// The state does not allow an offer, or the parameters do not make one.
    pub fn create_offer(&mut self, local: &LocalParameters) -> Result<Description, NegotiationError> {
        if !matches!(self.state, SignalingState::Stable | SignalingState::HaveLocalOffer) {
            return Err(self.wrong_state(Operation::CreateOffer));
        }
        build::check(local)?;
        self.unpack();
        let previous = self.local.current.as_ref().map(|local| &local.built);
        let built = build::offer(self.origin(), previous, local);
        let (built, sdp) = self.versioned(built);
        self.created_offer = Some(Box::new(built));
        Ok(Description::offer(sdp))
    }

    /// Creates an answer to the remote offer (RFC 8829 5.3). Use [`Description::provisional`] to apply and send it as
    /// a provisional one.
    ///
    /// # Errors
    /// There is no remote offer, the parameters do not make an answer, or their ICE credentials are old though the
    /// offer restarts ICE, or new though it does not.
    pub fn create_answer(&mut self, local: &LocalParameters) -> Result<Description, NegotiationError> {
        let pending = self.remote.pending.as_ref();
        let (SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPrAnswer, Some(offer)) = (self.state, pending)
        else {
            return Err(self.wrong_state(Operation::CreateAnswer));
        };
        build::check(local)?;
        let data = offer.data.as_ref();
        let setup = data.map_or(Setup::Active, |data| self.answered_role(data).into());
        let current = self.remote.current.as_ref().and_then(|current| current.data.as_ref());
        let ours = self.local.current.as_ref().and_then(|local| local.built.credentials());
        if let (Some(data), Some(current), Some((ufrag, pwd))) = (data, current, ours) {
            // RFC 8839 4.4.2.1: new credentials answer new ones, and the old ones the old.
            let restart = !data.same_ice_session(current);
            let renewed = ufrag != local.ufrag && pwd != local.pwd;
            let kept = ufrag == local.ufrag && pwd == local.pwd;
            if (restart && !renewed) || (!restart && !kept) {
                return Err(NegotiationError::LocalIceCredentials { restart });
            }
        }
        let built = build::answer(self.origin(), &offer.session, data, setup, local)?;
        let (built, sdp) = self.versioned(built);
        self.created_answer = Some(Box::new(built));
        Ok(Description::answer(sdp))
    }

    /// Applies a local description, as created; an empty text stands for the one created last. A rollback takes the
    /// pending offer back, local or remote.
    ///
    /// # Errors
    /// The state does not allow it, or it is not the description created last.
    pub fn set_local(&mut self, description: &Description) -> Result<LocalApplied, NegotiationError> {
        let kind = description.kind;
        let Some(state) = self.state.after(Side::Local, kind) else {
            return Err(self.wrong_state(Operation::SetLocal(kind)));
        };
        self.unpack();
        if kind == SdpType::Rollback {
            self.rollback();
            return Ok(LocalApplied { state, data: self.has_local_data(), ice_restart: false });
        }
        let created = if kind == SdpType::Offer { &self.created_offer } else { &self.created_answer };
        let Some(built) = created.as_deref().cloned() else { return Err(NegotiationError::NotCreated(kind)) };
        if !description.sdp.is_empty() {
            let session = Session::parse_within(&description.sdp, &self.config.limits)?;
            if session != built.session {
                return Err(NegotiationError::NotCreated(kind));
            }
        }
        let before = self.local.current.as_ref().and_then(|local| local.built.credentials());
        let ice_restart = before.zip(built.credentials()).is_some_and(|(before, now)| before != now);
        if kind != SdpType::Offer {
            let setup = built.section().and_then(|media| media.attribute("setup")).map(crate::wire::Attribute::parse);
            self.role = setup.transpose()?.and_then(role_of);
        }
        self.local.pending = Some(Box::new(Local { kind, built, known: None }));
        self.enter(state);
        Ok(LocalApplied { state, data: self.has_local_data(), ice_restart })
    }

    /// Applies a description of the peer's. A rollback takes the pending offer back, local or remote.
    ///
    /// # Errors
    /// The state does not allow it, the text is malformed or passes a limit, its data section lacks what WebRTC
    /// cannot do without, or it does not fit what it answers or continues.
    pub fn set_remote(&mut self, description: &Description) -> Result<RemoteApplied, NegotiationError> {
        let kind = description.kind;
        let rolled_back =
            kind == SdpType::Offer && self.state == SignalingState::HaveLocalOffer && self.config.implicit_rollback;
        let from = if rolled_back { SignalingState::Stable } else { self.state };
        let Some(state) = from.after(Side::Remote, kind) else {
            return Err(self.wrong_state(Operation::SetRemote(kind)));
        };
        self.unpack();
        if kind == SdpType::Rollback {
            let rolled_back = self.state == SignalingState::HaveLocalOffer;
            self.rollback();
            let data = self.remote().cloned();
            return Ok(RemoteApplied { state, rolled_back, data, ice_restart: false, new_dtls_association: false });
        }
        let session = Session::parse_within(&description.sdp, &self.config.limits)?;
        read::check_mids(&session)?;
        let data = read::data_parameters(&session, kind)?;
        if kind == SdpType::Offer {
            self.check_continues(&session)?;
        } else {
            self.check_answers(&session, data.as_ref(), kind)?;
        }

        let current = self.remote.current.as_ref().and_then(|current| current.data.as_ref());
        let keeps = current.zip(data.as_ref()).is_some_and(|(current, data)| current.same_dtls_association(data));
        let said = data.as_ref().and_then(|data| role_of(data.setup)).map(DtlsRole::opposite);
        // Firefox, Pion and webrtc-rs answer any actpass with active, whatever they are, and go on with the association there is.
        let role = if keeps && kind != SdpType::Offer { self.role.or(said) } else { said };
        let role_changes = role.is_some() && self.role.is_some() && role != self.role;
        let new_dtls_association = data.is_some() && (role_changes || !keeps);
        let continues_ice = current.zip(data.as_ref()).is_some_and(|(current, data)| current.same_ice_session(data));
        if new_dtls_association && continues_ice {
            return Err(NegotiationError::DtlsWithoutIceRestart(kind));
        }
        let known = self.remote();
        let ice_restart = known.zip(data.as_ref()).is_some_and(|(known, data)| !known.same_ice_session(data));
        let applied = RemoteApplied { state, rolled_back, data: data.clone(), ice_restart, new_dtls_association };

        if rolled_back {
            self.rollback();
        }
        if kind == SdpType::Offer {
            self.created_answer = None;
        } else {
            self.role = role;
        }
        self.remote.pending = Some(Box::new(Remote { kind, session, data, known: None }));
        self.enter(state);
        Ok(applied)
    }

    /// Ends it. Nothing is allowed from here on; what was agreed can still be read.
    pub fn close(&mut self) {
        self.state = SignalingState::Closed;
    }

    fn wrong_state(&self, operation: Operation) -> NegotiationError {
        NegotiationError::WrongState { operation, state: self.state }
    }

    fn origin(&self) -> Origin {
        // RFC 8829 5.2.1: less than 2^63 - 1.
        let session_id = self.config.session_id % (u64::MAX >> 1);
        Origin {
            username: "-".into(),
            session_id: session_id.to_string(),
            session_version: self.version.to_string(),
            address: Connection::unspecified(),
        }
    }

    /// RFC 8829 5.2.2: the version of a description that differs from the one created last is one higher. Gives its text,
    /// too.
    fn versioned(&mut self, mut built: Built) -> (Built, String) {
        let mut sdp = built.session.to_string();
        if self.last != Some(hash(&sdp)) {
            self.version += 1;
            built.session.origin.session_version = self.version.to_string();
            sdp = built.session.to_string();
            self.last = Some(hash(&sdp));
        }
        (built, sdp)
    }

    /// This side's part when it answers `offer`. An association that continues keeps its roles (RFC 8842 5.3).
    fn answered_role(&self, offer: &RemoteParameters) -> DtlsRole {
        let current = self.remote.current.as_ref().and_then(|current| current.data.as_ref());
        let continues = current.is_some_and(|current| current.same_dtls_association(offer));
        match role_of(offer.setup) {
            Some(theirs) => theirs.opposite(),
            None => self.role.filter(|_| continues).unwrap_or(DtlsRole::Client),
        }
    }

    fn check_continues(&self, offer: &Session) -> Result<(), NegotiationError> {
        match (&self.local.current, &self.remote.current) {
            (Some(local), Some(remote)) => read::check_subsequent_offer(&local.built.session, &remote.session, offer),
            _ => Ok(()),
        }
    }

    fn check_answers(
        &self,
        answer: &Session,
        data: Option<&RemoteParameters>,
        kind: SdpType,
    ) -> Result<(), NegotiationError> {
        let Some(offer) = self.local.pending.as_ref() else { return Ok(()) };
        read::check_answer(&offer.built.session, answer, kind)?;
        let ours = self.local.current.as_ref().and_then(|local| local.built.credentials());
        let theirs = self.remote.current.as_ref().and_then(|remote| remote.data.as_ref());
        let (Some(before), Some(offered), Some(theirs), Some(data)) = (ours, offer.built.credentials(), theirs, data)
        else {
            return Ok(());
        };
        // RFC 8829 5.10.
        match (before != offered, theirs.same_ice_session(data)) {
            (false, false) => Err(NegotiationError::UnexpectedIceRestart),
            (true, true) => Err(NegotiationError::IceRestartNotAnswered),
            _ => Ok(()),
        }
    }

    fn rollback(&mut self) {
        self.local.pending = None;
        self.remote.pending = None;
        self.created_answer = None;
        self.state = SignalingState::Stable;
    }

    fn enter(&mut self, state: SignalingState) {
        self.state = state;
        if state == SignalingState::Stable {
            self.local.current = self.local.pending.take();
            self.remote.current = self.remote.pending.take();
            self.created_offer = None;
            self.created_answer = None;
        }
    }

    fn has_local_data(&self) -> bool {
        self.local.latest().is_some_and(|local| local.built.data.is_some())
    }
}

fn hash(sdp: &str) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(sdp.as_bytes());
    hasher.finish()
}

/// The part of a side that writes this; none when it leaves it open.
fn role_of(setup: Setup) -> Option<DtlsRole> {
    match setup {
        Setup::Active => Some(DtlsRole::Client),
        Setup::Passive => Some(DtlsRole::Server),
        Setup::ActPass | Setup::HoldConn => None,
    }
}
