//! What an association reports.

/// State of an association (RFC 9260 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Not yet set up, or over.
    #[default]
    Closed,
    /// INIT sent.
    CookieWait,
    /// COOKIE ECHO sent.
    CookieEchoed,
    /// Up.
    Established,
    /// Shutdown was asked for; data is still to be acknowledged.
    ShutdownPending,
    /// SHUTDOWN sent.
    ShutdownSent,
    /// SHUTDOWN received; data is still to be acknowledged.
    ShutdownReceived,
    /// SHUTDOWN ACK sent.
    ShutdownAckSent,
}

/// What happened to an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It is up.
    Established,
    /// The peer started it anew: what was queued or half received is lost, and streams start again.
    Restarted,
    /// A message waits, where none did before.
    Readable,
    /// There is room again after `Full`: for what was refused, and for a quarter of the send buffer, so that those who wait
    /// are not woken for each message that leaves.
    Writable,
    /// What is queued on this stream fell to its threshold.
    BufferedAmountLow(u16),
    /// Our outgoing stream was reset, as [`reset_streams`](crate::Association::reset_streams) asked; `false` when the
    /// peer refused.
    OutgoingReset(u16, bool),
    /// The peer reset its outgoing stream (our incoming one).
    IncomingReset(u16),
    /// Everything sent on this stream, which is to be reset, was acknowledged or given up; its reset is asked for now.
    Flushed(u16),
    /// The peer refused to reset this stream of its own, as
    /// [`reset_incoming_streams`](crate::Association::reset_incoming_streams) asked.
    ResetRefused(u16),
    /// All streams start at number 0 both ways, and TSNs anew, as either side asked; `false` when the peer refused.
    TsnsReset(bool),
    /// So many streams may be sent on now.
    OutgoingStreams(u16),
    /// The peer may send on so many streams now.
    IncomingStreams(u16),
    /// The peer refused to have more streams.
    StreamsRefused,
    /// A message sent with this [`notice`](crate::SendOptions::notice) was acknowledged, all of it.
    Delivered(u64),
    /// A message sent with this notice was given up: its reliability ran out, its stream or the association ended. Part or
    /// all of it may have arrived.
    Abandoned(u64),
    /// The peer began a shutdown: nothing new can be sent.
    ShuttingDown,
    /// It was shut down in order, or aborted by us.
    Closed,
}

/// Counts of an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received that belonged to it.
    pub packets_received: u64,
    /// Packets dropped: malformed, wrong ports, checksum or Verification Tag.
    pub packets_dropped: u64,
    /// Chunks dropped: malformed, or not fitting the state.
    pub chunks_dropped: u64,
    /// DATA chunks sent, retransmissions included.
    pub data_chunks_sent: u64,
    /// DATA chunks received, duplicates included.
    pub data_chunks_received: u64,
    /// DATA chunks that came more than once.
    pub duplicates_received: u64,
    /// DATA chunks dropped for want of room.
    pub data_chunks_dropped: u64,
    /// DATA chunks sent again.
    pub retransmissions: u64,
    /// Chunks found lost by missing reports or by time.
    pub fast_retransmissions: u64,
    /// Expiries of T3-rtx.
    pub timeouts: u64,
    /// Tail loss probes (RFC 8985 section 7).
    pub tail_probes: u64,
    /// Times that large packets vanished and smaller ones were resorted to (RFC 8899 section 4.3).
    pub black_holes: u64,
    /// Messages given up (partial reliability).
    pub messages_abandoned: u64,
    /// SACKs sent.
    pub sacks_sent: u64,
    /// SACKs received.
    pub sacks_received: u64,
    /// Congestion window, bytes.
    pub cwnd: usize,
    /// Slow start threshold, bytes.
    pub ssthresh: usize,
    /// User bytes in flight.
    pub in_flight: usize,
    /// User bytes queued or not yet acknowledged.
    pub buffered: usize,
    /// The peer's receive window as last advertised, bytes.
    pub peer_rwnd: usize,
    /// What we advertise, bytes.
    pub a_rwnd: usize,
    /// Smoothed round-trip time.
    pub srtt: Option<core::time::Duration>,
    /// Retransmission timeout.
    pub rto: core::time::Duration,
    /// Largest packet sent, bytes.
    pub mtu: usize,
}
