//! The task of an endpoint: it moves datagrams.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use weft_core::{Instant, Limits, Path, Run, Transport};
use weft_net::{AsyncStreamListener, AsyncStreamSocket, AsyncUdpSocket};

use super::Shared;
use super::bell::Bell;
use super::busy_poll::BusyPoll;
use super::connections::Connections;
use super::direct::Unsent;
use super::endpoint::Hub;
use super::follow::Follow;
use super::guard::Guard;
use super::linger::Lingering;
use super::listen::Listeners;
use super::outlet::{Outlet, while_held_up};
use crate::io::{Names, Outgoing, READS_A_TURN, Reach, Streams, with_received};
use crate::sans_io::PeerConnection;

/// Rounds over sockets and ready connections before other tasks get the thread.
const ROUNDS: usize = 16;

/// Batches of one connection before the next has its turn.
const BATCHES_A_TURN: usize = 4;

/// How long the farewells of closed connections may wait for a busy socket when nothing else is left.
const FAREWELL: Duration = Duration::from_secs(1);

/// Takes the lock of a connection for each act.
struct Locked<'a>(&'a Shared);

impl Reach for Locked<'_> {
    fn with<T>(&mut self, act: impl FnOnce(&mut PeerConnection) -> T) -> T {
        act(&mut self.0.lock().core)
    }
}

/// Does what a connection asks for: without its lock, as this calls the system.
fn serve<'s>(
    streams: &mut HashMap<u64, Streams<AsyncStreamSocket>>,
    names: &mut Names,
    now: Instant,
    shared: &'s Shared,
    state: Guard<'s>,
) -> Guard<'s> {
    if !state.core.has_requests() && !streams.contains_key(&shared.key) {
        return state;
    }
    drop(state);
    streams.entry(shared.key).or_default().turn(now, &mut Locked(shared), names, shared.key);
    shared.lock()
}

/// Runs an endpoint until its last handle and its last connection are gone.
pub(super) struct Driver {
    pub(super) hub: Arc<Hub>,
    pub(super) outlets: Vec<Outlet>,
    pub(super) connections: Connections,
    /// TCP and TLS connections of those that have some.
    pub(super) streams: HashMap<u64, Streams<AsyncStreamSocket>>,
    pub(super) lingering: Lingering,
    pub(super) listeners: Listeners,
    pub(super) names: Names,
    pub(super) follow: Follow,
    /// Rung by `names`, `follow` and `sleep`.
    pub(super) bell: Bell,
    busy_poll: BusyPoll,
    /// The endpoint had handles when the inbox was looked at last.
    pub(super) wanted: bool,
    batch: Outgoing,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to.
    alarm: Option<Instant>,
    /// Until when farewells may wait for their socket.
    farewell: Option<Instant>,
}

