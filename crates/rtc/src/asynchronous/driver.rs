//! The task that moves datagrams.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;
use weft_core::Instant;

use super::{Shared, State};
use crate::io::{Progress, Sockets};

/// Turns of read-and-answer before other tasks get the thread.
const TURNS: usize = 16;

/// How long the farewell of a closed connection may wait for a busy socket.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long deadlines wait while a socket is busy.
const BLOCKED_PAUSE: Duration = Duration::from_millis(10);

/// Runs a connection until it is closed and its farewell is sent.
pub(super) struct Driver {
    shared: Arc<Shared>,
    sockets: Sockets<weft_net::AsyncUdpSocket>,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to.
    alarm: Option<Instant>,
    /// Until when the farewell of a closed connection may wait for its socket.
    farewell: Option<Instant>,
}

/// What a round came to.
#[derive(Clone, Copy, Default)]
struct Turn {
    /// There may be more to do at once.
    more: bool,
    /// A socket takes no more datagrams for now.
    blocked: bool,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, sockets: Sockets<weft_net::AsyncUdpSocket>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { shared, sockets, sleep, alarm: None, farewell: None }
    }

    /// One round over everything.
    fn turn(&mut self, state: &mut State, cx: &mut Context<'_>) -> io::Result<Turn> {
        let mut now = self.shared.clock.now();
        let mut turn = Turn::default();
        if !state.core.is_closed() {
            for index in 0..self.sockets.sockets().len() {
                while self.readable(index, cx)? {
                    let progress = self.sockets.receive(now, index, &mut state.core)?;
                    turn.more = true;
                    if progress == Progress::More {
                        break;
                    }
                }
            }
            now = self.shared.clock.now();
            if state.core.poll_timeout().is_some_and(|at| at <= now) {
                state.core.handle_timeout(now);
            }
        }
        while let Progress::Blocked(index) = self.sockets.transmit(now, &mut state.core)? {
            let Some(socket) = self.sockets.sockets().get(index) else { break };
            match socket.poll_send_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    turn.blocked = true;
                    break;
                }
            }
        }
        state.dispatch();
        Ok(turn)
    }

    fn readable(&self, index: usize, cx: &mut Context<'_>) -> io::Result<bool> {
        match self.sockets.sockets().get(index).map(|socket| socket.poll_recv_ready(cx)) {
            Some(Poll::Ready(ready)) => ready.map(|()| true),
            Some(Poll::Pending) | None => Ok(false),
        }
    }

    /// Sets the alarm to the connection's next deadline. Ready when it has passed already.
    fn poll_alarm(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        // An alarm that rings early only costs a turn; moving it for every datagram would cost more.
        if self.alarm.is_none_or(|at| deadline < at) {
            self.alarm = Some(deadline);
            let wait = deadline.saturating_duration_since(self.shared.clock.now());
            self.sleep.as_mut().reset(tokio::time::Instant::now() + wait);
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.alarm = None;
        Poll::Ready(())
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        state.waiters.driver.register(cx);
        for _ in 0..TURNS {
            if state.core.is_closed() && self.farewell.is_none() {
                // What was queued is dropped; the farewell itself may wait a moment for a socket that is busy.
                self.sockets.discard();
                self.farewell = Some(self.shared.clock.now() + FAREWELL);
            }
            let turn = self.turn(&mut state, cx)?;
            let deadline = match self.farewell {
                Some(_) if !turn.blocked => return Poll::Ready(Ok(())),
                Some(until) if until <= self.shared.clock.now() => return Poll::Ready(Ok(())),
                Some(until) => Some(until),
                // A deadline that a blocked socket keeps in the past must not make this a busy loop.
                None if turn.blocked => {
                    state.core.poll_timeout().map(|at| at.max(self.shared.clock.now() + BLOCKED_PAUSE))
                }
                None => state.core.poll_timeout(),
            };
            if self.poll_alarm(deadline, cx).is_pending() && !turn.more {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Err(error) = ready!(self.run(cx)) {
            tracing::warn!(%error, "sockets failed");
        }
        Poll::Ready(())
    }
}

impl Drop for Driver {
    /// However the task ends (done, cancelled with its runtime, by a panic), nobody waits for it in vain.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.wake_all();
    }
}
