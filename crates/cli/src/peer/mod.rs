//! `weft peer`: one peer connection driven by JSON lines. The contract is `docs/peer-protocol.md`.

mod certificate;
mod channels;
mod command;
mod configure;
pub(crate) mod fill;
mod input;
mod negotiation;
mod output;
mod refusal;
mod report;
mod session;
mod state;
mod stats;
mod traffic;

pub(crate) use channels::hex;

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::Receiver;
use tokio::time::Sleep;
use weft_core::Instant;
use weft_net::Clock;

use input::Line;
use output::Output;
use session::Session;

/// Commands and features in `ready.supports`: what a script may rely on today.
const SUPPORTS: &[&str] = &[
    "configure",
    "channel",
    "offer",
    "answer",
    "remote",
    "local",
    "restart_ice",
    "candidate",
    "send",
    "stream",
    "receive",
    "threshold",
    "finish",
    "close_channel",
    "certificate",
    "stats",
    "close",
    "quit",
    "trickle",
    "manual",
    "loopback",
    "interfaces",
    "port",
    "certificate_pem",
    "max_message_size",
    "dtls",
    "groups",
    "dtls-1.2",
    "dtls-1.3",
    "buffered",
    "w3c-stats",
    "rollback",
    "pranswer",
    "ice_restart",
    "interleaving",
    "controller",
    "ice_servers",
    "transport_policy",
    "snap",
    "ice_error",
    "mdns",
];

/// How often timers run while a socket takes nothing: what is due, and cannot leave, is due again at once.
const BLOCKED_TICK: Duration = Duration::from_millis(50);

/// How often connections that end are looked at.
const LINGER_TICK: Duration = Duration::from_millis(2);

/// What ended a wait.
enum Wake {
    /// A line of input, or its end.
    Line(Option<Line>),
    /// A socket has something to read.
    Readable(usize),
    /// A timer is due, a socket takes datagrams again, or standard output has room.
    Ready,
}

/// Runs until end of input or `quit`.
pub(crate) fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start_ms = monotonic_ms();
        let clock = Clock::new();
        let out = Output::new(clock);
        out.event(
            "ready",
            &json!({
                "stack": "weft",
                "version": env!("CARGO_PKG_VERSION"),
                "supports": SUPPORTS,
                "start_ms": start_ms,
            }),
        );
        let mut session = Session::new(clock, out);
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        Driver { lines: input::lines(), sleep, due: None, was_line: false }.drive(&mut session).await;
        session.end();
        while session.lingers() {
            tokio::time::sleep(LINGER_TICK).await;
        }
    });
    Ok(())
}

/// Waits, and hands the session what it waited for.
struct Driver {
    lines: Receiver<Line>,
    sleep: Pin<Box<Sleep>>,
    /// When the session wants its next turn. It stands for the whole wait: sockets that are looked at from time to time want it
    /// so long after now, whenever they are asked.
    due: Option<Instant>,
    /// The last wait ended with a line: the network gets its turn.
    was_line: bool,
}

impl Driver {
    async fn drive(mut self, session: &mut Session) {
        loop {
            session.turn();
            if session.is_over() {
                return;
            }
            self.due = session.poll_timeout();
            let wake = poll_fn(|cx| self.poll(session, cx)).await;
            self.was_line = matches!(wake, Wake::Line(_));
            match wake {
                Wake::Line(Some(line)) => session.line(&line),
                Wake::Line(None) => return,
                Wake::Readable(index) => session.socket_readable(index),
                Wake::Ready => {}
            }
            session.timeout();
        }
    }

    fn poll(&mut self, session: &Session, cx: &mut Context<'_>) -> Poll<Wake> {
        if !self.was_line
            && let Poll::Ready(line) = self.poll_line(session, cx)
        {
            return Poll::Ready(Wake::Line(line));
        }
        if let Some(link) = &session.link {
            for (index, socket) in link.sockets.sockets().iter().enumerate() {
                // A socket that is broken says so when it is read.
                if socket.poll_recv_ready(cx).is_ready() {
                    return Poll::Ready(Wake::Readable(index));
                }
            }
            let blocked = link.blocked.and_then(|index| link.sockets.sockets().get(index));
            if blocked.is_some_and(|socket| socket.poll_send_ready(cx).is_ready()) {
                return Poll::Ready(Wake::Ready);
            }
            match self.due.map(|due| session.clock.until(due)) {
                // A timer set to now rings a moment later, by when it would have been set anew.
                Some(Duration::ZERO) if blocked.is_none() => return Poll::Ready(Wake::Ready),
                Some(mut wait) => {
                    if blocked.is_some() {
                        wait = wait.max(BLOCKED_TICK);
                    }
                    self.sleep.as_mut().reset(tokio::time::Instant::now() + wait);
                    if self.sleep.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Wake::Ready);
                    }
                }
                None => {}
            }
        }
        session.out.register(cx);
        if session.can_report() || session.out.is_broken() {
            return Poll::Ready(Wake::Ready);
        }
        self.poll_line(session, cx).map(Wake::Line)
    }

    fn poll_line(&mut self, session: &Session, cx: &mut Context<'_>) -> Poll<Option<Line>> {
        if session.takes_commands() { self.lines.poll_recv(cx) } else { Poll::Pending }
    }
}

/// The machine's monotonic clock, in milliseconds.
#[cfg(unix)]
fn monotonic_ms() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// The machine's clock since 1970, in milliseconds: standard Rust tells no monotonic time that processes share here.
#[cfg(not(unix))]
fn monotonic_ms() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64() * 1e3)
}
