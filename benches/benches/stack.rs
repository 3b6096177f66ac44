//! The whole stack over UDP loopback with the kernel's default socket buffers: two peers in one process, one reliable
//! ordered channel, the async driver on a multi-threaded runtime.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use weft_rtc::{Config, DataChannel, DataChannelInit, PeerConnection};

struct Connected {
    _peers: (PeerConnection, PeerConnection),
    here: DataChannel,
    there: DataChannel,
}

async fn connect() -> Connected {
    let config = Config::default().with_loopback(true);
    let (a, b) = (PeerConnection::new(config.clone()).unwrap(), PeerConnection::new(config).unwrap());
    let here = a.create_data_channel(DataChannelInit::new("bench")).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = b.accept().await.unwrap();
    here.opened().await.unwrap();
    Connected { _peers: (a, b), here, there }
}

/// Sends `total` bytes in messages of `size` and waits until the other side has them all.
async fn transfer(connected: &Connected, total: usize, size: usize) {
    let message = Bytes::from(vec![0x5A; size]);
    let send = async {
        for _ in 0..total / size {
            connected.here.send(message.clone()).await.unwrap();
        }
    };
    let receive = async {
        for _ in 0..total / size {
            assert_eq!(connected.there.recv().await.unwrap().data.len(), size);
        }
    };
    tokio::join!(send, receive);
}

fn throughput(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let connected = runtime.block_on(connect());
    let mut group = c.benchmark_group("stack/throughput");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (size, total) in [(65_536, 64 << 20), (1200, 16 << 20), (100, 4 << 20)] {
        let total = total / size * size;
        group.throughput(Throughput::Bytes(total as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |b, &size| {
            b.iter(|| runtime.block_on(transfer(&connected, total, size)));
        });
    }
    group.finish();
}

fn round_trip(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let connected = runtime.block_on(connect());
    let echo = connected.there.clone();
    runtime.spawn(async move {
        while let Some(message) = echo.recv().await {
            echo.send(message.data).await.unwrap();
        }
    });
    c.bench_function("stack/round_trip_100B", |b| {
        b.iter(|| {
            runtime.block_on(async {
                connected.here.send(Bytes::from_static(&[1; 100])).await.unwrap();
                connected.here.recv().await.unwrap()
            })
        });
    });
}

/// From two new peer connections to a channel open on both sides, signalling included.
fn setup(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("stack");
    group.sample_size(20);
    group.bench_function("setup", |b| {
        b.iter_custom(|n| {
            let start = Instant::now();
            for _ in 0..n {
                runtime.block_on(connect());
            }
            start.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, throughput, round_trip, setup);
criterion_main!(benches);
