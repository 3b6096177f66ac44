//! One peer connection and everything a script can say to it. Commands come in, lines go out; the loop around it
//! ([`super::run`]) waits.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value, json};
use weft_core::{Instant, Rng};
use weft_net::{AsyncUdpSocket, Clock};
use weft_rtc::io::{Progress, Sockets};
use weft_rtc::sans_io::PeerConnection;
use weft_rtc::{Config, Description, Event, GatheringState};

use super::channels::Channels;
use super::command::{Command, Request};
use super::configure::{self, Settings};
use super::input::Line;
use super::output::Output;
use super::refusal::Refusal;
use super::report::Reporter;

/// What a command gave: the fields of its `done`, or nothing yet.
pub(super) enum Outcome {
    Done(Map<String, Value>),
    /// It is answered when something else has happened.
    Later,
}

impl Outcome {
    /// Done, with nothing to tell.
    pub(super) fn nothing() -> Self {
        Self::Done(Map::new())
    }

    /// Done, with the fields of this object.
    pub(super) fn with(value: Value) -> Self {
        match value {
            Value::Object(map) => Self::Done(map),
            _ => Self::nothing(),
        }
    }
}

/// A connection and its sockets.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) pc: PeerConnection,
    pub(super) sockets: Sockets<AsyncUdpSocket>,
    /// The socket that takes nothing more at the moment.
    pub(super) blocked: Option<usize>,
}

/// A command that is answered once candidates are gathered (without trickle).
#[derive(Debug)]
pub(super) struct Waiting {
    id: Option<Value>,
    /// Its `done` carries the description.
    in_result: bool,
}

/// The answer to a command, with its id when it had one.
#[derive(Serialize)]
struct Answer<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(flatten)]
    body: &'a T,
}

pub(super) struct Session {
    pub(super) clock: Clock,
    pub(super) out: Output,
    pub(super) settings: Settings,
    /// Made by the first command that needs it.
    pub(super) link: Option<Link>,
    /// Taken from the connection and not yet reported.
    pub(super) events: VecDeque<Event>,
    pub(super) reporter: Reporter,
    pub(super) channels: Channels,
    /// What `offer` or `answer` made last, for `local` without a description.
    pub(super) created: Option<Description>,
    /// Why the association ended, when it was not by an orderly close.
    pub(super) broken: Option<Value>,
    waiting: Option<Waiting>,
    over: bool,
}

impl Session {
    pub(super) fn new(clock: Clock, out: Output) -> Self {
        Self {
            clock,
            out,
            settings: Settings::default(),
            link: None,
            events: VecDeque::new(),
            reporter: Reporter::default(),
            channels: Channels::default(),
            created: None,
            broken: None,
            waiting: None,
            over: false,
        }
    }

    /// Whether the process is to end.
    pub(super) fn is_over(&self) -> bool {
        self.over || self.out.is_broken()
    }

