//! Futures of the async handles that are given up, after however many polls: nothing is lost, doubled or out of order, and
//! nobody is left waiting.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::timeout;
use weft_core::Rng;
use weft_rtc::{
    ChannelState, ConnectionState, DataChannel, DataChannelInit, Error, Message, MessageKind, Part, PeerConnection,
    PeerEvent, SignalingState,
};

use crate::asynchronous::{connect, peer};

const PATIENCE: Duration = Duration::from_secs(20);

/// When futures are given up, and how often they were.
struct Snatches {
    rng: Rng,
    given_up: u32,
}

impl Snatches {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::from_test_seed(seed), given_up: 0 }
    }
}

async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// What the future gives in the end, which is made anew each time it is given up: after one poll, or a few.
macro_rules! snatch {
    ($snatches:expr, $future:expr) => {
        loop {
            let mut future = Box::pin($future);
            let mut done = None;
            for _ in 0..=$snatches.rng.below(3) {
                if let Poll::Ready(output) = poll_once(&mut future).await {
                    done = Some(output);
                    break;
                }
                yield_now().await;
            }
            drop(future);
            if let Some(output) = done {
                break output;
            }
            $snatches.given_up += 1;
            yield_now().await;
        }
    };
}

/// The `n`th message.
fn content(n: u32) -> Vec<u8> {
    let mut content = vec![n as u8; 30_000];
    content[..4].copy_from_slice(&n.to_be_bytes());
    content
}

const MANY: u32 = 150;

/// More than the buffers hold, so that sends have to wait.
async fn in_snatches<S: Future<Output = (Snatches, DataChannel)>, R: Future<Output = Snatches>>(
    send: impl FnOnce(DataChannel) -> S,
    receive: impl FnOnce(DataChannel) -> R,
) {
    let (a, b, here, there) = connect().await;
    let both = async { tokio::join!(send(here), receive(there)) };
    let ((sent, _here), received) = timeout(PATIENCE, both).await.expect("it stands still");
    let given_up = (sent.given_up, received.given_up);
    assert!(given_up.0 > 0 && given_up.1 > 0 && given_up.0 + given_up.1 > 10, "{given_up:?}");
    assert_eq!((a.waiting_tasks(), b.waiting_tasks()), (0, 0));
}

#[tokio::test]
async fn sends_and_receives() {
    let send = |here: DataChannel| async {
        let mut snatches = Snatches::new(1);
        for n in 0..MANY {
            snatch!(snatches, here.send(content(n))).unwrap();
        }
        (snatches, here)
    };
    let receive = |mut there: DataChannel| async move {
        let mut snatches = Snatches::new(2);
        for n in 0..MANY {
            let data = match n % 4 {
                0 => snatch!(snatches, there.recv()).unwrap().data,
                1 => snatch!(snatches, there.recv_with(|_, bytes| bytes.to_vec())).unwrap().into(),
                2 => snatch!(snatches, there.next()).unwrap().data,
                _ => {
                    let piece = snatch!(snatches, there.recv_piece()).unwrap();
                    assert_eq!(piece.part, Part::Whole);
                    piece.data
                }
            };
            assert!(data[..] == content(n)[..], "{n}");
        }
        snatches
    };
    in_snatches(send, receive).await;
}

#[tokio::test]
async fn pieces() {
    let send = |here: DataChannel| async {
        let mut snatches = Snatches::new(3);
        for n in 0..MANY {
            // As much as the peer takes in one.
            if n % 8 == 0 {
                here.begin_message(MessageKind::Binary).unwrap();
            }
            snatch!(snatches, here.send_piece(content(n), n % 8 == 7 || n + 1 == MANY)).unwrap();
        }
        (snatches, here)
    };
    let receive = |there: DataChannel| async move {
        there.set_piecewise(true);
        let (mut snatches, mut all, mut ends) = (Snatches::new(4), Vec::new(), 0);
        while ends < MANY.div_ceil(8) {
            let piece = snatch!(snatches, there.recv_piece()).unwrap();
            all.extend_from_slice(&piece.data);
            ends += u32::from(piece.part == Part::Last);
        }
        assert!(all == (0..MANY).flat_map(content).collect::<Vec<_>>(), "{} bytes", all.len());
        snatches
    };
    in_snatches(send, receive).await;
}

#[tokio::test]
async fn a_sink() {
    let send = |mut here: DataChannel| async {
        let mut snatches = Snatches::new(5);
        for n in 0..MANY {
            snatch!(snatches, poll_fn(|cx| Pin::new(&mut here).poll_ready(cx))).unwrap();
            here.start_send_unpin(Message { kind: MessageKind::Binary, data: content(n).into() }).unwrap();
            if n % 10 == 0 {
                snatch!(snatches, SinkExt::flush(&mut here)).unwrap();
                assert_eq!(here.buffered_amount(), 0);
            }
        }
        snatch!(snatches, SinkExt::close(&mut here)).unwrap();
        (snatches, here)
    };
    let receive = |mut there: DataChannel| async move {
        let mut snatches = Snatches::new(6);
        for n in 0..MANY {
            assert!(snatch!(snatches, there.next()).unwrap().data[..] == content(n)[..], "{n}");
        }
        assert!(snatch!(snatches, there.next()).is_none());
        snatches
    };
    in_snatches(send, receive).await;
}

