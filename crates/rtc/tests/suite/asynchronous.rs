//! The async handles, over real loopback sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use weft_rtc::{
    ChannelState, Config, ConnectionState, DataChannel, DataChannelInit, Endpoint, Error, IceServer, Message,
    MessageKind, OfferOptions, PeerConnection, PeerEvent,
};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn peer() -> PeerConnection {
    PeerConnection::new(Config::default().with_loopback(true)).unwrap()
}

/// A connected couple, and the ends of a channel.
pub(crate) async fn connect() -> (PeerConnection, PeerConnection, DataChannel, DataChannel) {
    connect_those(peer(), peer()).await
}

/// The same of two that are new.
pub(crate) async fn connect_those(
    a: PeerConnection,
    b: PeerConnection,
) -> (PeerConnection, PeerConnection, DataChannel, DataChannel) {
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    (a, b, here, there)
}

#[tokio::test]
async fn moves_a_few_megabytes_with_backpressure() {
    let (a, _b, here, there) = connect().await;
    let sender = tokio::spawn(async move {
        for n in 0..200_u32 {
            let window = a.stats().sctp.cwnd;
            here.send(vec![n as u8; 50_000]).await.unwrap();
            // One message may exceed the send buffer; more have to wait. A path that holds more makes the buffer larger.
            let most = (2 * window.max(a.stats().sctp.cwnd)).max(1 << 20);
            assert!(here.buffered_amount() <= most + 50_000);
        }
        here.close();
        here.closed().await;
    });
    let mut count = 0_u32;
    while let Some(message) = timeout(PATIENCE, there.recv()).await.unwrap() {
        assert!(message.data.len() == 50_000 && message.data.iter().all(|&b| b == count as u8));
        count += 1;
    }
    assert_eq!(count, 200);
    timeout(PATIENCE, sender).await.unwrap().unwrap();
}

/// What is sent before the channel is open leaves with the first that SCTP may send.
#[tokio::test]
async fn a_message_may_be_given_before_the_channel_is_open() {
    let (a, b) = (peer(), peer());
    // Without a channel of its own A offers no association.
    let _kept = a.create_data_channel(DataChannelInit::new("theirs")).unwrap();
    let here = b.create_data_channel(DataChannelInit::new("ours")).unwrap();
    let mut early = Box::pin(here.send("early"));
    assert!(early.as_mut().now_or_never().is_none(), "no stream yet");
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    timeout(PATIENCE, early).await.unwrap().unwrap();
    assert_eq!(here.state(), ChannelState::Connecting, "A has no answer yet");
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, a.accept()).await.unwrap().unwrap();
    assert_eq!(there.label(), "ours");
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data, "early");
}

