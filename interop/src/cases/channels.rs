//! Kinds of channels: negotiated, unordered, with any label and subprotocol, and many of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::Case;
use crate::failure::{Failure, Outcome};
use crate::matrix::table::say;
use crate::pair::Role;
use crate::peer::{ChannelInit, Command, Message};
use crate::stage::{Setup, Stage};
use crate::{ensure, ensure_eq};

const CONNECT: Duration = Duration::from_secs(15);
const ECHO: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (offers, setup) in [("browser-offers", Setup::PLAIN), ("native-offers", Setup::PLAIN.native_offers())] {
        cases.push(Case::new(
            format!("channels/negotiated/{offers}"),
            "Channels with a stream agreed on out of band carry messages, and none is announced.",
            setup,
            |stage| Box::pin(negotiated(stage)),
        ));
        cases.push(Case::new(
            format!("channels/unordered/{offers}"),
            "On an unordered channel every message arrives once.",
            setup,
            |stage| Box::pin(unordered(stage)),
        ));
        cases.push(Case::new(
            format!("channels/unicode/{offers}"),
            "Labels and subprotocols in any script, empty and long, arrive as they were given.",
            setup,
            |stage| Box::pin(unicode(stage)),
        ));
        cases.push(Case::new(
            format!("channels/many/{offers}"),
            "20 channels, half from either side, on streams of their own, all carry messages at once.",
            setup,
            |stage| Box::pin(many(stage)),
        ));
    }
    cases
}

async fn negotiated(stage: &mut Stage) -> Outcome<String> {
    let pair = stage.seat().await?;
    let channel =
        |handle, stream| ChannelInit { handle, label: handle, negotiated: Some(stream), ..ChannelInit::default() };
    let first = pair.connect(&channel("n", 7), CONNECT).await?;
    say(pair, &first, "on stream 7").await?;
    // One made when the connection is up, of the other parity.
    let second = pair.add_channel(Role::Answerer, &channel("late", 1000), ECHO).await?;
    say(pair, &second, "on stream 1000").await?;
    for role in [Role::Offerer, Role::Answerer] {
        let announced = pair.view(role).channels.iter().find(|channel| channel.incoming);
        ensure!(announced.is_none(), "a negotiated channel was announced: {announced:?}");
    }
    Ok(String::new())
}

async fn unordered(stage: &mut Stage) -> Outcome<String> {
    const COUNT: usize = 200;
    let pair = stage.seat().await?;
    let init = ChannelInit { handle: "u", label: "u", unordered: true, ..ChannelInit::default() };
    let handles = pair.connect(&init, CONNECT).await?;
    for role in [Role::Offerer, Role::Answerer] {
        for number in 0..COUNT {
            pair.peer(role).send(handles.at(role), ("text", json!(format!("message {number}")))).await?;
        }
    }
    for role in [Role::Offerer, Role::Answerer] {
        let texts = pair
            .until("200 messages on the unordered channel", ECHO, |pair| {
                let messages = &pair.view(role).channel(handles.at(role))?.messages;
                (messages.len() >= COUNT).then(|| messages.clone())
            })
            .await?;
        ensure_eq!(texts.len(), COUNT, "messages that arrived");
        let different: BTreeSet<&[u8]> = texts.iter().map(Message::bytes).collect();
        ensure_eq!(different.len(), COUNT, "different messages that arrived");
    }
    Ok(String::new())
}

async fn unicode(stage: &mut Stage) -> Outcome<String> {
    let pair = stage.seat().await?;
    let long = "ä".repeat(400);
    let names = [
        ("Größe", "протокол"),
        ("頻道 №1", "プロトコル"),
        ("👩‍👩‍👧 family", "قناة"),
        ("", ""),
        (long.as_str(), long.as_str()),
    ];
    for (number, (label, protocol)) in names.into_iter().enumerate() {
        let by = if number % 2 == 0 { Role::Offerer } else { Role::Answerer };
        let handle = format!("u{number}");
        let init = ChannelInit { handle: &handle, label, protocol, ..ChannelInit::default() };
        // `opened` compares label and protocol at both sides.
        let handles =
            if number == 0 { pair.connect(&init, CONNECT).await? } else { pair.add_channel(by, &init, ECHO).await? };
        say(pair, &handles, label).await?;
    }
    Ok(String::new())
}

async fn many(stage: &mut Stage) -> Outcome<String> {
    const EACH: usize = 10;
    let pair = stage.seat().await?;
    let names = |by: &str| (0..EACH).map(|number| format!("{by}-{number}")).collect::<Vec<_>>();
    let sides = [(Role::Offerer, names("o")), (Role::Answerer, names("a"))];
    let init = |name| ChannelInit { handle: name, label: name, ..ChannelInit::default() };
    // One is in the offer; the rest are made before anything is connected, so that all open at once.
    for (role, names) in &sides {
        for name in names {
            pair.peer(*role).channel(&init(name)).await?;
        }
    }
    pair.peer(Role::Offerer).ask(Command::new("offer")).await?;
    let mut all = Vec::new();
    for (role, names) in &sides {
        for name in names {
            all.push(pair.opened(*role, &init(name), CONNECT).await?);
        }
    }
    let streams: BTreeSet<u64> =
        pair.view(Role::Offerer).channels.iter().filter_map(|channel| channel.stream).collect();
    ensure_eq!(streams.len(), 2 * EACH, "different streams of the channels");
    for (number, handles) in all.iter().enumerate() {
        for role in [Role::Offerer, Role::Answerer] {
            let text = format!("{number} from {role:?}");
            pair.peer(role).send(handles.at(role), ("text", json!(text))).await?;
        }
    }
    for (number, handles) in all.iter().enumerate() {
        for role in [Role::Offerer, Role::Answerer] {
            let expected = Message::Text(format!("{number} from {:?}", role.other()));
            let what = format!("a message on channel {}", handles.at(role));
            let got = pair
                .until(&what, ECHO, |pair| pair.view(role).channel(handles.at(role))?.messages.first().cloned())
                .await?;
            if got != expected {
                return Err(Failure::new(format!("channel {} brought {got:?}, not {expected:?}", handles.at(role))));
            }
        }
    }
    Ok(String::new())
}
