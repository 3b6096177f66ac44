//! Figures of all connections, as a recorder sees them. A binary of its own: there is one recorder for a process.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code)] // shared with tests of allocations
mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use memory::{Pair, config};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use weft_rtc::{DataChannelInit, IceCandidate, MessageKind, Reliability};

/// Sums of everything; of histograms the number of values.
type Seen = Arc<Mutex<BTreeMap<String, f64>>>;

#[derive(Clone, Default)]
struct Book {
    seen: Seen,
    described: Arc<Mutex<Vec<String>>>,
}

struct Line(Seen, String);

impl Line {
    fn add(&self, value: f64) {
        *self.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
}

impl CounterFn for Line {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }
    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Line {
    fn increment(&self, value: f64) {
        self.add(value);
    }
    fn decrement(&self, value: f64) {
        self.add(-value);
    }
    fn set(&self, _: f64) {}
}

impl HistogramFn for Line {
    fn record(&self, value: f64) {
        assert!((0.0..10.0).contains(&value), "{}: {value} s", self.1);
        self.add(1.0);
    }
}

impl Book {
    fn line(&self, key: &Key) -> Arc<Line> {
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        Arc::new(Line(self.seen.clone(), [vec![key.name().to_owned()], labels].concat().join(" ")))
    }

    fn get(&self, name: &str) -> u64 {
        self.seen.lock().unwrap().get(name).copied().unwrap_or_default().round() as u64
    }
}

impl Recorder for Book {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push(key.as_str().to_owned());
    }
    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }
    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.line(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.line(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.line(key))
    }
}

/// The book of the process, empty, for one test at a time.
fn book() -> MutexGuard<'static, Book> {
    static BOOK: LazyLock<Mutex<Book>> = LazyLock::new(|| {
        let book = Book::default();
        metrics::set_global_recorder(book.clone()).ok().unwrap();
        Mutex::new(book)
    });
    let book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    book.seen.lock().unwrap().clear();
    book
}

#[test]
fn all_connections_together_add_up() {
    let book = book();
    weft_rtc::metrics::describe();

    let mut pair = Pair::connected();
    assert_eq!(book.get("weft_connections connected"), 2);
    assert_eq!((book.get("weft_connections new"), book.get("weft_connections connecting")), (0, 0));
    assert_eq!((book.get("weft_connections_total"), book.get("weft_setup_seconds")), (2, 2));
    let message = Bytes::from(vec![0; 1000]);
    pair.transfer(50, &message);
    let (sent, datagrams) = (pair.counters(0).bytes_sent, pair.sent());
    let other = pair.counters(1);
    drop(pair);

    assert_eq!(book.get("weft_connections connected"), 0, "none is left");
    assert_eq!((book.get("weft_messages_total sent"), book.get("weft_messages_total received")), (50, 50));
    assert_eq!(book.get("weft_message_bytes_total sent"), 50_000);
    assert_eq!(book.get("weft_message_bytes_total received"), 50_000);
    assert_eq!(book.get("weft_bytes_total sent"), sent + other.bytes_sent);
    assert_eq!(book.get("weft_datagrams_total sent"), datagrams + other.datagrams_sent);
    assert_eq!(book.get("weft_channels_opened_total"), 2);
    assert_eq!(book.get("weft_retransmissions_total"), 0);
    assert!(book.get("weft_round_trip_seconds") >= 2);

    // Whatever is told is described.
    let described = book.described.lock().unwrap().clone();
    for name in book.seen.lock().unwrap().keys() {
        let name = name.split(' ').next().unwrap();
        assert!(described.iter().any(|known| known == name), "{name} is not described");
    }
    assert_eq!(described.len(), 15);
}

#[test]
fn channels_that_close_are_counted() {
    let book = book();
    let mut pair = Pair::connected();
    let channel = pair.channel();
    let (now, sender) = pair.end(0);
    sender.close_data_channel(now, channel);
    pair.run(Duration::from_secs(2));
    assert_eq!((book.get("weft_channels_opened_total"), book.get("weft_channels_closed_total")), (2, 2));
}

