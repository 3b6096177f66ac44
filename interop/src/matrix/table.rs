//! What a case plays on: two seats with peers in them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_netlab::coturn::USER;
use weft_netlab::relay::Bad;

use super::lane::Lane;
use crate::detour::Detour;
use crate::ensure;
use crate::failure::{Failure, Outcome};
use crate::native::Process;
use crate::pair::{Handles, Pair, Role};
use crate::peer::{ChannelInit, Command, Message, Peer, Transcript};
use crate::stacks::Stack;

/// From the first command to the open channel: most stacks take a fraction of a second, those behind dead candidates longer.
pub const CONNECT: Duration = Duration::from_secs(30);
/// For a few messages there and back.
pub const ECHO: Duration = Duration::from_secs(15);
/// How long a peer may take to end in an orderly way.
const QUIT: Duration = Duration::from_secs(10);
/// How long a command may take that configures a peer.
const ASK: Duration = Duration::from_secs(15);
/// Both seats.
pub const BOTH: [Role; 2] = [Role::Offerer, Role::Answerer];

/// How the peers of a case are set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    /// Whether candidates travel apart: required or forbidden; otherwise as the peer can.
    pub trickle: Option<bool>,
    /// Addresses are hidden behind mDNS names, where a peer can do that.
    pub mdns: bool,
    /// The seeded relay is between the two.
    pub bad: Option<Bad>,
    /// Only relayed candidates, of a TURN server that is reached over `udp`, `tcp` or `tls`.
    pub turn: Option<&'static str>,
}

/// One case's table.
#[derive(Debug)]
pub struct Table<'l> {
    lane: &'l mut Lane,
    stacks: [&'static Stack; 2],
    pair: Option<Pair>,
    processes: Vec<Process>,
    transcripts: Vec<Transcript>,
    /// Who said what of itself: the stack and its version.
    pub versions: [Option<String>; 2],
}

impl<'l> Table<'l> {
    /// An empty one.
    pub fn new(lane: &'l mut Lane, offerer: &'static Stack, answerer: &'static Stack) -> Self {
        let stacks = [offerer, answerer];
        Self { lane, stacks, pair: None, processes: Vec::new(), transcripts: Vec::new(), versions: [None, None] }
    }

    /// Who sits in a seat.
    pub fn stack(&self, role: Role) -> &'static Stack {
        match role {
            Role::Offerer => self.stacks[0],
            Role::Answerer => self.stacks[1],
        }
    }

    /// Whether Weft sits in one of them.
    pub fn has_weft(&self) -> bool {
        self.stacks.iter().any(|stack| stack.is_weft())
    }

    /// Seats two peers, configured. Those of an earlier call have to have quit.
    pub async fn seat(&mut self, setup: Setup) -> Outcome<&mut Pair> {
        let servers = match setup.turn {
            Some(transport) => Some(self.servers(transport)?),
            None => None,
        };
        self.pair = None;
        self.processes.clear();
        let [mut offerer, mut answerer] = self.peers(setup.mdns).await?;
        let mut hidden = false;
        for (peer, role) in [&mut offerer, &mut answerer].into_iter().zip(BOTH) {
            hidden |= configure(peer, setup, servers.as_ref(), self.stack(role).browser).await?;
        }
        if setup.mdns && !hidden {
            let name = self.stacks.iter().find(|stack| !stack.is_weft()).unwrap_or(&self.stacks[0]).name;
            return Err(Failure::unsupported(name, "neither side hides its addresses behind mDNS names"));
        }
        let mut pair = Pair::new(offerer, answerer);
        if let Some(bad) = setup.bad {
            pair.set_detour(Detour::new(self.lane.network().gateway.into(), bad, 1));
        }
        Ok(self.pair.insert(pair))
    }

    /// Starts a peer in each seat.
    async fn peers(&mut self, hidden: bool) -> Outcome<[Peer; 2]> {
        let names = BOTH.map(|role| {
            let seat = if role == Role::Offerer { "offerer" } else { "answerer" };
            format!("{seat} {}", self.stack(role).name)
        });
        if self.transcripts.is_empty() {
            self.transcripts = names.iter().map(|name| Transcript::new(name)).collect();
        }
        let [here, there] = self.transcripts.as_slice() else { return Err(Failure::new("there are no transcripts")) };
        let [offerer, answerer] = self.stacks;
        self.lane.container(Role::Offerer, offerer, hidden, here).await?;
        self.lane.container(Role::Answerer, answerer, hidden, there).await?;
        let [offers, answers] = &names;
        let (offerer, answerer) = tokio::try_join!(
            self.lane.at(Role::Offerer)?.peer(offers, here.clone()),
            self.lane.at(Role::Answerer)?.peer(answers, there.clone()),
        )?;
        self.versions = [Some(offerer.1.view().stack()), Some(answerer.1.view().stack())];
        self.processes = vec![offerer.0, answerer.0];
        Ok([offerer.1, answerer.1])
    }

    /// What to configure for relayed candidates alone.
    fn servers(&mut self, transport: &str) -> Outcome<Value> {
        let coturn = self.lane.coturn()?;
        let url = match transport {
            "tls" => format!("turns:{}?transport=tcp", coturn.tls_address()),
            _ => format!("turn:{}?transport={transport}", coturn.address()),
        };
        Ok(json!([{"urls": [url], "username": USER.0, "credential": USER.1}]))
    }

    /// The pair that was seated.
    pub fn pair(&mut self) -> Outcome<&mut Pair> {
        self.pair.as_mut().ok_or_else(|| Failure::new("the case has seated no pair"))
    }

    /// Seats, connects, and opens a first channel.
    pub async fn connected(&mut self, setup: Setup) -> Outcome<(&mut Pair, Handles)> {
        let pair = self.seat(setup).await?;
        let init = ChannelInit { handle: "first", label: "first", ..ChannelInit::default() };
        let handles = pair.connect(&init, CONNECT).await?;
        Ok((pair, handles))
    }

    /// Kills the container of a seat without a word.
    pub async fn kill(&mut self, role: Role) -> Outcome<Instant> {
        self.pair()?.let_die(role);
        self.lane.kill(role).await;
        Ok(Instant::now())
    }

    /// Ends both peers in an orderly way, which is part of every case.
    pub async fn finish(&mut self) -> Outcome {
        if let Some(mut pair) = self.pair.take() {
            let ended = pair.quit(QUIT).await;
            self.pair = Some(pair);
            ended?;
        }
        let mourns = self.pair.as_ref().is_some_and(|pair| pair.mourned().is_some());
        for process in self.processes.drain(..) {
            let ended = process.finish(QUIT).await;
            if !mourns {
                ended?;
            }
        }
        Ok(())
    }

    /// Where both sides stand, for a person.
    pub fn describe(&self) -> String {
        self.pair.as_ref().map(|pair| format!("{:#}", pair.describe())).unwrap_or_default()
    }

    /// The descriptions that were exchanged, by who made them.
    pub fn descriptions(&self) -> Vec<(String, String)> {
        let Some(pair) = &self.pair else { return Vec::new() };
        BOTH.into_iter()
            .flat_map(|role| {
                let stack = self.stack(role).name;
                let made = pair.view(role).descriptions.iter();
                made.map(move |made| (format!("{stack}: {}", made.kind), made.sdp.clone()))
            })
            .collect()
    }

    /// Everything that was said.
    pub fn transcripts(&self) -> &[Transcript] {
        &self.transcripts
    }
}

