//! What `configure`, `channel` and `certificate` can be told, each seen to act; and the servers of a configuration.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Peer, connected, signal};

/// Two peers with these settings and a channel open between them: `c` here, the returned handle there.
fn connected_with(settings: &Value) -> (Peer, Peer, String) {
    let mut a = Peer::on_loopback("offerer", settings.clone());
    let mut b = Peer::on_loopback("answerer", settings.clone());
    a.ok(json!({"do": "channel", "channel": "c"}));
    a.ok(json!({"do": "offer"}));
    signal(&mut a, &mut b, true);
    a.wait("open");
    let theirs = b.wait("channel")["channel"].as_str().unwrap().to_owned();
    b.wait("open");
    (a, b, theirs)
}

fn descriptions(peer: &Peer) -> String {
    peer.seen.iter().filter_map(|line| line["sdp"].as_str()).collect()
}

fn stats(peer: &mut Peer) -> Value {
    peer.ok(json!({"do": "stats", "w3c": true}));
    peer.wait("stats")
}

#[test]
fn dtls_and_groups_are_chosen() {
    for (settings, version, group) in [
        (json!({"dtls": "1.2", "groups": ["P-256"]}), "1.2", "P-256"),
        (json!({"dtls": "1.3", "groups": ["X25519"]}), "1.3", "X25519"),
        (json!({"dtls": "any"}), "1.3", "X25519MLKEM768"),
    ] {
        let (mut a, b, _) = connected_with(&settings);
        let stats = stats(&mut a);
        assert_eq!((&stats["dtls"]["version"], &stats["dtls"]["group"]), (&version.into(), &group.into()));
        a.quit();
        b.quit();
    }
}

#[test]
fn snap_puts_init_chunks_into_the_descriptions() {
    let (mut a, mut b, theirs) = connected_with(&json!({"snap": true}));
    for peer in [&a, &b] {
        assert!(descriptions(peer).contains("a=sctp-init:"), "{}", descriptions(peer));
    }
    a.ok(json!({"do": "send", "channel": "c", "text": "sooner"}));
    assert_eq!(b.wait("message")["channel"], theirs.as_str());
    a.quit();
    b.quit();
}

#[test]
fn congestion_control_interleaving_and_sizes() {
    for controller in ["newreno", "cubic", "bbr"] {
        let settings = json!({
            "controller": controller, "interleaving": controller != "cubic", "max_message_size": 1000,
            "bundle_policy": "max-bundle", "ice_candidate_pool_size": 2, "transport_policy": "all",
        });
        let (mut a, mut b, _) = connected_with(&settings);
        assert!(descriptions(&a).contains("a=max-message-size:1000\r\n"));
        assert_eq!(a.refused(json!({"do": "send", "channel": "c", "fill": {"bytes": 1001}})), "TypeError");
        a.ok(json!({"do": "send", "channel": "c", "fill": {"bytes": 1000}}));
        b.wait("message");
        assert_eq!(stats(&mut a)["sctp"]["max_message_size"], 1000);
        a.quit();
        b.quit();
    }
}

#[test]
fn sockets_are_where_they_were_asked_for() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut peer = Peer::on_loopback("peer", json!({"port": free, "interfaces": ["lo"]}));
    peer.ok(json!({"do": "channel", "channel": "c"}));
    peer.ok(json!({"do": "offer"}));
    let mut found = 0;
    loop {
        let candidate = peer.wait("candidate")["candidate"].as_str().unwrap().to_owned();
        if candidate.is_empty() {
            break;
        }
        let words: Vec<_> = candidate.split(' ').collect();
        if words[2].eq_ignore_ascii_case("udp") {
            assert!(words[4].parse::<IpAddr>().unwrap().is_loopback(), "{candidate}");
            assert_eq!(words[5], free.to_string(), "{candidate}");
            found += 1;
        }
    }
    assert!(found > 0);
    peer.quit();
    let mut peer = Peer::start("peer");
    assert_eq!(peer.refused(json!({"do": "configure", "interfaces": ["no such"]})), "OperationError");
    peer.ok(json!({"do": "configure", "loopback": true}));
    peer.quit();
}

