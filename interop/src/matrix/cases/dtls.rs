//! DTLS more closely: every group in either version, certificates of other kinds, keys that change while data flows.

use std::time::Duration;

use super::Case;
use super::connect::held;
use super::transfer::{begin, end, rate};
use crate::failure::{Failure, Outcome};
use crate::matrix::table::{BOTH, Setup, Table, say};
use crate::pair::Role;
use crate::peer::at;
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new("dtls/1.2/x25519", "DTLS 1.2 with X25519.", |table| Box::pin(group_of_1_2(table, "X25519"))),
    Case::new("dtls/1.2/p-256", "DTLS 1.2 with P-256.", |table| Box::pin(group_of_1_2(table, "P-256"))),
    Case::new("dtls/1.2/p-384", "DTLS 1.2 with P-384.", |table| Box::pin(group_of_1_2(table, "P-384"))),
    Case::new(
        "dtls/1.3/p-256",
        "DTLS 1.3 with P-256, which takes a HelloRetryRequest where it is not preferred.",
        |table| Box::pin(group(table, "P-256")),
    ),
    Case::new("dtls/1.3/p-384", "DTLS 1.3 with P-384, likewise.", |table| Box::pin(group(table, "P-384"))),
    Case::new("dtls/1.2/rsa", "DTLS 1.2 where one side has an RSA certificate.", |table| {
        Box::pin(certificate(table, "1.2", "rsa-2048"))
    }),
    Case::new("dtls/1.3/rsa", "DTLS 1.3 where one side has an RSA certificate.", |table| {
        Box::pin(certificate(table, "1.3", "rsa-2048"))
    }),
    Case::new("dtls/1.3/ecdsa-p384", "DTLS 1.3 where one side has an ECDSA certificate on P-384.", |table| {
        Box::pin(certificate(table, "1.3", "ecdsa-p384"))
    }),
    Case::new("dtls/key-updates", "50 MB each way, while one side changes its keys every thousand records.", |table| {
        Box::pin(key_updates(table))
    })
    .limit(240),
];

const RECORDS_PER_KEY: u32 = 1000;

async fn group(table: &mut Table<'_>, group: &'static str) -> Outcome<String> {
    let setup = Setup { dtls: Some("1.3"), group: Some(group), ..Setup::default() };
    let remark = held(table, setup, "/dtls/group", group).await?;
    for (role, version) in tell(table, "/dtls/version").await? {
        ensure_eq!(version, "1.3", "the version of DTLS at the {role:?}");
    }
    Ok(remark)
}

/// The DTLS server chooses, which is the offerer as a rule: if that is not the side that is held, it may prefer P-256, which
/// says nothing of the group.
async fn group_of_1_2(table: &mut Table<'_>, group: &'static str) -> Outcome<String> {
    let setup = Setup { dtls: Some("1.2"), group: Some(group), ..Setup::default() };
    let remark = held(table, setup, "/dtls/version", "1.2").await?;
    let chooses = table.held.contains(&Role::Offerer);
    let told = tell(table, "/dtls/group").await?;
    for (role, told) in &told {
        if told != group && !chooses && told == "P-256" {
            let prefers = table.stack(Role::Offerer).name;
            return Err(Failure::unsupported(prefers, format!("{prefers} chooses P-256 where it may")));
        }
        ensure_eq!(told, group, "the group that the {role:?} tells");
    }
    Ok(format!("{remark}; {}", told.first().map_or("", |(_, told)| told)))
}

async fn certificate(table: &mut Table<'_>, version: &'static str, algorithm: &'static str) -> Outcome<String> {
    let setup = Setup { dtls: Some(version), certificate: Some(algorithm), ..Setup::default() };
    let remark = held(table, setup, "/dtls/version", version).await?;
    let by = table.held.first().copied().ok_or_else(|| Failure::new("nobody has the certificate"))?;
    let fingerprint = table.fingerprint.take().ok_or_else(|| Failure::new("no certificate was made"))?;
    // That is what the other side holds its peer to.
    let line = format!("a=fingerprint:{fingerprint}");
    let descriptions = &table.pair()?.view(by).descriptions;
    let sdp = descriptions.last().map_or("", |description| description.sdp.as_str());
    let announced = sdp.lines().any(|said| said.trim_end().eq_ignore_ascii_case(&line));
    ensure!(announced, "the {by:?} was given a certificate, but does not announce {line}:\n{sdp}");
    Ok(format!("{remark}, with a certificate of {algorithm}"))
}

/// What the statistics of both sides say, as far as they say something.
async fn tell(table: &mut Table<'_>, pointer: &str) -> Outcome<Vec<(Role, String)>> {
    let pair = table.pair()?;
    let mut told = Vec::new();
    for role in BOTH {
        let stats = pair.peer(role).stats().await?;
        told.extend(at(stats, pointer).as_str().map(|value| (role, value.to_owned())));
    }
    Ok(told)
}

async fn key_updates(table: &mut Table<'_>) -> Outcome<String> {
    const BYTES: u64 = 50_000_000;
    let setup = Setup { dtls: Some("1.3"), records_per_key: Some(RECORDS_PER_KEY), ..Setup::default() };
    table.seat(setup).await?;
    let by = table.held.first().copied().ok_or_else(|| Failure::new("nobody changes keys"))?;
    let (pair, handles) = table.open().await?;
    // In turn: an ACK that is lost among the other's data is the last that Firefox says of its KeyUpdate, however often that
    // is repeated, and without it no other key may follow (RFC 9147 section 8).
    let mut took = 0.0;
    for (from, seed) in [(Role::Offerer, 5), (Role::Answerer, 6)] {
        begin(pair, &handles, from, BYTES, seed).await?;
        took += end(pair, &handles, from, BYTES, Duration::from_secs(90)).await?;
    }
    let stats = pair.peer(by).stats().await?;
    let updates = at(stats, "/dtls/key_updates").as_u64().unwrap_or_default();
    // Of as many as there were thousands of records, most may never be asked for: see above.
    let least = BYTES / 1500 / u64::from(RECORDS_PER_KEY) / 8;
    ensure!(updates >= least, "the keys changed {updates} times, not {least}");
    for role in BOTH {
        pair.peer(role).receive(handles.at(role), "messages").await?;
    }
    say(pair, &handles, "after the transfer").await?;
    Ok(format!("{updates} key updates by the {by:?}, {}", rate(2 * BYTES, took)))
}