#[tokio::test]
async fn a_stream_of_bytes() {
    let all: Vec<u8> = (0..MANY).flat_map(content).collect();
    let sent = all.clone();
    let send = |here: DataChannel| async move {
        let (mut snatches, mut here, mut rest) = (Snatches::new(7), here.into_byte_stream(), &sent[..]);
        while !rest.is_empty() {
            let length = rest.len().min(1 + snatches.rng.below(40_000) as usize);
            let written = snatch!(snatches, here.write(&rest[..length])).unwrap();
            rest = &rest[written..];
        }
        snatch!(snatches, here.flush()).unwrap();
        snatch!(snatches, here.shutdown()).unwrap();
        let channel = here.channel().clone();
        (snatches, channel)
    };
    let receive = |there: DataChannel| async move {
        let (mut snatches, mut there, mut received) = (Snatches::new(8), there.into_byte_stream(), Vec::new());
        let mut buf = vec![0; 20_000];
        loop {
            let length = 1 + snatches.rng.below(20_000) as usize;
            match snatch!(snatches, there.read(&mut buf[..length])).unwrap() {
                0 => break,
                read => received.extend_from_slice(&buf[..read]),
            }
        }
        assert!(received == all, "{} bytes", received.len());
        snatches
    };
    in_snatches(send, receive).await;
}

/// Sends until a message has to wait: how many were taken.
fn fill(here: &DataChannel) -> usize {
    let mut count = 0;
    while here.send(vec![1; 50_000]).now_or_never().is_some() {
        count += 1;
    }
    count
}

#[tokio::test]
async fn what_waits_for_room_and_is_given_up_is_not_sent() {
    let (a, _b, here, there) = connect().await;
    let count = fill(&here);
    for _ in 0..3 {
        assert!(here.send(vec![2; 50_000]).now_or_never().is_none());
        assert!(here.send_text("x".repeat(50_000)).now_or_never().is_none());
        assert!(here.deliver(MessageKind::Binary, vec![2; 50_000]).now_or_never().is_none());
    }
    assert_eq!(a.waiting_tasks(), 0);
    for _ in 0..count {
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, vec![1; 50_000]);
    }
    here.send("sent").await.unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, "sent");
}

#[tokio::test]
async fn what_waits_for_the_channel_and_is_given_up_is_not_sent() {
    let (a, b) = (peer(), peer());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    for _ in 0..3 {
        assert!(here.send("given up").now_or_never().is_none());
        assert!(here.deliver(MessageKind::Text, "given up").now_or_never().is_none());
        assert!(here.opened().now_or_never().is_none());
    }
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    here.send("sent").await.unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, "sent");
}

#[tokio::test]
async fn a_message_that_is_no_longer_watched_goes_its_way() {
    let (a, _b, here, there) = connect().await;
    for n in 0..20_u8 {
        assert!(here.deliver(MessageKind::Binary, vec![n]).now_or_never().is_none());
        assert_eq!(a.waiting_tasks(), 0);
    }
    for n in 0..20_u8 {
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, vec![n]);
    }
    timeout(PATIENCE, here.deliver(MessageKind::Text, "watched")).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wait_for_less_to_be_buffered_takes_nothing_from_others() {
    let (a, _b, here, there) = connect().await;
    fill(&here);
    let reader = tokio::spawn(async move { while there.recv().await.is_some() {} });
    let waits: Vec<_> = [0, 400_000, 100_000]
        .map(|bytes| {
            let here = here.clone();
            tokio::spawn(async move {
                here.buffered_amount_low(bytes).await;
                assert!(here.buffered_amount() <= bytes);
            })
        })
        .into();
    let mut snatches = Snatches::new(9);
    for bytes in [600_000, 300_000, 200_000, 50_000, 0] {
        timeout(PATIENCE, async { snatch!(snatches, here.buffered_amount_low(bytes)) }).await.unwrap();
        assert!(here.buffered_amount() <= bytes);
    }
    for wait in waits {
        timeout(PATIENCE, wait).await.expect("it was not woken").unwrap();
    }
    assert_eq!((snatches.given_up > 0, a.waiting_tasks()), (true, 0));
    reader.abort();
}

