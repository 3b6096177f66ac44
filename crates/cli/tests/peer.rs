//! `weft peer` by its protocol.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::process::{Peer, connected, signal};

fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn two_processes_talk_and_close() {
    let (mut a, mut b, theirs) = connected(true, json!({"label": "chat", "protocol": "p"}));
    for peer in [&mut a, &mut b] {
        peer.wait_state("connection", "connected");
    }
    let opened = b.seen.iter().find(|line| line["event"] == "channel").unwrap();
    assert_eq!([&opened["label"], &opened["protocol"]], ["chat", "p"]);
    assert_eq!(opened["max_retransmits"], Value::Null);

    let sent = a.ok(json!({"do": "send", "channel": "c", "text": "grüß dich"}));
    assert_eq!(sent["sha256"], sha256("grüß dich".as_bytes()));
    assert_eq!(b.wait("message")["text"], "grüß dich");
    b.ok(json!({"do": "send", "channel": theirs, "base64": BASE64.encode([0, 255, 7])}));
    assert_eq!(a.wait("message")["base64"], BASE64.encode([0, 255, 7]));
    a.ok(json!({"do": "send", "channel": "c", "text": ""}));
    assert_eq!(b.wait("message")["text"], "");
    let filled = a.ok(json!({"do": "send", "channel": "c", "fill": {"bytes": 262_144, "seed": 9}}));
    let data = BASE64.decode(b.wait("message")["base64"].as_str().unwrap()).unwrap();
    assert_eq!((data.len(), sha256(&data)), (262_144, filled["sha256"].as_str().unwrap().to_owned()));
    let filled = a.ok(json!({"do": "send", "channel": "c", "fill": {"bytes": 99, "seed": 9, "binary": false}}));
    let text = b.wait("message")["text"].as_str().unwrap().to_owned();
    assert_eq!((text.len(), sha256(text.as_bytes())), (99, filled["sha256"].as_str().unwrap().to_owned()));
    assert_eq!(a.refused(json!({"do": "send", "channel": "c", "fill": {"bytes": 262_145}})), "TypeError");
    assert_eq!(a.refused(json!({"do": "send", "channel": "nobody", "text": ""})), "TypeError");
    assert_eq!(a.refused(json!({"do": "send", "channel": "c"})), "TypeError");

    a.ok(json!({"do": "close_channel", "channel": "c"}));
    assert_eq!(b.wait("closing")["channel"], theirs.as_str());
    for (peer, handle) in [(&mut a, "c"), (&mut b, theirs.as_str())] {
        let closed = peer.wait("closed");
        assert_eq!((closed["channel"].as_str(), closed.get("error")), (Some(handle), None));
        assert_eq!(peer.refused(json!({"do": "send", "channel": handle, "text": "late"})), "InvalidStateError");
    }
    assert!(!a.seen.iter().any(|line| line["event"] == "closing"), "our own close is no closing");

    a.ok(json!({"do": "close"}));
    assert_eq!(a.refused(json!({"do": "offer"})), "InvalidStateError");
    let state = a.seen.iter().rev().find(|line| line["event"] == "state").unwrap();
    assert_eq!([&state["signaling"], &state["ice"], &state["connection"]], ["closed"; 3]);
    b.wait_state("dtls", "closed");
    a.quit();
    b.quit();
}

