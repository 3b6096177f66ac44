//! One endpoint on a virtual clock.

use core::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use weft_core::{Frame, Instant, Layer as _, Overhead, Rng};
use weft_sctp::{Association, AssociationError, Event, Reliability, SendOptions, State};

use crate::answer::{Answer, state_name};
use crate::command::{Command, Role, Settings};
use crate::hex;

/// More packets than any command makes an association send.
const MAX_PACKETS: usize = 1_000_000;

/// An endpoint with at most one association at a time.
#[derive(Debug)]
pub struct Endpoint {
    role: Role,
    settings: Settings,
    rng: Rng,
    now: Instant,
    association: Association,
    /// The application aborted it: its end is to be told as that.
    aborted: bool,
    packets: Vec<String>,
    events: Vec<Value>,
    buffer: Vec<u8>,
}

impl Endpoint {
    /// An endpoint at time 0; one that connects has sent its INIT.
    pub fn new(role: Role, settings: &Settings) -> Self {
        let mut rng = Rng::from_test_seed(settings.seed.unwrap_or(0));
        let association = settings.association(rng.fork());
        let mut endpoint = Self {
            role,
            settings: settings.clone(),
            rng,
            now: Instant::ORIGIN,
            association,
            aborted: false,
            packets: Vec::new(),
            events: Vec::new(),
            buffer: vec![0; 1 << 16],
        };
        if role == Role::Connect {
            endpoint.association.connect(endpoint.now);
        }
        endpoint.collect();
        endpoint
    }

    /// Carries out any command but `new`.
    pub fn carry_out(&mut self, command: &Command) -> Answer {
        let refused = self.perform(command).err();
        self.collect();
        let mut answer = self.answer(refused);
        if *command == Command::Status {
            answer.status = Some(self.status());
        }
        answer
    }

