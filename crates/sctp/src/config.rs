//! What an association is told before it starts.

use core::time::Duration;

use crate::congestion::ControllerKind;
use crate::outbound::Scheduler;

/// Settings of an [`Association`](crate::Association).
///
/// [`Config::default`] has the values of RFC 9260 section 16; [`Config::rtc`] those that suit data channels over DTLS.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our port. Default 5000, which 0 stands for, too.
    pub local_port: u16,
    /// The peer's port. Default 5000, which 0 stands for, too.
    pub remote_port: u16,
    /// Largest packet sent, common header included, in bytes. At least 508 is used. Default 1188, which makes a datagram
    /// of about 1210 bytes inside DTLS.
    pub mtu: usize,
    /// Find out how large packets may be (RFC 8899). `mtu` is what is begun with, and confirmed by a probe. Default false:
    /// packets are never larger nor smaller than `mtu`.
    pub path_mtu_discovery: bool,
    /// What packets fall back to where the path does not take `mtu`, in bytes. At least 508 is used. Default 508.
    pub min_mtu: usize,
    /// The largest packet tried, in bytes. Default 1188; 1432 with [`Config::rtc`], which makes datagrams of 1,472 bytes
    /// inside DTLS, all that Ethernet takes over IPv4.
    pub max_mtu: usize,
    /// Outgoing streams asked for. Default 65,535; each costs nothing until used.
    pub out_streams: u16,
    /// Incoming streams taken. Default 65,535.
    pub in_streams: u16,
    /// Streams that either direction may come to have when more are asked for (RFC 6525). Default 65,535.
    pub max_streams: u16,
    /// What may be held for the application or wait for missing pieces, in bytes: the window advertised. Default 5 MiB.
    /// The one message being received in order is held beside it, up to `max_message_size`; where messages are
    /// interleaved, those in the making may take as much again.
    pub receive_buffer: usize,
    /// What `receive_buffer` may grow to, in bytes, where the peer fills it within a few round trips and the application
    /// takes everything. Default 5 MiB: it does not grow.
    pub max_receive_buffer: usize,
    /// How many messages and pieces of messages may be held. Default 65,536.
    pub max_receive_entries: usize,
    /// What may be queued or unacknowledged, in bytes, before `send` says `Full`. Default 8 MiB. Half as much again is kept
    /// for streams that have nothing queued, and one message larger than this is taken when nothing else is queued.
    pub send_buffer: usize,
    /// What `send_buffer` may grow to, in bytes, where twice the congestion window is more. Default 8 MiB: it does not
    /// grow.
    pub max_send_buffer: usize,
    /// How many messages may be queued. Default 65,536.
    pub max_send_entries: usize,
    /// Largest message taken from the peer, in bytes; a larger one ends the association. Default 16 MiB.
    pub max_message_size: usize,
    /// RTO.Initial. Default 1 s.
    pub rto_initial: Duration,
    /// RTO.Min. Default 1 s.
    pub rto_min: Duration,
    /// RTO.Max. Default 60 s.
    pub rto_max: Duration,
    /// How long an acknowledgement may be held back; at most 500 ms is used. Default 200 ms.
    pub sack_delay: Duration,
    /// HB.interval; `None` sends no heartbeats. Default 30 s. When it is over and nothing is outstanding, memory that much
    /// traffic took is given back; without heartbeats no timer runs on an idle association, which keeps that memory to its end.
    pub heartbeat_interval: Option<Duration>,
    /// Max.Init.Retransmits; `None` tries for ever. Default 8.
    pub max_init_retransmits: Option<u32>,
    /// Association.Max.Retrans; `None` leaves it to others (ICE consent) to decide that the peer is dead. Default 10.
    pub max_retransmits: Option<u32>,
    /// Valid.Cookie.Life. Default 60 s.
    pub cookie_lifetime: Duration,
    /// Max.Burst, in packets: what may leave at once beyond what an acknowledgement pays for. Default 4.
    pub max_burst: usize,
    /// Congestion window to begin with, in packets. Default `None`: as RFC 9260 section 7.2.1 has it, about 4 KiB.
    pub initial_window: Option<usize>,
    /// The most that may leave at once, in bytes: no more than a socket with default buffers holds, and the receiver's,
    /// too. Default 128 KiB.
    pub max_burst_bytes: usize,
    /// Congestion control. Default NewReno, as RFC 9260 describes it.
    pub controller: ControllerKind,
    /// Detect loss by time, with a reordering window and tail loss probes (RFC 8985), and undo what was wrongly taken for
    /// loss; NewReno and CUBIC then leave slow start when the delay grows (RFC 9406). Without it, three missing reports
    /// and T3-rtx alone tell of loss. Default false.
    pub rack: bool,
    /// Spread what leaves over the round trip. Without it, Max.Burst alone bounds bursts. Default false.
    pub pacing: bool,
    /// L of RFC 9260 section 7.2.1: by how many packets the window may grow for one SACK. Default 1.
    pub slow_start_limit: usize,
    /// Offer partial reliability (RFC 3758). Default true.
    pub partial_reliability: bool,
    /// Offer stream reset (RFC 6525). Default true; without it RE-CONFIG is an unknown chunk.
    pub stream_reset: bool,
    /// Offer I-DATA, which interleaves messages of different streams (RFC 8260), so that a large one does not keep others
    /// waiting. Default false.
    pub interleaving: bool,
    /// Which stream's data goes next (RFC 8260 section 3). Default round robin.
    pub scheduler: Scheduler,
    /// Offer to take packets with a zero checksum, which only a lower layer that detects every error permits (RFC 9653,
    /// SCTP over DTLS). Default false.
    pub zero_checksum: bool,
    /// Name zero checksums in an INIT ACK also to a peer whose INIT did not name them: RFC 9653 has each direction on its own.
    /// Default true; not for data channels, where Pion (3.1) refuses parameters that it does not know.
    pub zero_checksum_unasked: bool,
    /// First TSN, for tests; random when `None`.
    pub initial_tsn: Option<u32>,
    /// Most data channels at once, either side's together. Default 4096.
    pub max_channels: usize,
    /// Most bytes held as labels and protocols of channels the peer opened. Default 1 MiB.
    pub max_label_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            local_port: 5000,
            remote_port: 5000,
            mtu: 1188,
            path_mtu_discovery: false,
            min_mtu: 508,
            max_mtu: 1188,
            out_streams: 65_535,
            in_streams: 65_535,
            max_streams: 65_535,
            receive_buffer: 5 << 20,
            max_receive_buffer: 5 << 20,
            max_receive_entries: 65_536,
            send_buffer: 8 << 20,
            max_send_buffer: 8 << 20,
            max_send_entries: 65_536,
            max_message_size: 16 << 20,
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_secs(1),
            rto_max: Duration::from_secs(60),
            sack_delay: Duration::from_millis(200),
            heartbeat_interval: Some(Duration::from_secs(30)),
            max_init_retransmits: Some(8),
            max_retransmits: Some(10),
            cookie_lifetime: Duration::from_secs(60),
            max_burst: 4,
            initial_window: None,
            max_burst_bytes: 128 << 10,
            controller: ControllerKind::NewReno,
            rack: false,
            pacing: false,
            slow_start_limit: 1,
            partial_reliability: true,
            stream_reset: true,
            interleaving: false,
            scheduler: Scheduler::RoundRobin,
            zero_checksum: false,
            zero_checksum_unasked: true,
            initial_tsn: None,
            max_channels: 4096,
            max_label_bytes: 1 << 20,
        }
    }
}

impl Config {
    /// For data channels: messages interleaved by weighted fair queueing (RFC 8831 section 6.4), inside DTLS (zero checksum
    /// offered), where ICE consent decides that the peer is dead (no retransmission limits), on paths whose delay is far
    /// below a second.
    pub fn rtc() -> Self {
        Self {
            rto_initial: Duration::from_millis(500),
            rto_min: Duration::from_millis(300),
            rto_max: Duration::from_secs(10),
            path_mtu_discovery: true,
            max_mtu: 1432,
            sack_delay: Duration::from_millis(100),
            max_init_retransmits: None,
            max_retransmits: None,
            max_receive_buffer: 32 << 20,
            max_send_buffer: 64 << 20,
            max_burst: 16,
            slow_start_limit: 16,
            controller: ControllerKind::default(),
            rack: true,
            pacing: true,
            interleaving: true,
            scheduler: Scheduler::WeightedFair,
            zero_checksum: true,
            zero_checksum_unasked: false,
            ..Self::default()
        }
    }

    pub(crate) fn packet_size(&self) -> usize {
        self.mtu.clamp(508, 65_000)
    }
}
