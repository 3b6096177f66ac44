//! What both do with each other.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use weft_benches::stacks::{Outgoing, Stack, Weft};
use weft_core::{Instant, Rng};
use weft_sctp::wire::{Chunk, Data, ForwardTsn, IData, IForwardTsn, Packet, data, kind};
use weft_sctp::{Association, Config, Reliability};
use weft_testkit::{Fate, LinkConfig, Loss, Pair, Side, for_seeds};

use crate::side::End;

pub(crate) type Make = fn() -> Box<dyn Stack>;

/// Seeds of each scenario; ordinary runs take a hundredth.
const SEEDS: u64 = 300;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Links of all kinds, worse with the seed.
fn link(seed: u64, rng: &mut Rng) -> LinkConfig {
    let mut link = LinkConfig::with_delay_ms(1 + rng.below(80));
    link.loss = Loss::Random([0.0, 0.02, 0.1][(seed % 3) as usize]);
    if rng.chance(0.5) {
        link.jitter = Duration::from_millis(rng.below(10));
        link.reorder = 0.02;
        link.duplicate = 0.02;
    }
    link
}

struct Scene {
    pair: Pair<End, End>,
    rng: Rng,
}

impl Scene {
    /// Ours is A. `we_connect`: the peer waits, else the other way round; `None`: both connect.
    fn new(seed: u64, config: Config, peer: Box<dyn Stack>, we_connect: Option<bool>) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        let link = link(seed, &mut rng);
        let ours = Weft::of(Association::new(config, rng.fork()));
        let mut pair = Pair::new(End::new(Box::new(ours)), End::new(peer), link, seed);
        if we_connect != Some(false) {
            pair.a.side().connect(Instant::ORIGIN);
        }
        if we_connect != Some(true) {
            pair.b.side().connect(Instant::ORIGIN);
        }
        pair.run_until(secs(120), |pair| pair.a.side().is_up() && pair.b.side().is_up()).expect("it comes up");
        Self { pair, rng }
    }

    fn side(&mut self, ours: bool) -> &mut End {
        if ours { &mut self.pair.a } else { &mut self.pair.b }
    }

    /// Sends `messages` from either side at once, and takes what comes until `done` or nothing has come for a minute.
    fn exchange(&mut self, ours: Vec<Outgoing>, theirs: Vec<Outgoing>) -> [Vec<(u16, Bytes)>; 2] {
        let wanted = [theirs.len(), ours.len()];
        let mut queues = [ours.into_iter().peekable(), theirs.into_iter().peekable()];
        let result = self.pair.run_until(secs(1200), |pair| {
            let now = pair.now();
            for (end, queue) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut queues) {
                while queue.peek().is_some_and(|message| end.side().send_message(now, message)) {
                    queue.next();
                }
            }
            let got = [pair.a.got.len(), pair.b.got.len()];
            got == wanted
        });
        let got = [self.pair.a.got.drain(..).collect::<Vec<_>>(), self.pair.b.got.drain(..).collect()];
        result.unwrap_or_else(|stalled| panic!("{} and {} of {wanted:?} came: {stalled}", got[0].len(), got[1].len()));
        got
    }

    fn messages(&mut self, count: u32, ordered: bool, largest: u64) -> Vec<Outgoing> {
        (0..count)
            .map(|n| {
                let stream = self.rng.below(4) as u16;
                let mut payload = vec![0; 4 + self.rng.below(largest) as usize];
                self.rng.fill(&mut payload);
                payload[..4].copy_from_slice(&n.to_be_bytes());
                Outgoing { stream, ordered, reliability: Reliability::Reliable, payload: payload.into() }
            })
            .collect()
    }
}

/// SHA-256 over what each stream carried, in order.
fn hashes<'a>(messages: impl Iterator<Item = (u16, &'a Bytes)>) -> BTreeMap<u16, Vec<u8>> {
    let mut streams: BTreeMap<u16, Sha256> = BTreeMap::new();
    for (stream, payload) in messages {
        let hash = streams.entry(stream).or_default();
        hash.update((payload.len() as u64).to_be_bytes());
        hash.update(payload);
    }
    streams.into_iter().map(|(stream, hash)| (stream, hash.finalize().to_vec())).collect()
}

fn sent(messages: &[Outgoing]) -> BTreeMap<u16, Vec<u8>> {
    hashes(messages.iter().map(|m| (m.stream, &m.payload)))
}

fn received(messages: &[(u16, Bytes)]) -> BTreeMap<u16, Vec<u8>> {
    hashes(messages.iter().map(|(stream, payload)| (*stream, payload)))
}

