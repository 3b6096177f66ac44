//! Stream schedulers (RFC 8260 section 3).

use bytes::Bytes;
use weft_sctp::wire::{Data, IData, kind};
use weft_sctp::{Config, Scheduler, SendOptions};

use crate::common::{Duo, chunks, packets, payload, secs};

const ALL: [Scheduler; 5] =
    [Scheduler::FirstCome, Scheduler::RoundRobin, Scheduler::Priority, Scheduler::Fair, Scheduler::WeightedFair];

/// What a message may send before others have their turn, bytes.
const LONGEST_TURN: usize = 65_536;

fn duo(scheduler: Scheduler, interleaving: bool) -> Duo {
    Duo::connected(&Config { scheduler, interleaving, heartbeat_interval: None, ..Config::rtc() })
}

fn send(duo: &mut Duo, stream: u16, len: usize) {
    duo.a.send(duo.now, stream, 53, payload(0, len), SendOptions::default()).unwrap();
}

/// With a window that has grown by so many messages of 100 kB.
fn warm(scheduler: Scheduler, messages: usize) -> Duo {
    let mut duo = duo(scheduler, true);
    for _ in 0..messages {
        send(&mut duo, 1, 100_000);
    }
    order(&mut duo);
    duo
}

/// Stream and user bytes of each chunk, in the order in which they leave, until there are no more.
fn order(duo: &mut Duo) -> Vec<(u16, usize)> {
    order_with(duo, |_| ())
}

/// The same; `between` is called each time that packets are about to leave.
fn order_with(duo: &mut Duo, mut between: impl FnMut(&mut Duo)) -> Vec<(u16, usize)> {
    let mut order = Vec::new();
    loop {
        between(duo);
        let out = packets(&mut duo.a, duo.now);
        let from_b = packets(&mut duo.b, duo.now);
        if out.is_empty() && from_b.is_empty() {
            return order;
        }
        for packet in &out {
            for chunk in chunks(packet) {
                match chunk.kind {
                    kind::DATA => {
                        let data = Data::parse(chunk.flags, chunk.value).unwrap();
                        order.push((data.stream, data.payload.len()));
                    }
                    kind::I_DATA => {
                        let data = IData::parse(chunk.flags, chunk.value).unwrap();
                        order.push((data.stream, data.payload.len()));
                    }
                    _ => {}
                }
            }
            let _ = weft_core::Layer::handle_input(&mut duo.b, duo.now, packet);
        }
        while duo.b.receive().is_some() {}
        for packet in from_b {
            let _ = weft_core::Layer::handle_input(&mut duo.a, duo.now, &packet);
        }
    }
}

fn streams(order: &[(u16, usize)]) -> Vec<u16> {
    let mut streams: Vec<u16> = order.iter().map(|o| o.0).collect();
    streams.dedup();
    streams
}

/// Bytes of each of two streams among the first `total`.
fn split(order: &[(u16, usize)], total: usize) -> (usize, usize) {
    let mut sums = (0, 0);
    for (stream, len) in order {
        if sums.0 + sums.1 >= total {
            break;
        }
        *(if *stream == 1 { &mut sums.0 } else { &mut sums.1 }) += len;
    }
    sums
}

#[test]
fn first_come_keeps_the_order_of_sending() {
    for interleaving in [true, false] {
        let mut duo = duo(Scheduler::FirstCome, interleaving);
        for stream in [3, 1, 2, 1, 3] {
            send(&mut duo, stream, 2500);
        }
        assert_eq!(streams(&order(&mut duo)), [3, 1, 2, 1, 3]);
    }
}

#[test]
fn round_robin_takes_turns() {
    // Figures 1 and 2 of RFC 8260: streams 0 and 2 have a message of three chunks each, stream 1 three of one chunk.
    for (interleaving, expected) in [(true, vec![0, 1, 2, 0, 1, 2, 0, 1, 2]), (false, vec![0, 1, 2, 1])] {
        let mut duo = duo(Scheduler::RoundRobin, interleaving);
        // Chunks that fill packets, so that none is cut smaller.
        let chunk = duo.a.stats().mtu - 12 - if interleaving { 20 } else { 16 };
        send(&mut duo, 0, 3 * chunk);
        for _ in 0..3 {
            send(&mut duo, 1, chunk);
        }
        send(&mut duo, 2, 3 * chunk);
        assert_eq!(streams(&order(&mut duo)), expected);
    }
}

#[test]
fn the_highest_priority_goes_first() {
    for interleaving in [true, false] {
        let mut duo = duo(Scheduler::Priority, interleaving);
        for (stream, priority) in [(1, 128), (2, 256), (3, 1024), (4, 256)] {
            duo.a.set_priority(stream, priority);
            send(&mut duo, stream, 900);
            send(&mut duo, stream, 900);
        }
        assert_eq!(streams(&order(&mut duo)), [3, 2, 4, 2, 4, 1]);
        // A change counts at once.
        for stream in [1, 2] {
            send(&mut duo, stream, 100);
        }
        duo.a.set_priority(1, 300);
        assert_eq!(streams(&order(&mut duo)), [1, 2]);
    }
}

