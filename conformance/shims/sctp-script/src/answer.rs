//! What a script is told.

use serde::Serialize;
use weft_sctp::State;

/// The answer to one command.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Answer {
    /// What the clock shows.
    pub now_ms: u64,
    /// State of the association ([`state_name`]).
    pub state: &'static str,
    /// Packets sent since the last answer, each in hexadecimal.
    pub packets: Vec<String>,
    /// What happened since the last answer.
    pub events: Vec<serde_json::Value>,
    /// When the next timer fires, rounded up.
    pub next_timeout_ms: Option<u64>,
    /// Only after `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
    /// Why the command was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            now_ms: 0,
            state: state_name(State::Closed),
            packets: Vec::new(),
            events: Vec::new(),
            next_timeout_ms: None,
            status: None,
            error: None,
        }
    }
}

/// A state's name in answers.
pub const fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::CookieWait => "cookie-wait",
        State::CookieEchoed => "cookie-echoed",
        State::Established => "established",
        State::ShutdownPending => "shutdown-pending",
        State::ShutdownSent => "shutdown-sent",
        State::ShutdownReceived => "shutdown-received",
        State::ShutdownAckSent => "shutdown-ack-sent",
    }
}