/// Ordered, reliable messages of all sizes on several streams, both ways at once: the same hashes at both ends.
pub(crate) fn transfers(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        let (ours, theirs) = (scene.messages(60, true, 20_000), scene.messages(60, true, 20_000));
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        assert_eq!(received(&at_b), sent(&ours), "what we sent");
        assert_eq!(received(&at_a), sent(&theirs), "what it sent");
    });
}

/// A message of 250,000 bytes each way.
pub(crate) fn one_large_message(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS / 3, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        let mut one = || {
            let mut payload = vec![0; 250_000];
            scene.rng.fill(&mut payload);
            vec![Outgoing { stream: 1, ordered: true, reliability: Reliability::Reliable, payload: payload.into() }]
        };
        let (ours, theirs) = (one(), one());
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        assert_eq!((received(&at_b), received(&at_a)), (sent(&ours), sent(&theirs)));
    });
}

/// Unordered, reliable messages: each exactly once.
pub(crate) fn unordered(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        let (ours, theirs) = (scene.messages(80, false, 5_000), scene.messages(80, false, 5_000));
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        for (mut got, messages) in [(at_b, ours), (at_a, theirs)] {
            got.sort_by(|x, y| x.1.cmp(&y.1));
            let mut all: Vec<_> = messages.into_iter().map(|m| (m.stream, m.payload)).collect();
            all.sort_by(|x, y| x.1.cmp(&y.1));
            assert!(got == all);
        }
    });
}

/// The peer, whose large messages hold up what follows when they expire, began one, never sent its end, and never said by a
/// FORWARD TSN that it gave it up.
fn left_a_message_unfinished(pair: &mut Pair<End, End>) -> bool {
    if pair.b.side().habits().largest_with_a_lifetime == usize::MAX {
        return false;
    }
    let fragments = chunks_from(pair, Side::B, |chunk, _| match chunk.kind {
        kind::DATA => Data::parse(chunk.flags, chunk.value).map(|d| ((d.stream, d.ssn.0.into()), d.flags, d.tsn)),
        kind::I_DATA => IData::parse(chunk.flags, chunk.value).map(|d| ((d.stream, d.mid.0), d.flags, d.tsn)),
        _ => None,
    });
    let skipped = chunks_from(pair, Side::B, |chunk, _| match chunk.kind {
        kind::FORWARD_TSN => ForwardTsn::parse(chunk.value).map(|f| f.new_cumulative_tsn),
        kind::I_FORWARD_TSN => IForwardTsn::parse(chunk.value).map(|f| f.new_cumulative_tsn),
        _ => None,
    });
    let ended: HashSet<(u16, u32)> =
        fragments.iter().filter(|fragment| fragment.1 & data::END != 0).map(|fragment| fragment.0).collect();
    fragments.iter().any(|(message, flags, tsn)| {
        flags & data::BEGIN != 0 && !ended.contains(message) && !skipped.iter().any(|up_to| up_to.follows_or_is(*tsn))
    })
}

/// Unreliable messages: never twice, in order, unaltered, and a reliable one behind them arrives.
fn unreliable(name: &str, we_connect: bool, make: Make, reliability: Reliability) {
    let (mut runs, mut arrived) = (0, 0);
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        scene.pair.capture();
        for ours in [true, false] {
            let mut messages = scene.messages(60, true, 5_000);
            for message in &mut messages {
                message.stream = 2;
                message.reliability = reliability;
                if !ours && matches!(reliability, Reliability::MaxLifetime(_)) {
                    message.payload.truncate(scene.pair.b.side().habits().largest_with_a_lifetime);
                }
            }
            let mut last = scene.messages(1, true, 100);
            last[0].payload = Bytes::from_static(b"the last one");
            let mut queue = messages.iter().chain(&last).peekable();
            let mut got = Vec::new();
            let result = scene.pair.run_until(secs(600), |pair| {
                let now = pair.now();
                let (from, to) = if ours { (&mut pair.a, &mut pair.b) } else { (&mut pair.b, &mut pair.a) };
                while queue.peek().is_some_and(|message| from.side().send_message(now, message)) {
                    queue.next();
                }
                got.extend(to.got.drain(..));
                got.iter().any(|(_, payload)| &payload[..] == b"the last one")
            });
            if let Err(stalled) = result {
                let theirs = !ours && left_a_message_unfinished(&mut scene.pair);
                assert!(theirs, "ours: {ours}, {} came: {stalled}", got.len());
                not_passed(name, seed, "the peer gave up the rest of a message and did not say so");
            }
            scene.pair.run_for(secs(5));
            got.extend(scene.side(!ours).got.drain(..));
            let numbered = got.iter().filter(|(_, payload)| &payload[..] != b"the last one");
            let numbers: Vec<usize> =
                numbered.clone().map(|(_, p)| u32::from_be_bytes(p[..4].try_into().unwrap()) as usize).collect();
            assert!(numbers.windows(2).all(|n| n[0] < n[1]), "ours: {ours}: in order and never twice: {numbers:?}");
            assert!(numbered.zip(&numbers).all(|((_, payload), n)| *payload == messages[*n].payload));
            // Of a single seed none may be in time: one lost SACK can cost more than the lifetime.
            let in_time = matches!(reliability, Reliability::MaxLifetime(_));
            assert!(in_time || numbers.len() > 2, "{numbers:?}");
            runs += 1;
            arrived += numbers.len();
        }
    });
    // More than half of all, unless it is one seed that is replayed.
    assert!(arrived > 30 * runs || runs <= 2, "{arrived} in {runs} runs");
}

