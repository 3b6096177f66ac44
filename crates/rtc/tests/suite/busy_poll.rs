//! The async driver that stays awake for a while (`Config::busy_poll`), over real loopback sockets.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use weft_rtc::{Config, DataChannelInit, PeerConnection};

use crate::asynchronous::connect_those;
use crate::processor::by_thread;

const PATIENCE: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_millis(80);
/// Over before a delayed acknowledgement leaves.
const SHORT: Duration = Duration::from_millis(40);

fn peer(busy_poll: Duration) -> PeerConnection {
    let mut config = Config::default().with_loopback(true);
    config.busy_poll = busy_poll;
    PeerConnection::new(config).unwrap()
}

/// Processor time of this thread while it waits for so long.
async fn used_in(time: Duration) -> Duration {
    let before = by_thread();
    sleep(time).await;
    by_thread().saturating_sub(before)
}

/// What the thread of a driver uses in the first half of `window`: after a message has come, and after one was sent that nobody
/// answers, as the other end, which has a thread to itself, stands still. A timer for the acknowledgement of the first is set
/// meanwhile, so that nothing but the message calls the driver.
#[allow(clippy::disallowed_methods)] // a peer that stands still
fn used_after(window: Duration) -> [Duration; 2] {
    let (offered, offer) = mpsc::channel();
    let (answered, answer) = mpsc::channel();
    let (go, stand) = mpsc::channel::<()>();
    let far = thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let peer = peer(Duration::ZERO);
            answered.send(peer.answer(&offer.recv().unwrap()).await.unwrap()).unwrap();
            let channel = peer.accept().await.unwrap();
            sleep(Duration::from_secs(1)).await;
            channel.send("unasked").await.unwrap();
            sleep(Duration::from_millis(5)).await;
            // With all that this thread drives.
            stand.recv_timeout(PATIENCE).unwrap();
            assert_eq!(timeout(PATIENCE, channel.recv()).await.unwrap().unwrap().data, "unheard"[..]);
        });
    });
    let used = Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let peer = peer(window);
        let channel = peer.create_data_channel(DataChannelInit::new("x")).unwrap();
        offered.send(peer.offer().await.unwrap()).unwrap();
        peer.set_remote_description(&answer.recv().unwrap()).unwrap();
        assert_eq!(timeout(PATIENCE, channel.recv()).await.unwrap().unwrap().data, "unasked"[..]);
        let came = used_in(SHORT / 2).await;
        sleep(SHORT).await;
        channel.send("unheard").await.unwrap();
        let went = used_in(SHORT / 2).await;
        go.send(()).unwrap();
        sleep(Duration::from_millis(100)).await;
        [came, went]
    });
    far.join().unwrap();
    used
}

#[test]
fn what_comes_and_what_is_sent_keep_the_driver_awake() {
    // Of 20 ms, which others may have the processor for.
    const AWAKE: Duration = Duration::from_micros(2_500);
    assert!(used_after(Duration::ZERO).iter().all(|used| *used < AWAKE));
    let mut used: Vec<[Duration; 2]> = Vec::new();
    while !(0..2).all(|n| used.iter().any(|used| used[n] > AWAKE)) {
        assert!(used.len() < 5, "{used:?}");
        used.push(used_after(SHORT));
    }
}

#[test]
fn the_driver_sleeps_when_the_time_is_over() {
    // Seldom enough for some of the pauses between two consent checks to hold one.
    const REST: Duration = Duration::from_millis(300);
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (_a, _b, here, there) = connect_those(peer(WINDOW), peer(Duration::ZERO)).await;
        here.send("x").await.unwrap();
        timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
        let mut rest = Vec::new();
        while rest.iter().all(|used| *used >= REST / 10) {
            assert!(rest.len() < 10, "{rest:?}");
            rest.push(used_in(REST).await);
        }
    });
}

/// Drivers that stay awake leave all others their turn, and end as others do.
#[test]
fn nobody_else_is_kept_waiting() {
    for threads in [1, 2] {
        let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        runtime.block_on(async {
            let (a, b, here, there) = connect_those(peer(WINDOW), peer(WINDOW)).await;
            let echo = tokio::spawn(async move {
                while let Some(message) = there.recv().await {
                    there.send(message.data).await.unwrap();
                }
            });
            let round_trips = async {
                for n in 0..500_u32 {
                    let message = n.to_be_bytes().to_vec();
                    here.send(message.clone()).await.unwrap();
                    assert_eq!(here.recv().await.unwrap().data, message);
                }
            };
            timeout(PATIENCE, round_trips).await.unwrap();
            // Longer than all windows: timers ring, too.
            timeout(PATIENCE, sleep(2 * WINDOW)).await.unwrap();
            a.close();
            timeout(PATIENCE, echo).await.unwrap().unwrap();
            drop((a, b, here));
            let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
            timeout(PATIENCE, async {
                while alive() > 0 {
                    sleep(Duration::from_millis(5)).await;
                }
            })
            .await
            .unwrap();
        });
    }
}
