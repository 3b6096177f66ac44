//! What a connection logs is within its span. In a process of its own: an event that another thread meets first, without
//! a subscriber, is off for the whole process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use weft_rtc::{Config, DataChannelInit, PeerConnection};

/// Notes the spans that events of the layers are within.
struct Spans(std::sync::Mutex<(Vec<&'static str>, usize, usize)>);

impl tracing::Subscriber for Spans {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
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
    let spans = std::sync::Arc::new(Spans(std::sync::Mutex::default()));
    tracing::subscriber::with_default(std::sync::Arc::clone(&spans), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(connect());
    });
    let noted = spans.0.lock().unwrap();
    assert_eq!(noted.0.iter().filter(|name| **name == "peer_connection").count(), 2);
    assert!(noted.2 > 5, "{} events", noted.2);
}

async fn connect() {
    let config = Config::default().with_loopback(true);
    let (alice, bob) = (PeerConnection::new(config.clone()).unwrap(), PeerConnection::new(config).unwrap());
    let channel = alice.create_data_channel(DataChannelInit::new("x")).unwrap();
    let answer = bob.answer(&alice.offer().await.unwrap()).await.unwrap();
    alice.set_remote_description(&answer).unwrap();
    channel.opened().await.unwrap();
}
