//! Commands, as they stand on the wire.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::dtls::DtlsVersion;

/// One line of input, understood.
#[derive(Debug)]
pub(super) struct Request {
    /// What its answer is to carry.
    pub(super) id: Option<Value>,
    /// What to do, or why that is not known.
    pub(super) command: Result<Command, Refusal>,
}

impl Request {
    /// Reads one line. `None` for a blank one.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if line.trim().is_empty() {
            return None;
        }
        let mut map = match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(map) => map,
            Err(error) => {
                let refusal = Refusal::syntax(format!("the line is not a JSON object: {error}"));
                return Some(Self { id: None, command: Err(refusal) });
            }
        };
        let id = map.remove("id");
        let command = if map.contains_key("do") {
            serde_json::from_value(Value::Object(map)).map_err(|error| Refusal::type_error(error.to_string()))
        } else {
            Err(Refusal::type_error("no \"do\" in the line"))
        };
        Some(Self { id, command })
    }
}

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Command {
    Configure(Box<Configure>),
    Channel(Channel),
    Offer {
        #[serde(default)]
        ice_restart: Option<bool>,
    },
    Answer {},
    Remote(Remote),
    Local(Local),
    RestartIce {},
    Candidate(Candidate),
    Send(Send),
    Stream(Stream),
    Receive {
        channel: String,
        mode: Mode,
    },
    Threshold {
        channel: String,
        bytes: u64,
    },
    Finish {
        channel: String,
    },
    CloseChannel {
        channel: String,
    },
    Certificate(Certificate),
    Stats {
        #[serde(default)]
        w3c: Option<bool>,
    },
    Close {},
    Quit {},
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configure {
    pub(super) ice_servers: Option<Vec<IceServer>>,
    pub(super) transport_policy: Option<TransportPolicy>,
    pub(super) bundle_policy: Option<BundlePolicy>,
    pub(super) ice_candidate_pool_size: Option<u8>,
    pub(super) trickle: Option<bool>,
    pub(super) manual: Option<bool>,
    pub(super) dtls: Option<DtlsVersion>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) dtls_records_per_key: Option<u64>,
    pub(super) certificate_pem: Option<String>,
    pub(super) mdns: Option<bool>,
    pub(super) interfaces: Option<Vec<String>>,
    pub(super) loopback: Option<bool>,
    pub(super) port: Option<u16>,
    pub(super) max_message_size: Option<u32>,
    pub(super) interleaving: Option<bool>,
    pub(super) snap: Option<bool>,
    pub(super) sped: Option<bool>,
    pub(super) controller: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct IceServer {
    pub(super) urls: Urls,
    pub(super) username: Option<String>,
    pub(super) credential: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Urls {
    One(String),
    Many(Vec<String>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TransportPolicy {
    All,
    Relay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BundlePolicy {
    Balanced,
    MaxCompat,
    MaxBundle,
}

#[derive(Debug, Deserialize)]
pub(super) struct Channel {
    #[serde(rename = "channel")]
    pub(super) handle: String,
    pub(super) label: Option<String>,
    pub(super) ordered: Option<bool>,
    pub(super) max_retransmits: Option<u16>,
    pub(super) max_packet_life_time: Option<u16>,
    pub(super) protocol: Option<String>,
    pub(super) negotiated: Option<bool>,
    pub(super) stream: Option<u16>,
    pub(super) priority: Option<Priority>,
}

/// `RTCPriorityType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Priority {
    VeryLow,
    Low,
    Medium,
    High,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DescriptionType {
    Offer,
    Answer,
    Pranswer,
    Rollback,
}

#[derive(Debug, Deserialize)]
pub(super) struct Remote {
    #[serde(rename = "type")]
    pub(super) kind: DescriptionType,
    #[serde(default)]
    pub(super) sdp: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Local {
    #[serde(rename = "type")]
    pub(super) kind: Option<DescriptionType>,
    pub(super) sdp: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Candidate {
    #[serde(rename = "candidate", default)]
    pub(super) text: String,
    pub(super) mid: Option<String>,
    pub(super) index: Option<u16>,
    pub(super) ufrag: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Send {
    pub(super) channel: String,
    pub(super) text: Option<String>,
    pub(super) base64: Option<String>,
    pub(super) fill: Option<Filled>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Filled {
    pub(super) bytes: u64,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default = "yes")]
    pub(super) binary: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    pub(super) channel: String,
    pub(super) bytes: u64,
    pub(super) message_size: Option<u64>,
    #[serde(default)]
    pub(super) seed: u64,
}

/// What happens to messages that arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Each is reported.
    #[default]
    Messages,
    /// They are counted and hashed.
    Count,
    /// They are sent back.
    Echo,
}

#[derive(Debug, Deserialize)]
pub(super) struct Certificate {
    pub(super) algorithm: Option<String>,
    pub(super) expires_ms: Option<f64>,
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> (&'static str, Option<Value>) {
        let request = Request::parse(line).unwrap();
        (request.command.unwrap_err().kind, request.id)
    }

    #[test]
    fn malformed_lines_are_refused_and_keep_their_id() {
        assert!(Request::parse("  ").is_none());
        assert_eq!(refusal("{"), ("SyntaxError", None));
        assert_eq!(refusal("[1]"), ("SyntaxError", None));
        assert_eq!(refusal("{\"id\":1}"), ("TypeError", Some(1.into())));
        assert_eq!(refusal("{\"id\":\"a\",\"do\":\"dance\"}"), ("TypeError", Some("a".into())));
        assert_eq!(refusal("{\"id\":null,\"do\":\"finish\"}"), ("TypeError", Some(Value::Null)));
        assert_eq!(refusal("{\"do\":\"configure\",\"port\":65536}"), ("TypeError", None));
        assert_eq!(refusal("{\"do\":\"remote\",\"type\":\"question\"}"), ("TypeError", None));
    }

    #[test]
    fn fields_are_optional_where_the_protocol_says_so() {
        for line in [
            "{\"do\":\"configure\"}",
            "{\"do\":\"offer\"}",
            "{\"do\":\"offer\",\"ice_restart\":true}",
            "{\"do\":\"local\"}",
            "{\"do\":\"candidate\",\"candidate\":\"\"}",
            "{\"do\":\"stats\",\"w3c\":true}",
            "{\"do\":\"quit\"}",
            "{\"do\":\"channel\",\"channel\":\"c\",\"max_retransmits\":null}",
            "{\"do\":\"send\",\"channel\":\"c\",\"fill\":{\"bytes\":5,\"seed\":18446744073709551615}}",
        ] {
            assert!(Request::parse(line).unwrap().command.is_ok(), "{line}");
        }
    }
}
