//! webrtc (webrtc-rs): a socket for each peer connection, its own way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCSessionDescription,
};
use webrtc::runtime::default_runtime;
use weft_benches::cpu_seconds;

use super::signal::Far;
use super::{Args, Measured, Result, resident};

struct Handler(UnboundedSender<()>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.0.send(());
        }
    }
}

type Held = (Arc<dyn PeerConnection>, Arc<dyn DataChannel>);

async fn connect(far: &Far, id: u64) -> Result<Held> {
    let (to, mut gathered) = unbounded_channel();
    let made = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(MediaEngine::default())
        .with_handler(Arc::new(Handler(to)))
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
            return Ok((peer, channel));
        }
    }
    Err("closed".into())
}

pub(crate) fn measure(args: &Args) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let far = Far::start()?;
        let (memory_before, began, cpu) = (resident(), Instant::now(), cpu_seconds());
        let (mut setups, mut held) = (Vec::new(), Vec::new());
        for id in 1..=args.count as u64 {
            let start = Instant::now();
            held.push(connect(&far, id).await?);
            setups.push(start.elapsed().as_secs_f64());
        }
        let (wall, setup_cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (idle, idle_cpu) = (Instant::now(), cpu_seconds());
        tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
        let idle_cpu = cpu_seconds() - idle_cpu;
        let idle = idle.elapsed().as_secs_f64();
        Ok(Measured { setups, wall, setup_cpu, memory_before, memory: resident(), idle_cpu, idle }.report())
    })
}
