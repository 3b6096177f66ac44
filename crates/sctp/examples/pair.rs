//! Data channels between two values in memory, with time that this program makes up: everything a sans-IO layer needs.
//!
//! `cargo run --example pair -p weft-sctp`
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use weft_core::{Frame, Instant, Layer, Overhead, Rng};
use weft_sctp::{ChannelEvent, ChannelInit, Config, DataChannels, MessageKind, Role};

/// What one side wants to send now reaches the other.
fn deliver(now: Instant, from: &mut DataChannels, to: &mut DataChannels) -> usize {
    let mut buffer = [0; 1200];
    let mut count = 0;
    loop {
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        if from.poll_transmit(now, &mut frame).is_none() {
            return count;
        }
        to.handle_input(now, frame.content()).expect("the association lives");
        count += 1;
    }
}

fn main() {
    let mut now = Instant::ORIGIN;
    let mut alice = DataChannels::new(Config::rtc(), Rng::from_test_seed(1));
    let mut bob = DataChannels::new(Config::rtc(), Rng::from_test_seed(2));
    alice.set_role(now, Role::Client);
    bob.set_role(now, Role::Server);
    alice.connect(now);
    let chat = alice.open(now, ChannelInit::new("chat")).unwrap();
    alice.send_with_notice(now, chat, MessageKind::Text, Bytes::from("hello"), 1).unwrap();
    alice.finish(now, chat);
    let mut over = 0;
    while over < 2 {
        let packets = deliver(now, &mut alice, &mut bob) + deliver(now, &mut bob, &mut alice);
        for (name, side) in [("alice", &mut alice), ("bob", &mut bob)] {
            while let Some(event) = side.poll_event() {
                println!("{name}: {event:?}");
                match event {
                    ChannelEvent::Readable(id) => {
                        while let Some(message) = side.receive(id) {
                            println!("{name} reads {:?}", message.as_text());
                        }
                    }
                    ChannelEvent::Closed(..) => over += 1,
                    _ => {}
                }
            }
        }
        if packets == 0 {
            // Nothing moves before the next timer.
            now = [alice.poll_timeout(), bob.poll_timeout()].into_iter().flatten().min().unwrap_or(now).max(now);
            alice.handle_timeout(now).unwrap();
            bob.handle_timeout(now).unwrap();
        }
    }
}
