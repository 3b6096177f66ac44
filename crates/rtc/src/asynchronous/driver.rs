//! The task that moves datagrams.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Sleep;
use weft_core::Instant;

use super::{Shared, State};
use crate::io::{Progress, Sockets};

/// Turns of read-and-answer before other tasks get the thread.
const TURNS: usize = 16;

/// Runs a connection until it is closed and its farewell is sent.
pub(super) struct Driver {
    shared: Arc<Shared>,
    sockets: Sockets<weft_net::AsyncUdpSocket>,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to.
    alarm: Option<Instant>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, sockets: Sockets<weft_net::AsyncUdpSocket>) -> Self {
        let sleep = Box::pin(tokio::time::sleep(std::time::Duration::ZERO));
        Self { shared, sockets, sleep, alarm: None }
    }

    /// One round over everything; whether there was more than one round's worth.
    fn turn(&mut self, state: &mut State, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut now = self.shared.clock.now();
        let mut more = false;
        if !state.core.is_closed() {
            for index in 0..self.sockets.sockets().len() {
                while self.readable(index, cx)? {
                    let progress = self.sockets.receive(now, index, &mut state.core)?;
                    more = true;
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
                Poll::Pending => break,
            }
        }
        state.dispatch();
        Ok(more)
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
            let more = self.turn(&mut state, cx)?;
            if state.core.is_closed() {
                return Poll::Ready(Ok(()));
            }
            let deadline = state.core.poll_timeout();
            if self.poll_alarm(deadline, cx).is_pending() && !more {
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
        let result = ready!(self.run(cx));
        let mut state = self.shared.lock();
        if let Err(error) = result {
            tracing::warn!(%error, "sockets failed");
            state.io_error = Some(error.kind());
        }
        state.ended = true;
        state.wake_all();
        Poll::Ready(())
    }
}
