//! Messages: every kind, every size, and one byte too many.

use serde_json::{Value, json};

use super::Case;
use crate::failure::Outcome;
use crate::matrix::table::{BOTH, ECHO, Setup, Table, say};
use crate::pair::{Handles, Pair, Role};
use crate::peer::{Command, Message};
use crate::{ensure, ensure_eq};

pub(super) const CASES: &[Case] = &[
    Case::new("messages/kinds", "Text and bytes come back unchanged, as what they were.", |table| {
        Box::pin(kinds(table))
    })
    .core(),
    Case::new("messages/empty", "Empty texts and empty bytes, among others, come back as what they were.", |table| {
        Box::pin(empty(table))
    })
    .core(),
    Case::new("messages/sizes", "Messages of 1 to 65,535 bytes arrive with equal hashes.", |table| {
        Box::pin(sizes(table, false))
    })
    .core(),
    Case::new(
        "messages/largest",
        "Messages of 65,536 bytes to the negotiated maximum (at most 4 MiB are tried) arrive with equal hashes.",
        |table| Box::pin(sizes(table, true)),
    )
    .core(),
    Case::new(
        "messages/too-large",
        "One byte over the negotiated maximum is refused, and the channel lives on.",
        |table| Box::pin(too_large(table)),
    ),
];

/// Where no limit is negotiated, or one that nobody sends: as much as is tried.
const ENOUGH: u64 = 4 << 20;

async fn kinds(table: &mut Table<'_>) -> Outcome<String> {
    let all = [
        ("text", json!("Grüße, 世界, 👋 \u{0} \r\n")),
        ("base64", json!("AAEC/f7/")),
        ("fill", json!({"bytes": 1, "seed": 1, "binary": true})),
        ("fill", json!({"bytes": 1200, "seed": 2, "binary": false})),
        ("fill", json!({"bytes": 16_000, "seed": 3, "binary": true})),
    ];
    come_back(table, &all).await
}

async fn empty(table: &mut Table<'_>) -> Outcome<String> {
    // What follows an empty one shows that nothing waits for it.
    let all = [("text", json!("")), ("base64", json!("")), ("text", json!("after them")), ("base64", json!("AAEC"))];
    come_back(table, &all).await
}

/// Has messages echoed by either side.
async fn come_back(table: &mut Table<'_>, all: &[(&'static str, Value)]) -> Outcome<String> {
    let (pair, handles) = table.connected(Setup::default()).await?;
    for speaker in BOTH {
        let mirror = speaker.other();
        pair.peer(mirror).receive(handles.at(mirror), "echo").await?;
        let channel = handles.at(speaker);
        let count = |pair: &Pair| pair.view(speaker).channel(channel).map_or(0, |channel| channel.messages.len());
        let before = count(pair);
        let mut sent = Vec::new();
        for content in all.iter().cloned() {
            let text = content.0 == "text" || content.1.get("binary").and_then(Value::as_bool) == Some(false);
            sent.push((content.1.to_string(), text, pair.peer(speaker).send(channel, content).await?));
        }
        let what = format!("{} messages back at the {speaker:?}", sent.len());
        pair.until(&what, ECHO, |pair| (count(pair) >= before + sent.len()).then_some(())).await?;
        let received = pair.view(speaker).channel(channel).map(|channel| channel.messages.clone()).unwrap_or_default();
        for ((what, text, sent), message) in sent.iter().zip(received.iter().skip(before)) {
            ensure_eq!(matches!(message, Message::Text(_)), *text, "{what}: is it text when it comes back");
            ensure_eq!(message.bytes().len() as u64, sent.bytes, "{what}: length of the echo");
            ensure_eq!(message.sha256(), sent.sha256, "{what}: hash of the echo");
        }
        pair.peer(mirror).receive(handles.at(mirror), "messages").await?;
    }
    Ok(String::new())
}

/// The largest message a side may send; none when it does not say.
fn limit(pair: &Pair, role: Role) -> Option<u64> {
    pair.view(role).state.get("max_message_size").and_then(Value::as_u64)
}

/// Sends one message and compares what arrives.
async fn arrives(pair: &mut Pair, handles: &Handles, from: Role, bytes: u64, seed: u64) -> Outcome {
    let to = from.other();
    let count = |pair: &Pair| pair.view(to).channel(handles.at(to)).map_or(0, |channel| channel.messages.len());
    let before = count(pair);
    let fill = json!({"bytes": bytes, "seed": seed, "binary": true});
    let sent = pair.peer(from).send(handles.at(from), ("fill", fill)).await?;
    ensure_eq!(sent.bytes, bytes, "bytes that the {from:?} says it sent");
    let what = format!("a message of {bytes} bytes from the {from:?}");
    let next = |pair: &Pair| pair.view(to).channel(handles.at(to))?.messages.get(before).cloned();
    let message = pair.until(&what, ECHO, next).await?;
    ensure_eq!(message.bytes().len() as u64, bytes, "length of {what}");
    ensure_eq!(message.sha256(), sent.sha256, "hash of {what}");
    Ok(())
}

async fn sizes(table: &mut Table<'_>, large: bool) -> Outcome<String> {
    let (pair, handles) = table.connected(Setup::default()).await?;
    let mut largest = Vec::new();
    for from in BOTH {
        let most = limit(pair, from).unwrap_or(ENOUGH).min(ENOUGH);
        let steps: &[u64] =
            if large { &[65_536, 262_144, most - 1, most] } else { &[1, 2, 1023, 1200, 16_384, 65_535] };
        for (seed, bytes) in (1..).zip(steps.iter().copied().filter(|bytes| *bytes <= most)) {
            arrives(pair, &handles, from, bytes, seed).await?;
        }
        largest.push(format!("{most} from the {from:?}"));
    }
    Ok(format!("at most {}", largest.join(", ")))
}

async fn too_large(table: &mut Table<'_>) -> Outcome<String> {
    let (pair, handles) = table.connected(Setup::default()).await?;
    let (mut tried, mut refusals) = (Vec::new(), 0);
    for from in BOTH {
        let Some(most) = limit(pair, from).filter(|most| *most <= 64 << 20) else {
            tried.push(format!("the {from:?} has no limit that can be tried"));
            continue;
        };
        refusals += 1;
        let fill = json!({"bytes": most + 1, "seed": 1, "binary": true});
        let command = Command::new("send").with("channel", handles.at(from)).with("fill", fill);
        let answer = pair.peer(from).try_ask(command, ECHO).await?;
        let kind = answer.err().map(|refusal| refusal.kind);
        ensure_eq!(kind.as_deref(), Some("TypeError"), "the refusal of {} bytes by the {from:?}", most + 1);
        tried.push(format!("the {from:?} refuses {}", most + 1));
    }
    ensure!(refusals > 0, "neither side has a limit that can be tried");
    say(pair, &handles, "still here").await?;
    Ok(tried.join(", "))
}
