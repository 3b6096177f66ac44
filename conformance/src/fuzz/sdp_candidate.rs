//! Candidates and the other attribute values that have a grammar of their own.

use std::{fmt::Display, str::FromStr};

use weft_sdp::{
    Candidate, Fingerprint, Group, IceOptions, IcePwd, IceUfrag, MaxMessageSize, Mid, RemoteCandidates, SctpMap,
    SctpPort, Setup, TlsId,
};

/// Each kind: what is read and written again reads as the same value.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    round_trip::<Candidate>(text);
    round_trip::<Fingerprint>(text);
    round_trip::<Group>(text);
    round_trip::<IceOptions>(text);
    round_trip::<IcePwd>(text);
    round_trip::<IceUfrag>(text);
    round_trip::<MaxMessageSize>(text);
    round_trip::<Mid>(text);
    round_trip::<RemoteCandidates>(text);
    round_trip::<SctpMap>(text);
    round_trip::<SctpPort>(text);
    round_trip::<Setup>(text);
    round_trip::<TlsId>(text);
}

fn round_trip<T: FromStr + Display>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let written = value.to_string();
    let again = written.parse::<T>().ok().map(|v| v.to_string());
    assert_eq!(again.as_deref(), Some(written.as_str()), "{} {text:?}", std::any::type_name::<T>());
}
