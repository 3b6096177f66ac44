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

//= rfc6762#5.1
//# these queries MUST NOT be sent using UDP source port 5353, since using UDP source port 5353 signals the presence of a fully compliant Multicast DNS querier, as described below.
//= rfc6762#5.2
//# A compliant Multicast DNS querier, which implements the rules specified in this document, MUST send its Multicast DNS queries from UDP source port 5353 (the well-known port assigned to mDNS)
//= rfc6762#6
//# A Multicast DNS responder MUST only respond when it has a positive, non-null response to send, or it authoritatively knows that a particular record does not exist.
//= rfc6762#6
//# The destination UDP port in all Multicast DNS responses MUST be 5353, and the destination address MUST be the mDNS IPv4 link-local multicast address 224.0.0.251 or its IPv6 equivalent FF02::FB, except when generating a reply to a query that explicitly requested a unicast response:
//= rfc6762#6
//# Except for these three specific cases, responses MUST NOT be sent via unicast, because then the "Passive Observation of Failures" mechanisms described in Section 10.5 would not work correctly.
//= rfc6762#6
//# To protect the network against excessive packet flooding due to software bugs or malicious attack, a Multicast DNS responder MUST NOT (except in the one special case of answering probe queries) multicast a record on a given interface until at least one second has elapsed since the last time that record was multicast on that particular interface.
//= rfc6762#6.3
//# Multicast DNS responders MUST correctly handle DNS query messages containing more than one question, by answering any or all of the questions to which they have answers.
//= rfc6762#3
//# MUST be sent to the mDNS IPv4 link-local multicast address 224.0.0.251 (or its IPv6 equivalent FF02::FB).
//= rfc6762#6.7
//# In this case, the Multicast DNS responder MUST send a UDP response directly back to the querier, via unicast, to the query packet's source IP address and port.
//= rfc6762#6.7
//# it MUST repeat the query ID
//= rfc6762#8.3
//# The second startup step is that the Multicast DNS responder MUST send an unsolicited Multicast DNS response containing, in the Answer Section, all of its newly registered resource records (both shared records, and unique records that have completed the probing step).
//= rfc6762#8.3
//# The Multicast DNS responder MUST send at least two unsolicited responses, one second apart.
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

//= rfc6762#5.2
//# the interval between the first two queries MUST be at least one second
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

/// Where the answers of a message begin to be records, and the class of its first record.
fn class_of_first_answer(bytes: &[u8], name: &str) -> [u8; 2] {
    let question = if bytes[5] == 0 { 0 } else { name.len() + 2 + 4 };
    // A name is written once; a repetition is a pointer of two bytes.
    let owner = if bytes[5] == 0 { name.len() + 2 } else { 2 };
    let at = 12 + question + owner + 2;
    [bytes[at], bytes[at + 1]]
}

//= rfc6762#6
//# Multicast DNS responses MUST NOT contain any questions in the Question Section.
//= rfc6762#6
//# The source UDP port in all Multicast DNS responses MUST be 5353 (the well-known port assigned to mDNS).
//= rfc6762#6
//# Multicast DNS implementations MUST silently ignore any Multicast DNS responses they receive where the source UDP port is not 5353.
//= rfc6762#6.7
//# In addition, the cache-flush bit described in Section 10.2, "Announcements to Flush Outdated Cache Entries", MUST NOT be set in legacy unicast responses.
//= rfc6762#8.3
//# A Multicast DNS responder MUST NOT send announcements in the absence of information that its network connectivity may have changed in some relevant way.
//= rfc6762#8.3
//# In particular, a Multicast DNS responder MUST NOT send regular periodic announcements as a matter of course.
//= rfc6762#10.2
//# The host MUST set the cache-flush bit on all members of the unique RRSet.
//= rfc6762#10.2
//# The cache-flush bit MUST NOT be set in any resource records in a response message sent in legacy unicast responses to UDP ports other than 5353.
#[test]
fn two_announcements_and_no_more_and_what_is_in_an_answer() {
    let (mut ours_mdns, mut theirs) = (mdns(1), mdns(2));
    let name = ours_mdns.hide(at(0), "192.0.2.1".parse().unwrap()).unwrap();
    let mut announced = drain(&mut ours_mdns, at(0));
    while let Some(next) = ours_mdns.poll_timeout() {
        assert!(next <= at(1000), "nothing is announced regularly");
        ours_mdns.handle_timeout(next);
        announced.extend(drain(&mut ours_mdns, next));
    }
    assert_eq!(announced.len(), 2);
    for (outlet, _, bytes) in &announced {
        assert_eq!(
            (*outlet, &bytes[..8]),
            (Outlet::Multicast, &[0, 0, 0x84, 0, 0, 0, 0, 1][..]),
            "no question, one answer"
        );
        assert_eq!(class_of_first_answer(bytes, &name), [0x80, 1], "with the cache-flush bit");
    }
    theirs.resolve(at(3000), &name).unwrap();
    let query = drain(&mut theirs, at(3000)).remove(0).2;
    ours_mdns.handle_input(at(3000), ours(40_000), GROUP_V4, &query);
    let (outlet, to, legacy) = drain(&mut ours_mdns, at(3000)).remove(0);
    assert_eq!((outlet, to, class_of_first_answer(&legacy, &name)), (Outlet::Multicast, ours(40_000), [0, 1]));
    // An answer from another port than 5353 is none.
    theirs.handle_input(at(3001), "192.0.2.1:5354".parse().unwrap(), GROUP_V4, &announced[0].2);
    assert_eq!((theirs.poll_event(), theirs.stats().ignored), (None, 1));
    theirs.handle_input(at(3002), "192.0.2.1:5353".parse().unwrap(), GROUP_V4, &announced[0].2);
    assert_eq!(theirs.poll_event(), Some(MdnsEvent::Resolved(name, "192.0.2.1".parse().unwrap())));
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
