//! Figures of all connections together, for whatever exporter the application installs (feature `metrics`, the crate
//! [`metrics`](https://docs.rs/metrics) as facade). Without a recorder they cost a comparison for each datagram; without the
//! feature there are none.
//!
//! | name | kind | labels | |
//! |---|---|---|---|
//! | `weft_connections` | gauge | `state`: as W3C's `connectionState` | connections there are |
//! | `weft_connections_total` | counter | | connections made |
//! | `weft_failures_total` | counter | `layer`: `ice`, `dtls`, `sctp` | what [`Event::Failed`](crate::Event::Failed) told |
//! | `weft_setup_seconds` | histogram | | from the connection's making to its first open channel |
//! | `weft_round_trip_seconds` | histogram | | smoothed round trip of SCTP, once for each time figures are handed on |
//! | `weft_bytes_total` | counter | `direction`: `sent`, `received` | bytes of UDP payloads |
//! | `weft_datagrams_total` | counter | `direction` | datagrams |
//! | `weft_message_bytes_total` | counter | `direction` | bytes of messages on channels |
//! | `weft_messages_total` | counter | `direction` | messages on channels |
//! | `weft_retransmissions_total` | counter | | DATA chunks of SCTP sent again |
//! | `weft_timeouts_total` | counter | | expiries of SCTP's retransmission timer |
//! | `weft_messages_abandoned_total` | counter | | messages given up (RFC 3758) |
//! | `weft_dropped_total` | counter | `reason`: `first_byte`, `early_dtls`, `candidate`, `forged_record` | what arrived and was of no use |
//! | `weft_channels_opened_total` | counter | | channels that came to be open |
//! | `weft_channels_closed_total` | counter | | of those, channels that are closed |
//!
//! A connection hands its figures on about once a second while something happens on it, and when it is closed or dropped.
//! States, failures and set-ups are told at once. There is no label for a connection: thousands of time series help nobody.
//! What one connection does is in [`stats_report`](crate::sans_io::PeerConnection::stats_report).

use std::time::Duration;

use metrics::{Unit, counter, gauge, histogram};
use weft_core::Instant;

use crate::event::{ConnectionState, Failure};
use crate::sans_io::{Counters, Traffic};

/// How often a busy connection hands its figures on.
const PERIOD: Duration = Duration::from_secs(1);

/// Tells the recorder what the figures are: once, after it was installed, if its exporter shows descriptions.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!("weft_connections", Unit::Count, "peer connections, by state");
    describe_counter!("weft_connections_total", Unit::Count, "peer connections made");
    describe_counter!("weft_failures_total", Unit::Count, "connections that failed, by layer");
    describe_histogram!("weft_setup_seconds", Unit::Seconds, "from new to the first open channel");
    describe_histogram!("weft_round_trip_seconds", Unit::Seconds, "smoothed round trip of SCTP");
    describe_counter!("weft_bytes_total", Unit::Bytes, "bytes of UDP payloads");
    describe_counter!("weft_datagrams_total", Unit::Count, "datagrams");
    describe_counter!("weft_message_bytes_total", Unit::Bytes, "bytes of messages on channels");
    describe_counter!("weft_messages_total", Unit::Count, "messages on channels");
    describe_counter!("weft_retransmissions_total", Unit::Count, "DATA chunks sent again");
    describe_counter!("weft_timeouts_total", Unit::Count, "expiries of SCTP's retransmission timer");
    describe_counter!("weft_messages_abandoned_total", Unit::Count, "messages given up");
    describe_counter!("weft_dropped_total", Unit::Count, "what arrived and was of no use, by reason");
    describe_counter!("weft_channels_opened_total", Unit::Count, "channels that came to be open");
    describe_counter!("weft_channels_closed_total", Unit::Count, "of those, channels that are closed");
}