/// With interleaving a message of higher priority is not delayed by a large one already begun.
#[test]
fn priority_interrupts_a_message() {
    let mut duo = duo(Scheduler::Priority, true);
    duo.a.set_priority(9, 512);
    send(&mut duo, 1, 200_000);
    let begun = packets(&mut duo.a, duo.now);
    assert!(!begun.is_empty());
    send(&mut duo, 9, 50);
    for packet in begun {
        let _ = weft_core::Layer::handle_input(&mut duo.b, duo.now, &packet);
    }
    let order = order(&mut duo);
    assert_eq!(order[0], (9, 50));
    assert_eq!(order.iter().filter(|o| o.0 == 9).count(), 1);
}

#[test]
fn fair_gives_equal_bytes_whatever_the_sizes() {
    for interleaving in [true, false] {
        let mut duo = duo(Scheduler::Fair, interleaving);
        for n in 0..200 {
            send(&mut duo, 1, 100);
            if n % 10 == 0 {
                send(&mut duo, 2, 1000);
            }
        }
        let (one, two) = split(&order(&mut duo), 20_000);
        assert!(one.abs_diff(two) <= 1500, "{one} and {two}");
    }
}

#[test]
fn weighted_fair_gives_bytes_by_weight() {
    //= rfc8260#3
    //# If the implementation is used for WebRTC data channels, as specified in [DATA-CHAN], it MUST implement the Weighted Fair Queueing Scheduler defined in Section 3.6.
    for interleaving in [true, false] {
        for (weight, times) in [(128_u16, 0.5), (512, 2.0), (1024, 4.0), (2560, 10.0)] {
            let config = Config { send_buffer: 64 << 20, interleaving, heartbeat_interval: None, ..Config::rtc() };
            let mut duo = Duo::connected(&config);
            duo.a.set_priority(1, weight);
            // Turns of long messages are up to 64 KiB where the round trip is next to nothing.
            let (len, total) = if interleaving { (100_000, 10_000_000) } else { (900, 200_000) };
            for _ in 0..total / len {
                send(&mut duo, 1, len);
                send(&mut duo, 2, len);
            }
            let (one, two) = split(&order(&mut duo), total);
            let ratio = one as f64 / two as f64;
            assert!((ratio / times - 1.0).abs() < 0.1, "{weight}: {one} to {two}");
        }
    }
}

/// Silence is not saved up, and a stream that comes late does not have to wait for those that sent much before.
#[test]
fn fairness_begins_when_a_stream_has_something_to_send() {
    let mut duo = duo(Scheduler::WeightedFair, true);
    for _ in 0..10 {
        send(&mut duo, 1, 50_000);
    }
    order(&mut duo);
    duo.run(secs(1));
    for _ in 0..10 {
        send(&mut duo, 1, 50_000);
        send(&mut duo, 2, 50_000);
    }
    let (one, two) = split(&order(&mut duo), 500_000);
    assert!(one.abs_diff(two) <= LONGEST_TURN, "{one} and {two}");
}

/// On a fast path a long message goes on for a while before others have their turn; a stream that had nothing to send does not
/// wait for all of them.
#[test]
fn turns_are_long_on_a_fast_path_and_keep_nobody_waiting() {
    for scheduler in [Scheduler::Fair, Scheduler::WeightedFair] {
        let mut duo = warm(scheduler, 60);
        for stream in 1..=20 {
            send(&mut duo, stream, 200_000);
        }
        let begun = packets(&mut duo.a, duo.now);
        send(&mut duo, 99, 50);
        for packet in &begun {
            let _ = weft_core::Layer::handle_input(&mut duo.b, duo.now, packet);
        }
        let order = order(&mut duo);
        let chunks = order.len();
        let turns = streams(&order).len();
        assert!(turns * 20 < chunks, "{turns} turns of {chunks} chunks");
        let before: usize = order.iter().take_while(|(stream, _)| *stream != 99).map(|(_, len)| len).sum();
        assert!(before <= LONGEST_TURN, "{scheduler:?}: behind {before} bytes");
    }
}

/// Where a window is gone in a moment, its sixteenth would be a few chunks: long messages would all be in the making at once.
#[test]
fn turns_are_long_on_a_short_round_trip() {
    for scheduler in [Scheduler::Fair, Scheduler::WeightedFair] {
        let mut duo = warm(scheduler, 3);
        for stream in 1..=20 {
            send(&mut duo, stream, 60_000);
        }
        let order = order(&mut duo);
        let turns = order.chunk_by(|one, next| one.0 == next.0).count();
        // The first of each is a chunk.
        assert!(turns <= 2 * 20, "{scheduler:?}: {turns} turns of {} chunks", order.len());
    }
}