pub(crate) fn limited_retransmissions(name: &str, we_connect: bool, make: Make) {
    unreliable(name, we_connect, make, Reliability::MaxRetransmits(0));
}

pub(crate) fn lifetimes(name: &str, we_connect: bool, make: Make) {
    unreliable(name, we_connect, make, Reliability::MaxLifetime(800));
}

/// A stream is reset, by either side, and used again.
pub(crate) fn resets(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        for round in 0..4 {
            let ours = round % 2 == 0;
            let mut messages = scene.messages(8, true, 3_000);
            for message in &mut messages {
                message.stream = 3;
            }
            let [at_a, at_b] = scene.exchange(messages.clone(), messages.clone());
            assert_eq!(received(&at_b), sent(&messages), "round {round}");
            assert_eq!(received(&at_a), sent(&messages), "round {round}");
            if !scene.pair.b.side().habits().repeats_resets {
                scene.pair.change_links(|link| link.loss = Loss::None);
            }
            let now = scene.pair.now();
            scene.side(ours).side().reset(now, 3);
            // Whoever sees its incoming stream reset resets the outgoing one: that is how data channels close.
            let mut seen = [HashSet::new(), HashSet::new()];
            let mut answered = false;
            let result = scene.pair.run_until(secs(120), |pair| {
                let now = pair.now();
                for (end, seen) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut seen) {
                    seen.extend(end.side().take_resets());
                    end.side().take_resets_done();
                }
                // Ours answers by hand, the others by themselves or by hand.
                if !answered && seen[usize::from(ours)].contains(&3) {
                    answered = true;
                    if !ours || pair.b.side().habits().resets_by_hand {
                        let far = if ours { &mut pair.b } else { &mut pair.a };
                        far.side().reset(now, 3);
                    }
                }
                seen.iter().all(|s| s.contains(&3))
            });
            result.unwrap_or_else(|stalled| panic!("round {round}: {seen:?}: {stalled}"));
            scene.pair.run_for(secs(3));
        }
    });
}

/// Says that the peer was not up to it, past the capture of tests that pass: nobody is to take it for that.
fn not_passed(name: &str, seed: u64, why: &str) {
    writeln!(std::io::stderr().lock(), "NOT PASSED {name}, seed {seed}: {why}").unwrap();
}

