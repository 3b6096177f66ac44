//! Names of the local link, first in virtual time, then over the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use weft_core::{Instant, Rng};
use weft_net::{Clock, GROUP_V4, Mdns, MdnsError, MdnsEvent, MdnsSocket, Outlet};

fn mdns(seed: u64) -> Mdns {
    Mdns::new(Rng::from_test_seed(seed))
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn drain(mdns: &mut Mdns, now: Instant) -> Vec<(Outlet, SocketAddr, Vec<u8>)> {
    std::iter::from_fn(|| mdns.poll_transmit(now)).collect()
}

fn ours(port: u16) -> SocketAddr {
    format!("192.0.2.2:{port}").parse().unwrap()
}

#[test]
fn names_tell_nothing_and_last() {
    let mut mdns = mdns(1);
    let name = mdns.hide(at(0), "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!((name.len(), &name[14..15], &name[36..]), (42, "4", ".local"));
    assert!(name.bytes().all(|c| c.is_ascii_hexdigit() || b"-.local".contains(&c)));
    assert_eq!(mdns.hide(at(5), "192.0.2.1".parse().unwrap()).as_ref(), Some(&name));
    assert_ne!(mdns.hide(at(5), "2001:db8::1".parse().unwrap()).as_ref(), Some(&name));
    for n in 0..1000 {
        let _ = mdns.hide(at(5), format!("10.0.{}.{}", n / 250, n % 250).parse().unwrap());
    }
    assert_eq!(mdns.hide(at(5), "192.0.2.77".parse().unwrap()), None, "capped");
}

#[test]
fn a_query_is_answered_to_the_group_and_a_one_shot_query_to_its_sender() {
    let (mut ours_mdns, mut theirs) = (mdns(1), mdns(2));
    let name = ours_mdns.hide(at(0), "192.0.2.1".parse().unwrap()).unwrap();
    assert_eq!(drain(&mut ours_mdns, at(0)).len(), 1, "announced");
    ours_mdns.handle_timeout(at(1000));
    assert_eq!(drain(&mut ours_mdns, at(1000)).len(), 1, "and once more");

    theirs.resolve(at(3000), &name.to_ascii_uppercase().replace("LOCAL", "local")).unwrap();
    let asked = drain(&mut theirs, at(3000));
    assert_eq!((asked.len(), asked[0].0, asked[0].1), (1, Outlet::Multicast, GROUP_V4));
    ours_mdns.handle_input(at(3000), ours(5353), GROUP_V4, &asked[0].2);
    let answers = drain(&mut ours_mdns, at(3000));
    assert_eq!((answers.len(), answers[0].1), (1, GROUP_V4));
    // Not again within a second (RFC 6762 section 6), then once.
    ours_mdns.handle_input(at(3100), ours(5353), GROUP_V4, &asked[0].2);
    assert_eq!((drain(&mut ours_mdns, at(3100)).len(), ours_mdns.stats().limited), (0, 1));
    ours_mdns.handle_timeout(at(4000));
    assert_eq!(drain(&mut ours_mdns, at(4000)).len(), 1);

    // It was lost: a second later, by a socket of its own.
    let again = drain(&mut theirs, at(4000));
    assert_eq!((again.len(), again[0].0), (1, Outlet::OneShot));
    ours_mdns.handle_input(at(4001), ours(40_000), GROUP_V4, &again[0].2);
    let answers = drain(&mut ours_mdns, at(4001));
    assert_eq!((answers.len(), answers[0].1), (1, ours(40_000)));
    assert_eq!(answers[0].2[..2], again[0].2[..2], "the id of the query");
    theirs.handle_input(at(4002), "192.0.2.1:5353".parse().unwrap(), ours(40_000), &answers[0].2);
    assert_eq!(theirs.poll_event(), Some(MdnsEvent::Resolved(name.clone(), "192.0.2.1".parse().unwrap())));
    theirs.handle_timeout(at(60_000));
    assert_eq!((theirs.poll_event(), theirs.poll_timeout()), (None, None));

    // Forgotten: a goodbye, and no answer.
    ours_mdns.forget(&name);
    assert_eq!(drain(&mut ours_mdns, at(9000)).len(), 1);
    ours_mdns.handle_input(at(9000), ours(5353), GROUP_V4, &asked[0].2);
    assert!(drain(&mut ours_mdns, at(9000)).is_empty());
}

#[test]
fn what_nobody_knows_is_given_up_and_asked_for_three_times() {
    // Kurento#432, libdatachannel#1285: names that cannot be resolved. Nothing waits, and it is told.
    let mut mdns = mdns(3);
    mdns.resolve(at(0), "1f4712db-ea17-4bcf-a596-105139dfd8bf.local").unwrap();
    let mut sent = Vec::new();
    while let Some(next) = mdns.poll_timeout() {
        mdns.handle_timeout(next);
        sent.extend(drain(&mut mdns, next).iter().map(|_| next.as_millis()));
    }
    assert_eq!(sent, [0, 1000, 3000]);
    let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local".to_owned();
    assert_eq!(mdns.poll_event(), Some(MdnsEvent::Unresolved(name)));
    for bad in ["example.org", ".local", "a.b.local", "local", "a b.local", &format!("{}.local", "x".repeat(64))] {
        assert_eq!(mdns.resolve(at(0), bad), Err(MdnsError::Name), "{bad}");
    }
    for n in 0..256 {
        mdns.resolve(at(0), &format!("n{n}.local")).unwrap();
    }
    assert_eq!(mdns.resolve(at(0), "onemore.local"), Err(MdnsError::TooMany));
}

#[test]
fn floods_of_questions_get_few_answers() {
    let (mut ours_mdns, mut theirs) = (mdns(1), mdns(2));
    let name = ours_mdns.hide(at(0), "192.0.2.1".parse().unwrap()).unwrap();
    drain(&mut ours_mdns, at(0));
    theirs.resolve(at(0), &name).unwrap();
    let query = theirs.poll_transmit(at(0)).unwrap().2;
    for n in 0..10_000_u16 {
        ours_mdns.handle_input(at(5000 + u64::from(n) / 100), ours(n.max(6000)), GROUP_V4, &query);
    }
    let answers = drain(&mut ours_mdns, at(5100));
    assert!(answers.len() <= 20, "{}", answers.len());
    assert!(answers.iter().all(|answer| answer.2.len() <= 2 * query.len()));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), flip in 0_usize..600) {
        let mut mdns = mdns(4);
        let name = mdns.hide(at(0), "192.0.2.1".parse().unwrap()).unwrap();
        mdns.resolve(at(0), "peer.local").unwrap();
        mdns.handle_input(at(1), ours(5353), GROUP_V4, &bytes);
        let mut sent = mdns.poll_transmit(at(1)).unwrap().2;
        if let Some(byte) = sent.get_mut(flip) {
            *byte ^= 0x55;
        }
        mdns.handle_input(at(2), ours(5353), GROUP_V4, &sent);
        drain(&mut mdns, at(5000));
        prop_assert_eq!(name.len(), 42);
    }
}

/// Port 5353 and multicast over loopback: where the system does not have them, there is nothing to test, and that is said.
#[test]
fn two_on_one_host_find_each_other() {
    let (a, b) = (MdnsSocket::open(true).unwrap(), MdnsSocket::open(true).unwrap());
    if !a.can_answer() || !b.can_answer() {
        eprintln!("port 5353 cannot be had on this machine");
        return;
    }
    let (clock, mut ours_mdns, mut theirs) = (Clock::new(), mdns(11), mdns(12));
    let name = ours_mdns.hide(clock.now(), "127.0.0.1".parse().unwrap()).unwrap();
    theirs.resolve(clock.now(), &name).unwrap();
    let end = clock.now() + Duration::from_secs(6);
    let found = loop {
        a.turn(clock.now(), &mut ours_mdns);
        b.turn(clock.now(), &mut theirs);
        match theirs.poll_event() {
            None if clock.now() < end => std::thread::sleep(Duration::from_millis(5)),
            event => break event,
        }
    };
    assert_eq!(found, Some(MdnsEvent::Resolved(name, "127.0.0.1".parse().unwrap())));
}