#[test]
fn lines_come_in_the_order_the_protocol_promises() {
    let (a, b, theirs) = connected(true, json!({"label": "chat"}));
    for peer in [&a, &b] {
        let times: Vec<f64> = peer.seen.iter().map(|line| line["at_ms"].as_f64().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        let first = peer.position(|line| line["event"] == "candidate");
        let last = peer.position(|line| line["event"] == "candidate" && line["candidate"] == "");
        let complete = peer.position(|line| line["gathering"] == "complete");
        assert!(first < last && last < complete, "the end of candidates comes before complete");
        for line in peer.seen.iter().filter(|line| line["event"] == "candidate" && line["candidate"] != "") {
            let text = line["candidate"].as_str().unwrap();
            let at = peer.position(|other| other == line);
            let holds = |state: &Value| {
                ["pending_local", "current_local"]
                    .iter()
                    .any(|field| state[field]["sdp"].as_str().is_some_and(|sdp| sdp.contains(text)))
            };
            assert!(peer.position(holds) < at, "a state holds the candidate before its event");
        }
    }
    // The offer's states, its answer, its description, then its candidates.
    let done = a.position(|line| line["event"] == "done" && line["description"]["type"] == "offer");
    assert_eq!(a.seen[done - 1]["event"], "state");
    assert_eq!(a.seen[done - 1]["signaling"], "have-local-offer");
    let sdp = a.seen[done]["description"]["sdp"].as_str().unwrap();
    assert!(!sdp.contains("a=candidate"), "candidates trickle: {sdp}");
    assert!(done < a.position(|line| line["event"] == "description"));
    assert!(a.position(|line| line["event"] == "description") < a.position(|line| line["event"] == "candidate"));
    // Creating a channel needed a negotiation; the answer fixed its stream.
    assert!(a.position(|line| line["event"] == "negotiation_needed") < done);
    let streams = a.position(|line| line["streams"]["c"].is_number());
    assert_eq!(a.seen[streams]["negotiation_needed"], false);
    assert!(streams < a.position(|line| line["event"] == "open"));
    assert!(a.position(|line| line["sctp"] == "connected") < a.position(|line| line["event"] == "open"));
    // The answerer went through both states.
    let remote = b.position(|line| line["signaling"] == "have-remote-offer");
    let stable = remote + b.seen[remote..].iter().position(|line| line["signaling"] == "stable").unwrap();
    assert_eq!(b.seen[stable + 1]["event"], "done", "state comes directly before done");
    // An incoming channel is open at once.
    let channel = b.position(|line| line["event"] == "channel");
    assert_eq!((&b.seen[channel + 1]["event"], &b.seen[channel + 1]["channel"]), (&"open".into(), &theirs.into()));
    a.quit();
    b.quit();
}

#[test]
fn streams_flow_both_ways_with_equal_hashes() {
    let (mut a, mut b, theirs) = connected(false, json!({"label": "bulk"}));
    assert!(!a.seen.iter().any(|line| line["event"] == "candidate"), "candidates are in the descriptions");
    let bytes = 8 * 1024 * 1024_u64;
    a.ok(json!({"do": "receive", "channel": "c", "mode": "count"}));
    b.ok(json!({"do": "receive", "channel": theirs, "mode": "count"}));
    a.ok(json!({"do": "stream", "channel": "c", "bytes": bytes, "message_size": 100_000, "seed": 1}));
    b.ok(json!({"do": "stream", "channel": theirs, "bytes": bytes, "seed": 2}));
    let (from_a, from_b) = (a.wait("streamed"), b.wait("streamed"));
    assert_ne!(from_a["sha256"], from_b["sha256"]);
    assert!(from_a["seconds"].as_f64().unwrap() > 0.0);
    let told: u64 = a.seen.iter().filter(|line| line["event"] == "buffered").map(|l| l["sent"].as_u64().unwrap()).sum();
    assert_eq!(told, bytes, "every byte that left was told");
    a.ok(json!({"do": "finish", "channel": "c"}));
    for (peer, streamed) in [(&mut a, &from_b), (&mut b, &from_a)] {
        let counted = peer.wait("counted");
        assert_eq!((&counted["bytes"], &counted["sha256"]), (&bytes.into(), &streamed["sha256"]));
        peer.wait("closed");
        let at = |event: &str| peer.position(|line| line["event"] == event);
        assert!(at("counted") < at("closed"));
    }
    let messages = b.seen.iter().find(|line| line["event"] == "counted").unwrap()["messages"].as_u64();
    assert_eq!(messages, Some(bytes.div_ceil(100_000)));
    a.quit();
    b.quit();
}

#[test]
fn echo_sends_back_what_came() {
    let channel = json!({"label": "echo", "ordered": false, "max_retransmits": 3});
    let (mut a, mut b, theirs) = connected(true, channel);
    let opened = b.seen.iter().find(|line| line["event"] == "channel").unwrap();
    assert_eq!((&opened["ordered"], &opened["max_retransmits"]), (&false.into(), &3.into()));
    b.ok(json!({"do": "receive", "channel": theirs, "mode": "echo"}));
    for text in ["one", "", "three"] {
        a.ok(json!({"do": "send", "channel": "c", "text": text}));
        assert_eq!(a.wait("message")["text"], text);
    }
    a.ok(json!({"do": "send", "channel": "c", "base64": ""}));
    assert_eq!(a.wait("message")["base64"], "");
    assert!(!b.seen.iter().any(|line| line["event"] == "message"));
    a.ok(json!({"do": "stats", "w3c": true}));
    let stats = a.wait("stats");
    assert_eq!(stats["dtls"]["version"], "1.3");
    assert_eq!((&stats["channels"]["c"]["sent"], &stats["channels"]["c"]["received"]), (&4.into(), &4.into()));
    assert!(stats["selected_pair"]["local"]["candidate"].as_str().unwrap().starts_with("candidate:"));
    let types: Vec<&str> =
        stats["report"].as_array().unwrap().iter().map(|object| object["type"].as_str().unwrap()).collect();
    for needed in ["peer-connection", "data-channel", "transport", "candidate-pair", "certificate"] {
        assert!(types.contains(&needed), "{needed} in {types:?}");
    }
    a.quit();
    b.quit();
}

/// A passive TCP candidate (RFC 6544) that leads to the UDP candidate `to`: what comes in frames of RFC 4571 goes on as datagrams,
/// and the other way round.
fn tcp_before(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut tcp, _) = listener.accept()?;
        tcp.set_nodelay(true)?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        udp.connect(to)?;
        let (mut back, from) = (tcp.try_clone()?, udp.try_clone()?);
        std::thread::spawn(move || -> std::io::Result<()> {
            let mut datagram = [0; 2000];
            loop {
                let length = from.recv(&mut datagram)?;
                let header = u16::try_from(length).unwrap().to_be_bytes();
                back.write_all(&[&header, &datagram[..length]].concat())?;
            }
        });
        loop {
            let mut header = [0; 2];
            tcp.read_exact(&mut header)?;
            let mut datagram = vec![0; u16::from_be_bytes(header).into()];
            tcp.read_exact(&mut datagram)?;
            udp.send(&datagram)?;
        }
    });
    address
}