/// Configures a peer; whether its addresses are hidden.
async fn configure(peer: &mut Peer, setup: Setup, servers: Option<&Value>, browser: bool) -> Outcome<bool> {
    let mut command = Command::new("configure");
    if let Some(servers) = servers {
        command = command.with("ice_servers", servers.clone()).with("transport_policy", "relay");
    }
    if let Some(trickle) = setup.trickle {
        peer.ask(command.with("trickle", trickle)).await?;
    } else if peer.try_ask(command.clone().with("trickle", true), ASK).await?.is_err() {
        peer.ask(command.with("trickle", false)).await?;
    }
    if !setup.mdns || browser {
        return Ok(setup.mdns);
    }
    Ok(peer.try_ask(Command::new("configure").with("mdns", true), ASK).await?.is_ok())
}

/// Sends a text over a channel in both directions and waits for it.
pub async fn say(pair: &mut Pair, handles: &Handles, text: &str) -> Outcome {
    for role in BOTH {
        pair.peer(role).send(handles.at(role), ("text", json!(text))).await?;
    }
    for role in BOTH {
        let handle = handles.at(role);
        let message = Message::Text(text.to_owned());
        let what = format!("the text {text:?} on channel {handle} at the {role:?}");
        pair.until(&what, ECHO, |pair| {
            pair.view(role).channel(handle).is_some_and(|channel| channel.messages.contains(&message)).then_some(())
        })
        .await?;
    }
    Ok(())
}

/// Waits until a channel is closed at one side.
pub async fn closed(pair: &mut Pair, role: Role, handle: &str, limit: Duration) -> Outcome {
    pair.until(&format!("channel {handle} closed at the {role:?}"), limit, |pair| {
        pair.view(role).channel(handle)?.is_closed().then_some(())
    })
    .await
}

/// Asks both sides in turn for something that one of them has to do; an answer `Unsupported` leaves it to the other.
pub async fn one_of(pair: &mut Pair, command: &Command) -> Outcome<Role> {
    let mut last = None;
    for role in BOTH {
        match pair.peer(role).try_ask(command.clone(), ASK).await? {
            Ok(_) => return Ok(role),
            Err(refusal) => {
                let name = pair.peer(role).name().to_owned();
                ensure!(refusal.kind == "Unsupported", "{name} refused: {}: {}", refusal.kind, refusal.message);
                // Weft is not let off: of two that cannot, the other is named only if it is not Weft's fault too.
                if last.is_none() || name.ends_with(" weft") {
                    last = Some(Failure::unsupported(&name, format!("{name} cannot: {}", refusal.message)));
                }
            }
        }
    }
    Err(last.unwrap_or_else(|| Failure::new("nobody was asked")))
}