/// A message there and back: nothing is queued or under way at `here` when it is done.
async fn ping(here: &DataChannel, there: &DataChannel) {
    here.send("ping").await.unwrap();
    timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
    // Its acknowledgement comes along.
    there.send("pong").await.unwrap();
    timeout(PATIENCE, here.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_that_waits_for_no_other_leaves_at_once() {
    let (a, _b, here, there) = connect().await;
    ping(&here, &there).await;
    let sent = || a.stats().counters.datagrams_sent;
    // This thread is the only one: no other task runs before it is waited for.
    let before = sent();
    here.send("alone").await.unwrap();
    assert_eq!(sent(), before + 1);
    for _ in 0..10 {
        here.send("in company").await.unwrap();
    }
    assert_eq!(sent(), before + 1, "many go together");
    for n in 0..11 {
        let message = timeout(PATIENCE, there.recv()).await.unwrap().unwrap();
        assert_eq!(message.data, if n == 0 { "alone" } else { "in company" });
    }
    assert!(sent() <= before + 3);
}

#[tokio::test]
async fn a_message_that_left_at_once_is_sent_again_when_nobody_acknowledges_it() {
    let a = peer();
    let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
    let offer = a.offer().await.unwrap();
    // The other side has a runtime of its own, which ends without a word.
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (b, answer) = other
        .spawn(async move {
            let b = peer();
            let answer = b.answer(&offer).await.unwrap();
            (b, answer)
        })
        .await
        .unwrap();
    a.set_remote_description(&answer).unwrap();
    here.opened().await.unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    ping(&here, &there).await;
    other.shutdown_background();
    tokio::time::sleep(Duration::from_millis(50)).await;
    here.send("into the void").await.unwrap();
    let again = async {
        while a.stats().sctp.retransmissions + a.stats().sctp.tail_probes == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(4), again).await.expect("the message is not sent again");
}

#[tokio::test]
async fn messages_are_lent_and_those_that_were_kept_stay_what_they_are() {
    let (_a, _b, here, there) = connect().await;
    let content = |n: usize| vec![n as u8; 1 + n * 97 % 9000];
    let sender = tokio::spawn(async move {
        for n in 0..400 {
            here.send(content(n)).await.unwrap();
        }
        here.send_text("the end").await.unwrap();
        here
    });
    let mut kept = Vec::new();
    for n in 0..400 {
        if n % 3 == 0 {
            kept.push((n, timeout(PATIENCE, there.recv()).await.unwrap().unwrap().data));
        } else {
            let read = there.recv_with(|kind, bytes| (kind, bytes == content(n)));
            assert_eq!(timeout(PATIENCE, read).await.unwrap(), Some((MessageKind::Binary, true)), "{n}");
        }
    }
    assert!(kept.iter().all(|(n, data)| data[..] == content(*n)[..]), "a buffer was used again that somebody held");
    let end = there.recv_with(|kind, bytes| (kind, String::from_utf8_lossy(bytes).into_owned()));
    assert_eq!(timeout(PATIENCE, end).await.unwrap(), Some((MessageKind::Text, "the end".to_owned())));
    drop(sender.await.unwrap());
    assert_eq!(timeout(PATIENCE, there.recv_with(|_, _| ())).await.unwrap(), None);
}

#[tokio::test]
async fn trickles_through_events() {
    let (a, b) = (peer(), peer());
    let chat = a.create_data_channel(DataChannelInit::new("chat")).unwrap();
    let offer = a.create_offer().unwrap();
    a.set_local_description(Some(offer.clone())).unwrap();
    b.set_remote_description(&offer).unwrap();
    let answer = b.create_answer().unwrap();
    b.set_local_description(Some(answer.clone())).unwrap();
    a.set_remote_description(&answer).unwrap();
    let carry = |from: PeerConnection, to: PeerConnection| async move {
        while let Some(event) = from.next_event().await {
            match event {
                PeerEvent::IceCandidate(candidate) => to.add_ice_candidate(&candidate).unwrap(),
                PeerEvent::ConnectionState(ConnectionState::Connected) => break,
                _ => {}
            }
        }
    };
    let both = async { tokio::join!(carry(a.clone(), b.clone()), carry(b.clone(), a.clone())) };
    timeout(PATIENCE, both).await.unwrap();
    timeout(PATIENCE, chat.send_text("hi")).await.unwrap().unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("hi"));
}

#[tokio::test]
async fn dropping_the_last_handle_tells_the_peer_at_once() {
    let (a, b, here, there) = connect().await;
    drop((a, here));
    assert!(timeout(Duration::from_secs(2), there.recv()).await.unwrap().is_none());
    drop(b);
    timeout(Duration::from_secs(2), there.closed()).await.unwrap();
}

#[tokio::test]
async fn dropping_a_channel_closes_it_and_the_connection_lives() {
    let (a, b, here, there) = connect().await;
    here.send_text("last words").await.unwrap();
    drop(here);
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("last words"));
    assert!(timeout(PATIENCE, there.recv()).await.unwrap().is_none());
    let again = a.create_data_channel(DataChannelInit::new("again")).unwrap();
    timeout(PATIENCE, again.opened()).await.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, b.accept()).await.unwrap().unwrap().label(), "again");
}

#[tokio::test]
async fn a_closed_connection_says_so() {
    let (a, _b, here, _there) = connect().await;
    a.close();
    assert!(matches!(a.create_offer(), Err(Error::Closed)));
    assert!(matches!(here.send_text("x").await, Err(Error::Closed)));
    assert!(here.recv().await.is_none() && a.accept().await.is_none() && a.next_event().await.is_none());
    here.closed().await;
}

/// What nobody will read any more may not keep the window of the others shut.
#[tokio::test]
async fn a_dropped_channel_gives_its_window_back() {
    let (a, b, here, there) = connect().await;
    for round in 0..3 {
        let bulk = a.create_data_channel(DataChannelInit::new("bulk")).unwrap();
        let unread = timeout(PATIENCE, b.accept()).await;
        let unread = match unread {
            Ok(Some(channel)) => channel,
            other => panic!("{other:?}"),
        };
        let send = async {
            for _ in 0..40 {
                if bulk.send(vec![0; 100_000]).await.is_err() {
                    break;
                }
            }
        };
        let drop_it = async {
            assert!(unread.recv().await.is_some());
            drop(unread);
        };
        timeout(PATIENCE, async { tokio::join!(send, drop_it) }).await.unwrap();
        here.send_text(round.to_string()).await.unwrap();
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some(&*round.to_string()));
    }
}

