//! Executors that do at once what they are woken for.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use weft_rtc::{Config, DataChannelInit, Endpoint, PeerConnection};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that is polled by whoever wakes it, within the call.
struct Eager {
    task: Mutex<Option<Task>>,
    /// Woken, and not polled since.
    woken: AtomicBool,
}

impl Eager {
    fn run(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        while self.woken.load(Ordering::SeqCst) {
            // Woken from within its own turn, it has its next after that.
            let Ok(mut slot) = self.task.try_lock() else { return };
            self.woken.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(self));
            if let Some(task) = &mut *slot
                && task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(())
            {
                *slot = None;
            }
        }
    }
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    Arc::new(Eager { task: Mutex::new(Some(Box::pin(task))), woken: AtomicBool::new(false) }).run();
}

/// No lock is held while a task is woken: it may look at what it was woken by at once.
#[test]
fn a_task_may_run_from_within_its_wake_up() {
    let (sender, done) = channel();
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = Config::default().with_loopback(true);
            let endpoint = Endpoint::bind(&config).unwrap();
            let (a, b) = (endpoint.peer_connection(config.clone()).unwrap(), PeerConnection::new(config).unwrap());
            let here = a.create_data_channel(DataChannelInit::new("x")).unwrap();
            for peer in [&a, &b] {
                let (peer, endpoint) = (peer.clone(), endpoint.clone());
                spawn(async move {
                    while peer.next_event().await.is_some() {
                        peer.stats();
                        endpoint.connections();
                    }
                });
            }
            let accepting = b.clone();
            spawn(async move {
                let there = accepting.accept().await.unwrap();
                while let Some(message) = there.recv().await {
                    there.send(message.data).await.unwrap();
                }
            });
            let answer = b.answer(&a.offer().await.unwrap()).await.unwrap();
            a.set_remote_description(&answer).unwrap();
            for n in 0..100_u8 {
                here.send(vec![n; 100]).await.unwrap();
                assert_eq!(here.recv().await.unwrap().data[0], n);
            }
            a.close();
            here.closed().await;
        });
        sender.send(()).unwrap();
    };
    let thread = std::thread::Builder::new().spawn(body).unwrap();
    assert!(done.recv_timeout(Duration::from_secs(20)).is_ok(), "it hangs, or failed: {thread:?}");
}
