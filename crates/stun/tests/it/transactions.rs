//! Retransmission.

use core::time::Duration;

use weft_core::{Instant, Rng};
use weft_stun::{RtoEstimator, Step, Timing, Transaction, TransactionId};

fn transaction(timing: Timing) -> Transaction {
    Transaction::new(Instant::ORIGIN, TransactionId::random(&mut Rng::from_test_seed(1)), timing)
}

/// When requests go out, and when it fails.
fn run(mut transaction: Transaction) -> (Vec<u64>, u64) {
    let mut sent = Vec::new();
    loop {
        let now = transaction.deadline();
        if now > Instant::ORIGIN {
            assert_eq!(transaction.step(now - Duration::from_nanos(1)), Step::Wait);
        }
        match transaction.step(now) {
            Step::Send => {
                sent.push(now.as_millis());
                transaction.on_sent(now);
            }
            Step::TimedOut => return (sent, now.as_millis()),
            Step::Wait => unreachable!("the deadline is wrong"),
        }
    }
}

//= rfc8489#6.2.1
//# A client SHOULD retransmit a STUN request message starting with an interval of RTO ("Retransmission TimeOut"), doubling after each retransmission.
#[test]
fn the_example_of_the_rfc() {
    let timing = Timing::default();
    assert_eq!(run(transaction(timing)), (vec![0, 500, 1500, 3500, 7500, 15500, 31500], 39500));
    assert_eq!(timing.total(), Duration::from_millis(39500));
    let timing = Timing { rto: Duration::from_millis(100), max_requests: 1, last_wait: 3 };
    assert_eq!(run(transaction(timing)), (vec![0], 300));
    assert_eq!(timing.total(), Duration::from_millis(300));
}

#[test]
fn a_cancelled_one_only_waits() {
    let mut cancelled = transaction(Timing::default());
    cancelled.on_sent(Instant::ORIGIN);
    cancelled.cancel();
    assert_eq!(cancelled.step(Instant::from_millis(39_499)), Step::Wait);
    assert_eq!(cancelled.step(Instant::from_millis(39_500)), Step::TimedOut);
}

//= rfc8489#6.2.1
//# When applied to STUN, it means that RTT estimates SHOULD NOT be computed from STUN transactions that result in the retransmission of a request.
#[test]
fn round_trips_are_measured_without_retransmissions_only() {
    let mut once = transaction(Timing::default());
    once.on_sent(Instant::ORIGIN);
    assert_eq!(once.round_trip(Instant::from_millis(30)), Some(Duration::from_millis(30)));
    once.on_sent(Instant::from_millis(500));
    assert_eq!(once.round_trip(Instant::from_millis(530)), None);
}

//= rfc8489#6.2.1
//# First, the initial value for RTO SHOULD be greater than or equal to 500 ms.
//= rfc8489#6.2.1
//# The value SHOULD be considered stale and discarded if no transactions have occurred to the same server in the last 10 minutes.
#[test]
fn the_timeout_follows_the_round_trips() {
    let mut rto = RtoEstimator::default();
    let now = Instant::from_millis(1000);
    assert_eq!(rto.rto(now), Duration::from_millis(500));
    rto.on_round_trip(now, Duration::from_millis(100));
    assert_eq!(rto.rto(now), Duration::from_millis(300));
    assert_eq!(rto.smoothed(), Some(Duration::from_millis(100)));
    for _ in 0..100 {
        rto.on_round_trip(now, Duration::from_millis(100));
    }
    assert!(rto.rto(now) < Duration::from_millis(101), "{:?}", rto.rto(now));
    rto.on_round_trip(now, Duration::from_millis(900));
    assert_eq!(rto.smoothed(), Some(Duration::from_millis(200)));
    assert_eq!(rto.rto(now + Duration::from_secs(600)), Duration::from_millis(500));
}