/// What `take` takes of the chunks that a side sent, each given with whether it arrived.
fn chunks_from<T>(pair: &Pair<End, End>, side: Side, take: impl Fn(Chunk<'_>, bool) -> Option<T>) -> Vec<T> {
    let mut taken = Vec::new();
    for traced in pair.trace().iter().filter(|traced| traced.from == side) {
        let arrives = matches!(traced.fate, Fate::Arrives(_));
        let packet = Packet::parse(&traced.packet.payload).unwrap();
        taken.extend(packet.chunks().filter_map(|chunk| take(chunk, arrives)));
    }
    taken
}

/// The peer, which does not wait for what was lost, sent a SHUTDOWN and then data.
fn shut_down_too_early(pair: &mut Pair<End, End>) -> bool {
    let waits = pair.b.side().habits().shuts_down_last;
    let kinds = chunks_from(pair, Side::B, |chunk, _| Some(chunk.kind));
    let mut behind = kinds.iter().skip_while(|chunk| **chunk != kind::SHUTDOWN);
    !waits && behind.any(|chunk| matches!(*chunk, kind::DATA | kind::I_DATA))
}

/// Ours is over, every SHUTDOWN COMPLETE with the peer's own tag was lost, and the peer, which takes none with a reflected
/// tag, got such an answer to a SHUTDOWN ACK: nothing is left that could tell it.
fn cannot_learn_of_the_end(pair: &mut Pair<End, End>) -> bool {
    if !pair.a.side().is_over() || pair.b.side().habits().takes_reflected_tags {
        return false;
    }
    let reflected = chunks_from(pair, Side::A, |chunk, arrives| {
        (chunk.kind == kind::SHUTDOWN_COMPLETE && arrives).then_some(chunk.flags & 1 == 1)
    });
    !reflected.is_empty() && reflected.iter().all(|reflected| *reflected)
}

/// An orderly end, by either side: everything sent before arrives.
pub(crate) fn shutdowns(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        for ours in [true, false] {
            let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
            scene.pair.capture();
            // Some take a shutdown for the end of what is queued, too: they get no more than their first window holds.
            let count = if ours { 20 } else { scene.pair.b.side().habits().messages_before_shutdown };
            let messages = scene.messages(count, true, if ours { 10_000 } else { 900 });
            let now = scene.pair.now();
            let from = scene.side(ours);
            assert!(messages.iter().all(|message| from.side().send_message(now, message)));
            from.side().shutdown(now);
            let result = scene.pair.run_until(secs(600), |pair| {
                pair.a.side().is_over() && (pair.b.side().is_over() || !ours && !pair.b.side().habits().notes_the_end)
            });
            if let Err(stalled) = result {
                assert!(ours && cannot_learn_of_the_end(&mut scene.pair), "ours: {ours}: {stalled}");
                not_passed(name, seed, "the SHUTDOWN COMPLETE was lost, and the peer takes none with the T bit");
            }
            let got: Vec<_> = scene.side(!ours).got.drain(..).collect();
            if !ours && received(&got) != sent(&messages) && shut_down_too_early(&mut scene.pair) {
                not_passed(name, seed, "the peer sent data again behind its SHUTDOWN");
            } else {
                assert_eq!(received(&got), sent(&messages), "ours: {ours}");
            }
        }
    });
}

/// Both send an INIT.
pub(crate) fn both_connect(name: &str, _: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), None);
        let (ours, theirs) = (scene.messages(20, true, 5_000), scene.messages(20, true, 5_000));
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        assert_eq!((received(&at_b), received(&at_a)), (sent(&ours), sent(&theirs)));
    });
}

/// Both take packets without checksum (RFC 9653), and both send them.
pub(crate) fn zero_checksum(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        scene.pair.capture();
        let (ours, theirs) = (scene.messages(20, true, 5_000), scene.messages(20, true, 5_000));
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        assert_eq!((received(&at_b), received(&at_a)), (sent(&ours), sent(&theirs)));
        for side in [Side::A, Side::B] {
            let data = scene.pair.trace().iter().filter(|t| t.from == side && t.packet.payload[12] == 0);
            assert!(data.clone().count() > 0, "{side:?} sent data");
            assert!(data.clone().all(|t| t.packet.payload[8..12] == [0; 4]), "{side:?} sent checksums");
        }
    });
}

/// Both interleave (RFC 8260): I-DATA alone goes over the wire, ordered and unordered, whole and in pieces, and what is
/// given up is skipped by I-FORWARD-TSN.
pub(crate) fn interleaves(name: &str, we_connect: bool, make: Make) {
    for_seeds(name, SEEDS, |seed| {
        let mut scene = Scene::new(seed, Config::rtc(), make(), Some(we_connect));
        scene.pair.capture();
        let [mut ours, mut theirs] = [(); 2].map(|()| scene.messages(60, true, 20_000));
        for message in ours.iter_mut().chain(&mut theirs).filter(|m| m.stream == 3) {
            message.ordered = false;
        }
        let [at_a, at_b] = scene.exchange(ours.clone(), theirs.clone());
        for (got, messages) in [(at_b, ours), (at_a, theirs)] {
            let ordered = |stream: u16| stream != 3;
            let of = |got: &[(u16, Bytes)]| hashes(got.iter().filter(|m| ordered(m.0)).map(|(s, p)| (*s, p)));
            let wanted: Vec<_> = messages.iter().map(|m| (m.stream, m.payload.clone())).collect();
            assert_eq!(of(&got), of(&wanted));
            let set = |all: &[(u16, Bytes)]| all.iter().filter(|m| !ordered(m.0)).cloned().collect::<HashSet<_>>();
            assert_eq!(set(&got), set(&wanted));
        }
        for side in [Side::A, Side::B] {
            let kinds: HashSet<u8> = chunks_from(&scene.pair, side, |chunk, _| Some(chunk.kind)).into_iter().collect();
            assert!(kinds.contains(&kind::I_DATA) && !kinds.contains(&kind::DATA), "{side:?} sent {kinds:?}");
        }
    });
}
