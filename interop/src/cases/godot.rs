//! A game in a Godot engine and a page in the browser.

use std::time::Duration;

use serde_json::json;

use super::Case;
use crate::browser::Flags;
use crate::failure::Outcome;
use crate::pair::{Pair, Role};
use crate::peer::{ChannelInit, Message};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

const CONNECT: Duration = Duration::from_secs(15);
const ECHO: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (offers, browser_offers) in [("browser-offers", true), ("godot-offers", false)] {
        for (addresses, mdns) in [("mdns", true), ("ip", false)] {
            cases.push(Case {
                engine: true,
                ..Case::new(
                    format!("godot/{offers}/{addresses}"),
                    "The page and the engine open channels in band and negotiated; texts and bytes come back both ways.",
                    Setup { browser_offers, flags: Flags { mdns }, ..Setup::PLAIN },
                    |stage| Box::pin(talk(stage)),
                )
            });
        }
    }
    cases
}

async fn talk(stage: &mut Stage) -> Outcome<String> {
    let (browser, engine) = (stage.browser_role(), stage.native_role());
    let pair = stage.seat_engine().await?;
    let negotiated =
        ChannelInit { handle: "n", label: "n", negotiated: Some(7), unordered: true, ..ChannelInit::default() };
    for role in [browser, engine] {
        pair.peer(role).channel(&negotiated).await?;
    }
    let started = std::time::Instant::now();
    let chat = ChannelInit { handle: "a", label: "chat", protocol: "game", ..ChannelInit::default() };
    let in_band = pair.connect(&chat, CONNECT).await?;
    let took = started.elapsed();
    let negotiated = pair.opened(Role::Offerer, &negotiated, CONNECT).await?;
    for handles in [&in_band, &negotiated] {
        for (speaker, mirror) in [(browser, engine), (engine, browser)] {
            let (channel, at_mirror) = (handles.at(speaker).to_owned(), handles.at(mirror).to_owned());
            pair.peer(mirror).receive(&at_mirror, "echo").await?;
            echoes(pair, speaker, &channel).await?;
            pair.peer(mirror).receive(&at_mirror, "messages").await?;
        }
    }
    // One side closes a channel, the other sees it.
    let (mine, theirs) = (in_band.at(engine).to_owned(), in_band.at(browser).to_owned());
    pair.peer(engine).ask(crate::peer::Command::new("close_channel").with("channel", mine)).await?;
    pair.until("the page sees the channel closed", ECHO, |pair| {
        pair.view(browser).channel(&theirs).is_some_and(crate::peer::Channel::is_closed).then_some(())
    })
    .await?;
    ensure_eq!(pair.view(engine).state("connection"), "connected", "the engine's connection state");
    Ok(format!("{}, open after {} ms", pair.view(engine).stack(), took.as_millis()))
}

/// Texts and bytes, there and back.
async fn echoes(pair: &mut Pair, speaker: Role, channel: &str) -> Outcome {
    let count = |pair: &Pair| pair.view(speaker).channel(channel).map_or(0, |channel| channel.messages.len());
    let before = count(pair);
    let long = "0123456789".repeat(1_200);
    let all = [
        ("text", "Grüße, 世界, 👋".to_owned()),
        ("base64", "AAEC/f7/".to_owned()),
        ("text", long),
        ("base64", "Bw==".into()),
    ];
    let mut sent = Vec::new();
    for (kind, content) in all {
        sent.push((kind == "text", pair.peer(speaker).send(channel, (kind, json!(content))).await?));
    }
    let what = format!("{} messages back on {channel}", sent.len());
    pair.until(&what, ECHO, |pair| (count(pair) >= before + sent.len()).then_some(())).await?;
    let received = pair.view(speaker).channel(channel).map(|channel| channel.messages.clone()).unwrap_or_default();
    // An unordered channel may bring them in any order.
    for (is_text, sent) in &sent {
        let came = received
            .iter()
            .skip(before)
            .any(|message| matches!(message, Message::Text(_)) == *is_text && message.sha256() == sent.sha256);
        ensure!(came, "a message of {} bytes (text: {is_text}) did not come back unchanged", sent.bytes);
    }
    Ok(())
}
