//! Ends of async connections from within whatever they tell, and while other tasks use them: nobody waits for ever, and the
//! other side learns of it at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use weft_core::Rng;
use weft_rtc::{
    Certificate, ChannelState, Config, ConnectionState, DataChannel, DataChannelInit, Endpoint, MessageKind,
    OfferOptions, PeerConnection, PeerEvent, SharedConfig,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How long a farewell is missed that was lost, as the last of many datagrams in a full receive buffer may be: until consent
/// runs out.
const CONSENT: Duration = Duration::from_secs(30);

/// Far less than a time-out takes.
const AT_ONCE: Duration = Duration::from_secs(2);

fn config() -> SharedConfig {
    let certificate = Arc::new(Certificate::generate().unwrap());
    Config::default().with_loopback(true).with_certificate(certificate).into()
}

fn peer(config: &SharedConfig) -> PeerConnection {
    PeerConnection::new(config.clone()).unwrap()
}

/// How one ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Closed,
    Dropped,
    Finished,
}

/// A ends when it has been told so many things, if that many come. How many came, and whether B was connected then.
async fn end_within(config: &SharedConfig, at: usize, how: How) -> (usize, bool) {
    let (a, b) = (peer(config), peer(config));
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    a.set_local_description(None).unwrap();
    let (mut told, begun) = (0, Instant::now());
    loop {
        let event = loop {
            if let Ok(event) = timeout(Duration::from_millis(20), a.next_event()).await {
                break event;
            }
            if here.state() == ChannelState::Open {
                return (told, true);
            }
            assert!(begun.elapsed() < PATIENCE, "it stands still after {told}");
        };
        if told == at {
            break;
        }
        told += 1;
        if let PeerEvent::IceCandidate(candidate) = event.unwrap() {
            if b.remote_description().is_none() {
                let answer = b.answer(&a.local_description().unwrap()).await.unwrap();
                a.set_remote_description(&answer).unwrap();
            }
            b.add_ice_candidate(&candidate).unwrap();
        }
    }
    let connected = b.connection_state() == ConnectionState::Connected;
    match how {
        How::Closed => a.close(),
        How::Dropped => drop((a, here)),
        How::Finished => drop(timeout(PATIENCE, a.finish()).await.expect("it never ends")),
    }
    if connected {
        let learns = async { while b.accept().await.is_some() {} };
        assert!(timeout(AT_ONCE, learns).await.is_ok(), "{at}, {how:?}: the other side is not told");
    }
    (told, connected)
}

#[tokio::test]
async fn from_within_whatever_is_told() {
    let config = config();
    let (all, _) = end_within(&config, usize::MAX, How::Closed).await;
    assert!(all > 10, "{all} events");
    let mut connected = 0;
    for at in 0..all {
        for how in [How::Closed, How::Dropped, How::Finished] {
            let (told, was_connected) = end_within(&config, at, how).await;
            connected += usize::from(was_connected && told == at);
        }
    }
    assert!(connected > 0, "nobody was connected");
}

/// Uses a connection for as long as it goes.
fn use_it(tasks: &mut JoinSet<()>, peer: &PeerConnection, channel: &DataChannel) {
    let mut task = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| drop(tasks.spawn(work));
    let (sender, reader, deliverer, waiter) = (channel.clone(), channel.clone(), channel.clone(), channel.clone());
    task(Box::pin(async move { while sender.send(vec![1; 20_000]).await.is_ok() {} }));
    task(Box::pin(async move { while reader.recv().await.is_some() {} }));
    task(Box::pin(async move { while deliverer.deliver(MessageKind::Text, "watched").await.is_ok() {} }));
    task(Box::pin(async move {
        while waiter.state() == ChannelState::Open {
            waiter.buffered_amount_low(0).await;
            tokio::task::yield_now().await;
        }
        waiter.closed().await;
    }));
    let acceptor = peer.clone();
    task(Box::pin(async move { while acceptor.accept().await.is_some() {} }));
}

/// Events come until the handles' own side is closed.
fn listen(tasks: &mut JoinSet<()>, peer: &PeerConnection) {
    let listener = peer.clone();
    tasks.spawn(async move { while listener.next_event().await.is_some() {} });
}

/// A pair in full use, which ends at a moment and in a way of its own. Whether the other side was told of it at once.
async fn pair_ends(server: Endpoint, config: SharedConfig, seed: u64) -> bool {
    let mut rng = Rng::from_test_seed(seed);
    let (a, b) = (peer(&config), server.peer_connection(config.clone()).unwrap());
    let (a, b) = if rng.chance(0.5) { (a, b) } else { (b, a) };
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.expect("no channel comes").unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    let (mut of_a, mut of_b) = (JoinSet::new(), JoinSet::new());
    use_it(&mut of_a, &a, &here);
    use_it(&mut of_b, &b, &there);
    listen(&mut of_a, &a);
    sleep(Duration::from_micros(rng.below(8000))).await;
    if rng.chance(0.3) {
        let _ = a.create_offer_with(OfferOptions::ICE_RESTART).and_then(|offer| a.set_local_description(Some(offer)));
    }
    let way = rng.below(4);
    match way {
        0 => a.close(),
        1 => drop(timeout(PATIENCE, a.finish()).await.unwrap_or_else(|_| panic!("seed {seed}: it never ends"))),
        2 => drop((a, here)),
        _ => {
            // Channels first, one by one.
            here.close();
            drop(here);
            sleep(Duration::from_micros(rng.below(500))).await;
            a.close();
        }
    }
    if way == 2 {
        // The handles that tasks have go with them.
        of_a.shutdown().await;
    }
    drop(there);
    let parted = Instant::now();
    for tasks in [&mut of_a, &mut of_b] {
        let ended = timeout(CONSENT + PATIENCE, async { while tasks.join_next().await.is_some() {} }).await;
        assert!(ended.is_ok(), "seed {seed}, way {way}: {} tasks wait", tasks.len());
    }
    let told = parted.elapsed() < PATIENCE;
    let over = if told { [ConnectionState::Closed, ConnectionState::Connected] } else { [ConnectionState::Failed; 2] };
    assert!(over.contains(&b.connection_state()), "seed {seed}: {}", b.connection_state());
    assert!(timeout(AT_ONCE, b.accept()).await.expect("it is not over").is_none());
    listen(&mut of_b, &b);
    b.close();
    assert!(timeout(AT_ONCE, of_b.join_next()).await.is_ok(), "seed {seed}: it is told for ever");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn while_other_tasks_use_it() {
    let mut config = Config::clone(&config());
    config.restart_timeout = Duration::ZERO;
    let config = SharedConfig::from(config);
    let server = Endpoint::bind(&config).unwrap();
    let mut untold = 0;
    for round in 0..4 {
        let mut pairs = JoinSet::new();
        for n in 0..15 {
            pairs.spawn(pair_ends(server.clone(), config.clone(), round * 100 + n));
        }
        while let Some(ended) = pairs.join_next().await {
            untold += u32::from(!ended.unwrap());
        }
    }
    assert!(untold <= 3, "{untold} farewells of 60 were lost");
    let gone = async {
        while server.connections() > 0 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(PATIENCE, gone).await.is_ok(), "{} connections stay", server.connections());
}
