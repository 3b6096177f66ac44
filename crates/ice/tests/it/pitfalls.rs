//! What users of other stacks have suffered, each named after the thread or advisory. Where the test is elsewhere:
//!
//! | thread or advisory | what | test |
//! |---|---|---|
//! | iroh#3250 | 20 % of home pairs, no mobile ones | `every_translator_against_every_other`; real translators: `cargo xtask nat` |
//! | str0m#325, str0m#723 | no TURN | `relay.rs` `symmetric_translators_are_crossed_by_a_relay_over_each_transport` |
//! | libdatachannel#1484, node-datachannel#130 | no TURN over TCP and TLS | the same, and `where_udp_is_blocked_the_relay_is_reached_by_tcp` |
//! | pion/webrtc#460 | 5 to 6 s to open | `pion_webrtc_460_…`; `connect.rs` `a_pair_is_usable_within_one_round_trip_and_nominated_within_two`, `at_a_tenth_of_loss_most_pairs_are_usable_within_a_second`, `on_loopback_the_pair_is_selected_within_a_millisecond` |
//! | matchbox#35, term-llm#200, simple-peer#382 | 30 to 40 s for a dead server or IPv6 path | `gather.rs` `nothing_waits_for_a_dead_server` |
//! | Kurento#432, libdatachannel#1285 | names that cannot be resolved | `connect.rs` `names_that_cannot_be_resolved_do_not_matter` |
//! | libdatachannel#1270, webrtc-pc#2791, netbird#6082 | networks that change | `moves.rs` `an_interface_that_vanishes_is_left_without_a_restart`, `a_rebinding_translator_costs_less_than_five_seconds` |
//! | livekit rust-sdks#1332 | disconnected for ever | `rust_sdks_1332_…` |
//! | rtc#164 | a timeout of zero is not honoured | `rtc_164_…` |
//! | matchbox#517, webrtc-native#88 | no network | `matchbox_517_…` |
//! | webrtc-native#145, godot-proposals#9570 | errors that cannot be caught | `gather.rs` `a_refusal_is_told_with_code_and_reason` |
//! | godot-proposals#8469 | the selected pair is not told | `godot_proposals_8469_…` |
//! | godot-proposals#1286 | candidates before the description | `trickle.rs` `candidates_before_the_credentials_wait` |
//! | CVE-2023-49786, CVE-2023-51443 | DTLS from anywhere | `cve_2023_49786_…` |
//! | str0m#709 | a message of 19 bytes | `str0m_709_…`; weft-stun `survival.rs` |
//! | CVE-2020-26262, CVE-2026-27624 | loopback in disguise | `cve_2020_26262_…` |
//! | CVE-2025-69217 | numbers that can be guessed | `cve_2025_69217_…` |
//! | CVE-2020-4067 | padding that leaks memory | `cve_2020_4067_…` |
//! | STUN as reflector | | `strangers_get_no_more_than_they_send`; `hostile.rs` `responses_never_outweigh_requests` |
//! | floods of candidates | | `a_flood_of_candidates_is_capped_at_a_hundred`, `candidates_without_end_keep_no_relay_out` |
//! | RFC 7675 | consent | `consent.rs` |
//! | RFC 8828 | addresses that stay private | `gather.rs` `relay_only_tells_and_answers_nothing_else` |
//! | RFC 8445 section 5.3 | credentials that can be guessed | `candidates.rs` `credentials_have_enough_entropy` |

use core::time::Duration;

use weft_core::{Path, Transport};
use weft_ice::{CandidateKind, Config, Event, IceState, Role};
use weft_stun::Class;
use weft_testkit::{Behaviour, NatConfig, for_seeds};

use super::support::{A, Check, Lone, at, class, ms, path};
use super::world::{SERVER, World, server_of};

/// How a pair is connected: between addresses of their own, between addresses that translators gave, by a relay, not at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Way {
    Direct,
    Reflexive,
    Relayed,
    NotAtAll,
}

const ALL: [Behaviour; 3] =
    [Behaviour::EndpointIndependent, Behaviour::AddressDependent, Behaviour::AddressAndPortDependent];

