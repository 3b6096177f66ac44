//! The suite's end of one peer: commands out, events in, and what the events add up to.
//!
//! [`Peer`] does not know what carries its lines: see [`crate::native`] for a process and [`crate::browser`] for a page.

mod command;
mod transcript;
mod view;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use command::Command;
pub use transcript::{Direction, Transcript};
pub use view::{Channel, Counted, Description, Message, Phase, Sent, Streamed, View, at};

use crate::failure::{Doing, Failure, Outcome};

/// How long a command may take unless the caller says otherwise.
const COMMAND: Duration = Duration::from_secs(15);

/// What comes from a peer.
#[derive(Debug)]
pub enum Incoming {
    /// One line of the protocol.
    Line(String),
    /// The peer is gone; how, in words.
    End(String),
}

/// Both directions of the lines of one peer.
#[derive(Debug)]
pub struct Link {
    /// Lines to the peer, without the line feed. Dropping it is end of input.
    pub commands: mpsc::Sender<String>,
    /// What it says.
    pub incoming: mpsc::Receiver<Incoming>,
}

/// Why a command was not carried out: the peer's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The W3C exception's name, `Error` or `Unsupported`.
    pub kind: String,
    /// The reason.
    pub message: String,
}

/// The properties of a channel to be made; see the protocol's `channel` command.
#[derive(Debug, Clone, Default)]
pub struct ChannelInit<'a> {
    /// The handle by which the suite calls it.
    pub handle: &'a str,
    /// Its label.
    pub label: &'a str,
    /// Its subprotocol.
    pub protocol: &'a str,
    /// Whether messages may overtake each other.
    pub unordered: bool,
    /// How often a message is sent again at most.
    pub max_retransmits: Option<u16>,
    /// How long a message is tried at most, in milliseconds.
    pub max_packet_life_time: Option<u16>,
    /// The stream of a negotiated channel; none for one that is announced in band.
    pub negotiated: Option<u16>,
}

/// One peer connection, driven through the peer protocol.
#[derive(Debug)]
pub struct Peer {
    name: String,
    link: Option<mpsc::Sender<String>>,
    incoming: mpsc::Receiver<Incoming>,
    transcript: Transcript,
    view: View,
    next_id: u64,
    /// Commands that nobody waits for, by id: a refusal of one is a failure.
    told: HashMap<u64, &'static str>,
    replies: HashMap<u64, Result<Map<String, Value>, Refusal>>,
    signals: VecDeque<Command>,
    ended: Option<String>,
}

impl Peer {
    /// A peer behind `link`, once it has said that it is ready.
    pub async fn new(name: &str, link: Link, transcript: Transcript, limit: Duration) -> Outcome<Self> {
        let mut peer = Self {
            name: name.to_owned(),
            link: Some(link.commands),
            incoming: link.incoming,
            transcript,
            view: View::default(),
            next_id: 0,
            told: HashMap::new(),
            replies: HashMap::new(),
            signals: VecDeque::new(),
            ended: None,
        };
        timeout(limit, async {
            while peer.view.ready.is_none() {
                peer.step().await?;
                if let Some(how) = &peer.ended {
                    return Err(Failure::new(format!("{name} ended before it was ready: {how}")));
                }
            }
            Ok(())
        })
        .await
        .doing(format_args!("{name} did not say that it is ready within {} s", limit.as_secs()))??;
        Ok(peer)
    }

    /// What the suite calls it in messages to people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its events add up to so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// All that was said.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// How it ended, when it has.
    pub fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// The next description or candidate that has to go to the other side, as the command for it.
    pub fn take_signal(&mut self) -> Option<Command> {
        self.signals.pop_front()
    }

    /// Waits for the next line and takes it in. Never returns once the peer has ended. May be cancelled.
    pub async fn step(&mut self) -> Outcome {
        if self.ended.is_some() {
            std::future::pending::<()>().await;
        }
        match self.incoming.recv().await {
            Some(Incoming::Line(line)) => {
                self.transcript.add(Direction::Event, &line);
                let event: Value = serde_json::from_str(&line).map_err(|error| {
                    Failure::new(format!("{} wrote a line that is no JSON ({error}): {line}", self.name))
                })?;
                self.take(&event)
            }
            Some(Incoming::End(how)) => {
                self.end(how);
                Ok(())
            }
            None => {
                self.end("its lines ended".to_owned());
                Ok(())
            }
        }
    }

    fn end(&mut self, how: String) {
        self.transcript.add(Direction::Note, &format!("ended: {how}"));
        self.link = None;
        self.ended = Some(how);
    }

    fn take(&mut self, event: &Value) -> Outcome {
        match event.get("event").and_then(Value::as_str) {
            None => return Err(Failure::new(format!("{} wrote a line without `event`: {event}", self.name))),
            Some("description") => {
                self.signals.push_back(Command::new("remote").with_fields_of(event, &["type", "sdp"]));
            }
            Some("candidate") => {
                let fields = ["candidate", "mid", "index", "ufrag"];
                self.signals.push_back(Command::new("candidate").with_fields_of(event, &fields));
            }
            Some("done") => {
                let id = event.get("id").and_then(Value::as_u64);
                if let Some(id) = id.filter(|id| self.told.remove(id).is_none()) {
                    self.replies.insert(id, Ok(event.as_object().cloned().unwrap_or_default()));
                }
            }
            Some("error") => self.take_refusal(event)?,
            Some(_) => {}
        }
        self.view.apply(event).map_err(|what| Failure::new(format!("{}: {what}: {event}", self.name)))
    }

