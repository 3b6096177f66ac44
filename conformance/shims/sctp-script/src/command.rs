//! What a script asks for.

use serde::Deserialize;

/// One line of a script.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Command {
    /// Makes the endpoint; one made before is forgotten.
    New {
        /// Whether it begins.
        role: Role,
        /// Its settings.
        #[serde(default)]
        config: Settings,
    },
    /// A packet arrives.
    Packet {
        /// All of it.
        hex: String,
    },
    /// The clock moves.
    Advance {
        /// By how many milliseconds.
        ms: u64,
    },
    /// Queues a message.
    Send {
        /// Stream Identifier.
        stream: u16,
        /// Payload Protocol Identifier.
        #[serde(default)]
        ppid: u32,
        /// User data.
        hex: String,
        /// Default true.
        ordered: Option<bool>,
        /// Most retransmissions.
        max_retransmits: Option<u32>,
        /// Given up after so many milliseconds.
        lifetime_ms: Option<u64>,
    },
    /// Resets outgoing streams.
    Reset {
        /// Which.
        streams: Vec<u16>,
    },
    /// Ends it in order.
    Shutdown,
    /// Ends it at once.
    Abort,
    /// Adds the status to the answer.
    Status,
}

/// Who sends the INIT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The peer.
    Listen,
    /// This endpoint.
    Connect,
}

/// `config` of `new`: what is left out, or null, has the default of README.md.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // README.md has the table
pub struct Settings {
    pub local_port: Option<u16>,
    pub remote_port: Option<u16>,
    pub mtu: Option<usize>,
    pub rto_initial_ms: Option<u64>,
    pub rto_min_ms: Option<u64>,
    pub rto_max_ms: Option<u64>,
    pub sack_delay_ms: Option<u64>,
    pub heartbeat_interval_ms: Option<u64>,
    pub max_init_retransmits: Option<u32>,
    pub max_retransmits: Option<u32>,
    pub cookie_life_ms: Option<u64>,
    pub pr_sctp: Option<bool>,
    pub i_data: Option<bool>,
    pub reconfig: Option<bool>,
    pub zero_checksum: Option<bool>,
    pub out_streams: Option<u16>,
    pub in_streams: Option<u16>,
    pub initial_cwnd_mtus: Option<usize>,
    pub max_burst: Option<usize>,
    pub seed: Option<u64>,
    pub pacing: Option<bool>,
    pub rack: Option<bool>,
    pub controller: Option<String>,
}