/// No translator, and one of every mapping with every filtering.
fn translators() -> Vec<Option<NatConfig>> {
    let pairs = ALL.iter().flat_map(|&mapping| ALL.map(|filtering| (mapping, filtering)));
    let nats = pairs.map(|(mapping, filtering)| Some(NatConfig { mapping, filtering, ..NatConfig::HOME }));
    core::iter::once(None).chain(nats).collect()
}

/// The best way there is between these two.
fn theory(a: Option<NatConfig>, b: Option<NatConfig>, relay: bool) -> Way {
    // Who has no translator is reached as behind one that lets everybody in.
    let (from, to) = (a.unwrap_or(NatConfig::FULL_CONE), b.unwrap_or(NatConfig::FULL_CONE));
    match (a.is_none() && b.is_none(), punches(&from, &to) || punches(&to, &from)) {
        (true, _) => Way::Direct,
        (false, true) => Way::Reflexive,
        (false, false) if relay => Way::Relayed,
        (false, false) => Way::NotAtAll,
    }
}

/// How these two are connected, and in what time.
fn practice(seed: u64, nats: [Option<NatConfig>; 2], relay: bool) -> (Way, Option<Duration>) {
    let mut world = World::new(seed);
    world.delay = ms(1 + seed % 60);
    for nat in nats {
        world.host(Config::default(), nat);
    }
    let now = world.now;
    for n in 0..2 {
        world.agent(n).add_server(now, at(SERVER).into()).unwrap();
        if relay {
            world.agent(n).add_server(now, server_of(Transport::Udp)).unwrap();
        }
    }
    world.describe();
    let took = world.run_until(Duration::from_secs(10), |world| world.nominated());
    let kinds: Vec<_> = (0..2).filter_map(|n| world.kinds(n)).flat_map(|(local, remote)| [local, remote]).collect();
    let way = match took {
        None => Way::NotAtAll,
        _ if kinds.contains(&CandidateKind::Relayed) => Way::Relayed,
        _ if kinds.iter().all(|kind| *kind == CandidateKind::Host) => Way::Direct,
        _ => Way::Reflexive,
    };
    (way, took)
}

/// iroh#3250, str0m#325, libdatachannel#1484: every mapping against every filtering, each side behind a translator of its own or
/// none, with STUN alone and with TURN. Each is connected in the best way that theory has for it.
#[test]
fn every_translator_against_every_other() {
    let mut ways = std::collections::BTreeMap::<(bool, Way), u32>::new();
    for_seeds("every_translator_against_every_other", 1_000, |seed| {
        for a in translators() {
            for b in translators() {
                for relay in [false, true] {
                    let (way, took) = practice(seed, [a, b], relay);
                    assert_eq!(way, theory(a, b, relay), "{a:?} {b:?} relay {relay}");
                    assert!(took.is_none_or(|took| took <= ms(1500)), "{a:?} {b:?}: {took:?}");
                    *ways.entry((relay, way)).or_default() += 1;
                }
            }
        }
    });
    for ((relay, way), count) in ways {
        println!("{}: {way:?} {count}", if relay { "STUN and TURN" } else { "STUN alone" });
    }
}

/// Whether a packet of `from` to the reflexive address of `to` gets in, and the answer back.
fn punches(from: &NatConfig, to: &NatConfig) -> bool {
    // `to` has sent to the reflexive address of `from`; that opens its own reflexive address only if it is seen as that there.
    let to_is_as_told = to.mapping == Behaviour::EndpointIndependent;
    let from_is_as_told = from.mapping == Behaviour::EndpointIndependent;
    let gets_in = match to.filtering {
        Behaviour::EndpointIndependent => true,
        Behaviour::AddressDependent => to_is_as_told,
        Behaviour::AddressAndPortDependent => to_is_as_told && from_is_as_told,
    };
    // The answer comes from another port if `to` is not seen as what it has told.
    // Two that take another port for each port never come to an end.
    let endless = [from, to].iter().all(|nat| nat.mapping == Behaviour::AddressAndPortDependent);
    gets_in && !endless && (from.filtering != Behaviour::AddressAndPortDependent || to_is_as_told)
}

