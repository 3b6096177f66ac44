//! `weft peer` processes, and what to do with them.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn weft() -> Command {
    Command::new(env!("CARGO_BIN_EXE_weft"))
}

/// One peer process. Every line it wrote is kept in `seen`, in order.
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    pub(crate) seen: Vec<Value>,
    /// Lines that no wait has taken yet.
    waiting: VecDeque<Value>,
    ids: u64,
}

impl Peer {
    pub(crate) fn start(name: &'static str) -> Self {
        let mut child = weft().arg("peer").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{name} wrote {line:?}: {e}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let mut peer = Self { name, child, input, lines, seen: Vec::new(), waiting: VecDeque::new(), ids: 0 };
        let ready = peer.wait("ready");
        assert_eq!(peer.seen.len(), 1, "ready comes first");
        assert_eq!(ready["stack"], "weft");
        assert!(ready["start_ms"].is_number() && ready["supports"].is_array(), "{ready}");
        peer
    }

    /// A peer on loopback.
    pub(crate) fn on_loopback(name: &'static str, mut settings: Value) -> Self {
        let mut peer = Self::start(name);
        settings["do"] = "configure".into();
        settings["loopback"] = true.into();
        peer.ok(settings);
        peer
    }

    pub(crate) fn raw(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    /// Sends a command and returns its id.
    pub(crate) fn start_command(&mut self, mut command: Value) -> u64 {
        self.ids += 1;
        command["id"] = self.ids.into();
        self.raw(command.to_string().as_bytes());
        self.ids
    }

    /// The answer to the command with this id.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.wait_for("an answer", |line| line["id"] == id && (line["event"] == "done" || line["event"] == "error"))
    }

    /// Carries out a command that succeeds.
    pub(crate) fn ok(&mut self, command: Value) -> Value {
        let text = command.to_string();
        let id = self.start_command(command);
        let answer = self.answer(id);
        assert_eq!(answer["event"], "done", "{}: {text} gave {answer}", self.name);
        answer
    }

    /// Carries out a command that is refused, and returns the kind of its error.
    pub(crate) fn refused(&mut self, command: Value) -> String {
        let text = command.to_string();
        let id = self.start_command(command);
        let answer = self.answer(id);
        assert_eq!(answer["event"], "error", "{}: {text} gave {answer}", self.name);
        assert!(!answer["message"].as_str().unwrap().is_empty());
        answer["kind"].as_str().unwrap().to_owned()
    }

    /// The next event of this kind. Others stay, to be waited for later.
    pub(crate) fn wait(&mut self, event: &str) -> Value {
        self.wait_for(event, |line| line["event"] == event)
    }

    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                    self.waiting.push_back(line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let last: Vec<String> = self
                        .seen
                        .iter()
                        .rev()
                        .take(12)
                        .map(|line| line.to_string().chars().take(300).collect())
                        .collect();
                    panic!(
                        "{}: no {what} within {PATIENCE:?}; last lines, newest first:\n{}",
                        self.name,
                        last.join("\n")
                    );
                }
                Err(RecvTimeoutError::Disconnected) => panic!("{}: ended before {what}", self.name),
            }
        }
    }

    /// Waits until a `state` line says so.
    pub(crate) fn wait_state(&mut self, field: &str, value: &str) -> Value {
        self.wait_for(&format!("{field} {value}"), |line| line["event"] == "state" && line[field] == value)
    }

    /// Ends it, and asserts that it ended well with `bye` as its last line.
    pub(crate) fn quit(mut self) -> Vec<Value> {
        self.ok(json!({"do": "quit"}));
        self.ended()
    }

    /// Closes its input; the rest as [`quit`](Self::quit).
    pub(crate) fn ended(mut self) -> Vec<Value> {
        drop(self.input.take());
        self.wait("bye");
        assert!(self.child.wait().unwrap().success(), "{}", self.name);
        self.seen.extend(self.lines.iter());
        assert_eq!(self.seen.last().unwrap()["event"], "bye");
        std::mem::take(&mut self.seen)
    }

    /// Where in `seen` the first line is that fits.
    pub(crate) fn position(&self, wanted: impl Fn(&Value) -> bool) -> usize {
        self.seen.iter().position(wanted).unwrap_or_else(|| panic!("{}: no such line in {:#?}", self.name, self.seen))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes `a`'s last description to `b` and, of an offer, `b`'s answer back; then all candidates both ways.
pub(crate) fn signal(a: &mut Peer, b: &mut Peer, trickle: bool) {
    let offer = a.wait("description");
    assert_eq!(offer["type"], "offer");
    b.ok(json!({"do": "remote", "type": "offer", "sdp": offer["sdp"]}));
    let answer = b.wait("description");
    assert_eq!(answer["type"], "answer");
    a.ok(json!({"do": "remote", "type": "answer", "sdp": answer["sdp"]}));
    if trickle {
        carry_candidates(a, b);
        carry_candidates(b, a);
    }
}

fn carry_candidates(from: &mut Peer, to: &mut Peer) {
    loop {
        let mut candidate = from.wait("candidate");
        candidate["do"] = "candidate".into();
        to.ok(candidate.clone());
        if candidate["candidate"] == "" {
            return;
        }
    }
}

/// Two peers on loopback with an open channel: `c` here, the returned handle there.
pub(crate) fn connected(trickle: bool, channel: Value) -> (Peer, Peer, String) {
    let mut a = Peer::on_loopback("offerer", json!({"trickle": trickle}));
    let mut b = Peer::on_loopback("answerer", json!({"trickle": trickle}));
    let mut create = channel;
    create["do"] = "channel".into();
    create["channel"] = "c".into();
    a.ok(create);
    a.ok(json!({"do": "offer"}));
    signal(&mut a, &mut b, trickle);
    a.wait("open");
    let theirs = b.wait("channel")["channel"].as_str().unwrap().to_owned();
    assert_eq!(b.wait("open")["channel"], theirs.as_str());
    (a, b, theirs)
}