/// Who comes in between does not give the one it interrupts a new turn.
#[test]
fn an_interrupted_turn_goes_on() {
    let mut duo = warm(Scheduler::WeightedFair, 60);
    for stream in 1..=20 {
        send(&mut duo, stream, 200_000);
    }
    let (mut count, mut interruptions) = (0, 0);
    let order = order_with(&mut duo, |duo| {
        count += 1;
        if count < 500 {
            send(duo, 99, 50);
        }
    });
    let (mut run, mut last) = (0, 0);
    for (at, (stream, len)) in order.iter().enumerate() {
        if *stream == 99 {
            let after = order[at..].iter().find(|(stream, _)| *stream != 99);
            interruptions += usize::from(run > 0 && after.is_some_and(|(stream, _)| *stream == last));
            continue;
        }
        run = if *stream == last { run + len } else { *len };
        last = *stream;
        // At the end one of them has nobody to wait for.
        let alone = order[at..].iter().all(|(other, _)| other == stream || *other == 99);
        assert!(run <= LONGEST_TURN + 1500 || alone, "stream {stream}: {run} bytes");
    }
    assert!(interruptions > 3, "{interruptions}");
}

/// Among streams that have something to send at last the first comes first, whatever its number.
#[test]
fn new_streams_go_in_the_order_in_which_they_come() {
    for scheduler in [Scheduler::Fair, Scheduler::WeightedFair] {
        let mut duo = duo(scheduler, true);
        for stream in [9, 3, 7, 1] {
            send(&mut duo, stream, 100);
        }
        assert_eq!(streams(&order(&mut duo)), [9, 3, 7, 1], "{scheduler:?}");
    }
}

/// With a window of a few packets, as on a slow path, a turn is a chunk.
#[test]
fn turns_are_short_on_a_slow_path() {
    let mut duo = duo(Scheduler::WeightedFair, true);
    for stream in 1..=4 {
        send(&mut duo, stream, 10_000);
    }
    let first: Vec<u16> = packets(&mut duo.a, duo.now)
        .iter()
        .flat_map(|packet| {
            chunks(packet)
                .into_iter()
                .map(|chunk| IData::parse(chunk.flags, chunk.value).unwrap().stream)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(first[..4], [1, 2, 3, 4]);
}

#[test]
fn the_scheduler_can_be_changed_with_messages_queued() {
    for interleaving in [true, false] {
        for from in ALL {
            for to in ALL {
                let mut duo = duo(from, interleaving);
                for stream in [5, 6, 7] {
                    duo.a.set_priority(stream, stream * 100);
                    send(&mut duo, stream, 3000);
                    send(&mut duo, stream, 10);
                }
                let first = packets(&mut duo.a, duo.now);
                duo.a.set_scheduler(to);
                assert_eq!(duo.a.scheduler(), to);
                for packet in &first {
                    let _ = weft_core::Layer::handle_input(&mut duo.b, duo.now, packet);
                }
                duo.run(secs(5));
                let all: Vec<_> = core::iter::from_fn(|| duo.b.receive()).collect();
                assert_eq!(all.len(), 6, "{from:?} {to:?}");
                assert_eq!(duo.a.stats().buffered, 0);
            }
        }
    }
}

/// A message costs the same whether it is alone or behind thousands, on one stream or on thousands.
#[test]
fn streams_by_the_thousand_all_get_their_turn() {
    for scheduler in ALL {
        let mut duo = duo(scheduler, true);
        for stream in 0..5000 {
            duo.a.send(duo.now, stream, 53, Bytes::from_static(b"four"), SendOptions::default()).unwrap();
        }
        assert_eq!(order(&mut duo).len(), 5000, "{scheduler:?}");
    }
}

/// A full buffer of a bulk stream keeps nobody else from sending.
#[test]
fn a_stream_with_nothing_queued_need_not_wait_for_room() {
    let mut duo = Duo::connected(&Config { send_buffer: 100_000, ..Config::rtc() });
    while duo.a.send(duo.now, 1, 53, payload(0, 10_000), SendOptions::default()).is_ok() {}
    duo.a.send(duo.now, 2, 53, payload(0, 10_000), SendOptions::default()).unwrap();
    assert!(duo.a.send(duo.now, 2, 53, payload(0, 10_000), SendOptions::default()).is_err());
    for stream in 3..100 {
        let _ = duo.a.send(duo.now, stream, 53, payload(0, 10_000), SendOptions::default());
    }
    assert!(duo.a.stats().buffered <= 150_000, "there is a limit all the same");
}