#[tokio::test]
async fn a_peer_that_closes_ends_accept_and_recv() {
    let (a, b, here, _there) = connect().await;
    b.close();
    assert!(timeout(PATIENCE, a.accept()).await.unwrap().is_none());
    assert!(timeout(PATIENCE, here.recv()).await.unwrap().is_none());
    assert!(matches!(timeout(PATIENCE, a.connected()).await.unwrap(), Err(Error::Closed)));
}

async fn join(a: &PeerConnection, b: &PeerConnection, label: &str) -> (DataChannel, DataChannel) {
    let here = a.create_data_channel(DataChannelInit::new(label)).unwrap();
    let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    timeout(PATIENCE, here.opened()).await.unwrap().unwrap();
    (here, there)
}

#[tokio::test]
async fn many_connections_share_the_sockets_of_an_endpoint() {
    let config = Config::default().with_loopback(true);
    let server = Endpoint::bind(&config).unwrap();
    let mut pairs = Vec::new();
    for n in 0..60 {
        let (a, b) = (peer(), server.peer_connection(Config::default()).unwrap());
        let (here, there) = join(&a, &b, &n.to_string()).await;
        pairs.push((a, b, here, there));
    }
    assert_eq!(server.connections(), 60);
    for (n, (_, b, here, there)) in pairs.iter().enumerate() {
        let local = b.stats().selected_pair.unwrap().path.local;
        assert!(server.local_addrs().contains(&local));
        assert_eq!(there.label(), n.to_string());
        here.send_text(format!("to {n}")).await.unwrap();
        there.send_text(format!("from {n}")).await.unwrap();
    }
    for (n, (_, _, here, there)) in pairs.iter().enumerate() {
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some(&*format!("to {n}")));
        assert_eq!(timeout(PATIENCE, here.recv()).await.unwrap().unwrap().as_text(), Some(&*format!("from {n}")));
    }
    // ICE restarts on one of them while the others go on: its new user name fragment is known to the endpoint.
    let (a, b, here, there) = &pairs[7];
    let offer = a.create_offer_with(OfferOptions::ICE_RESTART).unwrap();
    a.set_local_description(Some(offer)).unwrap();
    let answer = b.answer(&a.local_description().unwrap()).await.unwrap();
    a.set_remote_description(&answer).unwrap();
    here.send_text("restarted").await.unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("restarted"));
    drop(pairs);
    timeout(PATIENCE, async {
        while server.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Two endpoints have one path between each two addresses, and DTLS has nothing else to go by: the second connection must
/// not take the path of the first, and not disturb it.
#[tokio::test]
async fn a_second_connection_between_the_same_sockets_leaves_the_first_alone() {
    let config = Config::default().with_loopback(true);
    let (one, two) = (Endpoint::bind(&config).unwrap(), Endpoint::bind(&config).unwrap());
    let first = (one.peer_connection(Config::default()).unwrap(), two.peer_connection(Config::default()).unwrap());
    let (here, there) = join(&first.0, &first.1, "first").await;
    let second = (one.peer_connection(Config::default()).unwrap(), two.peer_connection(Config::default()).unwrap());
    let _channel = second.0.create_data_channel(DataChannelInit::new("second")).unwrap();
    let answer = second.1.answer(&second.0.offer().await.unwrap()).await.unwrap();
    second.0.set_remote_description(&answer).unwrap();
    for n in 0..50 {
        here.send_text(n.to_string()).await.unwrap();
        assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some(&*n.to_string()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // When the first is over its path is free for the next.
    first.0.close();
    timeout(PATIENCE, async { while there.recv().await.is_some() {} }).await.unwrap();
    drop((first, second, here, there));
    let third = (one.peer_connection(Config::default()).unwrap(), two.peer_connection(Config::default()).unwrap());
    join(&third.0, &third.1, "third").await;
}

#[tokio::test]
async fn a_channel_is_a_stream_and_a_sink() {
    let (_a, _b, mut here, mut there) = connect().await;
    let sender = tokio::spawn(async move {
        for n in 0..500_u32 {
            here.feed(Message { kind: MessageKind::Binary, data: vec![n as u8; 10_000].into() }).await.unwrap();
        }
        here.flush().await.unwrap();
        assert_eq!(here.buffered_amount(), 0);
        SinkExt::close(&mut here).await.unwrap();
    });
    let mut count = 0_u32;
    while let Some(message) = timeout(PATIENCE, there.next()).await.unwrap() {
        assert!(message.data.len() == 10_000 && message.data[0] == count as u8);
        count += 1;
    }
    assert_eq!(count, 500);
    timeout(PATIENCE, sender).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_channel_is_a_stream_of_bytes() {
    let (_a, _b, here, there) = connect().await;
    let (mut here, mut there) = (here.into_byte_stream(), there.into_byte_stream());
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    let sent = bytes.clone();
    let sender = tokio::spawn(async move {
        here.write_all(&sent).await.unwrap();
        here.flush().await.unwrap();
        here.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    timeout(PATIENCE, there.read_to_end(&mut received)).await.unwrap().unwrap();
    assert!(received == bytes, "{} of {} bytes", received.len(), bytes.len());
    timeout(PATIENCE, sender).await.unwrap().unwrap();
}

//= rfc8841#6.1
//# An SCTP endpoint MUST NOT send a SCTP user message with a message size that is larger than the maximum size indicated by the peer, as it cannot be assumed that the peer would accept such a message.
#[tokio::test]
async fn a_stream_of_bytes_is_cut_to_what_the_peer_takes() {
    for early in [false, true] {
        let (a, b) = (peer(), peer());
        let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
        let mut here = here.into_byte_stream();
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n / 7) as u8).collect();
        let sent = bytes.clone();
        let sender = async move {
            here.write_all(&sent).await.unwrap();
            here.shutdown().await.unwrap();
        };
        let offer = a.offer().await.unwrap();
        let mut sender = Box::pin(sender);
        if early {
            // What the peer takes is not known yet.
            assert!(sender.as_mut().now_or_never().is_none());
        }
        let mut answer = b.answer(&offer).await.unwrap();
        let line = answer.sdp.lines().find(|line| line.starts_with("a=max-message-size:")).unwrap().to_owned();
        answer.sdp = answer.sdp.replace(&line, "a=max-message-size:1000");
        a.set_remote_description(&answer).unwrap();
        let sender = tokio::spawn(sender);
        let there = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
        let mut received = Vec::new();
        while let Some(message) = timeout(PATIENCE, there.recv()).await.unwrap() {
            assert!(message.data.len() <= 1000, "{} bytes", message.data.len());
            received.extend(message.data);
        }
        assert!(received == bytes, "{} of {} bytes", received.len(), bytes.len());
        timeout(PATIENCE, sender).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn finish_loses_nothing() {
    let (a, b, here, there) = connect().await;
    let second = a.create_data_channel(DataChannelInit::new("second")).unwrap();
    let other = timeout(PATIENCE, b.accept()).await.unwrap().unwrap();
    for n in 0..20_u8 {
        here.send(vec![n; 40_000]).await.unwrap();
        second.send(vec![n; 10]).await.unwrap();
    }
    let reader = tokio::spawn(async move {
        let mut bytes = 0;
        for channel in [there, other] {
            while let Some(message) = channel.recv().await {
                bytes += message.data.len();
            }
        }
        (bytes, b)
    });
    timeout(PATIENCE, a.finish()).await.unwrap().unwrap();
    let (bytes, _b) = timeout(PATIENCE, reader).await.unwrap().unwrap();
    assert_eq!(bytes, 20 * 40_010);
    assert!(matches!(here.finish().await, Err(Error::Closed)) || here.finish().await.is_ok());
}

/// Whoever closes, by whatever call: what had arrived by then can be read.
#[tokio::test]
async fn closing_what_the_peer_has_closed_keeps_what_was_not_read() {
    for way in 0..4 {
        let (a, _b, mut here, there) = connect().await;
        for n in 0..3_u8 {
            there.send(vec![n; 1000]).await.unwrap();
        }
        let theirs = tokio::spawn(async move { there.finish().await });
        timeout(PATIENCE, here.closed()).await.unwrap();
        timeout(PATIENCE, theirs).await.unwrap().unwrap().unwrap();
        match way {
            0 => here.close(),
            1 => here.finish().await.unwrap(),
            2 => SinkExt::close(&mut here).await.unwrap(),
            _ => timeout(PATIENCE, a.finish()).await.unwrap().unwrap(),
        }
        for n in 0..3_u8 {
            assert_eq!(timeout(PATIENCE, here.recv()).await.unwrap().unwrap().data, vec![n; 1000], "way {way}");
        }
        assert!(timeout(PATIENCE, here.recv()).await.unwrap().is_none());
    }
}

/// A close that waits does not wake itself.
#[tokio::test]
async fn a_close_that_is_polled_again_wakes_nobody() {
    struct Wakes(AtomicUsize);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (_a, _b, mut here, _there) = connect().await;
    let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    // The other side lives in this thread: nothing arrives meanwhile.
    for _ in 0..5 {
        assert!(here.poll_close_unpin(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    timeout(PATIENCE, SinkExt::close(&mut here)).await.unwrap().unwrap();
}

#[tokio::test]
async fn finish_says_when_the_peer_is_gone() {
    let (_a, b, here, _there) = connect().await;
    b.close();
    assert!(matches!(timeout(PATIENCE, here.finish()).await.unwrap(), Err(Error::Closed)));
}

/// A wait that is given up leaves no waker behind, and may be taken up again.
#[tokio::test]
async fn waits_can_be_given_up() {
    let (a, _b, here, there) = connect().await;
    for _ in 0..50 {
        let short = Duration::from_millis(1);
        assert!(timeout(short, here.recv()).await.is_err());
        assert!(timeout(short, a.accept()).await.is_err());
        assert!(timeout(short, here.closed()).await.is_err());
    }
    while a.next_event().now_or_never().flatten().is_some() {}
    assert_eq!(a.waiting_tasks(), 0);
    there.send_text("late").await.unwrap();
    assert_eq!(timeout(PATIENCE, here.recv()).await.unwrap().unwrap().as_text(), Some("late"));
}

/// Two tasks wait for different amounts: each is woken by its own.
#[tokio::test]
async fn buffered_amounts_are_waited_for_one_by_one() {
    let (_a, _b, here, there) = connect().await;
    let here = std::sync::Arc::new(here);
    for _ in 0..20 {
        here.send(vec![0; 50_000]).await.unwrap();
    }
    let wait = |bytes: usize| {
        let here = std::sync::Arc::clone(&here);
        tokio::spawn(async move {
            here.buffered_amount_low(bytes).await;
            assert!(here.buffered_amount() <= bytes);
        })
    };
    let waits = [wait(0), wait(400_000), wait(100_000)];
    let reader = tokio::spawn(async move { while there.recv().await.is_some() {} });
    for wait in waits {
        timeout(PATIENCE, wait).await.unwrap().unwrap();
    }
    reader.abort();
}

#[tokio::test]
async fn delivers_sends_in_pieces_and_aborts() {
    let (_a, _b, here, there) = connect().await;
    here.deliver(MessageKind::Text, "all of it").await.unwrap();
    assert_eq!(timeout(PATIENCE, there.recv()).await.unwrap().unwrap().as_text(), Some("all of it"));
    here.set_priority(512);
    there.set_piecewise(true);
    here.begin_message(MessageKind::Binary).unwrap();
    let sender = tokio::spawn(async move {
        for n in 0..20_u8 {
            here.send_piece(vec![n; 10_000], n == 19).await.unwrap();
        }
        here
    });
    let (mut len, mut last) = (0, false);
    while !last {
        let piece = timeout(PATIENCE, there.recv_piece()).await.unwrap().unwrap();
        len += piece.data.len();
        last = piece.part == weft_rtc::Part::Last;
    }
    assert_eq!(len, 200_000);
    let here = timeout(PATIENCE, sender).await.unwrap().unwrap();
    here.abort();
    timeout(PATIENCE, here.closed()).await.unwrap();
    assert!(matches!(here.deliver(MessageKind::Text, "x").await, Err(Error::Closed)));
}

/// The timer of an endpoint may ring for a connection that is gone. Those that come later have their timers all the same.
#[tokio::test]
async fn timers_run_when_an_endpoint_was_empty_for_a_while() {
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = format!("stun:{}", server.local_addr().unwrap()).parse().unwrap();
    let config = Config::default().with_loopback(true).with_ice_server(IceServer::stun(url));
    let endpoint = Endpoint::bind(&config).unwrap();
    for _ in 0..2 {
        let pc = endpoint.peer_connection(config.clone()).unwrap();
        let kept = pc.create_data_channel(DataChannelInit::new("x")).unwrap();
        // The server says nothing, and is asked again after 500 ms and 1 s, long before gathering is given up.
        let asked = async {
            let mut buffer = [0; 1500];
            for request in 1..=3 {
                let datagram = timeout(PATIENCE, server.recv_from(&mut buffer)).await;
                datagram.unwrap_or_else(|_| panic!("no request {request}")).unwrap();
            }
        };
        let offered = matches!(select(Box::pin(pc.offer()), Box::pin(asked)).await, Either::Left(_));
        assert!(!offered, "an offer without what the server would say");
        drop((kept, pc));
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(endpoint.connections(), 0);
    }
}