/// What a connection has counted so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Totals {
    pub(crate) counters: Counters,
    pub(crate) traffic: Traffic,
    pub(crate) retransmissions: u64,
    pub(crate) timeouts: u64,
    pub(crate) abandoned: u64,
    pub(crate) forged: u64,
    pub(crate) opened: u64,
    pub(crate) closed: u64,
}

/// What was handed on of one connection.
#[derive(Debug)]
pub(crate) struct Meter {
    told: Totals,
    state: ConnectionState,
    next: Instant,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        counter!("weft_connections_total").increment(1);
        gauge!("weft_connections", "state" => ConnectionState::New.as_str()).increment(1.0);
        Self { told: Totals::default(), state: ConnectionState::New, next: now + PERIOD }
    }

    /// Whether it is time to hand on what was counted.
    #[inline]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    pub(crate) fn state(&mut self, state: ConnectionState) {
        if self.state != state {
            gauge!("weft_connections", "state" => self.state.as_str()).decrement(1.0);
            gauge!("weft_connections", "state" => state.as_str()).increment(1.0);
            self.state = state;
        }
    }

    pub(crate) fn failed(failure: &Failure) {
        let layer = match failure {
            Failure::Ice(_) | Failure::Agent(_) => "ice",
            Failure::Dtls(_) => "dtls",
            Failure::Sctp(_) => "sctp",
        };
        counter!("weft_failures_total", "layer" => layer).increment(1);
    }

    pub(crate) fn set_up(took: Duration) {
        histogram!("weft_setup_seconds").record(took);
    }

    /// What SCTP and DTLS count begins anew.
    pub(crate) fn renew(&mut self) {
        let Totals { counters, traffic, opened, closed, .. } = self.told;
        self.told = Totals { counters, traffic, opened, closed, ..Totals::default() };
    }

    /// Hands on what is new since the last time.
    pub(crate) fn tell(&mut self, now: Instant, totals: &Totals, round_trip: Option<Duration>) {
        self.next = now + PERIOD;
        if let Some(round_trip) = round_trip {
            histogram!("weft_round_trip_seconds").record(round_trip);
        }
        let told = std::mem::replace(&mut self.told, *totals);
        let (new, old) = (&totals.counters, &told.counters);
        let since = |new: u64, old: u64| new.saturating_sub(old);
        for (name, sent, received) in [
            ("weft_bytes_total", since(new.bytes_sent, old.bytes_sent), since(new.bytes_received, old.bytes_received)),
            (
                "weft_datagrams_total",
                since(new.datagrams_sent, old.datagrams_sent),
                since(new.datagrams_received, old.datagrams_received),
            ),
            (
                "weft_message_bytes_total",
                since(totals.traffic.bytes_sent, told.traffic.bytes_sent),
                since(totals.traffic.bytes_received, told.traffic.bytes_received),
            ),
            (
                "weft_messages_total",
                since(totals.traffic.messages_sent, told.traffic.messages_sent),
                since(totals.traffic.messages_received, told.traffic.messages_received),
            ),
        ] {
            counter!(name, "direction" => "sent").increment(sent);
            counter!(name, "direction" => "received").increment(received);
        }
        for (reason, dropped) in [
            ("first_byte", since(new.unknown_first_byte, old.unknown_first_byte)),
            ("early_dtls", since(new.early_dtls, old.early_dtls)),
            ("candidate", since(new.ignored_candidates, old.ignored_candidates)),
            ("forged_record", since(totals.forged, told.forged)),
        ] {
            counter!("weft_dropped_total", "reason" => reason).increment(dropped);
        }
        counter!("weft_retransmissions_total").increment(since(totals.retransmissions, told.retransmissions));
        counter!("weft_timeouts_total").increment(since(totals.timeouts, told.timeouts));
        counter!("weft_messages_abandoned_total").increment(since(totals.abandoned, told.abandoned));
        counter!("weft_channels_opened_total").increment(since(totals.opened, told.opened));
        counter!("weft_channels_closed_total").increment(since(totals.closed, told.closed));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        gauge!("weft_connections", "state" => self.state.as_str()).decrement(1.0);
    }
}