#[tokio::test]
async fn events_and_channels() {
    let (a, b) = (peer(), peer());
    let (mut of_a, mut of_b) = (Snatches::new(10), Snatches::new(11));
    let _first = a.create_data_channel(DataChannelInit::new("0")).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(Some(offer.clone())).unwrap();
    b.set_remote_description(&offer).unwrap();
    let answer = b.create_answer().unwrap();
    b.set_local_description(Some(answer.clone())).unwrap();
    a.set_remote_description(&answer).unwrap();
    // Each event comes, once, or the two do not connect.
    let carry = |from: PeerConnection, to: PeerConnection, mut snatches: Snatches| async move {
        let mut states = Vec::new();
        loop {
            match snatch!(snatches, from.next_event()).unwrap() {
                PeerEvent::IceCandidate(candidate) => to.add_ice_candidate(&candidate).unwrap(),
                PeerEvent::ConnectionState(state) => states.push(state),
                _ => {}
            }
            if states.last() == Some(&ConnectionState::Connected) {
                break (states, snatches);
            }
        }
    };
    let both = async { tokio::join!(carry(a.clone(), b.clone(), of_a), carry(b.clone(), a.clone(), of_b)) };
    let told = timeout(PATIENCE, both).await.expect("an event was lost");
    for states in [&told.0.0, &told.1.0] {
        assert_eq!(states[..], [ConnectionState::Connecting, ConnectionState::Connected]);
    }
    (of_a, of_b) = (told.0.1, told.1.1);
    assert!(of_a.given_up > 0 && of_b.given_up > 0);
    let mut kept = Vec::new();
    for n in 1..30 {
        kept.push(a.create_data_channel(DataChannelInit::new(n.to_string())).unwrap());
    }
    for n in 0..30 {
        let channel =
            timeout(PATIENCE, async { snatch!(of_b, b.accept()) }).await.expect("a channel was lost").unwrap();
        assert_eq!(channel.label(), n.to_string());
    }
    // And those of which the last handle is dropped here end.
    for channel in &kept {
        timeout(PATIENCE, async { snatch!(of_a, channel.closed()) }).await.unwrap();
    }
    assert_eq!((a.waiting_tasks(), b.waiting_tasks()), (0, 0));
}

#[tokio::test]
async fn an_offer_that_is_not_waited_for_stays_applied() {
    let (a, b) = (peer(), peer());
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let _ = a.offer().now_or_never();
    assert_eq!(a.signaling_state(), SignalingState::HaveLocalOffer);
    let mut snatches = Snatches::new(12);
    snatch!(snatches, a.gathered()).unwrap();
    let _ = b.answer(&a.local_description().unwrap()).now_or_never();
    assert_eq!(b.signaling_state(), SignalingState::Stable);
    snatch!(snatches, b.gathered()).unwrap();
    a.set_remote_description(&b.local_description().unwrap()).unwrap();
    let all = async {
        snatch!(snatches, a.connected()).unwrap();
        snatch!(snatches, b.connected()).unwrap();
        snatch!(snatches, here.opened()).unwrap();
    };
    timeout(PATIENCE, all).await.unwrap();
    assert!(snatches.given_up > 0);
    assert_eq!((a.waiting_tasks(), b.waiting_tasks()), (0, 0));
}

/// Given up, it goes on to close, and loses nothing; the connection lives on.
#[tokio::test]
async fn an_end_that_is_not_waited_for() {
    for whole in [false, true] {
        let (a, b, here, there) = connect().await;
        let count = fill(&here);
        for _ in 0..3 {
            let given_up = if whole { a.finish().now_or_never() } else { here.finish().now_or_never() };
            assert!(given_up.is_none() && here.state() == ChannelState::Closing);
            assert!(matches!(here.send("x").await, Err(Error::Closed)));
        }
        assert_eq!(a.waiting_tasks(), 0);
        for _ in 0..count {
            assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data.len(), 50_000);
        }
        assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_none());
        assert_eq!(a.connection_state(), ConnectionState::Connected);
        let again = a.create_data_channel(DataChannelInit::new("again")).unwrap();
        assert_eq!(timeout(PATIENCE, b.accept()).await.unwrap().unwrap().label(), "again");
        // Taken up again it tells how it ended.
        timeout(PATIENCE, here.finish()).await.unwrap().unwrap();
        drop(again);
        let mut snatches = Snatches::new(13);
        timeout(PATIENCE, async { snatch!(snatches, a.finish()) }).await.unwrap().unwrap();
        assert_eq!(a.connection_state(), ConnectionState::Closed);
    }
}

/// Another task goes on with what one began: it is the one that is woken.
#[tokio::test]
async fn handles_that_move_to_another_task() {
    let (_a, _b, mut here, mut there) = connect().await;
    let nobody = &mut Context::from_waker(Waker::noop());
    let count = fill(&here);
    assert!(here.poll_ready_unpin(nobody).is_ready());
    here.start_send_unpin(Message { kind: MessageKind::Binary, data: vec![2; 50_000].into() }).unwrap();
    assert!(here.poll_ready_unpin(nobody).is_pending() && here.poll_flush_unpin(nobody).is_pending());
    let flushed = tokio::spawn(async move {
        poll_fn(|cx| Pin::new(&mut here).poll_flush(cx)).await.unwrap();
        here
    });
    for _ in 0..count {
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data.len(), 50_000);
    }
    let here = timeout(PATIENCE, flushed).await.expect("nobody was woken").unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, vec![2; 50_000]);
    assert!(there.poll_next_unpin(nobody).is_pending());
    let read = tokio::spawn(async move { there.next().await });
    yield_now().await;
    here.send_text("more").await.unwrap();
    assert_eq!(timeout(PATIENCE, read).await.expect("nobody was woken").unwrap().unwrap().as_text(), Some("more"));
}
