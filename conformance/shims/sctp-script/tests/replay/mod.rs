//! Plays scripts to the driver: the program itself, over its standard input and output.
//!
//! ```text
//! new listen mtu=600              a command (this one forgets all variables); after it, all that was sent and told must be expected by `<` and `event`
//! > tag=$it: DATA tsn=$tsn+1      a packet arrives, chunks separated by `;`, checksum and ports right unless said
//! < tag=$me: SACK cum=$tsn+1      the next packet sent; fields not named are not looked at, `$x` not yet set is set
//! event message sid=0 len=100     the next event
//! state established               what the last answer said
//! advance 200                     the clock moves; `next`: to the next timer
//! timeout 1200                    when the next timer fires; `none`; `+200` from now
//! refused send stream=0 len=1     a command that must be refused
//! set me=7                        a variable; `forget me` unsets it
//! include up-listen               lines from scripts/include/
//! repeat 5 … end                  lines again and again, `$i` counting from 0
//! ```

mod chunk;
mod value;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Map, Value, json};
use weft_sctp_script::{decode, encode};

use chunk::{Text, Writer};
use value::Variables;

/// Where the scripts are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// The driver as a program.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sctp-script"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// One line there, one line back.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The end of its input is the end of it.
    pub(crate) fn stop(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

struct Player {
    program: Program,
    variables: Variables,
    ports: (u16, u16),
    answer: Value,
    packets: Vec<Vec<u8>>,
    events: Vec<Value>,
}

/// Plays one script; the error names the line.
pub(crate) fn play(path: &Path) -> Result<(), String> {
    let mut player = Player {
        program: Program::start(),
        variables: Variables::default(),
        ports: (5000, 5001),
        answer: Value::Null,
        packets: Vec::new(),
        events: Vec::new(),
    };
    player.file(path)?;
    player.nothing_left().map_err(|e| format!("{}, at its end: {e}", path.display()))?;
    player.program.stop();
    Ok(())
}

impl Player {
    fn file(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .map(|(n, line)| (n + 1, line.split('#').next().unwrap_or("").trim()))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        self.lines(path, &lines)
    }

    fn lines(&mut self, path: &Path, lines: &[(usize, &str)]) -> Result<(), String> {
        let mut at = 0;
        while let Some((number, line)) = lines.get(at) {
            at += 1;
            if let Some(count) = line.strip_prefix("repeat ") {
                let len = lines[at..].iter().position(|l| l.1 == "end").ok_or("`repeat` without `end`")?;
                for i in 0..self.variables.number(count)? {
                    self.variables.set("i", i.to_string());
                    self.lines(path, &lines[at..at + len])?;
                }
                at += len + 1;
                continue;
            }
            self.line(line).map_err(|e| format!("{}:{number}: `{line}`: {e}", path.display()))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "<" => return self.expect_packet(rest),
            "event" => return self.expect_event(rest),
            "state" => return expect("state", &self.answer["state"], &json!(rest)),
            "timeout" => return self.expect_timeout(rest),
            "status" => return self.expect_status(rest),
            "ignore" => {
                self.packets.clear();
                self.events.clear();
                return Ok(());
            }
            "set" => {
                for word in rest.split_whitespace() {
                    let (name, value) = word.split_once('=').ok_or("set NAME=VALUE")?;
                    let value = self.variables.resolve(value)?;
                    self.variables.set(name, value);
                }
                return Ok(());
            }
            "forget" => {
                self.variables.forget(rest);
                return Ok(());
            }
            "include" => return self.file(&scripts().join("include").join(rest)),
            _ => self.nothing_left()?,
        }
        if word == "refused" {
            self.command(rest)?;
            return if self.answer["error"].is_string() { Ok(()) } else { Err("was not refused".to_owned()) };
        }
        self.command(line)?;
        self.answer.get("error").map_or(Ok(()), |why| Err(format!("refused: {why}")))
    }

    fn nothing_left(&self) -> Result<(), String> {
        if let Some(packet) = self.packets.first() {
            return Err(format!("a packet that was not expected: {}", show(packet)));
        }
        self.events.first().map_or(Ok(()), |event| Err(format!("an event that was not expected: {event}")))
    }

    fn command(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let command = match word {
            ">" => json!({ "do": "packet", "hex": encode(&self.packet(rest)?) }),
            "hex" => json!({ "do": "packet", "hex": rest }),
            "advance" => {
                let (now, next) = (&self.answer["now_ms"], &self.answer["next_timeout_ms"]);
                let ms = match (rest, now.as_u64(), next.as_u64()) {
                    ("next", Some(now), Some(next)) => next - now,
                    ("next", ..) => return Err("no timer runs".to_owned()),
                    _ => self.variables.number(rest)?,
                };
                json!({ "do": "advance", "ms": ms })
            }
            "new" => self.new_endpoint(rest),
            "send" => self.send(rest),
            "reset" => {
                let streams: Result<Vec<u64>, String> =
                    rest.split_whitespace().map(|s| self.variables.number(s)).collect();
                json!({ "do": "reset", "streams": streams? })
            }
            "shutdown" | "abort" => json!({ "do": word }),
            _ => return Err("no such command".to_owned()),
        };
        self.take(&command.to_string());
        Ok(())
    }

    fn take(&mut self, line: &str) {
        let mut answer = self.program.ask(line);
        let packets = answer["packets"].take();
        self.packets.extend(packets.as_array().unwrap().iter().map(|p| decode(p.as_str().unwrap()).unwrap()));
        self.events.extend(answer["events"].take().as_array().unwrap().iter().cloned());
        self.answer = answer;
    }

    fn fields(&self, words: &str) -> Map<String, Value> {
        let mut fields = Map::new();
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, "true"));
            let value = match value {
                "true" | "false" => json!(value == "true"),
                text => self.variables.number(text).map_or_else(|_| json!(text), |n| json!(n)),
            };
            fields.insert(key.to_owned(), value);
        }
        fields
    }

    fn new_endpoint(&mut self, rest: &str) -> Value {
        let (role, config) = rest.split_once(' ').unwrap_or((rest, ""));
        self.variables = Variables::default();
        let config = self.fields(config);
        let port = |key: &str, default: u16| config.get(key).and_then(Value::as_u64).map_or(default, |n| n as u16);
        self.ports = (port("local_port", 5000), port("remote_port", 5001));
        json!({ "do": "new", "role": role, "config": config })
    }

    fn send(&self, rest: &str) -> Value {
        let mut fields = self.fields(rest);
        fields.insert("do".to_owned(), json!("send"));
        let len = fields.remove("len").and_then(|n| n.as_u64());
        if let Some(len) = len {
            fields.insert("hex".to_owned(), json!("61".repeat(len as usize)));
        }
        if fields.remove("unordered").is_some() {
            fields.insert("ordered".to_owned(), json!(false));
        }
        fields.entry("stream").or_insert(json!(0));
        fields.entry("ppid").or_insert(json!(53));
        Value::Object(fields)
    }

    /// `tag=… [badsum] [zerosum] [sport=…] [dport=…]: CHUNK …; CHUNK …`
    fn packet(&self, text: &str) -> Result<Vec<u8>, String> {
        let (head, chunks) =
            text.split_once(": ").or_else(|| text.strip_suffix(':').map(|h| (h, ""))).ok_or("no `:`")?;
        let head = Text::parse(&format!("packet {head}"))?;
        let number = |key: &str, default: u64| head.get(key).map_or(Ok(default), |t| self.variables.number(t));
        let mut out = Vec::new();
        out.extend((number("sport", self.ports.1.into())? as u16).to_be_bytes());
        out.extend((number("dport", self.ports.0.into())? as u16).to_be_bytes());
        out.extend((number("tag", 0)? as u32).to_be_bytes());
        out.extend([0; 4]);
        let writer = Writer { variables: &self.variables };
        for chunk in chunks.split(';').map(str::trim).filter(|c| !c.is_empty()) {
            writer.write(&mut out, &Text::parse(chunk)?)?;
        }
        if head.get("zerosum").is_none() {
            let sum = weft_sctp::wire::crc(&out) ^ u32::from(head.get("badsum").is_some());
            out[8..12].copy_from_slice(&sum.to_le_bytes());
        }
        Ok(out)
    }

    fn expect_packet(&mut self, text: &str) -> Result<(), String> {
        if self.packets.is_empty() {
            return Err("nothing more was sent".to_owned());
        }
        let packet = self.packets.remove(0);
        self.match_packet(text, &packet).map_err(|e| format!("{e}; sent was: {}", show(&packet)))
    }

    fn match_packet(&mut self, text: &str, packet: &[u8]) -> Result<(), String> {
        let (head, chunks) = text.split_once(": ").ok_or("no `:`")?;
        let head = Text::parse(&format!("packet {head}"))?;
        let (source, destination) =
            (u16::from_be_bytes([packet[0], packet[1]]), u16::from_be_bytes([packet[2], packet[3]]));
        if (source, destination) != self.ports {
            return Err(format!("from port {source} to port {destination}"));
        }
        let sum = u32::from_le_bytes(packet[8..12].try_into().unwrap());
        let wanted = if head.get("zerosum").is_some() { 0 } else { weft_sctp::wire::crc(packet) };
        if sum != wanted {
            return Err(format!("its checksum is {sum:08x}, not {wanted:08x}"));
        }
        if let Some(tag) = head.get("tag") {
            let actual = u32::from_be_bytes(packet[4..8].try_into().unwrap());
            self.variables.matches(tag, &actual.to_string()).map_err(|e| format!("its tag {e}"))?;
        }
        if let Some(size) = head.get("size") {
            self.variables.matches(size, &packet.len().to_string()).map_err(|e| format!("its size {e}"))?;
        }
        let actual = chunk::read(packet)?;
        let expected: Vec<&str> = chunks.split(';').map(str::trim).collect();
        if expected.len() != actual.len() {
            return Err(format!("it has {} chunks", actual.len()));
        }
        for (expected, actual) in expected.iter().zip(&actual) {
            self.match_chunk(&Text::parse(expected)?, actual)?;
        }
        Ok(())
    }

    fn match_chunk(&mut self, expected: &Text, actual: &Text) -> Result<(), String> {
        if expected.name != actual.name {
            return Err(format!("{} where {} was expected", actual.name, expected.name));
        }
        for (at, (key, value)) in expected.fields.iter().enumerate() {
            if key == "no" {
                if actual.get(value).is_some() {
                    return Err(format!("{} has {value}", actual.name));
                }
                continue;
            }
            // The n-th of a name is held against the n-th.
            let nth = expected.fields[..at].iter().filter(|f| f.0 == *key).count();
            let Some((_, found)) = actual.fields.iter().filter(|f| f.0 == *key).nth(nth) else {
                return Err(format!("{} has no {key}", actual.name));
            };
            self.variables.matches(value, found).map_err(|e| format!("{key} of {} {e}", actual.name))?;
        }
        Ok(())
    }

    fn expect_event(&mut self, text: &str) -> Result<(), String> {
        if self.events.is_empty() {
            return Err("nothing more happened".to_owned());
        }
        let event = self.events.remove(0);
        let expected = Text::parse(text)?;
        expect("event", &event["event"], &json!(expected.name))?;
        for (key, value) in &expected.fields {
            let actual = match (key.as_str(), &event) {
                ("len", event) => (event["hex"].as_str().unwrap_or_default().len() / 2).to_string(),
                (key, event) => match &event[key] {
                    Value::String(text) => text.clone(),
                    Value::Array(list) => list.iter().map(Value::to_string).collect::<Vec<_>>().join(","),
                    other => other.to_string(),
                },
            };
            self.variables.matches(value, &actual).map_err(|e| format!("{key} {e}; it was {event}"))?;
        }
        Ok(())
    }

    fn expect_timeout(&mut self, text: &str) -> Result<(), String> {
        let next = &self.answer["next_timeout_ms"];
        if text == "none" {
            return expect("next_timeout_ms", next, &Value::Null);
        }
        let now = self.answer["now_ms"].as_u64().unwrap_or_default();
        let wanted = match text.strip_prefix('+') {
            Some(by) => now + self.variables.number(by)?,
            None => self.variables.number(text)?,
        };
        expect("next_timeout_ms", next, &json!(wanted))
    }

    fn expect_status(&mut self, text: &str) -> Result<(), String> {
        self.take(r#"{"do":"status"}"#);
        let expected = Text::parse(&format!("status {text}"))?;
        for (key, value) in &expected.fields {
            let actual = self.answer["status"][key].to_string();
            self.variables.matches(value, &actual).map_err(|e| format!("{key} {e}"))?;
        }
        Ok(())
    }
}

fn expect(what: &str, actual: &Value, expected: &Value) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("{what} is {actual}, not {expected}")) }
}

fn show(packet: &[u8]) -> String {
    let tag = u32::from_be_bytes(packet[4..8].try_into().unwrap());
    let chunks = chunk::read(packet).map_or_else(
        |error| error,
        |chunks| {
            let show = |c: &Text| {
                let fields = c.fields.iter().filter(|f| f.0 != "data" && f.0 != "hex");
                let words = fields.map(|(key, value)| {
                    let value = if value.len() > 80 { format!("{}…", &value[..80]) } else { value.clone() };
                    if value.is_empty() { key.clone() } else { format!("{key}={value}") }
                });
                format!("{} {}", c.name, words.collect::<Vec<_>>().join(" "))
            };
            chunks.iter().map(show).collect::<Vec<_>>().join("; ")
        },
    );
    format!("tag={tag} size={}: {chunks}", packet.len())
}
