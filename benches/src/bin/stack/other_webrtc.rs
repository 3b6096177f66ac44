//! webrtc (webrtc-rs), set up as its own stress bench: tokio, dedicated reactors, back-pressure by its send buffer limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState,
};
use webrtc::runtime::default_runtime;

use super::Result;
use super::cases::{Case, Load, Samples, WARM_UP, What, Window};

/// Its own suggestion is up to 16 MiB; less keeps its queues short.
const SEND_BUFFER: usize = 1 << 20;

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    let runtime = super::asynchronous::runtime()?;
    runtime.block_on(super::asynchronous::within(seconds, async {
        match case.what {
            What::Browser(_) => Ok(None),
            What::Throughput(load) if !load.is_plain() => Ok(None),
            What::Throughput(load) => throughput(load, seconds).await.map(Some),
            What::RoundTrip => round_trip(seconds).await.map(Some),
            What::Setup => setup(seconds).await.map(Some),
        }
    }))
}

struct Handler {
    gathered: UnboundedSender<()>,
    channels: UnboundedSender<Arc<dyn DataChannel>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(());
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.channels.send(channel);
    }
}

struct Peer {
    it: Arc<dyn PeerConnection>,
    gathered: UnboundedReceiver<()>,
    channels: UnboundedReceiver<Arc<dyn DataChannel>>,
}

async fn peer() -> Result<Peer> {
    let ((gathered, gathered_rx), (channels, channels_rx)) = (unbounded_channel(), unbounded_channel());
    let made = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(MediaEngine::default())
        .with_handler(Arc::new(Handler { gathered, channels }))
        .with_runtime(default_runtime().ok_or("no runtime")?)
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .with_dedicated_reactor_pool_size(2)
        .with_data_channel_send_buffer_limit(SEND_BUFFER)
        .build();
    // Its future takes 20 KB.
    let it = Box::pin(made).await?;
    Ok(Peer { it: Arc::new(it), gathered: gathered_rx, channels: channels_rx })
}

type Channels = Vec<(Arc<dyn DataChannel>, Arc<dyn DataChannel>)>;

async fn opened(channel: &dyn DataChannel) -> Result<()> {
    while let Some(event) = channel.poll().await {
        if matches!(event, DataChannelEvent::OnOpen) {
            return Ok(());
        }
    }
    Err("closed".into())
}

async fn connected(channels: usize) -> Result<(Peer, Peer, Channels)> {
    let (mut a, mut b) = (peer().await?, peer().await?);
    let mut first = Vec::new();
    for n in 0..channels {
        first.push(a.it.create_data_channel(&n.to_string(), None).await?);
    }
    let offer = a.it.create_offer(None).await?;
    a.it.set_local_description(offer).await?;
    a.gathered.recv().await;
    b.it.set_remote_description(a.it.local_description().await.ok_or("no offer")?).await?;
    let answer = b.it.create_answer(None).await?;
    b.it.set_local_description(answer).await?;
    b.gathered.recv().await;
    a.it.set_remote_description(b.it.local_description().await.ok_or("no answer")?).await?;
    for channel in &first {
        opened(channel.as_ref()).await?;
    }
    let mut second = Vec::new();
    for _ in 0..channels {
        let channel = b.channels.recv().await.ok_or("no channel")?;
        let label: usize = channel.label().await?.parse()?;
        second.push((label, channel));
    }
    second.sort_by_key(|(label, _)| *label);
    let channels = first.into_iter().zip(second.into_iter().map(|(_, channel)| channel)).collect();
    Ok((a, b, channels))
}

async fn throughput(load: Load, seconds: f64) -> Result<Value> {
    let (_a, _b, channels) = connected(load.channels).await?;
    let arrived = Arc::new(AtomicU64::new(0));
    for (from, to) in channels {
        let arrived = arrived.clone();
        let message = BytesMut::from(vec![0x5A; load.size].as_slice());
        tokio::spawn(async move { while from.send(message.clone()).await.is_ok() {} });
        tokio::spawn(async move {
            while let Some(event) = to.poll().await {
                if let DataChannelEvent::OnMessage(message) = event {
                    arrived.fetch_add(message.data.len() as u64, Ordering::Relaxed);
                }
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let window = Window::open(load.size, arrived.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    window.close(arrived.load(Ordering::Relaxed))
}

async fn message(channel: &dyn DataChannel) -> Option<BytesMut> {
    while let Some(event) = channel.poll().await {
        if let DataChannelEvent::OnMessage(message) = event {
            return Some(message.data);
        }
    }
    None
}

async fn round_trip(seconds: f64) -> Result<Value> {
    let (_a, _b, mut channels) = connected(1).await?;
    let (here, there) = channels.pop().ok_or("no channel")?;
    tokio::spawn(async move {
        while let Some(data) = message(there.as_ref()).await {
            let _ = there.send(data).await;
        }
    });
    let client = tokio::spawn(async move {
        let mut samples = Samples::round_trips(seconds);
        while samples.more() {
            here.send(BytesMut::from(&[1; 100][..])).await?;
            message(here.as_ref()).await.ok_or("closed")?;
            samples.done();
        }
        samples.report()
    });
    client.await?
}

async fn setup(seconds: f64) -> Result<Value> {
    let mut samples = Samples::setups(seconds);
    while samples.more() {
        let (a, b, channels) = connected(1).await?;
        samples.done();
        drop(channels);
        a.it.close().await?;
        b.it.close().await?;
    }
    samples.report()
}
