//! Interfaces that come and go. Those of this machine are left alone: the one that comes and goes is in a network namespace of its
//! own, which takes root.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use weft_net::{Clock, InterfaceWatcher, UdpConfig, UdpSocket, host_addresses_of, interfaces};

#[test]
fn ports_come_from_the_range() {
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let mut held = Vec::new();
    for start in 0..4_u16 {
        held.push(
            UdpSocket::bind_in_range(ip, 47_310..=47_313, start.wrapping_mul(40_503), UdpConfig::default()).unwrap(),
        );
    }
    let mut ports: Vec<u16> = held.iter().map(|socket| socket.local_addr().port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [47_310, 47_311, 47_312, 47_313]);
    assert!(UdpSocket::bind_in_range(ip, 47_310..=47_313, 7, UdpConfig::default()).is_err(), "all taken");
    #[allow(clippy::reversed_empty_ranges)] // what it is about
    let empty = UdpSocket::bind_in_range(ip, 5..=4, 0, UdpConfig::default());
    assert!(empty.is_err());
}

#[test]
fn interfaces_are_chosen_by_name() {
    let loopback = interfaces().unwrap().into_iter().find(|interface| interface.is_loopback).unwrap();
    let addresses = host_addresses_of(&[&loopback.name], true).unwrap();
    assert!(addresses.contains(&loopback.ip) && addresses.iter().all(IpAddr::is_loopback));
    assert!(host_addresses_of(&["no-such-interface"], true).unwrap().is_empty());
    assert!(loopback.is_on_link(loopback.ip) && !loopback.is_on_link("192.0.2.1".parse().unwrap()));
}

/// Runs itself again inside a network namespace of its own, which takes root: CI has it.
#[cfg(target_os = "linux")]
#[test]
fn an_interface_that_comes_and_goes_is_noticed() {
    const INSIDE: &str = "WEFT_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_none() {
        let me = std::env::current_exe().unwrap();
        let test = "watcher::an_interface_that_comes_and_goes_is_noticed";
        let output =
            Command::new("unshare").arg("-n").arg(me).args(["--exact", test]).env(INSIDE, "1").output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        // That it ran, and did not merely find nothing to run.
        assert!(output.status.success() && told.contains("1 passed"), "unshare -n (it takes root): {told}");
        return;
    }
    let ip = |arguments: &str| assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
    let clock = Clock::new();
    // What one has heard and listed, the other is told of, too.
    let mut watchers = [(); 2].map(|()| InterfaceWatcher::new(clock.now()).unwrap());
    let mut wait = |appears: bool| {
        let start = clock.now();
        let mut noticed = [false; 2];
        while noticed.contains(&false) {
            for (watcher, noticed) in watchers.iter_mut().zip(&mut noticed) {
                let changes = watcher.poll(clock.now()).unwrap();
                let seen = if appears { &changes.appeared } else { &changes.vanished };
                *noticed |= seen.iter().any(|interface| interface.ip.to_string() == "192.0.2.9");
            }
            assert!(clock.now() - start < Duration::from_secs(5), "not noticed");
            std::thread::sleep(Duration::from_millis(5));
        }
        clock.now() - start
    };
    ip("link add w0 type veth peer name w1");
    ip("link set w1 up");
    ip("link set w0 up");
    ip("addr add 192.0.2.9/24 dev w0");
    let appeared = wait(true);
    ip("link del w0");
    let vanished = wait(false);
    assert!(appeared < Duration::from_secs(1) && vanished < Duration::from_secs(1), "{appeared:?} {vanished:?}");
}
