//! The `state` lines: what changed since the last.

use std::collections::BTreeMap;

use serde::Serialize;

/// A description as it is reported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct ReportedDescription {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) sdp: String,
}

/// A candidate as it is reported.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct ReportedCandidate {
    pub(super) candidate: String,
    pub(super) mid: Option<String>,
    pub(super) index: Option<u16>,
    pub(super) ufrag: Option<String>,
    /// The server it is from, and how a relay is reached; null for others and for those of the other side.
    pub(super) url: Option<String>,
    pub(super) relay_protocol: Option<&'static str>,
}

/// The two ends of the selected pair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct ReportedPair {
    pub(super) local: ReportedCandidate,
    pub(super) remote: ReportedCandidate,
}

macro_rules! state {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// Everything a `state` line can tell.
        #[derive(Clone, PartialEq, Debug)]
        pub(super) struct State {
            $($(#[$doc])* pub(super) $field: $type,)*
        }

        /// What differs between two states.
        #[derive(Debug, Serialize)]
        #[allow(clippy::ref_option_ref)] // fields are borrowed alike, whatever their type
        pub(super) struct Change<'a> {
            $(#[serde(skip_serializing_if = "Option::is_none")] $field: Option<&'a $type>,)*
        }

        impl State {
            /// What differs from `before`; `None` when nothing does.
            pub(super) fn change<'a>(&'a self, before: &Self) -> Option<Change<'a>> {
                (self != before).then(|| Change {
                    $($field: (self.$field != before.$field).then_some(&self.$field),)*
                })
            }
        }
    };
}

state!(
    /// `signalingState`.
    signaling: String,
    /// `iceGatheringState`.
    gathering: &'static str,
    /// `iceConnectionState`.
    ice: &'static str,
    /// `connectionState`.
    connection: &'static str,
    /// State of the DTLS transport; `None` while there is none.
    dtls: Option<&'static str>,
    /// State of the SCTP transport; `None` while there is none.
    sctp: Option<&'static str>,
    /// `RTCIceTransport.role`; `None` before it is known.
    ice_role: Option<&'static str>,
    /// `canTrickleIceCandidates`.
    can_trickle: Option<bool>,
    /// `[[NegotiationNeeded]]`.
    negotiation_needed: bool,
    /// `currentLocalDescription`.
    current_local: Option<ReportedDescription>,
    /// `pendingLocalDescription`.
    pending_local: Option<ReportedDescription>,
    /// `currentRemoteDescription`.
    current_remote: Option<ReportedDescription>,
    /// `pendingRemoteDescription`.
    pending_remote: Option<ReportedDescription>,
    /// `RTCSctpTransport.maxMessageSize`; `None` for no limit.
    max_message_size: Option<u64>,
    /// `RTCSctpTransport.maxChannels`.
    max_channels: Option<u16>,
    /// Channels that got their stream since they were made.
    streams: BTreeMap<String, u16>,
    /// The pair data travel by.
    selected_pair: Option<ReportedPair>,
    /// What the peer showed, in base64 of DER.
    remote_certificates: Vec<String>,
);

impl Default for State {
    fn default() -> Self {
        Self {
            signaling: "stable".to_owned(),
            gathering: "new",
            ice: "new",
            connection: "new",
            dtls: None,
            sctp: None,
            ice_role: None,
            can_trickle: None,
            negotiation_needed: false,
            current_local: None,
            pending_local: None,
            current_remote: None,
            pending_remote: None,
            max_message_size: None,
            max_channels: None,
            streams: BTreeMap::new(),
            selected_pair: None,
            remote_certificates: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_changed_and_nothing_else() {
        let before = State::default();
        assert!(before.change(&before.clone()).is_none());
        let mut after = State { ice: "checking", dtls: Some("new"), ..before.clone() };
        let line = serde_json::to_value(after.change(&before).unwrap()).unwrap();
        assert_eq!(line, serde_json::json!({"ice": "checking", "dtls": "new"}));
        let middle = after.clone();
        after.dtls = None;
        let line = serde_json::to_value(after.change(&middle).unwrap()).unwrap();
        assert_eq!(line, serde_json::json!({"dtls": null}));
    }
}
