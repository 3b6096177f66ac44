//! weft-rtc by its async handles.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use weft_netlab::coturn::{Auth, Coturn, LOCALHOST, USER};
use weft_rtc::ice::Policy;
use weft_rtc::{Config, DataChannel, DataChannelInit, Description, Endpoint, IceServer, PeerConnection};

use super::bare::{self, Echoed, MESSAGE};
use super::cases::{Browser, Case, Load, Samples, Turns, WARM_UP, What, Window, limit};
use super::{Result, chromium};

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    let runtime = runtime()?;
    runtime.block_on(within(seconds, async {
        match case.what {
            What::Throughput(load) => throughput(load, seconds).await.map(Some),
            What::RoundTrip => round_trip(seconds).await.map(Some),
            // In a task, as an application's code is.
            What::Setup => tokio::spawn(setup(seconds)).await?.map(Some),
            What::Browser(does) => match chromium::find() {
                Some(browser) => with_chromium(&browser, does, seconds).await.map(Some),
                None => Ok(None),
            },
        }
    }))
}

/// Gives up what takes too long: unlike the end of the process, that ends what it has started, too.
pub(crate) async fn within<T>(seconds: f64, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit(seconds), work).await.map_err(|_| "it does not end")?
}

/// As many threads as the machine this is tuned for has cores.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

struct Pair {
    _peers: (PeerConnection, PeerConnection),
    channels: Vec<(DataChannel, DataChannel)>,
}

fn config(load: &Load, relay: Option<&Coturn>) -> Result<Config> {
    let mut config = super::on_loopback()?;
    config.segmentation_offload = load.offload;
    if let Some(server) = relay {
        let url = format!("turn:{}?transport=udp", server.address()).parse()?;
        config = config.with_ice_server(IceServer::turn(vec![url], USER.0, USER.1));
        config.ice_transport_policy = Policy::Relay;
    }
    Ok(config)
}

async fn connect(a: PeerConnection, b: PeerConnection, channels: usize) -> Result<Pair> {
    let first: Vec<DataChannel> = (0..channels)
        .map(|n| a.create_data_channel(DataChannelInit::new(n.to_string())))
        .collect::<std::result::Result<_, _>>()?;
    let answer = b.answer(&a.offer().await?).await?;
    a.set_remote_description(&answer)?;
    let mut second = Vec::new();
    for channel in &first {
        channel.opened().await?;
        second.push(b.accept().await.ok_or("closed")?);
    }
    second.sort_by_key(|channel| channel.label().parse::<usize>().unwrap_or_default());
    Ok(Pair { _peers: (a, b), channels: first.into_iter().zip(second).collect() })
}

async fn throughput(load: Load, seconds: f64) -> Result<Value> {
    let server = load.relay.then(|| Coturn::start(LOCALHOST, Auth::LongTerm, &[])).transpose()?;
    let (config_a, config_b) = (config(&load, server.as_ref())?, config(&load, None)?);
    // One socket serves all of one side; the addresses of the others tell them apart.
    let server_end = Endpoint::bind(&config_b)?;
    let mut pairs = Vec::new();
    for _ in 0..load.connections {
        let (a, b) = (PeerConnection::new(config_a.clone())?, server_end.peer_connection(config_b.clone())?);
        pairs.push(connect(a, b, load.channels).await?);
    }
    let arrived = Arc::new(AtomicU64::new(0));
    for (from, to) in pairs.iter().flat_map(|pair| &pair.channels) {
        let (from, to, arrived) = (from.clone(), to.clone(), arrived.clone());
        let message = Bytes::from(vec![0x5A; load.size]);
        tokio::spawn(async move { while from.send(message.clone()).await.is_ok() {} });
        tokio::spawn(async move {
            while let Some(len) = to.recv_with(|_, bytes| bytes.len()).await {
                arrived.fetch_add(len as u64, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let window = Window::open(load.size, arrived.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    window.close(arrived.load(Ordering::Relaxed))
}

/// With Chromium, which opens the channel.
async fn with_chromium(browser: &Path, does: Browser, seconds: f64) -> Result<Value> {
    let mut page = chromium::Page::open(browser, does.mode(), seconds).await?;
    let peer = PeerConnection::new(Config::default().with_loopback(true))?;
    let (offer, answer) = page.offer().await?;
    let description = peer.answer(&Description::offer(offer)).await?;
    answer.send(description.sdp).map_err(|_| "the page is gone")?;
    let channel = peer.accept().await.ok_or("closed")?;
    match does {
        Browser::Receives => {
            let message = Bytes::from(vec![0x5A; chromium::SIZE]);
            tokio::spawn(async move { while channel.send(message.clone()).await.is_ok() {} });
            page.result(seconds).await
        }
        Browser::Sends => {
            let arrived = Arc::new(AtomicU64::new(0));
            let counted = arrived.clone();
            tokio::spawn(async move {
                while let Some(len) = channel.recv_with(|_, bytes| bytes.len()).await {
                    counted.fetch_add(len as u64, Ordering::Relaxed);
                }
            });
            tokio::time::sleep(WARM_UP).await;
            let window = Window::open(chromium::SIZE, arrived.load(Ordering::Relaxed));
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            window.close(arrived.load(Ordering::Relaxed))
        }
    }
}

fn new_pair() -> Result<(PeerConnection, PeerConnection)> {
    Ok((PeerConnection::new(super::on_loopback()?)?, PeerConnection::new(super::on_loopback()?)?))
}

/// By turns with bare UDP on the same runtime.
async fn round_trip(seconds: f64) -> Result<Value> {
    let (a, b) = new_pair()?;
    let pair = connect(a, b, 1).await?;
    let (here, there) = pair.channels.first().cloned().ok_or("no channel")?;
    tokio::spawn(echo(there));
    let (near, far) = bare::pair()?;
    let bare = Echoed::new(near, far.local_addr()?)?;
    tokio::spawn(bare::echo(far));
    // In a task, as an application's code is: the thread that waits for the runtime takes longer to wake.
    tokio::spawn(turns(here, bare, seconds)).await?
}

/// Sends back what comes.
pub(crate) async fn echo(channel: DataChannel) {
    while let Some(message) = channel.recv().await {
        if channel.send(message.data).await.is_err() {
            break;
        }
    }
}

/// Round trips to where both are echoed, by turns.
pub(crate) async fn turns(channel: DataChannel, mut bare: Echoed, seconds: f64) -> Result<Value> {
    let mut turns = Turns::round_trips(seconds);
    while turns.more() {
        let mut ours = Turns::turn();
        while ours.more() {
            channel.send(Bytes::from_static(&MESSAGE)).await?;
            channel.recv().await.ok_or("closed")?;
            ours.done();
        }
        let mut floor = Turns::turn();
        while floor.more() {
            bare.round_trip().await?;
            floor.done();
        }
        turns.take(ours, floor);
    }
    turns.report()
}

async fn setup(seconds: f64) -> Result<Value> {
    let _stays = super::staying_sockets()?;
    let mut samples = Samples::setups(seconds);
    while samples.more() {
        let (a, b) = new_pair()?;
        let pair = connect(a, b, 1).await?;
        samples.done();
        drop(pair);
    }
    samples.report()
}
