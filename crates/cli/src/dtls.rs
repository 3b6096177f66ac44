//! DTLS versions and groups by their names.

use serde::Deserialize;
use weft_rtc::dtls::{NamedGroup, ProtocolVersion};

/// Which DTLS versions to speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
pub(crate) enum DtlsVersion {
    /// 1.3 alone.
    #[serde(rename = "1.3")]
    #[value(name = "1.3")]
    V13,
    /// 1.2 alone.
    #[serde(rename = "1.2")]
    #[value(name = "1.2")]
    V12,
    /// Both: the highest that both sides have is chosen.
    #[default]
    #[serde(rename = "any")]
    #[value(name = "any")]
    Any,
}

impl DtlsVersion {
    /// As the connection's settings have it.
    pub(crate) fn versions(self) -> Option<Vec<ProtocolVersion>> {
        match self {
            Self::V13 => Some(vec![ProtocolVersion::DTLS_1_3]),
            Self::V12 => Some(vec![ProtocolVersion::DTLS_1_2]),
            Self::Any => None,
        }
    }
}

/// The group with this name, as stats give it.
pub(crate) fn group(name: &str) -> Option<NamedGroup> {
    [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1]
        .into_iter()
        .find(|group| group.name().is_some_and(|known| known.eq_ignore_ascii_case(name)))
}
