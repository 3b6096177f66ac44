//! The rows of README.md that no script plays: two endpoints, and what is said between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use serde_json::{Value, json};
use weft_sctp_script::{Driver, decode};

/// Bytes of the common header.
const HEADER: usize = 12;

/// Two endpoints on one wire, which loses nothing and takes no time.
struct Pair {
    ends: [Driver; 2],
    /// Every packet, with the end that sent it.
    packets: Vec<(usize, Vec<u8>)>,
    events: [Vec<Value>; 2],
}

impl Pair {
    /// Connected, each with its settings beside those that tell them apart.
    fn new(mut connects: Value, mut listens: Value) -> Self {
        listens["local_port"] = 5001.into();
        listens["remote_port"] = 5000.into();
        listens["seed"] = 2.into();
        connects["seed"] = 1.into();
        let mut pair = Self { ends: [Driver::new(), Driver::new()], packets: Vec::new(), events: Default::default() };
        pair.ask(1, &json!({"do": "new", "role": "listen", "config": listens}));
        let answer = pair.ask(0, &json!({"do": "new", "role": "connect", "config": connects}));
        assert!(answer.get("error").is_none(), "{answer}");
        for end in 0..2 {
            assert!(pair.events[end].contains(&json!({"event": "connected"})));
        }
        pair
    }

    /// One command, and all the packets that follow from it.
    fn ask(&mut self, end: usize, command: &Value) -> Value {
        let answer = self.tell(end, command);
        let mut on_the_way = packets(end, &answer);
        while !on_the_way.is_empty() {
            let (from, packet) = on_the_way.remove(0);
            let arrived = self.tell(1 - from, &json!({"do": "packet", "hex": weft_sctp_script::encode(&packet)}));
            self.packets.push((from, packet));
            on_the_way.extend(packets(1 - from, &arrived));
        }
        answer
    }

    fn tell(&mut self, end: usize, command: &Value) -> Value {
        let line = self.ends[end].command(&command.to_string());
        assert!(!line.contains('\n'));
        let answer: Value = serde_json::from_str(&line).unwrap();
        self.events[end].extend(answer["events"].as_array().unwrap().iter().cloned());
        answer
    }

    fn chunks(&self, end: usize) -> Vec<u8> {
        self.packets.iter().filter(|(from, _)| *from == end).map(|(_, packet)| packet[HEADER]).collect()
    }

    fn init(&self) -> &[u8] {
        &self.packets[0].1
    }
}

fn packets(end: usize, answer: &Value) -> Vec<(usize, Vec<u8>)> {
    answer["packets"].as_array().unwrap().iter().map(|p| (end, decode(p.as_str().unwrap()).unwrap())).collect()
}

fn send(len: usize) -> Value {
    json!({"do": "send", "stream": 3, "ppid": 51, "hex": "5a".repeat(len), "ordered": true,
           "max_retransmits": null, "lifetime_ms": null})
}

/// What the INIT says of the extensions: the value of the parameter Supported Extensions (0x8008).
fn extensions(init: &[u8]) -> Vec<u8> {
    let at = init.windows(2).position(|pair| pair == [0x80, 0x08]).unwrap();
    let len = usize::from(u16::from_be_bytes([init[at + 2], init[at + 3]]));
    init[at + 4..at + len].to_vec()
}

#[test]
fn a_message_goes_from_one_to_the_other() {
    let mut pair = Pair::new(json!({}), json!({}));
    pair.ask(0, &send(3));
    let message = json!({"event": "message", "stream": 3, "ppid": 51, "hex": "5a5a5a", "ordered": true});
    assert_eq!(pair.events[1].last(), Some(&message));
    let unordered = json!({"do": "send", "stream": 0, "ppid": 7, "hex": "01", "ordered": false});
    pair.ask(1, &unordered);
    let message = json!({"event": "message", "stream": 0, "ppid": 7, "hex": "01", "ordered": false});
    assert_eq!(pair.events[0].last(), Some(&message));
}

#[test]
fn extensions_are_as_if_not_implemented_unless_asked_for() {
    const RE_CONFIG: u8 = 130;
    const FORWARD_TSN: u8 = 192;
    const I_DATA: u8 = 64;
    const I_FORWARD_TSN: u8 = 194;
    for (settings, expected, data) in [
        (json!({}), vec![RE_CONFIG, FORWARD_TSN], 0),
        (json!({"reconfig": false}), vec![FORWARD_TSN], 0),
        (json!({"pr_sctp": false}), vec![RE_CONFIG], 0),
        (json!({"i_data": true}), vec![I_DATA, RE_CONFIG, FORWARD_TSN, I_FORWARD_TSN], I_DATA),
    ] {
        let mut pair = Pair::new(settings.clone(), settings.clone());
        let mut offered = extensions(pair.init());
        offered.sort_unstable();
        assert_eq!(offered, expected, "{settings}");
        pair.packets.clear();
        pair.ask(0, &send(5));
        assert_eq!(pair.chunks(0), [data], "{settings}");
        let heard = pair.events[1].last().unwrap();
        assert_eq!((&heard["event"], &heard["hex"]), (&"message".into(), &"5a5a5a5a5a".into()), "{settings}");
    }
}

