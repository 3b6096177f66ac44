use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use weft_interop::peer::{ChannelInit, Command, Incoming, Link, Message, Peer, Phase, Transcript};

use crate::script::{SOON, done, refusal, scripted};

fn channel(handle: &str) -> ChannelInit<'_> {
    ChannelInit { handle, label: "a label", ..ChannelInit::default() }
}

#[tokio::test]
async fn an_answer_is_found_among_the_events_before_it() {
    let mut peer = scripted("p", |command| {
        vec![
            json!({"event": "state", "connection": "new", "ice": "new"}),
            json!({"event": "state", "connection": "connecting"}),
            json!({"event": "done", "id": command["id"], "stream": 3}),
        ]
    })
    .await;
    let done = peer.ask(Command::new("channel").with("channel", "a")).await.unwrap();
    assert_eq!(done["stream"], 3);
    assert_eq!(peer.view().state("connection"), "connecting");
    assert_eq!(peer.view().state("ice"), "new");
    assert_eq!(peer.view().state("dtls"), "");
    assert_eq!(peer.view().stack(), "script 1");
}

#[tokio::test]
async fn a_refusal_is_a_failure_unless_it_was_asked_for() {
    let mut peer = scripted("p", |command| vec![refusal(command, "InvalidStateError")]).await;
    let told = peer.try_ask(Command::new("offer"), SOON).await.unwrap().unwrap_err();
    assert_eq!((told.kind.as_str(), told.message.as_str()), ("InvalidStateError", "no"));
    let failure = peer.ask(Command::new("offer")).await.unwrap_err().to_string();
    assert_eq!(failure, "p refused offer: InvalidStateError: no");
    peer.tell(Command::new("candidate")).await.unwrap();
    let failure = peer.step().await.unwrap_err().to_string();
    assert_eq!(failure, "p refused candidate: InvalidStateError: no");
}

#[tokio::test]
async fn silence_and_an_early_end_are_failures() {
    let mut silent = scripted("p", |_| Vec::new()).await;
    let failure = silent.try_ask(Command::new("offer"), Duration::from_millis(20)).await.unwrap_err().to_string();
    assert!(failure.contains("did not answer offer"), "{failure}");
    let mut leaving = scripted("p", |_| vec![json!({"event": "bye"})]).await;
    let failure = leaving.ask(Command::new("offer")).await.unwrap_err().to_string();
    assert!(failure.contains("ended during offer: it said bye"), "{failure}");
    let failure = leaving.ask(Command::new("offer")).await.unwrap_err().to_string();
    assert!(failure.contains("is gone"), "{failure}");
}

#[tokio::test]
async fn a_channel_is_followed_through_its_life() {
    let mut peer = scripted("p", |command| {
        vec![
            json!({"event": "open", "channel": "a", "stream": 1}),
            json!({"event": "message", "channel": "a", "text": ""}),
            json!({"event": "message", "channel": "a", "base64": "/w=="}),
            json!({"event": "counted", "channel": "a", "bytes": 1, "messages": 2, "sha256": "x"}),
            json!({"event": "closed", "channel": "a", "stream": 1, "error": {"detail": "sctp-failure"}}),
            json!({"event": "channel", "channel": "r0", "label": "theirs", "protocol": "q", "ordered": false, "stream": 2}),
            json!({"event": "state", "streams": {"a": 1, "r0": 4}}),
            done(command),
        ]
    })
    .await;
    peer.channel(&channel("a")).await.unwrap();
    let ours = peer.view().channel("a").unwrap();
    assert_eq!((ours.phase, ours.stream), (Phase::Closed, Some(1)));
    assert_eq!(ours.messages, [Message::Text(String::new()), Message::Binary(vec![0xFF])]);
    assert_eq!(ours.messages[1].sha256(), "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89");
    assert_eq!(ours.counted.as_ref().unwrap().messages, 2);
    assert_eq!(ours.close_error.as_ref().unwrap()["detail"], "sctp-failure");
    let theirs = peer.view().incoming("theirs").unwrap();
    assert_eq!((theirs.phase, theirs.stream, theirs.ordered), (Phase::Connecting, Some(4), false));
    assert_eq!(theirs.protocol, "q");
}