    fn take_refusal(&mut self, event: &Value) -> Outcome {
        let word = |key| event.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let refusal = Refusal { kind: word("kind"), message: word("message") };
        let id = event.get("id").and_then(Value::as_u64);
        let unawaited = match id {
            Some(id) => self.told.remove(&id),
            None => Some("a line"),
        };
        match (unawaited, id) {
            (None, Some(id)) => drop(self.replies.insert(id, Err(refusal))),
            (what, _) => return Err(self.refused(what.unwrap_or_default(), &refusal)),
        }
        Ok(())
    }

    fn refused(&self, what: &str, refusal: &Refusal) -> Failure {
        let text = format!("{} refused {what}: {}: {}", self.name, refusal.kind, refusal.message);
        if refusal.kind == "Unsupported" { Failure::unsupported(&self.name, text) } else { Failure::new(text) }
    }

    /// Sends a command and does not wait for its answer; should it be a refusal, the next [`Self::step`] fails.
    pub async fn tell(&mut self, command: Command) -> Outcome {
        let name = command.name();
        let id = self.write(command).await?;
        self.told.insert(id, name);
        Ok(())
    }

    async fn write(&mut self, command: Command) -> Outcome<u64> {
        let name = command.name();
        self.next_id += 1;
        let line = command.line(self.next_id);
        self.transcript.add(Direction::Command, &line);
        let gone = || Failure::new(format!("{} is gone and cannot be told {name}", self.name));
        let link = self.link.as_ref().ok_or_else(gone)?;
        link.send(line).await.map_err(|_| gone())?;
        Ok(self.next_id)
    }

    /// Carries a command out and waits for its answer, which may be a refusal.
    pub async fn try_ask(&mut self, command: Command, limit: Duration) -> Outcome<Result<Map<String, Value>, Refusal>> {
        let what = command.name();
        let id = self.write(command).await?;
        timeout(limit, async {
            loop {
                if let Some(reply) = self.replies.remove(&id) {
                    return Ok(reply);
                }
                if let Some(how) = &self.ended {
                    return Err(Failure::new(format!("{} ended during {what}: {how}", self.name)));
                }
                self.step().await?;
            }
        })
        .await
        .map_err(|_| Failure::new(format!("{} did not answer {what} within {} s", self.name, limit.as_secs())))?
    }

    /// Carries a command out; a refusal is a failure.
    pub async fn ask(&mut self, command: Command) -> Outcome<Map<String, Value>> {
        let what = command.name();
        self.try_ask(command, COMMAND).await?.map_err(|refusal| self.refused(what, &refusal))
    }

    /// Makes a channel.
    pub async fn channel(&mut self, init: &ChannelInit<'_>) -> Outcome {
        let mut command = Command::new("channel").with("channel", init.handle).with("label", init.label);
        if init.unordered {
            command = command.with("ordered", false);
        }
        if let Some(times) = init.max_retransmits {
            command = command.with("max_retransmits", times);
        }
        if let Some(time) = init.max_packet_life_time {
            command = command.with("max_packet_life_time", time);
        }
        if !init.protocol.is_empty() {
            command = command.with("protocol", init.protocol);
        }
        if let Some(stream) = init.negotiated {
            command = command.with("negotiated", true).with("stream", stream);
        }
        // Known before the command goes out: its `open` may come with the answer.
        self.view.expect_channel(init);
        self.ask(command).await.map(drop)
    }

    /// Queues one message; `content` is `text`, `base64` or `fill` of the protocol's `send`.
    pub async fn send(&mut self, channel: &str, content: (&str, Value)) -> Outcome<Sent> {
        let command = Command::new("send").with("channel", channel).with(content.0, content.1);
        let done = self.ask(command).await?;
        serde_json::from_value(Value::Object(done)).doing(format_args!("{}: the answer to send", self.name))
    }

    /// Says what is to happen to a channel's incoming messages: `messages`, `count` or `echo`.
    pub async fn receive(&mut self, channel: &str, mode: &str) -> Outcome {
        self.ask(Command::new("receive").with("channel", channel).with("mode", mode)).await.map(drop)
    }

    /// Begins to stream; `streamed` in the channel's view says when it is done.
    pub async fn stream(&mut self, channel: &str, bytes: u64, message_size: u32, seed: u64) -> Outcome {
        let command = Command::new("stream")
            .with("channel", channel)
            .with("bytes", bytes)
            .with("message_size", message_size)
            .with("seed", seed);
        // The answer may come when streaming begins or when it is done: whoever relays takes it.
        self.tell(command).await
    }

    /// Asks for statistics; they are in the view afterwards.
    pub async fn stats(&mut self) -> Outcome<&Value> {
        self.view.stats = None;
        self.ask(Command::new("stats")).await?;
        self.view.stats.as_ref().ok_or_else(|| Failure::new(format!("{} gave no stats event", self.name)))
    }

    /// Closes the connection and ends the peer in an orderly way: `bye` is its last line.
    pub async fn quit(&mut self, limit: Duration) -> Outcome {
        self.ask(Command::new("close")).await?;
        self.tell(Command::new("quit")).await?;
        timeout(limit, async {
            while self.ended.is_none() {
                self.step().await?;
            }
            Ok::<_, Failure>(())
        })
        .await
        .map_err(|_| Failure::new(format!("{} did not end within {} s of quit", self.name, limit.as_secs())))??;
        if self.view.bye { Ok(()) } else { Err(Failure::new(format!("{} ended without bye", self.name))) }
    }
}
