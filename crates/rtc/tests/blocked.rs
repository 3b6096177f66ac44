//! A socket that takes nothing for a while, in a network namespace whose loopback is made slow (Linux; `unshare`, `ip`, `tc`).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::{Command, Stdio};
use std::time::Duration;

#[path = "window/mod.rs"]
mod window;

use tokio::time::{sleep, timeout};
use weft_rtc::{Config, DataChannel, DataChannelInit, Endpoint, IceConnectionState, PeerConnection};

use window::open_window;

const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u16 = 5000;
const CONNECTIONS: usize = 64;

/// Says to the test that it is in the namespace.
const INSIDE: &str = "WEFT_TEST_NAMESPACE";

/// Runs the test `name` of this file again, within a namespace. False where there can be none.
fn enter(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let classes = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up mtu 1500 && tc qdisc add dev lo root handle 1: htb default 1 \
         && tc class add dev lo parent 1: classid 1:1 htb rate 10gbit \
         && tc class add dev lo parent 1: classid 1:2 htb rate 8kbit burst 2k \
         && tc qdisc add dev lo parent 1:2 pfifo limit 1000000";
    let in_namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rn", "sh", "-c", script, "sh"]).stdin(Stdio::null());
        command
    };
    if !in_namespace(classes).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "there can be no namespace with a slow loopback");
        println!("NOT RUN: it takes unshare, ip and tc, and a kernel that lets them");
        return false;
    }
    let mut again = in_namespace(&format!("{classes} && exec \"$@\""));
    again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    assert!(again.status().unwrap().success());
    false
}

fn tc(arguments: &str) {
    assert!(Command::new("tc").args(arguments.split(' ')).status().unwrap().success());
}

/// What leaves from (`sport`) or comes to (`dport`) [`PORT`] is held back.
fn hold_back(which: &str) {
    tc(&format!("filter add dev lo parent 1: protocol ip prio 1 u32 match ip {which} {PORT} 0xffff flowid 1:2"));
}

/// What was held back arrives.
fn let_go() {
    tc("class change dev lo parent 1: classid 1:2 htb rate 10gbit burst 1m");
}

fn config(port: u16) -> Config {
    let mut config = Config::default().with_loopback(true);
    config.port = port;
    // Packets of their own fill the system's buffer sooner.
    config.segmentation_offload = false;
    config.interfaces = Some(vec!["lo".to_owned()]);
    config
}

struct Joined {
    a: PeerConnection,
    _b: PeerConnection,
    here: DataChannel,
    there: DataChannel,
}

async fn join(server: &Endpoint) -> Joined {
    let (a, b) = (server.peer_connection(config(PORT)).unwrap(), PeerConnection::new(config(0)).unwrap());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let mut offer = a.offer().await.unwrap();
    let by_v4 = |line: &&str| !line.starts_with("a=candidate:") || line.contains(" 127.0.0.1 ");
    offer.sdp = offer.sdp.lines().filter(by_v4).flat_map(|line| [line, "\r\n"]).collect();
    let answer = b.answer(&offer).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    open_window(&a, &here, &there, 200_000).await;
    Joined { a, _b: b, here, there }
}

#[test]
fn a_socket_that_takes_nothing_holds_up_nothing_else() {
    if !enter("a_socket_that_takes_nothing_holds_up_nothing_else") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Endpoint::bind(&config(PORT)).unwrap();
        let mut all = Vec::new();
        for _ in 0..CONNECTIONS {
            all.push(join(&server).await);
        }
        hold_back("sport");
        // As many messages as are taken.
        let mut sent = [0; CONNECTIONS];
        for (n, Joined { here, .. }) in all.iter().enumerate() {
            while timeout(Duration::from_millis(20), here.send(vec![n as u8; 50_000])).await.is_ok() {
                sent[n] += 1;
            }
        }
        let owed = server.owed_bytes();
        assert!(owed > 0, "the socket takes everything");
        assert!(owed <= 512 * 1024, "{owed} bytes wait for the socket");
        // What comes is handed on.
        for Joined { here, there, .. } in &all {
            there.send_text("x").await.unwrap();
            let came = timeout(Duration::from_secs(2), here.recv()).await.expect("what came was kept");
            assert_eq!(came.unwrap().as_text(), Some("x"));
        }
        // Timers run: silence is noticed.
        hold_back("dport");
        let lost = async {
            for Joined { a, .. } in &all {
                while a.ice_connection_state() != IceConnectionState::Disconnected {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        };
        timeout(Duration::from_secs(20), lost).await.expect("no timer runs");
        assert!(server.owed_bytes() <= 512 * 1024);
        // And then it goes on.
        let_go();
        for (n, Joined { there, .. }) in all.iter().enumerate() {
            for _ in 0..sent[n] {
                let message = timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
                assert!(message.data.iter().all(|byte| *byte == n as u8));
            }
        }
        assert_eq!(server.owed_bytes(), 0);
    });
}
