//! What is measured.

use std::time::Duration;

use serde_json::{Value, json};

/// A case by name.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: What,
}

/// Its kind.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// As many messages as go.
    Throughput(Load),
    /// One message of 100 bytes there and back, over and over.
    RoundTrip,
    /// New peer connections up to a channel open on both sides, over and over.
    Setup,
}

/// How data are sent: one way, reliable and ordered.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Bytes of a message.
    pub(crate) size: usize,
    pub(crate) channels: usize,
    pub(crate) connections: usize,
    /// Whether every datagram goes by a TURN server on this machine.
    pub(crate) relay: bool,
    /// Whether the system may cut runs into datagrams and put them together.
    pub(crate) offload: bool,
}

const ONE: Load = Load { size: 65_536, channels: 1, connections: 1, relay: false, offload: true };

pub(crate) const CASES: &[Case] = &[
    Case { name: "64KiB", what: What::Throughput(ONE) },
    Case { name: "1200B", what: What::Throughput(Load { size: 1200, ..ONE }) },
    Case { name: "100B", what: What::Throughput(Load { size: 100, ..ONE }) },
    Case { name: "channels-8", what: What::Throughput(Load { channels: 8, ..ONE }) },
    Case { name: "channels-100", what: What::Throughput(Load { channels: 100, ..ONE }) },
    Case { name: "connections-100", what: What::Throughput(Load { connections: 100, ..ONE }) },
    Case { name: "no-offload", what: What::Throughput(Load { offload: false, ..ONE }) },
    Case { name: "relayed", what: What::Throughput(Load { relay: true, offload: false, ..ONE }) },
    Case { name: "round-trip", what: What::RoundTrip },
    Case { name: "setup", what: What::Setup },
];

/// Before anything is measured: slow start is over, buffers have grown.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// What a transfer came to: `bytes` in `messages` arrived within `wall` seconds and cost `cpu` seconds.
pub(crate) fn moved(bytes: u64, size: usize, wall: f64, cpu: f64) -> Value {
    let (mib, messages) = (bytes as f64 / 1_048_576.0, bytes as f64 / size as f64);
    json!({
        "mib_per_second": mib / wall,
        "cpu_seconds_per_gib": cpu / (mib / 1024.0),
        "messages_per_second": messages / wall,
        "cpu_microseconds_per_message": cpu * 1e6 / messages,
    })
}

/// What set-ups came to.
pub(crate) fn set_up(milliseconds: Vec<f64>, cpu: f64) -> Value {
    let count = milliseconds.len() as f64;
    let mut value = crate::percentiles(milliseconds);
    if let Some(map) = value.as_object_mut() {
        map.insert("unit".to_owned(), json!("ms"));
        map.insert("cpu_milliseconds".to_owned(), json!(cpu * 1e3 / count));
    }
    value
}

/// What round trips came to.
pub(crate) fn round_trips(microseconds: Vec<f64>, cpu: f64) -> Value {
    let count = microseconds.len() as f64;
    let mut value = crate::percentiles(microseconds);
    if let Some(map) = value.as_object_mut() {
        map.insert("unit".to_owned(), json!("us"));
        map.insert("cpu_microseconds".to_owned(), json!(cpu * 1e6 / count));
    }
    value
}
