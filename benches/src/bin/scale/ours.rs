//! weft-rtc: one `Endpoint` for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;
use weft_benches::cpu_seconds;
use weft_rtc::{Config, DataChannel, DataChannelInit, Description, Endpoint, PeerConnection};

use super::signal::Far;
use super::{Args, Measured, Result, resident};

/// How many far ends a process holds.
const FAR_ENDS: usize = 4000;

pub(crate) fn measure(args: &Args) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(args))
}

async fn connect(endpoint: &Endpoint, config: Config, far: &Far, id: u64) -> Result<(PeerConnection, DataChannel)> {
    let peer = endpoint.peer_connection(config)?;
    let channel = peer.create_data_channel(DataChannelInit::new("idle"))?;
    let answer = far.answer(id, &peer.offer().await?.sdp).await?;
    peer.set_remote_description(&Description::answer(answer))?;
    channel.opened().await?;
    Ok((peer, channel))
}

async fn run(args: &Args) -> Result<Value> {
    // A process may have but so many sockets.
    let fars: Vec<Arc<Far>> = (0..=args.count / FAR_ENDS).map(|_| Far::start().map(Arc::new)).collect::<Result<_>>()?;
    let config = super::config()?;
    let endpoint = Arc::new(Endpoint::bind(&config)?);
    // What the first connection makes for all is not theirs.
    for far in &fars {
        drop(connect(&endpoint, config.clone(), far, 0).await?);
    }
    let memory_before = resident();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let permits = Arc::new(Semaphore::new(args.parallel.max(1)));
    let mut tasks = Vec::new();
    for id in 1..=args.count as u64 {
        let permit = permits.clone().acquire_owned().await?;
        let far = fars.get(id as usize / FAR_ENDS).ok_or("too few far ends")?.clone();
        let (endpoint, config) = (endpoint.clone(), config.clone());
        tasks.push(tokio::spawn(async move {
            let start = Instant::now();
            let held = connect(&endpoint, config, &far, id).await?;
            drop(permit);
            Result::Ok((start.elapsed().as_secs_f64(), held))
        }));
        if id % 1000 == 0 {
            eprintln!("weft: {id} of {} after {:.1} s", args.count, began.elapsed().as_secs_f64());
        }
    }
    let (mut setups, mut held) = (Vec::new(), Vec::new());
    for task in tasks {
        let (seconds, connection) = task.await??;
        setups.push(seconds);
        held.push(connection);
    }
    let (wall, setup_cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (idle, idle_cpu) = (Instant::now(), cpu_seconds());
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    let idle_cpu = cpu_seconds() - idle_cpu;
    let measured = Measured {
        setups,
        wall,
        setup_cpu,
        memory_before,
        memory: resident(),
        idle_cpu,
        idle: idle.elapsed().as_secs_f64(),
    };
    let open = held.iter().filter(|(peer, _)| peer.connection_state() == weft_rtc::ConnectionState::Connected).count();
    if open < args.count {
        return Err(format!("{} of {} connections were lost", args.count - open, args.count).into());
    }
    Ok(measured.report())
}