/// Two translators that take another port for each destination and let everybody in: every check comes from a port not seen
/// before, and is answered by one that goes to another. Such candidates fill the list within half a second where the delay is small, and
/// the relay has to be used all the same; nor may it go on like that for ever.
#[test]
fn candidates_without_end_keep_no_relay_out() {
    let nat = NatConfig {
        mapping: Behaviour::AddressAndPortDependent,
        filtering: Behaviour::EndpointIndependent,
        ..NatConfig::HOME
    };
    for_seeds("candidates_without_end_keep_no_relay_out", 1_000, |seed| {
        let mut world = World::new(seed);
        world.delay = ms(1 + seed % 10);
        for n in 0..2 {
            world.host(Config::default(), Some(nat));
            let now = world.now;
            world.agent(n).add_server(now, server_of(Transport::Udp)).unwrap();
        }
        world.describe();
        world.run_until(Duration::from_secs(10), |world| world.nominated()).unwrap();
        world.run(Duration::from_secs(5));
        assert!(world.nominated());
        let sent = world.hosts[0].sent;
        world.run(Duration::from_secs(60));
        assert!(world.hosts[0].sent - sent < 600, "{} in a minute", world.hosts[0].sent - sent);
        assert!((0..2).all(|n| world.agent(n).remote_candidates().count() <= 100));
    });
}

/// rtc#164: `failed_timeout = 0` still failed after 5 s; answer now, connect later. Nothing fails before its patience is over,
/// and an agent without a description has all the time of the world.
#[test]
fn rtc_164_waiting_for_an_answer_is_not_failing() {
    let mut lone = Lone::new(Role::Controlling, false);
    lone.advance(Duration::from_secs(100_000));
    assert_eq!(lone.agent.state(), IceState::New);
    lone.describe();
    lone.advance(ms(39_000));
    assert_eq!(lone.agent.state(), IceState::Checking);
    let patient = Config { patience: Duration::from_secs(1_000_000), ..Config::default() };
    let mut lone = Lone::with(patient, Role::Controlling, true);
    lone.remote_candidate(super::support::B, 0x7E00_FFFF);
    lone.advance(Duration::from_secs(900_000));
    assert_eq!(lone.agent.state(), IceState::Checking);
    let hasty = Config { patience: Duration::ZERO, ..Config::default() };
    let mut lone = Lone::with(hasty, Role::Controlling, true);
    lone.advance(ms(1));
    assert_eq!(lone.agent.state(), IceState::Failed);
}

/// pion/webrtc#460: 5 to 6 s to open. matchbox#35: 30 s gathering. At 100 ms a usable pair takes one round trip.
#[test]
fn pion_webrtc_460_a_pair_is_usable_within_one_and_a_tenth_round_trips() {
    let mut world = World::new(1);
    world.delay = ms(50);
    for _ in 0..2 {
        world.host(Config::default(), None);
    }
    world.describe();
    let took = world.run_until(Duration::from_secs(5), |world| world.usable()).unwrap();
    assert!(took <= ms(110), "{took:?}");
}

/// livekit rust-sdks#1332, libdatachannel#1270: "disconnected" for ever after the network has changed.
#[test]
fn rust_sdks_1332_disconnected_does_not_last() {
    let mut world = World::new(2);
    for _ in 0..2 {
        world.host(Config::default(), None);
    }
    world.describe();
    world.run_until(Duration::from_secs(5), |world| world.nominated()).unwrap();
    world.black_holes = vec![at("198.51.100.2:1").ip()];
    world.run(Duration::from_secs(14));
    assert_eq!(world.agent(0).state(), IceState::Disconnected);
    assert!(world.happened(0, |event| matches!(event, Event::RestartNeeded(_))), "asked for before it is too late");
    world.black_holes.clear();
    world.run(Duration::from_secs(5));
    assert!(matches!(world.agent(0).state(), IceState::Connected | IceState::Completed));
    world.black_holes = vec![at("198.51.100.2:1").ip()];
    world.run(Duration::from_secs(40));
    assert_eq!(world.agent(0).state(), IceState::Failed, "and an end there is");
}