    /// Whether commands may be taken: none while an earlier one waits.
    pub(super) fn takes_commands(&self) -> bool {
        self.waiting.is_none()
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The connection, made with default settings if there is none.
    pub(super) fn link(&mut self) -> Result<&mut Link, Refusal> {
        if self.link.is_none() {
            self.connect(configure::default_config())?;
        }
        self.link.as_mut().ok_or_else(|| Refusal::operation("there is no connection"))
    }

    /// As [`link`](Self::link), but an error once it is closed.
    pub(super) fn open_link(&mut self) -> Result<&mut Link, Refusal> {
        let link = self.link()?;
        if link.pc.is_closed() {
            return Err(Refusal::invalid_state("the peer connection is closed"));
        }
        Ok(link)
    }

    fn connect(&mut self, config: Config) -> Result<(), Refusal> {
        let now = self.now();
        let seed = weft_net::entropy_seed().map_err(|error| Refusal::operation(error.to_string()))?;
        let mut sockets =
            Sockets::<AsyncUdpSocket>::bind(&config).map_err(|error| Refusal::operation(error.to_string()))?;
        let mut pc = PeerConnection::new(now, config, Rng::from_seed(seed))?;
        sockets.announce(now, &mut pc);
        self.link = Some(Link { pc, sockets, blocked: None });
        Ok(())
    }

    /// Carries out one line of input.
    pub(super) fn line(&mut self, line: &Line) {
        let request = match line {
            Ok(line) => Request::parse(line),
            Err(problem) => Some(Request { id: None, command: Err(Refusal::syntax(*problem)) }),
        };
        let Some(request) = request else { return };
        let id = request.id;
        let result = request.command.and_then(|command| self.execute(command, id.clone()));
        self.settle_command();
        match result {
            Ok(Outcome::Done(fields)) => self.done(id.as_ref(), &fields),
            Ok(Outcome::Later) => {}
            Err(refusal) => self.refuse(id.as_ref(), &refusal),
        }
        self.announce_description();
    }

    pub(super) fn done(&self, id: Option<&Value>, fields: &Map<String, Value>) {
        self.out.event("done", &Answer { id, body: fields });
    }

    pub(super) fn refuse(&self, id: Option<&Value>, refusal: &Refusal) {
        self.out.event("error", &Answer { id, body: refusal });
    }

    fn execute(&mut self, command: Command, id: Option<Value>) -> Result<Outcome, Refusal> {
        match command {
            Command::Configure(asked) => self.configure(&asked),
            Command::Channel(asked) => self.create_channel(asked),
            Command::Offer { ice_restart } => self.offer(ice_restart.unwrap_or(false), id),
            Command::Answer {} => self.answer(),
            Command::Remote(asked) => self.remote(asked, id),
            Command::Local(asked) => self.local(asked, id),
            Command::RestartIce {} => self.restart_ice(),
            Command::Candidate(asked) => self.candidate(asked),
            Command::Send(asked) => self.send(asked),
            Command::Stream(asked) => self.stream(&asked),
            Command::Receive { channel, mode } => self.receive(&channel, mode),
            Command::Threshold { channel, bytes } => self.threshold(&channel, bytes),
            Command::Finish { channel } => self.finish(&channel, id),
            Command::CloseChannel { channel } => self.close_channel(&channel),
            Command::Certificate(asked) => super::certificate::make(&asked),
            Command::Stats { w3c } => self.stats(w3c.unwrap_or(false)),
            Command::Close {} => self.close(),
            Command::Quit {} => {
                self.over = true;
                Ok(Outcome::nothing())
            }
        }
    }

    fn configure(&mut self, asked: &super::command::Configure) -> Result<Outcome, Refusal> {
        if self.link.is_some() {
            let (now, before) = (self.now(), self.settings);
            let pc = &mut self.open_link()?.pc;
            let announced = pc.local_description().is_some();
            let (settings, config) = configure::again(asked, before, pc.config(), announced)?;
            pc.set_configuration(now, config)?;
            self.settings = settings;
        } else {
            let (settings, config) = configure::first(asked)?;
            self.connect(config)?;
            self.settings = settings;
        }
        Ok(Outcome::nothing())
    }

    /// Closes the connection. As with W3C `close()`, nothing happens on it after; a `finish` still waiting has failed.
    fn close(&mut self) -> Result<Outcome, Refusal> {
        let now = self.now();
        let link = self.link()?;
        if !link.pc.is_closed() {
            link.sockets.discard();
            link.pc.close(now);
        }
        self.events.clear();
        self.reporter.closed();
        self.abandon_finishes("the peer connection was closed before everything was delivered");
        Ok(Outcome::nothing())
    }

    pub(super) fn abandon_finishes(&mut self, why: &str) {
        let ids: Vec<_> = self.channels.iter_mut().flat_map(|channel| channel.finishing.drain(..)).collect();
        for id in ids {
            self.refuse(id.as_ref(), &Refusal::operation(why));
        }
    }

    /// A command's `done` waits until candidates are gathered.
    pub(super) fn wait_for_candidates(&mut self, id: Option<Value>, in_result: bool) -> Outcome {
        self.waiting = Some(Waiting { id, in_result });
        Outcome::Later
    }

    fn end_waiting(&mut self) {
        let Some(link) = &self.link else { return };
        if link.pc.gathering_state() != GatheringState::Complete {
            return;
        }
        let Some(waiting) = self.waiting.take() else { return };
        let mut fields = Map::new();
        if waiting.in_result
            && let Some(description) = self.visible_local_description()
        {
            fields.insert("description".to_owned(), json!(description));
        }
        self.done(waiting.id.as_ref(), &fields);
        self.announce_description();
    }

    /// Does everything that can be done now: events, messages, datagrams.
    pub(super) fn turn(&mut self) {
        loop {
            self.process_events();
            if self.waiting.is_some() {
                self.end_waiting();
            }
            let moved = self.pump();
            self.transmit();
            self.collect();
            if !moved && self.events.is_empty() {
                return;
            }
        }
    }

    pub(super) fn socket_readable(&mut self, index: usize) {
        let now = self.now();
        let Some(link) = &mut self.link else { return };
        if let Err(error) = link.sockets.receive(now, index, &mut link.pc) {
            self.fatal(&error);
        }
    }

    /// When there is something to do though nothing comes, as of now.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let link = self.link.as_ref()?;
        Instant::earliest([link.pc.poll_timeout(), link.sockets.poll_timeout(self.now())])
    }

    pub(super) fn timeout(&mut self) {
        let now = self.now();
        if let Some(link) = &mut self.link
            && link.pc.poll_timeout().is_some_and(|at| at <= now)
        {
            link.pc.handle_timeout(now);
        }
    }

    /// Sends what there is to send. What a message's departure changes in buffered amounts is written before it leaves.
    fn transmit(&mut self) {
        let now = self.now();
        let Some(link) = &mut self.link else { return };
        let (channels, out) = (&mut self.channels, &self.out);
        let result = link.sockets.transmit_noting(now, &mut link.pc, |pc| channels.report_buffered(pc, out));
        match result {
            Ok(Progress::Blocked(index)) => link.blocked = Some(index),
            Ok(Progress::Done | Progress::More) => {
                link.blocked = None;
                if link.pc.is_closed() {
                    // The farewell has left: nothing comes or goes any more.
                    link.sockets.close(now);
                }
            }
            Err(error) => self.fatal(&error),
        }
    }

    /// The machine does not let us go on.
    fn fatal(&mut self, error: &std::io::Error) {
        self.refuse(None, &Refusal::operation(format!("the sockets failed: {error}")));
        self.over = true;
    }

    /// The orderly end of the process.
    pub(super) fn end(&mut self) {
        self.abandon_finishes("the process ends");
        let now = self.now();
        if let Some(link) = &mut self.link {
            if !link.pc.is_closed() {
                link.sockets.discard();
                link.pc.close(now);
            }
            self.transmit();
        }
        if let Some(link) = &mut self.link {
            link.sockets.close(now);
        }
        self.out.event("bye", &Map::new());
        self.out.flush();
    }
    /// Whether connections by TCP still have to end.
    pub(super) fn lingers(&mut self) -> bool {
        let now = self.now();
        self.link.as_mut().is_some_and(|link| link.sockets.linger(now))
    }
}
