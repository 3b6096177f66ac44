//! Two peers and the signalling between them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::detour::Detour;
use crate::ensure;
use crate::failure::{Failure, Outcome};
use crate::peer::{Channel, ChannelInit, Command, Peer, View};

/// One seat of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It makes the offer.
    Offerer,
    /// It answers.
    Answerer,
}

impl Role {
    /// The other seat.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Offerer => Self::Answerer,
            Self::Answerer => Self::Offerer,
        }
    }
}

/// Two peers; what one signals is told to the other while anything is waited for.
#[derive(Debug)]
pub struct Pair {
    offerer: Peer,
    answerer: Peer,
    mourned: Option<Role>,
    detour: Option<Detour>,
}

impl Pair {
    /// Seats two peers.
    pub fn new(offerer: Peer, answerer: Peer) -> Self {
        Self { offerer, answerer, mourned: None, detour: None }
    }

    /// The peer in a seat.
    pub fn peer(&mut self, role: Role) -> &mut Peer {
        match role {
            Role::Offerer => &mut self.offerer,
            Role::Answerer => &mut self.answerer,
        }
    }

    /// What the peer in a seat has reported.
    pub fn view(&self, role: Role) -> &View {
        match role {
            Role::Offerer => self.offerer.view(),
            Role::Answerer => self.answerer.view(),
        }
    }

    fn name(&self, role: Role) -> &str {
        match role {
            Role::Offerer => self.offerer.name(),
            Role::Answerer => self.answerer.name(),
        }
    }

    /// From now on this one may end without that being a failure.
    pub fn let_die(&mut self, role: Role) {
        self.mourned = Some(role);
    }

    /// The one that may end.
    pub fn mourned(&self) -> Option<Role> {
        self.mourned
    }

    /// From now on candidates are rewritten, so that everything between the two goes this way.
    pub fn set_detour(&mut self, detour: Detour) {
        self.detour = Some(detour);
    }

    /// Waits until `ready` gives something, and carries the signalling meanwhile. `what` is what is waited for, in words
    /// that end the sentence "within 5 s, …".
    pub async fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut(&Self) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + limit;
        loop {
            self.relay().await?;
            if let Some(value) = ready(self) {
                return Ok(value);
            }
            for role in [Role::Offerer, Role::Answerer] {
                if self.mourned == Some(role) {
                    continue;
                }
                if let Some(how) = self.peer(role).ended().map(str::to_owned) {
                    return Err(Failure::new(format!("{} ended while {what} was waited for: {how}", self.name(role))));
                }
            }
            tokio::select! {
                taken = self.offerer.step() => taken?,
                taken = self.answerer.step() => taken?,
                () = sleep_until(deadline) => {
                    return Err(Failure::new(format!("expected within {} s: {what}", limit.as_secs_f64())));
                }
            }
        }
    }

    /// Hands on what either side has signalled.
    async fn relay(&mut self) -> Outcome {
        for role in [Role::Offerer, Role::Answerer] {
            while let Some(command) = self.peer(role).take_signal() {
                let command = match &mut self.detour {
                    Some(detour) => detour.rewrite(command)?,
                    None => Some(command),
                };
                if let Some(command) = command
                    && self.peer(role.other()).ended().is_none()
                {
                    self.peer(role.other()).tell(command).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes a channel at the offerer, connects, and waits until both sides have it open. Gives both handles.
    pub async fn connect(&mut self, init: &ChannelInit<'_>, limit: Duration) -> Outcome<Handles> {
        self.offerer.channel(init).await?;
        if init.negotiated.is_some() {
            self.answerer.channel(init).await?;
        }
        self.offerer.ask(Command::new("offer")).await?;
        self.opened(Role::Offerer, init, limit).await
    }

    /// Makes a channel at one side of a connected pair (at both when negotiated), and waits until both have it open.
    pub async fn add_channel(&mut self, by: Role, init: &ChannelInit<'_>, limit: Duration) -> Outcome<Handles> {
        self.peer(by).channel(init).await?;
        if init.negotiated.is_some() {
            self.peer(by.other()).channel(init).await?;
        }
        self.opened(by, init, limit).await
    }

    /// Waits until a channel that `by` made is open on both sides, and checks that both tell the same of it.
    pub async fn opened(&mut self, by: Role, init: &ChannelInit<'_>, limit: Duration) -> Outcome<Handles> {
        let handle = init.handle.to_owned();
        let find = |pair: &Self| {
            let there = pair.view(by.other());
            let there = if init.negotiated.is_some() { there.channel(&handle) } else { there.incoming(init.label) };
            let here = pair.view(by).channel(&handle)?.clone();
            (here.is_open() && there?.is_open()).then(|| (here, there.cloned()))
        };
        let what = format!("channel {:?} open on both sides", init.label);
        let (here, there) = self.until(&what, limit, find).await?;
        let there = there.ok_or_else(|| Failure::new("no channel at the other side"))?;
        let streams = [Role::Offerer, Role::Answerer].into_iter().all(|role| self.view(role).tells_streams());
        let told = |channel: &Channel| {
            let limits = (channel.ordered, channel.max_retransmits, channel.max_packet_life_time);
            let names = (channel.label.clone(), channel.protocol.clone());
            let stream = if streams { channel.stream } else { None };
            (names, there.reliability_told.then_some(limits), channel.negotiated, stream)
        };
        ensure!(
            told(&here) == told(&there),
            "both sides should tell the same of the channel (label, protocol, reliability, negotiated, stream): {:?} and {:?}",
            told(&here),
            told(&there)
        );
        ensure!(here.stream.is_some() || !streams, "the open channel has no stream number");
        let (offerer, answerer) = match by {
            Role::Offerer => (here.handle, there.handle),
            Role::Answerer => (there.handle, here.handle),
        };
        Ok(Handles { offerer, answerer })
    }

    /// Ends both peers in an orderly way.
    pub async fn quit(&mut self, limit: Duration) -> Outcome {
        for role in [Role::Offerer, Role::Answerer] {
            if self.mourned == Some(role) {
                continue;
            }
            if let Some(how) = self.peer(role).ended().map(str::to_owned) {
                return Err(Failure::new(format!("{} ended by itself: {how}", self.name(role))));
            }
            self.peer(role).quit(limit).await?;
        }
        Ok(())
    }

    /// What both sides have come to, for a person.
    pub fn describe(&self) -> Value {
        let side = |peer: &Peer| {
            let mut state = peer.view().state.clone();
            state.retain(|key, _| !key.contains("_local") && !key.contains("_remote") && key != "remote_certificates");
            let channels: Vec<String> = peer
                .view()
                .channels
                .iter()
                .map(|c| {
                    format!(
                        "{} {:?} stream {:?} {:?}, {} messages",
                        c.handle,
                        c.label,
                        c.stream,
                        c.phase,
                        c.messages.len()
                    )
                })
                .collect();
            let errors = &peer.view().transport_errors;
            json!({"state": state, "channels": channels, "transport_errors": errors, "ended": peer.ended()})
        };
        json!({self.offerer.name(): side(&self.offerer), self.answerer.name(): side(&self.answerer)})
    }
}

/// One channel's handle at either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handles {
    /// At the offerer.
    pub offerer: String,
    /// At the answerer.
    pub answerer: String,
}

impl Handles {
    /// The handle in a seat.
    pub fn at(&self, role: Role) -> &str {
        match role {
            Role::Offerer => &self.offerer,
            Role::Answerer => &self.answerer,
        }
    }
}
