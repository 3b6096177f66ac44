use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use weft_interop::pair::{Pair, Role};
use weft_interop::peer::{ChannelInit, Command};

use crate::script::{SOON, done, refusal, scripted};

const INIT: ChannelInit<'_> = ChannelInit {
    handle: "a",
    label: "chat",
    protocol: "",
    unordered: false,
    max_retransmits: None,
    max_packet_life_time: None,
    negotiated: None,
};

fn offerer(command: &Value) -> Vec<Value> {
    match command["do"].as_str() {
        Some("offer") => vec![
            json!({"event": "description", "type": "offer", "sdp": "the offer"}),
            done(command),
            json!({"event": "candidate", "candidate": "candidate:1", "mid": "0", "index": 0, "ufrag": null, "url": null}),
        ],
        Some("remote") => vec![done(command), json!({"event": "open", "channel": "a", "stream": 0})],
        _ => vec![done(command)],
    }
}

fn answerer(command: &Value, stream: u64) -> Vec<Value> {
    match command["do"].as_str() {
        Some("remote") => vec![json!({"event": "description", "type": "answer", "sdp": "the answer"}), done(command)],
        Some("candidate") => vec![
            done(command),
            json!({"event": "channel", "channel": "r0", "label": "chat", "protocol": "", "stream": stream}),
            json!({"event": "open", "channel": "r0", "stream": stream}),
        ],
        _ => vec![done(command)],
    }
}

#[tokio::test]
async fn signals_reach_the_other_side_until_the_channel_is_open() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let second = scripted("second", move |command| {
        heard.lock().unwrap().push(command.clone());
        answerer(command, 0)
    });
    let mut pair = Pair::new(scripted("first", offerer).await, second.await);
    let handles = pair.connect(&INIT, SOON).await.unwrap();
    assert_eq!((handles.at(Role::Offerer), handles.at(Role::Answerer)), ("a", "r0"));
    let told = told.lock().unwrap();
    assert_eq!(
        (&told[0]["do"], &told[0]["type"], &told[0]["sdp"]),
        (&json!("remote"), &json!("offer"), &json!("the offer"))
    );
    let candidate = json!({"do": "candidate", "candidate": "candidate:1", "mid": "0", "index": 0, "id": told[1]["id"]});
    assert_eq!(told[1], candidate);
}

#[tokio::test]
async fn both_sides_must_tell_the_same_of_a_channel() {
    let second = scripted("second", |command| answerer(command, 2));
    let mut pair = Pair::new(scripted("first", offerer).await, second.await);
    let failure = pair.connect(&INIT, SOON).await.unwrap_err().to_string();
    assert!(failure.contains("both sides should tell the same"), "{failure}");
}

#[tokio::test]
async fn a_refused_signal_ends_the_wait() {
    let second = scripted("second", |command| vec![refusal(command, "SyntaxError")]);
    let mut pair = Pair::new(scripted("first", offerer).await, second.await);
    let failure = pair.connect(&INIT, SOON).await.unwrap_err().to_string();
    assert_eq!(failure, "second refused remote: SyntaxError: no");
}

#[tokio::test]
async fn a_wait_ends_with_time_or_with_a_death_that_nobody_allowed() {
    let leaving = |command: &Value| match command["do"].as_str() {
        Some("close") => vec![json!({"event": "bye"})],
        _ => vec![done(command)],
    };
    let mut pair = Pair::new(scripted("first", leaving).await, scripted("second", |_| Vec::new()).await);
    let short = Duration::from_millis(30);
    let failure = pair.until("a miracle", short, |_| None::<()>).await.unwrap_err().to_string();
    assert_eq!(failure, "expected within 0.03 s: a miracle");
    pair.peer(Role::Offerer).tell(Command::new("close")).await.unwrap();
    let failure = pair.until("a miracle", SOON, |_| None::<()>).await.unwrap_err().to_string();
    assert_eq!(failure, "first ended while a miracle was waited for: it said bye");
    pair.let_die(Role::Offerer);
    let failure = pair.until("a miracle", short, |_| None::<()>).await.unwrap_err().to_string();
    assert_eq!(failure, "expected within 0.03 s: a miracle");
}