/// matchbox#517: `unwrap()` panicked when the network was down. Godot#88: gathering failed. No address at all is a state.
#[test]
fn matchbox_517_no_network_is_no_panic() {
    let mut world = World::new(3);
    world.host(Config::default(), None);
    let now = world.now;
    world.agent(0).add_server(now, at(SERVER).into()).unwrap();
    world.agent(0).end_of_local_candidates(now);
    world.agent(0).remove_local_ip(now, at(A).ip());
    let peer = weft_ice::Credentials::new("peer", "passwordpasswordpassword").unwrap();
    world.agent(0).set_remote_credentials(now, &peer);
    world.run(Duration::from_secs(60));
    assert!(world.happened(0, |event| *event == Event::GatheringComplete));
    assert!(world.happened(0, |event| matches!(event, Event::Failed(weft_ice::FailureReason::NoPairs))));
}

/// CVE-2023-49786, CVE-2023-51443, RTPEngine: a ClientHello from an address that no check came from killed the session.
#[test]
fn cve_2023_49786_dtls_from_an_unverified_address_is_not_let_through() {
    let mut lone = Lone::new(Role::Controlled, true);
    lone.connect();
    let stranger = Path::udp(path().local, at("203.0.113.66:6000"));
    assert_eq!(lone.receive(stranger, &[22, 254, 253, 0, 0]), None);
    assert_eq!(lone.receive(path(), &[22, 254, 253, 0, 0]), Some(vec![22, 254, 253, 0, 0]));
    assert_eq!(lone.agent.stats().unvalidated, 1);
}

/// STUN as a reflector: what is answered to strangers is no longer than what they sent, and rare.
#[test]
fn strangers_get_no_more_than_they_send() {
    let mut lone = Lone::new(Role::Controlled, true);
    let (mut received, mut sent) = (0, 0);
    for n in 0..1000 {
        let check = Check { key: None, ..lone.check() }.bytes();
        received += check.len();
        lone.receive(Path::udp(at(A), at(&format!("203.0.113.{}:53", n % 250 + 1))), &check);
        sent += lone.drain().iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    }
    assert!(sent <= 10 * 36 && sent < received / 100, "{sent} for {received}");
}

/// str0m#709: a STUN message of 19 bytes; every length from 0 to 64 of every message an agent sends or takes.
#[test]
fn str0m_709_every_length_is_survived() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.remote_candidate(super::support::B, 0x7E00_FFFF);
    let request = lone.transmit().unwrap().1;
    let messages =
        [lone.check().bytes(), super::support::success(&request, at(A), super::support::REMOTE_PWD), request];
    for message in &messages {
        for len in 0..64.min(message.len()) {
            assert_eq!(lone.receive(path(), &message[..len]), None);
        }
    }
    assert!(lone.agent.selected_path().is_none());
    assert!(lone.drain().iter().all(|(_, bytes)| class(bytes) != Class::Success));
}

/// CVE-2020-26262, CVE-2026-27624: a relay let peers reach its own host by 0.0.0.0, `::` and `::ffff:127.0.0.1`. Such candidates are
/// refused, so that no TURN server is ever asked to reach them for us.
#[test]
fn cve_2020_26262_addresses_in_disguise_are_refused() {
    let mut lone = Lone::new(Role::Controlling, true);
    lone.agent.add_local_candidate(lone.now, weft_ice::LocalCandidate::host(at("[2001:db8::1]:5000"))).unwrap();
    for address in ["0.0.0.0:80", "[::]:80", "[::ffff:127.0.0.1]:80", "[::ffff:0.0.0.0]:80", "[::ffff:10.0.0.1]:80"] {
        let refused = lone.agent.add_remote_candidate(lone.now, super::support::candidate(address, 0x7E00_FFFF));
        assert_eq!(refused, Err(weft_ice::CandidateError::Address), "{address}");
        let own = lone.agent.add_local_candidate(lone.now, weft_ice::LocalCandidate::host(at(address)));
        assert!(own.is_err(), "{address}");
    }
    assert_eq!(lone.advance(Duration::from_secs(5)), []);
}