#[test]
fn channels_tell_all_their_properties() {
    let channel = json!({
        "label": "l", "protocol": "p", "ordered": false, "max_packet_life_time": 300, "priority": "high",
    });
    let (mut a, b, _) = connected(true, channel);
    let opened = b.seen.iter().find(|line| line["event"] == "channel").unwrap();
    let told = ["label", "protocol", "ordered", "max_packet_life_time", "max_retransmits", "priority", "negotiated"];
    let told: Vec<_> = told.iter().map(|field| opened[field].clone()).collect();
    assert_eq!(told, [json!("l"), json!("p"), json!(false), json!(300), Value::Null, json!("high"), json!(false)]);
    for (command, kind) in [
        (json!({"do": "channel", "channel": "d", "priority": "urgent"}), "TypeError"),
        (json!({"do": "channel", "channel": "d", "protocol": "p".repeat(65_536)}), "TypeError"),
        (json!({"do": "threshold", "channel": "nobody", "bytes": 1}), "TypeError"),
        (json!({"do": "candidate", "candidate": "candidate:x", "mid": "0"}), "OperationError"),
        (
            json!({"do": "candidate", "candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "mid": "9"}),
            "OperationError",
        ),
        (
            json!({"do": "candidate", "candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "mid": "0", "ufrag": "gone"}),
            "OperationError",
        ),
    ] {
        assert_eq!(a.refused(command.clone()), kind, "{command}");
    }
    a.ok(json!({"do": "candidate", "candidate": ""}));
    a.quit();
    b.quit();
}

#[test]
fn the_buffer_tells_when_it_is_low() {
    let (mut a, mut b, theirs) = connected(true, json!({}));
    b.ok(json!({"do": "receive", "channel": theirs, "mode": "count"}));
    a.ok(json!({"do": "threshold", "channel": "c", "bytes": 50_000}));
    for _ in 0..10 {
        a.ok(json!({"do": "send", "channel": "c", "fill": {"bytes": 100_000}}));
    }
    let low = a.wait("buffered_low");
    assert!(low["buffered"].as_u64().unwrap() <= 50_000, "{low}");
    a.ok(json!({"do": "finish", "channel": "c"}));
    assert_eq!(b.wait("counted")["bytes"], 1_000_000);
    a.quit();
    b.quit();
}

#[test]
fn certificates_of_each_algorithm_connect() {
    for algorithm in ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048", "rsa-3072"] {
        let mut a = Peer::start("offerer");
        let made = a.ok(json!({"do": "certificate", "algorithm": algorithm, "expires_ms": 86_400_000.0}));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let lives = made["expires_at_ms"].as_u64().unwrap() as f64 - now.as_secs_f64() * 1e3;
        assert!((86_300_000.0..86_500_000.0).contains(&lives), "{lives}");
        a.ok(json!({"do": "configure", "loopback": true, "certificate_pem": made["certificate_pem"]}));
        let mut b = Peer::on_loopback("answerer", json!({}));
        a.ok(json!({"do": "channel", "channel": "c"}));
        a.ok(json!({"do": "offer"}));
        signal(&mut a, &mut b, true);
        a.wait("open");
        let shown = stats(&mut b)["report"].clone();
        let remote = shown.as_array().unwrap().iter().find(|object| object["id"] == "certificate-remote").unwrap();
        assert_eq!(remote["fingerprint"], made["fingerprints"][0]["value"], "{algorithm}");
        a.quit();
        b.quit();
    }
    let mut peer = Peer::start("peer");
    assert_eq!(peer.refused(json!({"do": "certificate", "algorithm": "rsa-1024"})), "NotSupportedError");
    assert_eq!(peer.refused(json!({"do": "certificate", "expires_ms": -1})), "TypeError");
    let over = peer.ok(json!({"do": "certificate", "expires_ms": 0}))["certificate_pem"].clone();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(peer.refused(json!({"do": "configure", "certificate_pem": over})), "InvalidAccessError");
    peer.quit();
}

/// A STUN server that sees everybody at 192.0.2.9, or refuses everybody.
fn stun_server(refuses: bool) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut request = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut request) {
            if len < 20 || request[..2] != [0, 1] {
                continue;
            }
            // RFC 8489 section 5: type, length, magic cookie, transaction id; section 14.2 and 14.8: the attribute.
            let mut answer = if refuses { vec![0x01, 0x11, 0, 12] } else { vec![0x01, 0x01, 0, 12] };
            answer.extend(&request[4..20]);
            // 4242 and 192.0.2.9, each with the magic cookie over it.
            let port = 0x1092_u16 ^ 0x2112;
            if refuses {
                answer.extend([0, 9, 0, 7, 0, 0, 4, 3]);
                answer.extend(b"no!\0");
            } else {
                answer.extend([0, 0x20, 0, 8, 0, 1]);
                answer.extend(port.to_be_bytes());
                answer.extend([0xC0 ^ 0x21, 0x12, 0x02 ^ 0xA4, 0x09 ^ 0x42]);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

#[test]
fn servers_give_candidates_or_errors() {
    let (good, bad) = (stun_server(false), stun_server(true));
    let servers = json!([
        {"urls": format!("stun:127.0.0.1:{good}")},
        {"urls": [format!("stun:127.0.0.1:{bad}")]},
    ]);
    let mut peer = Peer::on_loopback("peer", json!({"ice_servers": servers, "interfaces": ["lo"]}));
    peer.ok(json!({"do": "channel", "channel": "c"}));
    peer.ok(json!({"do": "offer"}));
    let is_reflexive = |line: &Value| {
        line["event"] == "candidate" && line["candidate"].as_str().is_some_and(|text| text.contains("typ srflx"))
    };
    let candidate = peer.wait_for("a server-reflexive candidate", is_reflexive);
    assert!(candidate["candidate"].as_str().unwrap().contains(" 192.0.2.9 4242 "), "{candidate}");
    assert_eq!(candidate["url"], format!("stun:127.0.0.1:{good}"));
    assert_eq!(candidate["relay_protocol"], Value::Null);
    let error = peer.wait("ice_error");
    assert_eq!((&error["code"], &error["text"]), (&403.into(), &"no!".into()), "{error}");
    assert_eq!(error["url"], format!("stun:127.0.0.1:{bad}"));
    assert!(error["address"].is_string() && error["port"].is_number());
    peer.wait_state("gathering", "complete");
    peer.quit();
}

#[test]
fn a_relay_only_policy_shows_no_address() {
    let mut peer = Peer::on_loopback("peer", json!({"transport_policy": "relay", "trickle": false}));
    peer.ok(json!({"do": "channel", "channel": "c"}));
    let offer = peer.ok(json!({"do": "offer"}));
    assert!(!offer["description"]["sdp"].as_str().unwrap().contains("a=candidate"), "{offer}");
    peer.quit();
}

//= rfc8829#4.1.18
//# The ICE candidate pool size MUST NOT be changed after applying a local description.
//= rfc8829#4.1.18
//# The bundle and RTCP-multiplexing policies MUST NOT be changed after the construction of the PeerConnection.
#[test]
fn servers_and_policy_may_change() {
    let mut peer = Peer::on_loopback("peer", json!({"ice_servers": [{"urls": "stun:127.0.0.1:9"}], "trickle": false}));
    for (settings, kind) in [
        (json!({"ice_servers": [{"urls": "stun:"}]}), "SyntaxError"),
        (json!({"ice_servers": [{"urls": "turn:127.0.0.1"}]}), "InvalidAccessError"),
        (json!({"transport_policy": "some"}), "TypeError"),
        (json!({"loopback": false}), "InvalidModificationError"),
        (json!({"trickle": true}), "InvalidModificationError"),
        (json!({"bundle_policy": "max-bundle"}), "InvalidModificationError"),
    ] {
        let mut command = settings;
        command["do"] = "configure".into();
        assert_eq!(peer.refused(command.clone()), kind, "{command}");
    }
    peer.ok(json!({"do": "channel", "channel": "c"}));
    peer.ok(json!({"do": "configure", "ice_servers": [], "transport_policy": "all", "ice_candidate_pool_size": 1}));
    // Without the dead server, gathering ends at once.
    let sdp = |done: Value| done["description"]["sdp"].as_str().unwrap().to_owned();
    let first = sdp(peer.ok(json!({"do": "offer"})));
    assert!(first.contains("a=candidate:"), "{first}");
    peer.ok(json!({"do": "configure", "ice_servers": [], "ice_candidate_pool_size": 1}));
    let pool = json!({"do": "configure", "ice_candidate_pool_size": 2});
    assert_eq!(peer.refused(pool), "InvalidModificationError");
    peer.ok(json!({"do": "configure", "transport_policy": "relay"}));
    let second = sdp(peer.ok(json!({"do": "offer"})));
    assert!(!second.contains("a=candidate:"), "{second}");
    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap().to_owned();
    assert_ne!(ufrag(&first), ufrag(&second));
    peer.quit();
}

#[test]
fn what_is_configured_again_as_it_was_is_accepted() {
    let mut peer = Peer::start("peer");
    let made = peer.ok(json!({"do": "certificate"}));
    let all = json!({
        "do": "configure", "ice_servers": [], "transport_policy": "all", "bundle_policy": "max-bundle",
        "ice_candidate_pool_size": 3, "trickle": false, "manual": true, "dtls": "1.3", "groups": ["X25519"],
        "dtls_records_per_key": 1000, "certificate_pem": made["certificate_pem"], "mdns": false, "interfaces": ["lo"],
        "loopback": true, "port": 0, "max_message_size": 5000, "interleaving": false, "snap": true, "sped": false,
        "controller": "cubic",
    });
    peer.ok(all.clone());
    peer.ok(all.clone());
    peer.ok(json!({"do": "channel", "channel": "c"}));
    peer.ok(json!({"do": "offer"}));
    peer.ok(json!({"do": "local"}));
    peer.ok(all.clone());
    for (name, other) in [
        ("manual", json!(false)),
        ("bundle_policy", json!("balanced")),
        ("dtls", json!("any")),
        ("groups", json!(["P-256"])),
        ("certificate_pem", peer.ok(json!({"do": "certificate"}))["certificate_pem"].clone()),
        ("max_message_size", json!(6000)),
        ("snap", json!(false)),
        ("controller", json!("newreno")),
    ] {
        let mut changed = all.clone();
        changed[name] = other;
        assert_eq!(peer.refused(changed), "InvalidModificationError", "{name}");
    }
    peer.quit();
}

#[test]
fn addresses_hide_behind_names_when_asked_to() {
    let mut peer = Peer::start("peer");
    peer.ok(json!({"do": "configure", "mdns": true, "trickle": false, "loopback": true, "interfaces": ["lo"]}));
    peer.ok(json!({"do": "channel", "channel": "c"}));
    let offer = peer.ok(json!({"do": "offer"}));
    let sdp = offer["description"]["sdp"].as_str().unwrap();
    let hosts: Vec<_> = sdp.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert!(!hosts.is_empty(), "{sdp}");
    assert!(hosts.iter().all(|line| line.split(' ').nth(4).unwrap().strip_suffix(".local").is_some()), "{sdp}");
    peer.quit();
}
