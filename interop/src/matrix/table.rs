//! What a case plays on: two seats with peers in them.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use weft_netlab::coturn::{NAME, USER};
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
    /// One side is held to this version of DTLS.
    pub dtls: Option<&'static str>,
    /// One side is held to this group of DTLS.
    pub group: Option<&'static str>,
    /// One side has a certificate of this kind, by the peer protocol's name.
    pub certificate: Option<&'static str>,
    /// Weft, in one seat, changes its keys of DTLS after so many records.
    pub records_per_key: Option<u32>,
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
    finished: bool,
    /// Who does what the setup asks of one side.
    pub held: Vec<Role>,
    /// Of the certificate that was made for whom [`held`](Self::held) names first, as SDP writes it.
    pub fingerprint: Option<String>,
    /// Who said what of itself: the stack and its version.
    pub versions: [Option<String>; 2],
}

impl<'l> Table<'l> {
    /// An empty one.
    pub fn new(lane: &'l mut Lane, offerer: &'static Stack, answerer: &'static Stack) -> Self {
        let stacks = [offerer, answerer];
        Self {
            lane,
            stacks,
            pair: None,
            processes: Vec::new(),
            transcripts: Vec::new(),
            finished: false,
            held: Vec::new(),
            fingerprint: None,
            versions: [None, None],
        }
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
        self.finished = false;
        let peers = self.peers(setup.mdns).await?;
        let mut held = Vec::new();
        let mut refusal = None;
        let mut seated = Vec::new();
        for (mut peer, role) in peers.into_iter().zip(BOTH) {
            let (common, mut wish) = (common(setup, servers.as_ref()), wish(setup));
            if self.stack(role).browser && setup.mdns {
                held.push(role);
                wish.clear();
            }
            // One side is enough, but for names, which both may have.
            if !setup.mdns && !held.is_empty() {
                wish.clear();
            }
            if setup.records_per_key.is_some() && !self.stack(role).is_weft() {
                wish.clear();
            }
            if let (Some(algorithm), false) = (setup.certificate, wish.is_empty()) {
                match certificate(&mut peer, algorithm).await? {
                    Ok((pem, fingerprint)) => {
                        self.fingerprint = Some(fingerprint);
                        wish.insert("certificate_pem".to_owned(), pem);
                    }
                    Err(refused) => {
                        wish.clear();
                        refusal = refusal.filter(|_| !self.stack(role).is_weft()).or(Some(refused));
                    }
                }
            }
            match configure(&mut peer, &common, &wish, setup.trickle).await? {
                None if wish.is_empty() => {}
                None => held.push(role),
                // Of two that cannot, Weft is named: it is not let off.
                Some(refused) if refusal.is_none() || self.stack(role).is_weft() => refusal = Some(refused),
                Some(_) => {}
            }
            seated.push(peer);
        }
        if setup.records_per_key.is_some() && held.is_empty() && refusal.is_none() {
            let [offerer, _] = self.stacks;
            refusal = Some(Failure::unsupported(offerer.name, "neither side can be told when to change its keys"));
        }
        if let (true, Some(refusal)) = (held.is_empty(), refusal) {
            return Err(refusal);
        }
        if let Some(by) = held.first() {
            let follower = if *by == Role::Offerer { seated.last() } else { seated.first() };
            follower.map_or(Ok(()), |peer| follows(peer, setup))?;
        }
        self.held = held;
        let (Some(answerer), Some(offerer)) = (seated.pop(), seated.pop()) else {
            return Err(Failure::new("a seat is empty"));
        };
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
        self.lane.arrange(offerer, answerer);
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
            // By name: Firefox opens no connection over TLS to a server that is named by its address.
            "tls" => format!("turns:{NAME}:{}?transport=tcp", coturn.tls_address().port()),
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
        self.seat(setup).await?;
        self.open().await
    }