/// CVE-2025-69217: nonces and ports that could be guessed. Of an agent nothing repeats that a stranger must not know, nor does
/// one tell what another draws.
#[test]
fn cve_2025_69217_nothing_that_must_not_be_guessed_repeats() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let mut agent = super::support::agent(Role::Controlling, seed);
        for _ in 0..5 {
            let credentials = agent.local_credentials().clone();
            assert!(seen.insert(credentials.ufrag().to_owned()) && seen.insert(credentials.pwd().to_owned()));
            agent.restart(weft_core::Instant::ORIGIN);
        }
    }
    let mut lone = Lone::new(Role::Controlling, true);
    lone.connect();
    let sent = lone.advance(Duration::from_secs(25));
    let ids: std::collections::BTreeSet<_> = sent.iter().map(|(_, _, bytes)| bytes[8..20].to_vec()).collect();
    let checks: std::collections::BTreeSet<_> = sent.iter().map(|(_, _, bytes)| bytes.clone()).collect();
    assert!(ids.len() >= 3 && ids.len() == checks.len(), "an id for each request: {} and {}", ids.len(), checks.len());
}

/// CVE-2020-4067: what a server's buffer had held before went out as padding. Ours is zero, whatever the buffer has held.
#[test]
fn cve_2020_4067_padding_is_zero() {
    for extra in 0..4 {
        let mut lone = Lone::new(Role::Controlled, false);
        lone.remote = weft_ice::Credentials::new(&"peer".repeat(2)[..4 + extra], super::support::REMOTE_PWD).unwrap();
        lone.describe();
        lone.remote_candidate(super::support::B, 0x7E00_FFFF);
        for check in [lone.check(), Check { key: None, ..lone.check() }, Check { priority: None, ..lone.check() }] {
            lone.receive(path(), &check.bytes());
        }
        let sent = lone.drain();
        assert!(sent.len() >= 4);
        for (_, bytes) in sent {
            let mut rest = &bytes[20..];
            while let [_, _, l0, l1, value @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([*l0, *l1]));
                assert!(value[len..len.next_multiple_of(4)].iter().all(|byte| *byte == 0), "{bytes:?}");
                rest = &value[len.next_multiple_of(4)..];
            }
        }
    }
}

/// godot-proposals#8469: which pair is in use could not be read. It is told with types, addresses and round trip time.
#[test]
fn godot_proposals_8469_the_selected_pair_is_told() {
    let mut world = World::new(4);
    for _ in 0..2 {
        world.host(Config::default(), None);
    }
    world.describe();
    world.run(Duration::from_secs(2));
    let info = world.agent(0).selected_pair().unwrap();
    assert_eq!((info.local.kind, info.remote.kind), (CandidateKind::Host, CandidateKind::Host));
    assert_eq!((info.local.address, info.remote.address), (info.path.local, info.path.remote));
    assert_eq!((info.nominated, info.rtt), (true, Some(ms(50))));
    assert!(world.happened(0, |event| matches!(event, Event::SelectedPair(pair) if pair.path == info.path)));
}

/// Section 6 of the same list: a flood of candidates.
#[test]
fn a_flood_of_candidates_is_capped_at_a_hundred() {
    let mut lone = Lone::new(Role::Controlling, true);
    let mut refused = 0;
    for n in 0..10_000_u32 {
        let address = format!("198.51.{}.{}:{}", n / 250 % 250, n % 250 + 1, 1024 + n % 40_000);
        refused += u32::from(
            lone.agent.add_remote_candidate(lone.now, super::support::candidate(&address, 1000 + n)).is_err(),
        );
    }
    assert_eq!((refused, lone.agent.remote_candidates().count()), (9_900, 100));
    let sent = lone.advance(Duration::from_secs(60));
    let mut paths: Vec<_> = sent.iter().map(|(_, path, _)| *path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 100);
}