#[test]
fn timeouts_and_messages_given_up_are_counted() {
    let book = book();
    let mut pair = Pair::connected();
    let (now, sender) = pair.end(0);
    let init = DataChannelInit { reliability: Reliability::MaxRetransmits(0), ..DataChannelInit::new("loose") };
    let loose = sender.create_data_channel(now, init).unwrap();
    pair.run(Duration::from_millis(100));
    let (now, sender) = pair.end(0);
    sender.send(now, loose, MessageKind::Binary, Bytes::from(vec![0; 1000])).unwrap();
    pair.silence(Duration::from_secs(4));
    pair.run(Duration::from_secs(4));
    let stats = [0, 1].map(|end| pair.end(end).1.data_channels().association().stats());
    assert!(stats[0].timeouts > 0 && stats[0].messages_abandoned == 1, "{stats:?}");
    drop(pair);
    assert_eq!(book.get("weft_timeouts_total"), stats.iter().map(|stats| stats.timeouts).sum::<u64>());
    assert_eq!(book.get("weft_messages_abandoned_total"), 1);
}

#[test]
fn what_is_dropped_is_counted_by_reason() {
    let book = book();
    let mut pair = Pair::connected();
    pair.inject(1, &mut [100; 40]);
    let mut forged = pair.intercept(&Bytes::from(vec![0; 100]));
    let last = forged.len() - 1;
    forged[last] ^= 1;
    pair.inject(1, &mut forged);
    let (now, receiver) = pair.end(1);
    let candidate = IceCandidate {
        candidate: "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype so".to_owned(),
        sdp_mline_index: Some(0),
        ..IceCandidate::default()
    };
    receiver.add_ice_candidate(now, &candidate).unwrap();
    // DTLS is over at the receiver, and what comes then is for nobody.
    pair.close();
    pair.run(Duration::from_millis(10));
    pair.inject(1, &mut [22; 40]);
    pair.run(Duration::from_secs(2));
    drop(pair);
    for reason in ["first_byte", "forged_record", "candidate", "early_dtls"] {
        assert_eq!(book.get(&format!("weft_dropped_total {reason}")), 1, "{reason}");
    }
}

#[test]
fn failures_are_counted_by_layer() {
    let book = book();
    let mut pair = Pair::connected();
    pair.silence(Duration::from_secs(60));
    assert_eq!(book.get("weft_failures_total ice"), 2, "consent ran out on both sides");
    assert_eq!((book.get("weft_connections failed"), book.get("weft_connections connected")), (2, 0));
    drop(pair);
    assert_eq!(book.get("weft_connections failed"), 0);

    // Another certificate than the one that was promised.
    let mut pair = Pair::unconnected([config().into(), config().into()], |sdp| {
        let start = sdp.find("a=fingerprint:sha-256 ").unwrap() + 22;
        let other = if sdp.as_bytes()[start] == b'0' { "1" } else { "0" };
        sdp.replace_range(start..=start, other);
    });
    pair.run(Duration::from_secs(5));
    assert!(book.get("weft_failures_total dtls") > 0);
    drop(pair);

    // An association that the peer aborts.
    let mut pair = Pair::connected();
    pair.close();
    pair.run(Duration::from_secs(1));
    assert_eq!(book.get("weft_failures_total sctp"), 1);
}

#[test]
fn a_closed_connection_has_told_all_before_it_is_dropped() {
    let book = book();
    let mut pair = Pair::connected();
    pair.transfer(50, &Bytes::from(vec![0; 1000]));
    pair.close();
    let counters = pair.counters(0);
    assert_eq!((book.get("weft_messages_total sent"), book.get("weft_message_bytes_total sent")), (50, 50_000));
    assert!(book.get("weft_bytes_total sent") >= counters.bytes_sent);
}

#[test]
fn figures_of_an_association_that_was_replaced_are_not_lost() {
    let book = book();
    let mut pair = Pair::connected();
    let message = Bytes::from(vec![0; 1000]);
    pair.lose(&message);
    pair.lose(&message);
    let before = pair.retransmissions();
    pair.replace_receiver();
    pair.lose(&message);
    let after = pair.retransmissions();
    assert!(before[0] > 0 && after[0] > 0, "{before:?} {after:?}");
    drop(pair);
    assert_eq!(book.get("weft_retransmissions_total"), before.iter().chain(&after).sum::<u64>());
}
