//! The peer protocol for adapters in Rust: lines in and out, and what it asks of channels beyond what a stack does. It knows
//! no stack: an adapter tells it what its stack reports, and asks it what to send.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// A channel's queue is filled up to this.
pub const HIGH: usize = 256 << 10;

/// Why a command is refused: a W3C exception's name, and words.
#[derive(Debug)]
pub struct Refusal(pub &'static str, pub String);

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self("Error", error.to_string())
    }
}

/// What a command comes to: fields of `done`.
pub type Answer = Result<Value, Refusal>;

/// Reads commands until the end of input, and hands each on.
pub fn commands(mut each: impl FnMut(Value) -> bool) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        if let Ok(command) = serde_json::from_str(&line)
            && !each(command)
        {
            return;
        }
    }
}

/// A field that holds text.
pub fn text<'v>(command: &'v Value, field: &str) -> Option<&'v str> {
    command.get(field).and_then(Value::as_str)
}

/// A field that holds a number.
pub fn number<T: TryFrom<u64>>(command: &Value, field: &str) -> Option<T> {
    command.get(field).and_then(Value::as_u64).and_then(|number| T::try_from(number).ok())
}

/// Standard output, with the time.
pub struct Out {
    start: Instant,
    told: Map<String, Value>,
    /// Nothing more is said but answers.
    pub over: bool,
}

impl Out {
    /// Says `ready`.
    pub fn ready(stack: &str, version: &str, supports: &[&str]) -> Self {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let uptime: f64 = uptime.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default();
        let mut out = Self { start: Instant::now(), told: Map::new(), over: false };
        let ready = json!({"stack": stack, "version": version, "supports": supports, "start_ms": uptime * 1e3});
        out.event("ready", ready);
        out
    }