/// What is said of a peer that says one line.
async fn said(line: &str) -> String {
    let (commands, _told) = mpsc::channel::<String>(1);
    let (say, incoming) = mpsc::channel(4);
    for line in [r#"{"event":"ready"}"#, r#"{"event":"channel","channel":"c","label":"c"}"#, line] {
        say.send(Incoming::Line(line.to_owned())).await.unwrap();
    }
    let mut peer = Peer::new("p", Link { commands, incoming }, Transcript::new("p"), SOON).await.unwrap();
    peer.step().await.unwrap();
    peer.step().await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_breaks_the_protocol_is_a_failure() {
    for (line, reason) in [
        ("hello", "no JSON"),
        (r#"{"happened":"ready"}"#, "without `event`"),
        (r#"{"event":"open","channel":"x"}"#, "no channel x"),
        (r#"{"event":"open"}"#, "no channel named"),
        (r#"{"event":"message","channel":"c","text":"early"}"#, "a message on a channel that is Connecting"),
        (r#"{"event":"message","channel":"c"}"#, "without text or base64"),
        (r#"{"event":"message","channel":"c","base64":"?"}"#, "p: "),
        (r#"{"event":"channel","channel":"c","label":"c"}"#, "given out twice"),
        (r#"{"event":"channel","channel":"d"}"#, "without label"),
        (r#"{"event":"counted","channel":"c"}"#, "missing field"),
        (r#"{"event":"description","type":"offer"}"#, "missing field `sdp`"),
        (r#"{"event":"error","kind":"SyntaxError","message":"m"}"#, "refused a line: SyntaxError: m"),
    ] {
        let failure = said(line).await;
        assert!(failure.contains(reason), "{line}: {failure}");
    }
}

#[tokio::test]
async fn a_peer_that_is_never_ready_is_a_failure() {
    let link = |line: Option<&str>| {
        let (commands, _) = mpsc::channel::<String>(1);
        let (say, incoming) = mpsc::channel(4);
        if let Some(line) = line {
            say.try_send(Incoming::Line(line.to_owned())).unwrap();
            // Kept open: nothing more comes.
            std::mem::forget(say);
        }
        Link { commands, incoming }
    };
    let wait = Duration::from_millis(20);
    let late = Peer::new("p", link(Some(r#"{"event":"state"}"#)), Transcript::new("p"), wait).await.unwrap_err();
    assert!(late.to_string().contains("did not say that it is ready"), "{late}");
    let gone = Peer::new("p", link(None), Transcript::new("p"), SOON).await.unwrap_err();
    assert!(gone.to_string().contains("ended before it was ready"), "{gone}");
}

#[tokio::test]
async fn quitting_needs_a_bye() {
    let orderly = |command: &Value| match command["do"].as_str() {
        Some("quit") => vec![done(command), json!({"event": "bye"})],
        _ => vec![done(command)],
    };
    scripted("p", orderly).await.quit(SOON).await.unwrap();
    let mut stubborn = scripted("p", |command| vec![done(command)]).await;
    let failure = stubborn.quit(Duration::from_millis(20)).await.unwrap_err().to_string();
    assert!(failure.contains("did not end"), "{failure}");
}

#[test]
fn a_transcript_cuts_long_lines_between_characters() {
    use weft_interop::peer::Direction;
    let transcript = Transcript::new("p");
    transcript.add(Direction::Command, &"ä".repeat(100_000));
    transcript.add(Direction::Log, "short");
    assert!(transcript.text().len() < 10_000);
    assert!(transcript.text().contains("bytes more"));
    assert!(transcript.last(1, 100).ends_with("| short\n"));
    assert_eq!(transcript.last(1, 100).lines().count(), 1);
    assert!(transcript.last(2, 101).contains("ä… ("), "{}", transcript.last(2, 101));
    assert!(transcript.last(1, 2).ends_with("| sh… (3 bytes more)\n"));
}
