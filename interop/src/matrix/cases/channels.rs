//! Kinds of channels.

use std::collections::BTreeSet;

use serde_json::json;

use super::Case;
use crate::failure::Outcome;
use crate::matrix::table::{BOTH, CONNECT, ECHO, Setup, Table, say};
use crate::pair::Role;
use crate::peer::{ChannelInit, Command, Message};
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new("channels/in-band", "Channels that either side opens are announced with all they are.", |table| {
        Box::pin(in_band(table))
    }),
    Case::new(
        "channels/negotiated",
        "Channels agreed on out of band carry messages, and none is announced.",
        |table| Box::pin(negotiated(table)),
    )
    .core(),
    Case::new("channels/unordered", "On an unordered channel every message arrives once.", |table| {
        Box::pin(every_message(table, Kind { unordered: true, ..Kind::default() }))
    })
    .core(),
    Case::new("channels/retransmits", "A channel limited to 3 retransmissions is that at both sides.", |table| {
        Box::pin(every_message(table, Kind { max_retransmits: Some(3), ..Kind::default() }))
    }),
    Case::new("channels/lifetime", "A channel limited to 5000 ms a message is that at both sides.", |table| {
        Box::pin(every_message(table, Kind { unordered: true, max_packet_life_time: Some(5000), ..Kind::default() }))
    }),
    Case::new("channels/unicode-by-offerer", UNICODE, |table| Box::pin(unicode(table, Role::Offerer))).core(),
    Case::new("channels/unicode-by-answerer", UNICODE, |table| Box::pin(unicode(table, Role::Answerer))).core(),
    Case::new("channels/long-names-by-offerer", LONG, |table| Box::pin(long_names(table, Role::Offerer))),
    Case::new("channels/long-names-by-answerer", LONG, |table| Box::pin(long_names(table, Role::Answerer))),
    Case::new("channels/a-hundred", "100 channels, half from either side, all carry messages at once.", |table| {
        Box::pin(a_hundred(table))
    }),
];

const UNICODE: &str = "Labels and subprotocols in any script, and empty ones, that one side gives arrive as given.";
const LONG: &str = "A label and a subprotocol of 800 bytes each that one side gives arrive as given.";

type Kind = ChannelInit<'static>;

async fn in_band(table: &mut Table<'_>) -> Outcome<String> {
    let (pair, first) = table.connected(Setup::default()).await?;
    say(pair, &first, "first").await?;
    for (by, handle) in [(Role::Offerer, "o"), (Role::Answerer, "a")] {
        let init = ChannelInit { handle, label: "a channel", protocol: "a.protocol", ..ChannelInit::default() };
        let init =
            ChannelInit { label: if by == Role::Offerer { "from the offerer" } else { "from the answerer" }, ..init };
        // `opened` compares everything at both sides.
        let handles = pair.add_channel(by, &init, CONNECT).await?;
        say(pair, &handles, handle).await?;
    }
    Ok(String::new())
}

async fn negotiated(table: &mut Table<'_>) -> Outcome<String> {
    let pair = table.seat(Setup::default()).await?;
    let channel =
        |handle, stream| ChannelInit { handle, label: handle, negotiated: Some(stream), ..ChannelInit::default() };
    let first = pair.connect(&channel("n", 7), CONNECT).await?;
    say(pair, &first, "on stream 7").await?;
    // One made when the connection is up, of the other parity.
    let second = pair.add_channel(Role::Answerer, &channel("late", 100), ECHO).await?;
    say(pair, &second, "on stream 100").await?;
    for role in BOTH {
        let announced = pair.view(role).channels.iter().find(|channel| channel.incoming);
        ensure!(announced.is_none(), "a negotiated channel was announced: {announced:?}");
    }
    Ok(String::new())
}

async fn every_message(table: &mut Table<'_>, kind: Kind) -> Outcome<String> {
    const COUNT: usize = 100;
    let pair = table.seat(Setup::default()).await?;
    let handles = pair.connect(&ChannelInit { handle: "k", label: "k", ..kind }, CONNECT).await?;
    for role in BOTH {
        for number in 0..COUNT {
            pair.peer(role).send(handles.at(role), ("text", json!(format!("message {number}")))).await?;
        }
    }
    for role in BOTH {
        let what = format!("{COUNT} messages at the {role:?}");
        let arrived = pair.until(&what, ECHO, |pair| {
            let messages = &pair.view(role).channel(handles.at(role))?.messages;
            (messages.len() >= COUNT).then(|| messages.clone())
        });
        let messages = arrived.await?;
        let different: BTreeSet<&[u8]> = messages.iter().map(Message::bytes).collect();
        ensure_eq!((messages.len(), different.len()), (COUNT, COUNT), "messages, and different ones, at the {role:?}");
    }
    Ok(String::new())
}

async fn unicode(table: &mut Table<'_>, by: Role) -> Outcome<String> {
    let names = [("Größe", "протокол"), ("頻道 №1", "プロトコル"), ("👩‍👩‍👧 family", "قناة"), ("", "")];
    named(table, by, &names).await
}

async fn long_names(table: &mut Table<'_>, by: Role) -> Outcome<String> {
    let long = "ä".repeat(400);
    named(table, by, &[(&long, &long)]).await
}

/// One side opens channels of these labels and subprotocols.
async fn named(table: &mut Table<'_>, by: Role, names: &[(&str, &str)]) -> Outcome<String> {
    let (pair, _) = table.connected(Setup::default()).await?;
    for (number, (label, protocol)) in names.iter().enumerate() {
        let handle = format!("u{number}");
        let init = ChannelInit { handle: &handle, label, protocol, ..ChannelInit::default() };
        let handles = pair.add_channel(by, &init, ECHO).await?;
        say(pair, &handles, &format!("over {label}")).await?;
    }
    Ok(String::new())
}

async fn a_hundred(table: &mut Table<'_>) -> Outcome<String> {
    const EACH: usize = 50;
    let pair = table.seat(Setup::default()).await?;
    let names = |by: &str| (0..EACH).map(|number| format!("{by}-{number}")).collect::<Vec<_>>();
    let sides = [(Role::Offerer, names("o")), (Role::Answerer, names("a"))];
    let init = |name| ChannelInit { handle: name, label: name, ..ChannelInit::default() };
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
    if pair.view(Role::Offerer).tells_streams() {
        ensure_eq!(streams.len(), 2 * EACH, "different streams of the channels");
    }
    for (number, handles) in all.iter().enumerate() {
        for role in BOTH {
            let text = format!("{number} from {role:?}");
            pair.peer(role).send(handles.at(role), ("text", json!(text))).await?;
        }
    }
    for (number, handles) in all.iter().enumerate() {
        for role in BOTH {
            let what = format!("a message on channel {}", handles.at(role));
            let got = pair
                .until(&what, ECHO, |pair| pair.view(role).channel(handles.at(role))?.messages.first().cloned())
                .await?;
            ensure_eq!(
                got,
                Message::Text(format!("{number} from {:?}", role.other())),
                "what channel {number} brought"
            );
        }
    }
    Ok(String::new())
}