#[test]
fn what_comes_by_tcp_does_not_wait_for_other_timers() {
    const TRIPS: u32 = 40;
    let without_candidates = |description: &Value| -> String {
        let lines = description["sdp"].as_str().unwrap().split_inclusive("\r\n");
        lines.filter(|line| !line.contains("candidate")).collect()
    };
    let [mut a, mut b] = ["offerer", "answerer"].map(|name| Peer::on_loopback(name, json!({"trickle": false})));
    a.ok(json!({"do": "channel", "channel": "c", "label": "tcp"}));
    a.ok(json!({"do": "offer"}));
    let offer = a.wait("description");
    b.ok(json!({"do": "remote", "type": "offer", "sdp": without_candidates(&offer)}));
    let answer = b.wait("description");
    let udp = answer["sdp"].as_str().unwrap().lines().find(|line| line.contains(" udp ")).unwrap();
    let words: Vec<&str> = udp.split(' ').collect();
    let port = tcp_before(format!("{}:{}", words[4], words[5]).parse().unwrap()).port();
    a.ok(json!({"do": "remote", "type": "answer", "sdp": without_candidates(&answer)}));
    let passive = format!("candidate:9 1 tcp 1518280447 127.0.0.1 {port} typ host tcptype passive");
    a.ok(json!({"do": "candidate", "candidate": passive, "mid": "0", "index": 0}));
    a.wait("open");
    let theirs = b.wait("channel")["channel"].clone();
    b.ok(json!({"do": "receive", "channel": theirs, "mode": "echo"}));
    let started = Instant::now();
    for number in 0..TRIPS {
        a.ok(json!({"do": "send", "channel": "c", "text": number.to_string()}));
        assert_eq!(a.wait("message")["text"], number.to_string());
    }
    // Interfaces are looked at four times a second: who wakes for that alone takes up to ten seconds.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "{TRIPS} round trips took {took:?}");
    // The pair is told as its candidates were: by TCP, and which side opened the connection.
    a.ok(json!({"do": "stats"}));
    let stats = a.wait("stats");
    for (end, tcp_type) in [("local", "active"), ("remote", "passive")] {
        let line = stats["selected_pair"][end]["candidate"].as_str().unwrap();
        assert!(line.contains(" tcp ") && line.ends_with(&format!(" tcptype {tcp_type}")), "{line}");
    }
    a.quit();
    b.quit();
}

