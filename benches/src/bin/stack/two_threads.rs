//! Round trips of weft-rtc's async handles with a runtime of one thread for each end, as two peers have in life: each sleeps
//! while the other works. By turns with bare UDP on the same runtimes.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use weft_rtc::{Config, DataChannelInit, Description, PeerConnection};

use super::Result;
use super::asynchronous::{echo, turns, within};
use super::bare::{self, Echoed};
use super::cases::{Case, What};

/// What busy polling lasts, for the stack that does it: twice what a round trip of bare UDP takes here when both ends sleep.
const AWAKE: Duration = Duration::from_micros(50);

/// As by default.
pub(crate) fn asleep(case: &Case, seconds: f64) -> Result<Option<Value>> {
    measure(case, seconds, Duration::ZERO)
}

/// With [`Config::busy_poll`].
pub(crate) fn awake(case: &Case, seconds: f64) -> Result<Option<Value>> {
    measure(case, seconds, AWAKE)
}

fn measure(case: &Case, seconds: f64, busy_poll: Duration) -> Result<Option<Value>> {
    match case.what {
        What::RoundTrip => round_trip(seconds, busy_poll).map(Some),
        What::Throughput(_) | What::Setup | What::Browser(_) => Ok(None),
    }
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn config(busy_poll: Duration) -> Result<Config> {
    let mut config = super::on_loopback()?;
    config.busy_poll = busy_poll;
    Ok(config)
}

/// The end that answers, until the other closes.
async fn far_end(
    offer: oneshot::Receiver<Description>,
    answer: oneshot::Sender<Description>,
    busy_poll: Duration,
) -> Result<()> {
    let peer = PeerConnection::new(config(busy_poll)?)?;
    answer.send(peer.answer(&offer.await?).await?).map_err(|_| "the near end is gone")?;
    echo(peer.accept().await.ok_or("closed")?).await;
    Ok(())
}

fn round_trip(seconds: f64, busy_poll: Duration) -> Result<Value> {
    let (near, far) = bare::pair()?;
    let to = far.local_addr()?;
    let (offered, offer) = oneshot::channel();
    let (answered, answer) = oneshot::channel();
    let far = thread::spawn(move || {
        runtime()?.block_on(async {
            tokio::spawn(bare::echo(far));
            far_end(offer, answered, busy_poll).await
        })
    });
    let report = runtime()?.block_on(within(seconds, async {
        let bare = Echoed::new(near, to)?;
        let peer = PeerConnection::new(config(busy_poll)?)?;
        let channel = peer.create_data_channel(DataChannelInit::new("x"))?;
        offered.send(peer.offer().await?).map_err(|_| "the far end is gone")?;
        peer.set_remote_description(&answer.await?)?;
        channel.opened().await?;
        let report = tokio::spawn(turns(channel, bare, seconds)).await?;
        peer.finish().await?;
        report
    }));
    // Why the other end failed says more.
    far.join().map_err(|_| "the far end failed")??;
    report
}