#[test]
fn a_checksum_is_zero_where_both_want_it() {
    let zero = json!({"zero_checksum": true});
    for (listens, expected) in [(zero.clone(), true), (json!({}), false)] {
        let mut pair = Pair::new(zero.clone(), listens);
        assert_ne!(pair.init()[8..HEADER], [0; 4], "an INIT has one always");
        pair.packets.clear();
        pair.ask(0, &send(5));
        assert_eq!(pair.packets[0].1[8..HEADER] == [0; 4], expected);
    }
}

#[test]
fn no_packet_is_larger_than_mtu() {
    for (settings, mtu) in [(json!({}), 1480), (json!({"mtu": null}), 1480), (json!({"mtu": 600}), 600)] {
        let mut pair = Pair::new(settings, json!({}));
        for _ in 0..20 {
            pair.ask(0, &send(5000));
        }
        let largest = pair.packets.iter().filter(|p| p.0 == 0).map(|p| p.1.len()).max();
        assert_eq!(largest, Some(mtu));
    }
}

#[test]
fn the_init_has_exactly_the_streams_asked_for() {
    let mut pair = Pair::new(json!({"out_streams": 3, "in_streams": 7}), json!({"out_streams": 9, "in_streams": 2}));
    let init = pair.init();
    assert_eq!((&init[HEADER + 12..HEADER + 14], &init[HEADER + 14..HEADER + 16]), (&[0, 3][..], &[0, 7][..]));
    for (end, out_streams, in_streams) in [(0, 2, 7), (1, 7, 2)] {
        let status = pair.ask(end, &json!({"do": "status"}))["status"].clone();
        assert_eq!((&status["out_streams"], &status["in_streams"]), (&out_streams.into(), &in_streams.into()));
    }
}

#[test]
fn the_first_window_and_bursts_are_those_asked_for() {
    // So much leaves before anything is acknowledged.
    let first = |settings: Value| {
        let mut pair = Pair::new(settings, json!({}));
        let sent = pair.tell(0, &send(60_000));
        sent["packets"].as_array().unwrap().len()
    };
    assert_eq!(first(json!({})), 3, "RFC 9260 section 7.2.1: min(4 * PMDCS, max(2 * PMDCS, 4344 bytes))");
    assert_eq!(first(json!({"initial_cwnd_mtus": 1})), 1);
    assert_eq!(first(json!({"initial_cwnd_mtus": 20, "max_burst": 7})), 7);
}

#[test]
fn nothing_is_sent_after_the_beginning_of_the_end() {
    let refused = |pair: &mut Pair, end: usize| pair.ask(end, &send(1)).get("error").is_some();
    let mut pair = Pair::new(json!({}), json!({}));
    // What is not acknowledged keeps both from going on.
    pair.tell(0, &send(1));
    pair.tell(1, &send(1));
    let answer = pair.tell(0, &json!({"do": "shutdown"}));
    assert_eq!(answer["state"], "shutdown-pending");
    assert!(refused(&mut pair, 0));
    let mut pair = Pair::new(json!({}), json!({}));
    pair.tell(1, &send(1));
    let answer = pair.ask(0, &json!({"do": "shutdown"}));
    assert_eq!(answer["state"], "shutdown-sent");
    assert_eq!(pair.tell(1, &json!({"do": "status"}))["state"], "shutdown-received");
    assert!(refused(&mut pair, 0) && refused(&mut pair, 1));
    pair.ask(1, &json!({"do": "abort"}));
    assert_eq!(pair.events[1].last(), Some(&json!({"event": "aborted", "by": "local"})));
    let told = pair.events[0].last().unwrap();
    assert_eq!((&told["event"], &told["by"]), (&"aborted".into(), &"peer".into()));
    assert!(refused(&mut pair, 0) && refused(&mut pair, 1));
}

#[test]
fn resets_are_told_of_at_both_ends() {
    let mut pair = Pair::new(json!({}), json!({}));
    pair.ask(0, &send(1));
    pair.ask(0, &json!({"do": "reset", "streams": [3, 5]}));
    assert!(pair.events[0].contains(&json!({"event": "reset_done", "ok": true, "streams": [3, 5]})));
    assert!(pair.events[1].contains(&json!({"event": "reset_incoming", "streams": [3, 5]})));
}

#[test]
fn what_cannot_be_done_as_asked_is_refused() {
    let mut pair = Pair::new(json!({}), json!({}));
    for config in [
        json!({"mtu": 300}),
        json!({"mtu": 66_000}),
        json!({"out_streams": 0}),
        json!({"in_streams": 0}),
        json!({"controller": "vegas"}),
    ] {
        let answer = pair.ask(0, &json!({"do": "new", "role": "connect", "config": config}));
        assert!(answer["error"].is_string() && answer["state"] == "established", "{config}: the one before stays");
    }
    for (key, value) in [("lifetime_ms", 65_536), ("stream", 65_535)] {
        let mut command = send(1);
        command[key] = value.into();
        assert!(pair.ask(0, &command)["error"].is_string(), "{key}");
    }
    for name in ["newreno", "cubic", "bbr"] {
        let mut pair = Pair::new(json!({"controller": name, "pacing": true, "rack": true}), json!({}));
        pair.ask(0, &send(50_000));
        assert_eq!(pair.events[1].last().unwrap()["event"], "message", "{name}");
    }
}