    /// Connects the pair that is seated, and opens a first channel.
    pub async fn open(&mut self) -> Outcome<(&mut Pair, Handles)> {
        let pair = self.pair()?;
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
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        if let Some(pair) = &mut self.pair {
            pair.quit(QUIT).await?;
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

/// Fields that every peer is configured with.
fn common(setup: Setup, servers: Option<&Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(servers) = servers {
        fields.insert("ice_servers".to_owned(), servers.clone());
        fields.insert("transport_policy".to_owned(), "relay".into());
    }
    fields.extend(setup.trickle.map(|trickle| ("trickle".to_owned(), trickle.into())));
    fields
}

/// Fields that one of two peers has to take.
fn wish(setup: Setup) -> Map<String, Value> {
    let mut fields = Map::new();
    if setup.mdns {
        fields.insert("mdns".to_owned(), true.into());
    }
    fields.extend(setup.dtls.map(|version| ("dtls".to_owned(), version.into())));
    // In 1.2 a client's groups are also the curves that it takes certificates on (RFC 8422 section 5.1), and everybody's
    // is on P-256.
    let also = ["P-256"].into_iter().filter(|also| setup.dtls == Some("1.2") && setup.group != Some(also));
    let groups = setup.group.map(|group| core::iter::once(group).chain(also).collect::<Vec<_>>());
    fields.extend(groups.map(|groups| ("groups".to_owned(), json!(groups))));
    fields.extend(setup.records_per_key.map(|records| ("dtls_records_per_key".to_owned(), records.into())));
    fields
}

/// Fails if a peer lists what it has of something, and what it is to follow to is not among it.
fn follows(peer: &Peer, setup: Setup) -> Outcome {
    for (start, wanted) in [("dtls-", setup.dtls), ("group-", setup.group)] {
        let (Some(wanted), Some(ready)) = (wanted, peer.view().ready.as_ref()) else { continue };
        let list = ready.get("supports").and_then(Value::as_array).into_iter().flatten();
        let list: Vec<&str> = list.filter_map(|word| word.as_str()?.strip_prefix(start)).collect();
        if !list.is_empty() && !list.contains(&wanted) {
            let text = format!("{} has {start}{} alone", peer.name(), list.join(", "));
            return Err(Failure::unsupported(peer.name(), text));
        }
    }
    Ok(())
}

/// Has a peer make a certificate, to be configured with it; or its refusal.
async fn certificate(peer: &mut Peer, algorithm: &str) -> Outcome<Result<(Value, String), Failure>> {
    match peer.try_ask(Command::new("certificate").with("algorithm", algorithm), ASK).await? {
        Ok(made) => {
            let pem = made.get("certificate_pem").cloned();
            let pem = pem.ok_or_else(|| Failure::new(format!("{} made a certificate without PEM", peer.name())))?;
            let first = made.get("fingerprints").and_then(|all| all.get(0));
            let of = |field| first.and_then(|first| first.get(field)).and_then(Value::as_str);
            let fingerprint = of("algorithm").zip(of("value")).map(|(algorithm, value)| format!("{algorithm} {value}"));
            let fingerprint =
                fingerprint.ok_or_else(|| Failure::new(format!("{} tells no fingerprint", peer.name())))?;
            Ok(Ok((pem, fingerprint)))
        }
        Err(refusal) => {
            let text = format!("{} refused: {}: {}", peer.name(), refusal.kind, refusal.message);
            ensure!(refusal.kind == "Unsupported", "{text}");
            Ok(Err(Failure::unsupported(peer.name(), text)))
        }
    }
}

/// Configures a peer in one command, with what is wished if it can do that; otherwise its refusal of the wish.
async fn configure(
    peer: &mut Peer,
    common: &Map<String, Value>,
    wished: &Map<String, Value>,
    trickle: Option<bool>,
) -> Outcome<Option<Failure>> {
    let mut refused = None;
    let wishes = if wished.is_empty() { vec![Map::new()] } else { vec![wished.clone(), Map::new()] };
    for wish in wishes {
        for trickles in [true, false].into_iter().filter(|trickles| trickle.is_none_or(|asked| asked == *trickles)) {
            let mut command = Command::new("configure").with("trickle", trickles);
            for (field, value) in common.iter().chain(&wish) {
                command = command.with(field, value.clone());
            }
            match peer.try_ask(command, ASK).await? {
                Ok(_) => return Ok(if wish.is_empty() && !wished.is_empty() { refused } else { None }),
                Err(refusal) => {
                    let text = format!("{} refused: {}: {}", peer.name(), refusal.kind, refusal.message);
                    ensure!(refusal.kind == "Unsupported", "{text}");
                    refused = Some(Failure::unsupported(peer.name(), text));
                }
            }
        }
    }
    Err(refused.unwrap_or_else(|| Failure::new("nothing was configured")))
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