    /// One event.
    pub fn event(&mut self, event: &str, mut fields: Value) {
        if self.over && !matches!(event, "done" | "error" | "bye") {
            return;
        }
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("event".to_owned(), event.into());
            fields.insert("at_ms".to_owned(), (self.start.elapsed().as_micros() as f64 / 1e3).into());
        }
        let mut line = fields.to_string();
        line.push('\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    /// A `state` line, if something changed.
    pub fn state(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        if self.told.get(name) != Some(&value) {
            self.told.insert(name.to_owned(), value.clone());
            self.event("state", json!({ name: value }));
        }
    }

    /// Answers a command.
    pub fn answer(&mut self, command: &Value, answer: Answer) {
        let id = command.get("id").cloned().unwrap_or_default();
        match answer {
            Ok(fields) => {
                let mut fields = if fields.is_object() { fields } else { json!({}) };
                if let Some(fields) = fields.as_object_mut() {
                    fields.insert("id".to_owned(), id);
                }
                self.event("done", fields);
            }
            Err(Refusal(kind, message)) => {
                self.event("error", json!({"id": id, "kind": kind, "message": message}));
            }
        }
    }
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub data: Vec<u8>,
    pub text: bool,
}

/// Bytes from a seed (xorshift64*).
struct Source(u64);

impl Source {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            bytes.extend(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

struct Pour {
    left: usize,
    size: usize,
    message_size: usize,
    source: Source,
    hash: Sha256,
    began: Instant,
}

/// What the protocol knows of one channel.
#[derive(Default)]
pub struct Channel {
    mode: Mode,
    counted: (u64, u64),
    hash: Sha256,
    pour: Option<Pour>,
    /// What was to be sent and did not fit yet.
    queue: VecDeque<Outgoing>,
    pub stream: Option<u16>,
    pub is_open: bool,
    pub is_closed: bool,
    /// Close once the queue is empty.
    pub closing: bool,
    totals: [u64; 4],
}

#[derive(Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Messages,
    Count,
    Echo,
}

fn hex(hash: impl AsRef<[u8]>) -> String {
    hash.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

impl Channel {
    /// The stack says that it is open.
    pub fn opened(&mut self, handle: &str, out: &mut Out) {
        if !self.is_open && !self.is_closed {
            self.is_open = true;
            out.event("open", json!({"channel": handle, "stream": self.stream}));
        }
    }

    /// The stack says that it is closed.
    pub fn closed(&mut self, handle: &str, out: &mut Out) {
        if !self.is_closed {
            self.is_closed = true;
            self.tally(handle, out);
            out.event("closed", json!({"channel": handle, "stream": self.stream}));
        }
    }

    /// A message arrived.
    pub fn message(&mut self, handle: &str, data: Vec<u8>, is_text: bool, out: &mut Out) {
        self.totals[1] += 1;
        self.totals[3] += data.len() as u64;
        match self.mode {
            Mode::Echo => self.queue.push_back(Outgoing { data, text: is_text }),
            Mode::Count => {
                self.counted.0 += data.len() as u64;
                self.counted.1 += 1;
                self.hash.update(&data);
            }
            Mode::Messages if is_text => {
                let text = String::from_utf8_lossy(&data).into_owned();
                out.event("message", json!({"channel": handle, "text": text}));
            }
            Mode::Messages => out.event("message", json!({"channel": handle, "base64": BASE64.encode(data)})),
        }
    }

    /// Reports what was counted.
    pub fn tally(&mut self, handle: &str, out: &mut Out) {
        if self.mode == Mode::Count {
            let hash = hex(self.hash.clone().finalize());
            let (bytes, messages) = self.counted;
            out.event("counted", json!({"channel": handle, "bytes": bytes, "messages": messages, "sha256": hash}));
        }
    }

    fn is_usable(&self) -> Result<(), Refusal> {
        let usable = self.is_open && !self.is_closed && !self.closing;
        if usable { Ok(()) } else { Err(Refusal("InvalidStateError", "the channel is not open".to_owned())) }
    }

    /// `send`: queues a message of at most `limit` bytes.
    pub fn send(&mut self, command: &Value, limit: usize) -> Answer {
        self.is_usable()?;
        let mut is_text = false;
        let data = if let Some(content) = text(command, "text") {
            is_text = true;
            content.as_bytes().to_vec()
        } else if let Some(content) = text(command, "base64") {
            BASE64.decode(content)?
        } else {
            let fill = command.get("fill").cloned().unwrap_or_default();
            let seed: u64 = number(&fill, "seed").unwrap_or(0);
            let mut data = Source(seed + 1).bytes(number(&fill, "bytes").unwrap_or(0));
            if fill.get("binary").and_then(Value::as_bool) == Some(false) {
                is_text = true;
                data.iter_mut().for_each(|byte| *byte = 0x20 + *byte % 95);
            }
            data
        };
        if data.len() > limit {
            return Err(Refusal("TypeError", format!("longer than {limit} bytes")));
        }
        let answer = json!({"bytes": data.len(), "sha256": hex(Sha256::digest(&data))});
        self.queue.push_back(Outgoing { data, text: is_text });
        Ok(answer)
    }

    /// `stream`: begins to send much.
    pub fn pour(&mut self, command: &Value) -> Answer {
        self.is_usable()?;
        let size = number(command, "bytes").unwrap_or(0);
        let message_size = number(command, "message_size").unwrap_or(16 << 10);
        let source = Source(number::<u64>(command, "seed").unwrap_or(0) + 1);
        self.pour = Some(Pour { left: size, size, message_size, source, hash: Sha256::new(), began: Instant::now() });
        Ok(Value::Null)
    }

    /// `receive`: what happens to messages.
    pub fn receive(&mut self, command: &Value) -> Answer {
        self.mode = match text(command, "mode") {
            Some("count") => Mode::Count,
            Some("echo") => Mode::Echo,
            _ => Mode::Messages,
        };
        (self.counted, self.hash) = ((0, 0), Sha256::new());
        Ok(Value::Null)
    }

    /// What is to be sent next.
    pub fn next(&mut self) -> Option<Outgoing> {
        if self.is_closed || !self.is_open {
            return None;
        }
        if self.queue.is_empty()
            && let Some(pour) = self.pour.as_mut().filter(|pour| pour.left > 0)
        {
            let data = pour.source.bytes(pour.left.min(pour.message_size));
            pour.left -= data.len();
            pour.hash.update(&data);
            self.queue.push_back(Outgoing { data, text: false });
        }
        self.queue.pop_front()
    }

    /// It did not fit: it is next again.
    pub fn put_back(&mut self, outgoing: Outgoing) {
        self.queue.push_front(outgoing);
    }

    /// It went out.
    pub fn sent(&mut self, bytes: usize) {
        self.totals[0] += 1;
        self.totals[2] += bytes as u64;
    }

    /// Whether anything waits to be sent.
    pub fn has_more(&self) -> bool {
        !self.is_closed && (!self.queue.is_empty() || self.pour.as_ref().is_some_and(|pour| pour.left > 0))
    }

    /// Tells that a stream was handed over, once nothing of it is buffered.
    pub fn settle(&mut self, handle: &str, buffered: usize, out: &mut Out) {
        if buffered > 0 || !self.queue.is_empty() || self.is_closed {
            return;
        }
        if let Some(pour) = self.pour.take_if(|pour| pour.left == 0) {
            let (hash, seconds) = (hex(pour.hash.finalize()), pour.began.elapsed().as_secs_f64());
            let fields = json!({"channel": handle, "bytes": pour.size, "sha256": hash, "seconds": seconds});
            out.event("streamed", fields);
        }
    }

    fn stats(&self) -> Value {
        let state = if self.is_closed { "closed" } else if self.is_open { "open" } else { "connecting" };
        let [sent, received, bytes_sent, bytes_received] = self.totals;
        json!({"state": state, "sent": sent, "received": received, "bytes_sent": bytes_sent, "bytes_received": bytes_received})
    }
}

/// All channels, by handle.
#[derive(Default)]
pub struct Channels {
    all: BTreeMap<String, Channel>,
    incoming: usize,
}

impl Channels {
    /// A new one of the caller's.
    pub fn add(&mut self, handle: &str, stream: Option<u16>) {
        self.all.insert(handle.to_owned(), Channel { stream, ..Channel::default() });
    }

    /// One that the other side opened; `told` are its properties. Gives its handle.
    pub fn arrived(&mut self, stream: Option<u16>, mut told: Value, out: &mut Out) -> String {
        let handle = format!("remote-{}", self.incoming);
        self.incoming += 1;
        self.add(&handle, stream);
        if let Some(told) = told.as_object_mut() {
            told.insert("channel".to_owned(), handle.clone().into());
            told.insert("stream".to_owned(), stream.into());
            told.insert("negotiated".to_owned(), false.into());
        }
        out.event("channel", told);
        handle
    }

    /// By handle.
    pub fn get(&mut self, handle: &str) -> Option<&mut Channel> {
        self.all.get_mut(handle)
    }

    /// All of them.
    pub fn iter(&mut self) -> impl Iterator<Item = (&String, &mut Channel)> {
        self.all.iter_mut()
    }

    /// The channel a command names.
    pub fn named(&mut self, command: &Value) -> Result<(String, &mut Channel), Refusal> {
        let handle = text(command, "channel").unwrap_or_default();
        let channel = self.all.get_mut(handle).ok_or_else(|| Refusal("TypeError", format!("no channel {handle}")))?;
        Ok((handle.to_owned(), channel))
    }

    /// The `stats` event; `more` is what the stack tells.
    pub fn stats(&mut self, mut more: Value, out: &mut Out) {
        let mut channels = Map::new();
        for (handle, channel) in &mut self.all {
            channel.tally(handle, out);
            channels.insert(handle.clone(), channel.stats());
        }
        if let Some(more) = more.as_object_mut() {
            more.insert("channels".to_owned(), channels.into());
        }
        out.event("stats", more);
    }
}

/// The limit that a description sets for messages to whom it describes (RFC 8841: 64 KiB when it says nothing, 0 is none).
pub fn max_message_size(sdp: &str) -> usize {
    let said = sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=max-message-size:")?.parse().ok());
    match said {
        Some(0) => usize::MAX,
        said => said.unwrap_or(65_536),
    }
}
