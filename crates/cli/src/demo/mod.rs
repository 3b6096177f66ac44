//! `weft demo`: two peers on this machine, each with sockets of its own, connect over loopback and move data both ways.

mod connect;
mod report;
mod transfer;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::dtls::DtlsVersion;
use crate::size;
use report::Report;

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);

/// What `weft demo` is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How much to send each way, such as 4194304 or 256MiB.
    #[arg(long, default_value = "256MiB", value_parser = size::parse)]
    bytes: u64,
    /// How large each message is, such as 1200 or 64KiB.
    #[arg(long, default_value = "64KiB", value_parser = size::parse)]
    message_size: u64,
    /// Which DTLS version to speak.
    #[arg(long, default_value = "any", value_name = "VERSION")]
    dtls: DtlsVersion,
    /// Print one JSON object instead of the report for people.
    #[arg(long)]
    json: bool,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the message size must be from 1 byte to {}", size::show(MAX_MESSAGE))]
    MessageSize,
    #[error("nothing to send: --bytes is 0")]
    NoBytes,
    #[error("{0}")]
    Rtc(#[from] weft_rtc::Error),
    #[error("{0}")]
    Certificate(#[from] weft_rtc::dtls::CertificateError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0} did not happen within {patience} s", patience = PATIENCE.as_secs())]
    TooSlow(&'static str),
    #[error("the channel closed before everything had arrived")]
    ChannelClosed,
    #[error("a message of {sent} bytes arrived with {received}")]
    MessageChanged { sent: usize, received: usize },
    #[error("the data that arrived differ from the data that were sent")]
    HashesDiffer,
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The largest `--message-size`.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;

/// Runs the demonstration and prints what it measured.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if !(1..=MAX_MESSAGE).contains(&args.message_size) {
        return Err(Error::MessageSize);
    }
    if args.bytes == 0 {
        return Err(Error::NoBytes);
    }
    if !args.json {
        println!("Two peers on this machine, each with its own UDP sockets on loopback.");
        println!("{} each way in messages of {}.\n", size::show(args.bytes), size::show(args.message_size));
        std::io::stdout().flush()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(measure(args))?;
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    if report.hash_match { Ok(()) } else { Err(Error::HashesDiffer) }
}

async fn measure(args: &Args) -> Result<Report, Error> {
    let pair = tokio::time::timeout(PATIENCE, connect::connect(args.message_size, args.dtls))
        .await
        .map_err(|_| Error::TooSlow("the connection"))??;
    let moved = Arc::new(AtomicU64::new(0));
    let bar = ProgressBar::new(args.bytes.saturating_mul(2));
    let style = ProgressStyle::with_template("{bar:40} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let result = tokio::select! {
        result = transfer::both_ways(&pair, args.bytes, args.message_size as usize, &moved) => result,
        () = watch(&moved, &bar) => Err(Error::TooSlow("any progress")),
    };
    bar.finish_and_clear();
    let report = Report::new(args.bytes, &pair, &result?);
    pair.end().await?;
    Ok(report)
}

/// Shows progress; returns when there has been none for too long.
async fn watch(moved: &AtomicU64, bar: &ProgressBar) {
    let mut last = (0, tokio::time::Instant::now());
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let now = ticks.tick().await;
        let bytes = moved.load(Ordering::Relaxed);
        bar.set_position(bytes);
        if bytes != last.0 {
            last = (bytes, now);
        } else if now - last.1 >= PATIENCE {
            return;
        }
    }
}