#[test]
fn manual_steps_and_negotiated_channels() {
    let mut a = Peer::on_loopback("offerer", json!({"manual": true, "trickle": false}));
    let mut b = Peer::on_loopback("answerer", json!({"manual": true, "trickle": false}));
    for peer in [&mut a, &mut b] {
        assert_eq!(peer.refused(json!({"do": "candidate", "candidate": "", "mid": "0"})), "InvalidStateError");
        let created = peer.ok(json!({"do": "channel", "channel": "n", "negotiated": true, "stream": 7}));
        assert_eq!(created["stream"], 7);
    }
    assert_eq!(a.refused(json!({"do": "answer"})), "InvalidStateError");
    let offer = a.ok(json!({"do": "offer"}))["description"].clone();
    assert!(!a.seen.iter().any(|line| line["signaling"] == "have-local-offer"), "an offer made is not yet set");
    let altered = offer["sdp"].as_str().unwrap().replace("a=setup:actpass", "a=setup:active");
    assert_eq!(a.refused(json!({"do": "local", "type": "offer", "sdp": altered})), "InvalidModificationError");
    a.ok(json!({"do": "local"}));
    a.ok(json!({"do": "local", "type": "rollback"}));
    a.wait_state("signaling", "stable");
    let offer = a.ok(json!({"do": "offer"}))["description"].clone();
    a.ok(json!({"do": "local", "type": "offer", "sdp": offer["sdp"]}));
    let full = a.seen.iter().rev().find_map(|line| line["pending_local"]["sdp"].as_str()).unwrap().to_owned();
    assert!(full.contains("a=candidate"), "without trickle the description waits for candidates");
    b.ok(json!({"do": "remote", "type": "offer", "sdp": full}));
    b.ok(json!({"do": "answer"}));
    b.ok(json!({"do": "local"}));
    let answer = b.seen.iter().rev().find_map(|line| line["current_local"]["sdp"].as_str()).unwrap().to_owned();
    a.ok(json!({"do": "remote", "type": "answer", "sdp": answer}));
    for peer in [&mut a, &mut b] {
        assert_eq!(peer.wait("open")["stream"], 7);
        assert!(!peer.seen.iter().any(|line| line["event"] == "description"));
        assert!(!peer.seen.iter().any(|line| line["event"] == "channel"), "a negotiated channel is not announced");
    }
    a.ok(json!({"do": "send", "channel": "n", "text": "both sides knew"}));
    assert_eq!(b.wait("message")["text"], "both sides knew");
    a.quit();
    b.quit();
}

