//! Both roles, with candidates apart or in the description, with addresses hidden or not: connect, and exchange every kind
//! of message.

use std::time::Duration;

use serde_json::json;

use super::Case;
use crate::browser::Flags;
use crate::failure::Outcome;
use crate::pair::{Handles, Pair, Role};
use crate::peer::{ChannelInit, Message, at};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

/// From the first command to the open channel.
const CONNECT: Duration = Duration::from_secs(15);
const ECHO: Duration = Duration::from_secs(10);
/// The most that Chromium takes in one message.
const LARGEST: u64 = 262_144;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (offers, browser_offers) in [("browser-offers", true), ("native-offers", false)] {
        for (candidates, trickle) in [("trickle", true), ("full", false)] {
            for (addresses, mdns) in [("mdns", true), ("ip", false)] {
                cases.push(Case::new(
                    format!("connect/{offers}/{candidates}/{addresses}"),
                    "A channel opens, and text, bytes, empty messages and the largest ones come back unchanged.",
                    Setup { browser_offers, trickle, flags: Flags { mdns }, ..Setup::PLAIN },
                    |stage| Box::pin(connect(stage)),
                ));
            }
        }
    }
    cases
}

async fn connect(stage: &mut Stage) -> Outcome<String> {
    let (setup, browser, native) = (stage.setup(), stage.browser_role(), stage.native_role());
    let pair = stage.seat().await?;
    let started = std::time::Instant::now();
    let handles = pair.connect(&ChannelInit { handle: "a", label: "a", ..ChannelInit::default() }, CONNECT).await?;
    let took = started.elapsed();
    for role in [Role::Offerer, Role::Answerer] {
        let connected = |pair: &Pair| (pair.view(role).state("connection") == "connected").then_some(());
        pair.until("both sides say that they are connected", ECHO, connected).await?;
    }
    check_candidates(pair, setup, browser)?;
    for (speaker, mirror) in [(browser, native), (native, browser)] {
        let (channel, at_mirror) = (handles.at(speaker).to_owned(), handles.at(mirror).to_owned());
        pair.peer(mirror).receive(&at_mirror, "echo").await?;
        echoes(pair, speaker, &channel).await?;
        pair.peer(mirror).receive(&at_mirror, "messages").await?;
    }
    check_stats(pair, native, &handles).await?;
    Ok(format!("open after {} ms", took.as_millis()))
}

/// Candidates came the way they were asked for, and with the kind of address the browser's flags say.
fn check_candidates(pair: &Pair, setup: Setup, browser: Role) -> Outcome {
    for role in [Role::Offerer, Role::Answerer] {
        let view = pair.view(role);
        if !setup.trickle {
            ensure!(
                view.candidates.is_empty(),
                "candidates came apart although they should not: {:?}",
                view.candidates
            );
            let sdp = view.descriptions.first().map_or("", |description| description.sdp.as_str());
            ensure!(sdp.contains("\na=candidate:"), "a full description has no candidates:\n{sdp}");
        }
    }
    let descriptions = &pair.view(browser).descriptions;
    let addresses: Vec<&str> = descriptions
        .iter()
        .flat_map(|description| description.sdp.lines().filter_map(|line| line.strip_prefix("a=")))
        .chain(pair.view(browser).candidates.iter().map(String::as_str))
        .filter(|line| line.starts_with("candidate:"))
        .filter_map(|line| line.split_whitespace().nth(4))
        .collect();
    ensure!(!addresses.is_empty(), "the browser gave no candidates");
    for address in addresses {
        let is_name = address.rsplit_once('.').is_some_and(|(_, last)| last == "local");
        ensure_eq!(is_name, setup.flags.mdns, "the browser's candidate {address} is a .local name");
    }
    Ok(())
}

/// Each kind of message, there and back.
async fn echoes(pair: &mut Pair, speaker: Role, channel: &str) -> Outcome {
    let fill = |bytes: u64, binary: bool| ("fill", json!({"bytes": bytes, "seed": bytes + 7, "binary": binary}));
    let all = [
        ("text", ("text", json!("Grüße, 世界, 👋 \u{0} \r\n"))),
        ("bytes", ("base64", json!("AAEC/f7/"))),
        ("an empty text", ("text", json!(""))),
        ("an empty binary message", ("base64", json!(""))),
        ("one byte", fill(1, true)),
        ("a text of 1200 bytes", fill(1_200, false)),
        ("a binary message of 256 KiB", fill(LARGEST, true)),
        ("a text of 256 KiB", fill(LARGEST, false)),
    ];
    let before = messages(pair, speaker, channel);
    let mut sent = Vec::new();
    for (what, content) in all {
        let is_text = content.0 == "text" || at(&content.1, "/binary") == false;
        sent.push((what, is_text, pair.peer(speaker).send(channel, content).await?));
    }
    let wanted = before + sent.len();
    let what = format!("all {} messages back at the one who sent them", sent.len());
    pair.until(&what, ECHO, |pair| (messages(pair, speaker, channel) >= wanted).then_some(())).await?;
    let received = pair.view(speaker).channel(channel).map(|channel| channel.messages.clone()).unwrap_or_default();
    for ((what, is_text, sent), message) in sent.iter().zip(received.iter().skip(before)) {
        ensure_eq!(matches!(message, Message::Text(_)), *is_text, "{what}: is it text when it comes back");
        ensure_eq!(message.bytes().len() as u64, sent.bytes, "{what}: length of the echo");
        ensure_eq!(message.sha256(), sent.sha256, "{what}: hash of the echo");
    }
    Ok(())
}

fn messages(pair: &Pair, role: Role, channel: &str) -> usize {
    pair.view(role).channel(channel).map_or(0, |channel| channel.messages.len())
}

/// What the native side says of the connection.
async fn check_stats(pair: &mut Pair, native: Role, handles: &Handles) -> Outcome {
    let channel = handles.at(native).to_owned();
    let stats = pair.peer(native).stats().await?.clone();
    ensure!(at(&stats, "/selected_pair").is_object(), "a connected peer has a selected pair: {stats}");
    ensure_eq!(at(&stats, &format!("/channels/{channel}/state")), "open", "state of the channel in {stats}");
    // Eight of its own, and eight that it sent back.
    ensure_eq!(at(&stats, &format!("/channels/{channel}/sent")), 16, "messages sent in {stats}");
    ensure_eq!(at(&stats, &format!("/channels/{channel}/received")), 16, "messages received in {stats}");
    let cipher = at(&stats, "/dtls/cipher").as_str();
    ensure!(cipher.is_some_and(|cipher| !cipher.is_empty()), "a connected peer has a cipher: {stats}");
    Ok(())
}
