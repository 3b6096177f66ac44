//! weft-rtc: one `Endpoint` for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use weft_benches::cpu_seconds;
use weft_rtc::{DataChannel, DataChannelInit, Description, Endpoint, PeerConnection, SharedConfig};

use super::signal::Far;
use super::{Args, Measured, REST, Result, all_are_there, in_time, resident};

/// How many far ends a process holds.
const FAR_ENDS: usize = 4000;

pub(crate) fn measure(args: &Args) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(args))
}

async fn connect(endpoint: &Endpoint, config: SharedConfig, far: &Far, id: u64) -> Result<Held> {
    let peer = endpoint.peer_connection(config)?;
    let channel = peer.create_data_channel(DataChannelInit::new("idle"))?;
    let answer = far.answer(id, &peer.offer().await?.sdp).await?;
    peer.set_remote_description(&Description::answer(answer))?;
    channel.opened().await?;
    Ok((peer, channel))
}

type Held = (PeerConnection, DataChannel);

/// Waits for one of the set-ups under way, and keeps what it made.
async fn keep(tasks: &mut JoinSet<Result<(usize, f64, Held)>>, setups: &mut [f64], held: &mut Vec<Held>) -> Result<()> {
    let (at, seconds, connected) = tasks.join_next().await.ok_or("no task")???;
    if let Some(setup) = setups.get_mut(at) {
        *setup = seconds;
    }
    held.push(connected);
    Ok(())
}

async fn run(args: &Args) -> Result<Value> {
    // A process may have but so many sockets.
    let fars: Vec<Arc<Far>> = (0..=args.count / FAR_ENDS).map(|_| Far::start().map(Arc::new)).collect::<Result<_>>()?;
    let config = super::config()?;
    let endpoint = Arc::new(Endpoint::bind(&config)?);
    // What the first connection makes for all is not theirs.
    for far in &fars {
        drop(in_time(connect(&endpoint, config.clone(), far, 0)).await?);
    }
    let memory_before = resident();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    // A task is done with when its connection is open: what tasks take is not the connections'.
    let (mut tasks, mut setups, mut held) = (JoinSet::new(), vec![0.0; args.count], Vec::with_capacity(args.count));
    for id in 1..=args.count as u64 {
        if tasks.len() >= args.parallel.max(1) {
            keep(&mut tasks, &mut setups, &mut held).await?;
        }
        let far = fars.get(id as usize / FAR_ENDS).ok_or("too few far ends")?.clone();
        let (endpoint, config) = (endpoint.clone(), config.clone());
        tasks.spawn(async move {
            let start = Instant::now();
            let connected = in_time(connect(&endpoint, config, &far, id)).await?;
            Result::Ok((id as usize - 1, start.elapsed().as_secs_f64(), connected))
        });
        if id % 1000 == 0 {
            eprintln!("weft: {id} of {} after {:.1} s", args.count, began.elapsed().as_secs_f64());
        }
    }
    while !tasks.is_empty() {
        keep(&mut tasks, &mut setups, &mut held).await?;
    }
    let (wall, setup_cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    tokio::time::sleep(REST).await;
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
    all_are_there(open, args.count)?;
    Ok(measured.report())
}