#[test]
fn a_peer_that_goes_away_closes_channels_with_an_error() {
    let (a, mut b, theirs) = connected(true, json!({"label": "chat"}));
    let waiting = b.start_command(json!({"do": "receive", "channel": theirs, "mode": "count"}));
    b.answer(waiting);
    a.quit();
    let closed = b.wait("closed");
    assert_eq!(closed["error"]["detail"], "sctp-failure", "{closed}");
    assert_eq!(b.seen.iter().filter(|line| line["event"] == "counted").count(), 1);
    b.quit();
}

#[test]
fn bad_lines_are_answered_and_change_nothing() {
    let mut peer = Peer::start("peer");
    for (line, kind) in [
        (&b"not json"[..], "SyntaxError"),
        (b"[]", "SyntaxError"),
        (b"\xff\xfe", "SyntaxError"),
        (b"{}", "TypeError"),
        (br#"{"do":"fly"}"#, "TypeError"),
        (br#"{"do":"send","channel":5}"#, "TypeError"),
        (br#"{"do":"configure","port":-1}"#, "TypeError"),
        (br#"{"do":"configure","ice_servers":[{"urls":"http://x"}]}"#, "SyntaxError"),
        (br#"{"do":"configure","ice_servers":[{"urls":"turn:x"}]}"#, "InvalidAccessError"),
        (br#"{"do":"configure","ice_servers":[{"urls":"stuns:x"}]}"#, "Unsupported"),
        (br#"{"do":"configure","sped":true}"#, "Unsupported"),
        (br#"{"do":"channel","channel":"x","negotiated":true}"#, "TypeError"),
        (br#"{"do":"channel","channel":"x","negotiated":true,"stream":65535}"#, "TypeError"),
        (br#"{"do":"channel","channel":"x","max_retransmits":1,"max_packet_life_time":1}"#, "TypeError"),
        (br#"{"do":"channel","channel":"x","max_retransmits":65536}"#, "TypeError"),
    ] {
        peer.raw(line);
        let error = peer.wait("error");
        assert_eq!(error["kind"], kind, "{}", String::from_utf8_lossy(line));
        assert_eq!(error.get("id"), None);
    }
    let sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=nonsense\r\n";
    let id = peer.start_command(json!({"do": "remote", "type": "offer", "sdp": sdp}));
    let error = peer.answer(id);
    assert_eq!((&error["kind"], &error["sdp_line"]), (&"RTCError".into(), &4.into()), "{error}");
    assert_eq!(error["detail"], "sdp-syntax-error");
    let long = "x".repeat(65_536);
    assert_eq!(peer.refused(json!({"do": "channel", "channel": "x", "label": long})), "TypeError");
    assert_eq!(peer.refused(json!({"do": "remote", "type": "answer", "sdp": "v=0"})), "InvalidStateError");
    peer.ok(json!({"do": "channel", "channel": "x", "negotiated": true, "stream": 3}));
    assert_eq!(peer.refused(json!({"do": "channel", "channel": "x"})), "TypeError");
    assert_eq!(
        peer.refused(json!({"do": "channel", "channel": "y", "negotiated": true, "stream": 3})),
        "OperationError"
    );
    assert_eq!(peer.refused(json!({"do": "send", "channel": "x", "text": "early"})), "InvalidStateError");
    let states = peer.seen.iter().filter(|line| line["event"] == "state").count();
    assert_eq!(states, 1, "only the one good command changed anything");
    peer.raw(b"");
    peer.quit();
}

#[test]
fn end_of_input_is_an_orderly_end() {
    let peer = Peer::start("peer");
    let seen = peer.ended();
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn certificates_are_made_and_used() {
    let mut a = Peer::start("offerer");
    let made = a.ok(json!({"do": "certificate", "algorithm": "ecdsa-p256"}));
    let fingerprint = made["fingerprints"][0]["value"].as_str().unwrap();
    assert_eq!(made["fingerprints"][0]["algorithm"], "sha-256");
    a.ok(json!({"do": "configure", "certificate_pem": made["certificate_pem"], "loopback": true}));
    a.ok(json!({"do": "channel", "channel": "c"}));
    let offer = a.ok(json!({"do": "offer"}));
    assert!(offer["description"]["sdp"].as_str().unwrap().contains(fingerprint));
    assert_eq!(a.refused(json!({"do": "certificate", "algorithm": "rot13"})), "NotSupportedError");
    assert_eq!(a.refused(json!({"do": "configure", "port": 1})), "InvalidModificationError");
    a.quit();
}

#[test]
fn an_impostor_is_told_by_its_fingerprint() {
    let mut a = Peer::on_loopback("offerer", json!({}));
    let mut b = Peer::on_loopback("answerer", json!({}));
    a.ok(json!({"do": "channel", "channel": "c"}));
    a.ok(json!({"do": "offer"}));
    // Somebody changed the fingerprint on the way.
    let mut offer = a.wait("description");
    let sdp = offer["sdp"].as_str().unwrap();
    let line = sdp.lines().find(|line| line.starts_with("a=fingerprint:")).unwrap();
    let (name, _) = line.split_once(' ').unwrap();
    let forged = format!("{name} {}", ["AB"; 32].join(":"));
    offer["sdp"] = sdp.replace(line, &forged).into();
    b.ok(json!({"do": "remote", "type": "offer", "sdp": offer["sdp"]}));
    let answer = b.wait("description");
    a.ok(json!({"do": "remote", "type": "answer", "sdp": answer["sdp"]}));
    for _ in 0..64 {
        let mut candidate = a.wait("candidate");
        candidate["do"] = "candidate".into();
        b.ok(candidate.clone());
        if candidate["candidate"] == "" {
            break;
        }
    }
    let error = b.wait("transport_error");
    assert_eq!(error["detail"], "fingerprint-failure", "{error}");
    b.wait_state("dtls", "failed");
    assert!(!a.seen.iter().any(|line| line["event"] == "open"));
    a.quit();
    b.quit();
}

#[test]
fn glare_rolls_back_by_itself() {
    let mut a = Peer::on_loopback("polite", json!({}));
    let mut b = Peer::on_loopback("impolite", json!({}));
    for peer in [&mut a, &mut b] {
        peer.ok(json!({"do": "channel", "channel": "c"}));
        peer.ok(json!({"do": "offer"}));
    }
    a.wait("description");
    // The candidates of the offer that loses are of no description.
    while a.wait("candidate")["candidate"] != "" {}
    // The impolite side's offer wins.
    signal(&mut b, &mut a, true);
    for peer in [&mut a, &mut b] {
        peer.wait_state("connection", "connected");
        peer.wait("open");
    }
    a.quit();
    b.quit();
}

#[test]
fn ice_restarts_in_both_ways_of_asking() {
    let (mut a, mut b, there) = connected(true, json!({}));
    let ufrag = |description: &Value| {
        let sdp = description["sdp"].as_str().unwrap();
        sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap().to_owned()
    };
    a.ok(json!({"do": "offer", "ice_restart": true}));
    signal(&mut a, &mut b, true);
    b.ok(json!({"do": "restart_ice"}));
    b.wait("negotiation_needed");
    b.ok(json!({"do": "offer"}));
    signal(&mut b, &mut a, true);
    let descriptions: Vec<_> = b.seen.iter().filter(|line| line["event"] == "description").map(ufrag).collect();
    let [answer, offer] = descriptions.last_chunk().unwrap();
    assert_ne!(answer, offer, "new credentials");
    a.ok(json!({"do": "send", "channel": "c", "text": "still here"}));
    assert_eq!(b.wait("message")["channel"], there.as_str());
    for peer in [a, b] {
        assert!(!peer.seen.iter().any(|line| line["connection"] == "failed" || line["event"] == "closed"));
        peer.quit();
    }
}
