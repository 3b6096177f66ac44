//! What a connection logs is within its span. In a process of its own: an event that another thread meets first, without
//! a subscriber, is off for the whole process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use weft_rtc::polled::{self, ChannelOptions, ChannelState, Signal};
use weft_rtc::{Config, DataChannelInit, Endpoint};

/// Notes the spans that events of the layers are within, and looks at the endpoint while a span is made.
#[derive(Default)]
struct Spans(Mutex<(Vec<&'static str>, usize, usize)>, OnceLock<Endpoint>);

impl tracing::Subscriber for Spans {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        assert!(self.1.get().is_none_or(|endpoint| endpoint.connections() < 3));
        let mut noted = self.0.lock().unwrap();
        noted.0.push(span.metadata().name());
        tracing::span::Id::from_u64(noted.0.len() as u64)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut noted = self.0.lock().unwrap();
        if event.metadata().target().starts_with("weft_ice") {
            assert!(noted.1 > 0, "outside of every span: {event:?}");
            noted.2 += 1;
        }
    }
    fn enter(&self, _: &tracing::span::Id) {
        self.0.lock().unwrap().1 += 1;
    }
    fn exit(&self, _: &tracing::span::Id) {
        self.0.lock().unwrap().1 -= 1;
    }
}

#[test]
fn what_is_logged_is_within_the_span_of_its_connection() {
    let spans = Arc::new(Spans::default());
    let subscriber = Arc::clone(&spans);
    let (sender, done) = std::sync::mpsc::channel();
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tracing::subscriber::with_default(Arc::clone(&subscriber), || {
            runtime.block_on(connect(&subscriber));
            connect_polled();
        });
        sender.send(()).unwrap();
    };
    let thread = std::thread::Builder::new().spawn(body).unwrap();
    assert!(done.recv_timeout(Duration::from_secs(20)).is_ok(), "a lock is held while spans are made: {thread:?}");
    let noted = spans.0.lock().unwrap();
    assert_eq!(noted.0.iter().filter(|name| **name == "peer_connection").count(), 4, "two of each driver");
    assert!(noted.2 > 5, "{} events", noted.2);
}

async fn connect(spans: &Spans) {
    let config = Config::default().with_loopback(true);
    let endpoint = spans.1.get_or_init(|| Endpoint::bind(&config).unwrap());
    let (alice, bob) =
        (endpoint.peer_connection(config.clone()).unwrap(), endpoint.peer_connection(config.clone()).unwrap());
    let channel = alice.create_data_channel(DataChannelInit::new("x")).unwrap();
    let answer = bob.answer(&alice.offer().await.unwrap()).await.unwrap();
    alice.set_remote_description(&answer).unwrap();
    channel.opened().await.unwrap();
}

fn connect_polled() {
    let mut peers = [0, 1].map(|_| polled::PeerConnection::with_config(Config::default().with_loopback(true)));
    let channel = peers[0].create_data_channel("x", &ChannelOptions::default()).unwrap();
    peers[0].create_offer().unwrap();
    let mut theirs = Vec::new();
    while channel.ready_state() != ChannelState::Open {
        for n in 0..2 {
            peers[n].poll().unwrap();
            while let Some(signal) = peers[n].next_signal() {
                match signal {
                    Signal::SessionDescriptionCreated { kind, sdp } => {
                        peers[n].set_local_description(&kind, &sdp).unwrap();
                        peers[1 - n].set_remote_description(&kind, &sdp).unwrap();
                    }
                    Signal::IceCandidateCreated { media, index, name } => {
                        peers[1 - n].add_ice_candidate(&media, index, &name).unwrap();
                    }
                    Signal::DataChannelReceived(channel) => theirs.push(channel),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
