//! UDP without a protocol: the floor of a round trip, with both kinds of driver.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cases::{Case, WARM_UP, What, round_trips};
use super::{Result, cpu_seconds};

const MESSAGE: [u8; 100] = [1; 100];

pub(crate) fn measure(case: &Case, seconds: f64) -> Result<Option<Value>> {
    match case.what {
        What::RoundTrip => Ok(Some(json!({ "blocking": blocking(seconds)?, "tokio": with_tokio(seconds)? }))),
        What::Throughput(_) | What::Setup => Ok(None),
    }
}

fn pair() -> Result<(UdpSocket, UdpSocket)> {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    a.connect(b.local_addr()?)?;
    b.connect(a.local_addr()?)?;
    Ok((a, b))
}

/// A thread for each end.
fn blocking(seconds: f64) -> Result<Value> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let (a, b) = pair()?;
    b.set_read_timeout(Some(Duration::from_millis(100)))?;
    a.set_read_timeout(Some(Duration::from_millis(100)))?;
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while !STOP.load(Ordering::Relaxed) {
            if let Ok(len) = b.recv(&mut buffer) {
                let _ = b.send(buffer.get(..len).unwrap_or_default());
            }
        }
    });
    let (mut times, mut buffer) = (Vec::new(), [0; 2048]);
    let (began, mut cpu) = (Instant::now(), cpu_seconds());
    while began.elapsed().as_secs_f64() < WARM_UP.as_secs_f64() + seconds {
        if times.is_empty() {
            cpu = cpu_seconds();
        }
        let start = Instant::now();
        a.send(&MESSAGE)?;
        if a.recv(&mut buffer).is_ok() && began.elapsed() > WARM_UP {
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    let cpu = cpu_seconds() - cpu;
    STOP.store(true, Ordering::Relaxed);
    let _ = echo.join();
    Ok(round_trips(times, cpu))
}

/// A task for each end.
fn with_tokio(seconds: f64) -> Result<Value> {
    let runtime = super::asynchronous::runtime()?;
    let (a, b) = pair()?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    runtime.block_on(async {
        let (a, b) = (tokio::net::UdpSocket::from_std(a)?, tokio::net::UdpSocket::from_std(b)?);
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok(len) = b.recv(&mut buffer).await {
                let _ = b.send(buffer.get(..len).unwrap_or_default()).await;
            }
        });
        let client = tokio::spawn(async move {
            let (mut times, mut buffer) = (Vec::new(), [0; 2048]);
            let (began, mut cpu) = (Instant::now(), cpu_seconds());
            while began.elapsed().as_secs_f64() < WARM_UP.as_secs_f64() + seconds {
                if times.is_empty() {
                    cpu = cpu_seconds();
                }
                let start = Instant::now();
                a.send(&MESSAGE).await?;
                a.recv(&mut buffer).await?;
                if began.elapsed() > WARM_UP {
                    times.push(start.elapsed().as_secs_f64() * 1e6);
                }
            }
            std::io::Result::Ok(round_trips(times, cpu_seconds() - cpu))
        });
        Ok(client.await??)
    })
}
