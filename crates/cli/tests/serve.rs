//! `weft serve`, as far as no browser is needed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Peer, weft};

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut child = weft()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The whole answer to a GET.
    fn get(&self, path: &str) -> String {
        let mut stream = self.connect();
        let address = &self.address;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn visitors(&self) -> u64 {
        let answer = self.get("/status");
        let status: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        status["visitors"].as_u64().unwrap()
    }

    /// Opens a WebSocket; the status line of the answer.
    fn upgrade(&self, path: &str, more: &str) -> (String, WebSocket) {
        let mut stream = self.connect();
        let address = &self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
        .unwrap();
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        (head, WebSocket { stream, reader })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It runs until it is ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As little of RFC 6455 as short text messages need.
struct WebSocket {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl WebSocket {
    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let mut frame = vec![0x81, 0x80 | 0x7e];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]); // a mask of zeros leaves the text as it is
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    /// The next text message; others are passed over.
    fn receive(&mut self) -> Value {
        loop {
            let mut head = [0; 2];
            self.reader.read_exact(&mut head).unwrap();
            let mut len = u64::from(head[1] & 0x7f);
            if len == 126 {
                let mut more = [0; 2];
                self.reader.read_exact(&mut more).unwrap();
                len = u16::from_be_bytes(more).into();
            }
            let mut payload = vec![0; usize::try_from(len).unwrap()];
            self.reader.read_exact(&mut payload).unwrap();
            if head[0] & 0x0f == 1 {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }
}

#[test]
fn the_page_is_whole_and_needs_nothing_from_elsewhere() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'self'"));
    let mut wanted = vec!["/style.css".to_owned(), "/icon.svg".to_owned()];
    for id in ["state", "chat-input", "chat-send", "chat-log", "start-download", "start-upload", "start-rtt"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let script = server.get("/main.js");
    for line in script.lines().filter(|line| line.starts_with("import")) {
        wanted.push(line.split('"').nth(1).unwrap().replacen('.', "", 1));
    }
    assert_eq!(wanted.len(), 6, "{wanted:?}");
    for path in wanted {
        assert!(server.get(&path).starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(server.get("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn other_origins_and_too_many_visitors_are_turned_away() {
    let server = Server::start(&["--visitors", "1"]);
    let (head, _) = server.upgrade("/ws", "Origin: http://evil.example\r\n");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let own = format!("Origin: http://{}\r\n", server.address);
    let (head, first) = server.upgrade("/ws", &own);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let (_, mut second) = server.upgrade("/ws", &own);
    let told = second.receive();
    assert_eq!(told["type"], "error");
    assert!(told["message"].as_str().unwrap().contains("too many visitors"));
    assert_eq!(server.visitors(), 1);
    drop(first);
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        server.visitors() == 0
    });
    assert!(gone, "a place is free again when its visitor has left");
    let (_, mut third) = server.upgrade("/ws", &own);
    third.send(&json!({"type": "offer", "sdp": "nonsense"}));
    let told = third.receive();
    assert!(told["message"].as_str().unwrap().contains("line 1"), "{told}");
}

/// Connects a `weft peer` as the browser would be, offering or answering.
fn visit(server: &Server, query: &str, native_offers: bool) -> (Peer, WebSocket) {
    let (head, mut socket) = server.upgrade(&format!("/ws?{query}"), "");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut peer = Peer::on_loopback("browser", json!({"trickle": false}));
    if native_offers {
        let offer = socket.receive();
        assert_eq!(offer["type"], "offer");
        peer.ok(json!({"do": "remote", "type": "offer", "sdp": offer["sdp"]}));
        let answer = peer.wait("description");
        socket.send(&json!({"type": "answer", "sdp": answer["sdp"]}));
    } else {
        for label in ["chat", "throughput"] {
            peer.ok(json!({"do": "channel", "channel": label, "label": label}));
        }
        peer.ok(json!({"do": "offer"}));
        let offer = peer.wait("description");
        socket.send(&json!({"type": "offer", "sdp": offer["sdp"]}));
        let answer = socket.receive();
        assert_eq!(answer["type"], "answer");
        peer.ok(json!({"do": "remote", "type": "answer", "sdp": answer["sdp"]}));
    }
    // Its checks tell the native side where it is; what comes by trickle is passed on.
    if query.contains("trickle=no") {
        return (peer, socket);
    }
    loop {
        let candidate = socket.receive();
        assert_eq!(candidate["type"], "candidate", "{candidate}");
        peer.ok(json!({
            "do": "candidate", "candidate": candidate["candidate"], "mid": candidate["sdpMid"],
            "index": candidate["sdpMLineIndex"], "ufrag": candidate["usernameFragment"],
        }));
        if candidate["candidate"] == "" {
            return (peer, socket);
        }
    }
}

fn text(peer: &mut Peer, channel: &str) -> Value {
    let line = peer.wait_for("text", |line| line["event"] == "message" && line["channel"] == channel);
    serde_json::from_str(line["text"].as_str().unwrap()).unwrap()
}

#[test]
fn visitors_chat_and_measure() {
    let server = Server::start(&[]);
    let (mut peer, socket) = visit(&server, "offerer=browser&trickle=yes", false);
    peer.wait_for("open chat", |line| line["event"] == "open" && line["channel"] == "chat");
    peer.wait_for("open throughput", |line| line["event"] == "open" && line["channel"] == "throughput");
    peer.ok(json!({"do": "send", "channel": "chat", "text": "hello"}));
    assert_eq!(peer.wait("message")["text"], "hello");

    let command = |peer: &mut Peer, command: Value| {
        peer.ok(json!({"do": "send", "channel": "throughput", "text": command.to_string()}));
    };
    command(&mut peer, json!({"cmd": "upload", "hash": true}));
    assert_eq!(text(&mut peer, "throughput")["event"], "ready");
    peer.ok(json!({"do": "stream", "channel": "throughput", "bytes": 1_000_000, "seed": 4}));
    let streamed = peer.wait("streamed");
    command(&mut peer, json!({"cmd": "end"}));
    let end = loop {
        let event = text(&mut peer, "throughput");
        if event["event"] == "end" {
            break event;
        }
        assert_eq!(event["event"], "received");
    };
    assert_eq!((&end["bytes"], &end["sha256"]), (&1_000_000.into(), &streamed["sha256"]));

    command(&mut peer, json!({"cmd": "download", "bytes": 5000, "size": 2000}));
    assert_eq!(text(&mut peer, "throughput")["event"], "start");
    let sizes: Vec<usize> = (0..3)
        .map(|_| peer.wait_for("data", |line| line["base64"].is_string())["base64"].as_str().unwrap().len())
        .collect();
    assert_eq!(sizes, [2668, 2668, 1336], "in base64");
    assert_eq!(text(&mut peer, "throughput")["bytes"], 5000);
    command(&mut peer, json!({"cmd": "download", "bytes": u64::MAX, "size": 2000}));
    assert_eq!(text(&mut peer, "throughput")["event"], "error");

    assert_eq!(server.visitors(), 1);
    drop(socket);
    peer.wait("closed");
    peer.quit();
}

#[test]
fn the_native_side_may_offer() {
    let server = Server::start(&[]);
    let (mut peer, _socket) = visit(&server, "offerer=native&trickle=no", true);
    let mut labels: Vec<String> = (0..3).map(|_| peer.wait("channel")["label"].as_str().unwrap().to_owned()).collect();
    labels.sort();
    assert_eq!(labels, ["chat", "rtt", "throughput"]);
    peer.quit();
}