impl Driver {
    pub(super) fn new(
        hub: Arc<Hub>,
        sockets: Vec<AsyncUdpSocket>,
        listeners: Vec<AsyncStreamListener>,
        names: Names,
        follow: Follow,
    ) -> Self {
        Self {
            busy_poll: BusyPoll::new(hub.busy_poll),
            hub,
            outlets: sockets.into_iter().map(Outlet::new).collect(),
            connections: Connections::default(),
            streams: HashMap::new(),
            lingering: Lingering::default(),
            listeners: Listeners::new(listeners),
            names,
            follow,
            bell: Bell::default(),
            wanted: true,
            batch: Outgoing::default(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            alarm: None,
            farewell: None,
        }
    }

    /// Takes over what the handles left.
    fn take_inbox(&mut self, cx: &Context<'_>) {
        let (new, ready, unsent) = {
            let mut inbox = self.hub.inbox();
            inbox.register(cx);
            let (new, unsent) = (std::mem::take(&mut inbox.new), std::mem::take(&mut inbox.unsent));
            self.wanted = inbox.handles > 0;
            (new, std::mem::take(&mut inbox.ready), unsent)
        };
        if new.is_empty() && ready.is_empty() && unsent.is_empty() {
            return;
        }
        let now = self.hub.clock.now();
        for shared in new {
            let key = shared.key;
            self.connections.insert(now, shared);
            self.catch_up(key);
        }
        for Unsent { key, run, bytes } in unsent {
            self.hub.owed.fetch_sub(bytes.len(), Ordering::Relaxed);
            self.send_run(key, &run, &bytes, false);
        }
        for key in ready {
            // An answer that restarts ICE may be on its way to the peer: its checks must find us.
            self.connections.take_ufrag(now, key);
            self.connections.push_ready(key);
        }
    }

    /// Reads what has arrived, a few calls for each socket. Gives the time, and whether there may be more.
    fn receive(&mut self, cx: &mut Context<'_>) -> (Instant, bool) {
        with_received(|received| {
            let (mut now, mut more) = (self.hub.clock.now(), false);
            for (at, outlet) in self.outlets.iter_mut().enumerate().filter(|(_, outlet)| !outlet.broken) {
                let mut reads = 0;
                loop {
                    // Where nothing is ready, it asks no system.
                    let mut outcome = outlet.socket.try_recv(received);
                    if reads == 0
                        && self.busy_poll.asks(now, at)
                        && outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
                    {
                        outcome = outlet.socket.recv_now(received);
                    }
                    match outcome {
                        Ok(mut left) => {
                            self.busy_poll.heard(now, at);
                            if reads > 0 {
                                now = self.hub.clock.now();
                            }
                            let filled = received.was_filled();
                            while let Some(datagram) = received.next_datagram() {
                                left = left.saturating_sub(1);
                                self.connections.deliver(now, datagram, left == 0 && self.streams.is_empty());
                            }
                            reads += 1;
                            if reads == READS_A_TURN {
                                more = true;
                                break;
                            }
                            if filled {
                                continue;
                            }
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => {
                            outlet.fail(&error);
                            break;
                        }
                    }
                    match outlet.socket.poll_recv_ready(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => {
                            outlet.fail(&error);
                            break;
                        }
                        Poll::Pending => break,
                    }
                }
            }
            (now, more)
        })
    }

    /// Looks at the connections over TCP and TLS.
    fn watch_streams(&mut self, cx: &mut Context<'_>) {
        for (key, streams) in &self.streams {
            if streams.poll_ready(cx) {
                self.connections.push_ready(*key);
            }
        }
    }

    /// Hands on what was found out about names.
    fn resolve(&mut self, now: Instant) {
        // Sockets may be others after a turn, and are waited for from then on.
        for _ in 0..ROUNDS {
            if !self.names.poll_ready(&mut Context::from_waker(self.bell.waker()))
                && self.names.poll_timeout().is_none_or(|at| at > now)
            {
                return;
            }
            self.names.turn(now);
            while let Some(answer) = self.names.poll_answer() {
                self.connections.act(answer.key, |core| answer.give(now, core));
            }
        }
        self.bell.ring();
    }

    /// One turn of one connection.
    fn turn(&mut self, mut now: Instant, key: u64, cx: &mut Context<'_>) {
        let Some(shared) = self.connections.get(key).cloned() else {
            self.streams.remove(&key);
            self.names.forget(key);
            return;
        };
        shared.queued.store(false, Ordering::Release);
        let _entered = shared.span.enter();
        let limits = self.limits();
        let mut blocked = false;
        for batch in 1..=BATCHES_A_TURN {
            let mut state = shared.lock();
            if state.core.poll_timeout().is_some_and(|at| at <= now) {
                state.core.handle_timeout(now);
            }
            state = serve(&mut self.streams, &mut self.names, now, &shared, state);
            if !state.core.is_closed() && self.is_held_up(key) {
                state.dispatch();
                let deadline = while_held_up(now, state.core.poll_timeout());
                drop(state);
                self.connections.set_alarm(key, deadline);
                break;
            }
            let out = self.batch.batch();
            out.set_limits(limits);
            state.core.poll_transmit(now, out);
            // Checks may ask for connections, and what nobody reads may leave room that the peer waits for.
            let more = self.batch.is_long() | state.core.has_requests() | state.dispatch();
            // Read before the lock is let go: who closes after that has not had the farewell in this batch.
            let (closed, deadline) = (state.core.is_closed(), state.core.poll_timeout());
            drop(state);
            let leaving = if closed { self.streams.get_mut(&key) } else { None };
            if let Some(streams) = leaving {
                streams.discard();
            }
            blocked |= self.send(key, closed);
            if closed {
                // The farewell has left, or waits for its socket.
                if let Some(streams) = self.streams.remove(&key) {
                    self.lingering.add(now, &self.hub, streams);
                }
                self.connections.remove(key);
                self.names.forget(key);
                return;
            }
            if !more || blocked || batch == BATCHES_A_TURN {
                self.connections.set_alarm(key, deadline);
                if more && !blocked {
                    shared.notify();
                }
                break;
            }
            now = self.hub.clock.now();
        }
        // New connections are waited for from now on.
        match self.streams.get(&key) {
            Some(streams) if !streams.is_busy() => {
                self.streams.remove(&key);
            }
            Some(streams) => {
                self.connections.set_alarm(key, streams.poll_timeout());
                if streams.poll_ready(cx) {
                    shared.notify();
                }
            }
            None => {}
        }
        self.connections.take_ufrag(now, key);
    }

    /// Sends the batch. Whether a socket did not take all of it.
    fn send(&mut self, key: u64, is_farewell: bool) -> bool {
        let mut blocked = false;
        let mut batch = std::mem::take(&mut self.batch);
        while let Some((run, bytes)) = batch.batch().front() {
            blocked |= self.send_run(key, run, bytes, is_farewell);
            batch.batch().sent();
        }
        batch.give_back();
        blocked
    }

    /// Sends a run. Whether the socket does not take it: the connection is held up then.
    fn send_run(&mut self, key: u64, run: &Run<Path>, bytes: &[u8], is_farewell: bool) -> bool {
        // A batch begins with what ICE sends.
        let is_data = !matches!(bytes.first(), Some(0..=3));
        if !is_data {
            self.connections.note_sent(key, run.segment_size, bytes);
        }
        if run.route.transport != Transport::Udp {
            if is_data {
                self.connections.set_outlet(key, None);
            }
            if let Some(streams) = self.streams.get_mut(&key) {
                streams.send(run, bytes);
            }
            return false;
        }
        let from = run.route.local;
        let Some(at) = self.outlets.iter().position(|outlet| outlet.socket.local_addr() == from) else {
            return false;
        };
        let Some(outlet) = self.outlets.get_mut(at) else { return false };
        if is_data {
            self.connections.set_outlet(key, Some(&outlet.socket));
        }
        let blocked = outlet.send(&self.hub, run, bytes, is_farewell);
        if blocked {
            self.hold_up(key, at);
        }
        blocked
    }

    /// What all sockets take: one may find out late that the system refuses segmentation offload.
    fn limits(&self) -> Limits {
        let limits = self.outlets.iter().map(|outlet| outlet.socket.limits());
        limits.min_by_key(|limits| limits.max_segments).unwrap_or(Limits::SINGLE)
    }

    /// When what is asked by the bell wants to be asked in any case.
    fn side_deadline(&self) -> Option<Instant> {
        Instant::earliest([self.names.poll_timeout(), self.follow.poll_timeout()])
    }

    /// Waits for the next alarm. Ready when it has passed already. `rung`: the bell has rung, which the timer may have done.
    fn poll_alarm(&mut self, rung: bool) -> Poll<()> {
        // Once it has passed, streams that linger are waited for alone.
        let farewell = self.farewell.filter(|_| self.lingering.is_empty());
        let ends = Instant::earliest([self.listeners.poll_timeout(), self.lingering.poll_timeout(), farewell]);
        let alarms = [self.connections.next_alarm(), self.side_deadline(), ends];
        let Some(deadline) = Instant::earliest(alarms) else {
            // It may have rung for what is gone: the next deadline sets it anew.
            self.alarm = None;
            return Poll::Pending;
        };
        let mut ask = rung;
        if self.alarm.is_none_or(|at| deadline < at) {
            ask = true;
            self.alarm = Some(deadline);
            let wait = self.hub.clock.until(deadline);
            if wait.is_zero() {
                self.alarm = None;
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(tokio::time::Instant::now() + wait);
        }
        if !ask {
            return Poll::Pending;
        }
        let passed = self.sleep.as_mut().poll(&mut Context::from_waker(self.bell.waker()));
        if passed.is_ready() {
            self.alarm = None;
        }
        passed
    }

    /// Whether nothing is left to be done, ever.
    fn is_done(&mut self) -> bool {
        if !self.connections.is_empty() || !self.hub.inbox().new.is_empty() {
            return false;
        }
        let now = self.hub.clock.now();
        let until = *self.farewell.get_or_insert(now + FAREWELL);
        (self.is_flushed() || until <= now) && self.lingering.is_empty()
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        for _ in 0..ROUNDS {
            // Rung, too, if the task has another waker, which the inbox does not know either.
            let rung = driver.bell.take(cx.waker());
            let stirred = driver.hub.take_stirred();
            if stirred || rung {
                driver.take_inbox(cx);
            }
            driver.flush(cx);
            let (mut now, mut more) = driver.receive(cx);
            if stirred {
                driver.busy_poll.extend(now);
            }
            driver.watch_streams(cx);
            driver.accept(now, cx);
            if rung || driver.names.has_work() || driver.side_deadline().is_some_and(|at| at <= now) {
                driver.resolve(now);
                driver.follow(now);
            }
            driver.connections.ring(now);
            for turn in 0..driver.connections.ready_len() {
                let Some(key) = driver.connections.pop_ready() else { break };
                if turn > 0 {
                    now = driver.hub.clock.now();
                }
                driver.turn(now, key, cx);
            }
            more |= driver.linger(cx);
            if !driver.wanted && driver.is_done() {
                return Poll::Ready(());
            }
            // What blocked asks to be woken, and may be free already.
            if !driver.is_flushed() {
                driver.flush(cx);
            }
            more |= driver.connections.ready_len() > 0 || driver.names.has_work() || driver.hub.is_stirred();
            if driver.poll_alarm(rung).is_pending() && !more {
                if driver.busy_poll.is_awake(now) {
                    BusyPoll::yield_to_others(cx);
                }
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// However the task ends (done, cancelled with its runtime, by a panic), nobody waits for it in vain.
    fn drop(&mut self) {
        let new = {
            let mut inbox = self.hub.inbox();
            inbox.ended = true;
            std::mem::take(&mut inbox.new)
        };
        for shared in new {
            self.connections.insert(self.hub.clock.now(), shared);
        }
        self.connections.end();
    }
}
