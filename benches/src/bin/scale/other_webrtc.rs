//! webrtc (webrtc-rs): a socket for each peer connection, its own way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::runtime::default_runtime;
use weft_benches::cpu_seconds;

use super::signal::Far;
use super::{Args, Measured, REST, Result, all_are_there, in_time, resident};

struct Handler {
    gathered: UnboundedSender<()>,
    connected: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected.store(state == RTCPeerConnectionState::Connected, Ordering::Relaxed);
    }
}

struct Held {
    peer: Arc<dyn PeerConnection>,
    _channel: Arc<dyn DataChannel>,
    connected: Arc<AtomicBool>,
}

async fn connect(far: &Far, id: u64) -> Result<Held> {
    let (to, mut gathered) = unbounded_channel();
    let connected = Arc::new(AtomicBool::new(false));
    let made = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(MediaEngine::default())
        .with_handler(Arc::new(Handler { gathered: to, connected: connected.clone() }))
        .with_runtime(default_runtime().ok_or("no runtime")?)
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .build();
    // Its future takes 20 KB.
    let peer: Arc<dyn PeerConnection> = Arc::new(Box::pin(made).await?);
    let channel = peer.create_data_channel("idle", None).await?;
    peer.set_local_description(peer.create_offer(None).await?).await?;
    gathered.recv().await;
    let offer = peer.local_description().await.ok_or("no offer")?;
    let answer = far.answer(id, &offer.sdp).await?;
    peer.set_remote_description(RTCSessionDescription::answer(answer)?).await?;
    while let Some(event) = channel.poll().await {
        if matches!(event, DataChannelEvent::OnOpen) {
            return Ok(Held { peer, _channel: channel, connected });
        }
    }
    Err("closed".into())
}

pub(crate) fn measure(args: &Args) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let far = Far::start()?;
        // What the first connection makes for all is not theirs.
        in_time(connect(&far, 0)).await?.peer.close().await?;
        let (memory_before, began, cpu) = (resident(), Instant::now(), cpu_seconds());
        let (mut setups, mut held) = (Vec::new(), Vec::new());
        for id in 1..=args.count as u64 {
            let start = Instant::now();
            held.push(in_time(connect(&far, id)).await?);
            setups.push(start.elapsed().as_secs_f64());
        }
        let (wall, setup_cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        tokio::time::sleep(REST).await;
        let (idle, idle_cpu) = (Instant::now(), cpu_seconds());
        tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
        let idle_cpu = cpu_seconds() - idle_cpu;
        let idle = idle.elapsed().as_secs_f64();
        let memory = resident();
        all_are_there(held.iter().filter(|held| held.connected.load(Ordering::Relaxed)).count(), args.count)?;
        Ok(Measured { setups, wall, setup_cpu, memory_before, memory, idle_cpu, idle }.report())
    })
}