    fn perform(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::New { .. } => return Err("the driver makes endpoints".to_owned()),
            Command::Packet { hex } => {
                let packet = hex::decode(hex).ok_or("`hex` is not hexadecimal")?;
                self.input(&packet);
            }
            Command::Advance { ms } => self.advance(self.now + Duration::from_millis(*ms)),
            Command::Send { stream, ppid, hex, ordered, max_retransmits, lifetime_ms } => {
                let payload = hex::decode(hex).ok_or("`hex` is not hexadecimal")?;
                let options = SendOptions {
                    ordered: ordered.unwrap_or(true),
                    reliability: reliability(*max_retransmits, *lifetime_ms)?,
                    ..SendOptions::default()
                };
                self.must_exist()?;
                let sent = self.association.send(self.now, *stream, *ppid, Bytes::from(payload), options);
                sent.map_err(|error| error.to_string())?;
            }
            Command::Reset { streams } => {
                if self.association.state() != State::Established {
                    return Err("not established".to_owned());
                }
                if let Some(id) = streams.iter().find(|id| **id >= self.association.out_streams()) {
                    return Err(format!("there is no outgoing stream {id}"));
                }
                self.association.reset_streams(self.now, streams);
            }
            Command::Shutdown => {
                self.must_exist()?;
                self.association.shutdown(self.now);
            }
            Command::Abort => {
                self.must_exist()?;
                self.aborted = true;
                self.association.abort(self.now);
            }
            Command::Status => {}
        }
        Ok(())
    }

    fn must_exist(&self) -> Result<(), String> {
        if self.association.state() == State::Closed { Err("there is no association".to_owned()) } else { Ok(()) }
    }

    fn input(&mut self, packet: &[u8]) {
        if self.role == Role::Listen && self.association.is_over() {
            // A listener goes on listening; what is left of the old association is out of the blue to it.
            self.association = self.settings.association(self.rng.fork());
            self.aborted = false;
        }
        let before = self.association.is_over();
        let result = self.association.handle_input(self.now, packet);
        self.note_death(before, result);
    }

    fn advance(&mut self, to: Instant) {
        self.collect();
        while let Some(at) = self.association.poll_timeout().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            let before = self.association.is_over();
            let result = self.association.handle_timeout(self.now);
            self.note_death(before, result);
            self.collect();
        }
        self.now = to;
    }

    fn note_death(&mut self, was_over: bool, result: Result<(), AssociationError>) {
        let Err(error) = result else { return };
        // A dead association says so at each call.
        if was_over {
            return;
        }
        self.collect();
        let by = if matches!(error, AssociationError::PeerAborted { .. }) { "peer" } else { "local" };
        self.events.push(json!({ "event": "aborted", "by": by, "why": error.to_string() }));
    }

    /// Takes what the association wants to send and to tell.
    fn collect(&mut self) {
        while self.packets.len() < MAX_PACKETS {
            let mut frame = Frame::new(&mut self.buffer, Overhead::NONE);
            if self.association.poll_transmit(self.now, &mut frame).is_none() {
                break;
            }
            self.packets.push(hex::encode(frame.content()));
        }
        while let Some(event) = self.association.poll_event() {
            self.tell(event);
        }
        self.take_messages();
    }

    fn tell(&mut self, event: Event) {
        let told = match event {
            Event::Established => json!({ "event": "connected" }),
            Event::Restarted => json!({ "event": "restarted" }),
            Event::ShuttingDown => json!({ "event": "shutting_down" }),
            Event::Closed if self.aborted => json!({ "event": "aborted", "by": "local" }),
            Event::Closed => json!({ "event": "closed" }),
            Event::IncomingReset(id) => return self.tell_reset("reset_incoming", None, id),
            Event::OutgoingReset(id, ok) => return self.tell_reset("reset_done", Some(ok), id),
            Event::Readable => return self.take_messages(),
            _ => return,
        };
        self.events.push(told);
    }

    /// Streams reset together are told together.
    fn tell_reset(&mut self, name: &str, ok: Option<bool>, id: u16) {
        if let Some(Value::Object(last)) = self.events.last_mut()
            && last.get("event").is_some_and(|event| event == name)
            && last.get("ok").and_then(Value::as_bool) == ok
            && let Some(Value::Array(streams)) = last.get_mut("streams")
        {
            streams.push(id.into());
            return;
        }
        let mut event = json!({ "event": name, "streams": [id] });
        if let (Some(ok), Value::Object(fields)) = (ok, &mut event) {
            fields.insert("ok".to_owned(), ok.into());
        }
        self.events.push(event);
    }

    fn take_messages(&mut self) {
        while let Some(message) = self.association.receive() {
            self.events.push(json!({
                "event": "message",
                "stream": message.stream,
                "ppid": message.ppid,
                "hex": hex::encode(&message.payload),
                "ordered": message.ordered,
            }));
        }
    }

    /// The answer to a command: all that happened since the last one.
    pub fn answer(&mut self, error: Option<String>) -> Answer {
        let next = self.association.poll_timeout();
        Answer {
            now_ms: self.now.as_nanos() / 1_000_000,
            state: state_name(self.association.state()),
            packets: core::mem::take(&mut self.packets),
            events: core::mem::take(&mut self.events),
            next_timeout_ms: next.map(|at| at.as_nanos().div_ceil(1_000_000)),
            status: None,
            error,
        }
    }

    fn status(&self) -> Value {
        let stats = self.association.stats();
        json!({
            "in_streams": self.association.in_streams(),
            "out_streams": self.association.out_streams(),
            "mtu": stats.mtu,
            "cwnd": stats.cwnd,
            "ssthresh": u64::try_from(stats.ssthresh).ok().filter(|bytes| *bytes < u64::from(u32::MAX)),
            "in_flight": stats.in_flight,
            "buffered": stats.buffered,
            "peer_rwnd": stats.peer_rwnd,
            "a_rwnd": stats.a_rwnd,
            "rto_ms": stats.rto.as_secs_f64() * 1e3,
            "srtt_ms": stats.srtt.map(|srtt| srtt.as_secs_f64() * 1e3),
            "packets_dropped": stats.packets_dropped,
            "chunks_dropped": stats.chunks_dropped,
            "retransmissions": stats.retransmissions,
            "messages_abandoned": stats.messages_abandoned,
        })
    }
}

fn reliability(max_retransmits: Option<u32>, lifetime_ms: Option<u64>) -> Result<Reliability, String> {
    match (max_retransmits, lifetime_ms) {
        (None, None) => Ok(Reliability::Reliable),
        (Some(n), None) => Ok(u16::try_from(n).map_or(Reliability::Reliable, Reliability::MaxRetransmits)),
        (None, Some(ms)) => {
            let ms = u16::try_from(ms).map_err(|_| "`lifetime_ms` is above 65535")?;
            Ok(Reliability::MaxLifetime(ms))
        }
        (Some(_), Some(_)) => Err("`max_retransmits` and `lifetime_ms` exclude each other".to_owned()),
    }
}
