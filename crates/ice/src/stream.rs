//! TCP connections: RFC 6544. The driver opens them when asked to and frames what goes over them; here are their states.

use weft_core::{Instant, Path, Transport};

use crate::agent::Agent;
use crate::candidate::TcpType;
use crate::event::{CheckResult, Event};
use crate::pair::PairState;

/// What travels over a connection, and so how datagrams are told apart on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamKind {
    /// To a peer: datagrams framed with their length (RFC 4571 section 2; RFC 6544 section 7.1).
    Peer,
    /// To a TURN server: STUN messages and padded ChannelData, which tell their own length (RFC 8656 section 12.5).
    Turn,
    /// As [`Turn`](Self::Turn), inside TLS with this server name (RFC 7065 `turns`).
    TurnTls(Box<str>),
}

/// A connection that the agent has asked for or been told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) path: Path,
    pub(crate) open: bool,
}

/// Where a check over TCP stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    /// It may be sent now.
    Open,
    /// It waits for its connection, or for a permission.
    Opening,
    /// There can be no connection.
    Never,
}

impl Agent {
    /// The connection that [`Event::OpenStream`] asked for is open.
    pub fn stream_opened(&mut self, now: Instant, path: &Path) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.path == *path) else { return };
        stream.open = true;
        self.relay_stream_opened(now, path);
        let waiting = self.session.checklist.pairs.iter().find(|pair| pair.path == *path).map(|pair| pair.id);
        if let Some(id) = waiting {
            self.session.checklist.trigger(id);
        }
        self.settle(now);
    }

    /// A connection was not opened, or has ended, whoever asked for it.
    pub fn stream_closed(&mut self, now: Instant, path: &Path) {
        self.streams.retain(|stream| stream.path != *path);
        self.relay_stream_closed(now, path);
        self.session.validated.retain(|known| known != path);
        let pair = self.session.checklist.pairs.iter().find(|pair| pair.path == *path);
        if let Some((id, state)) = pair.map(|pair| (pair.id, pair.state))
            && state != PairState::Failed
        {
            self.fail(id, CheckResult::NotConnected);
        }
        self.settle(now);
    }

    /// Whether a check of `path` can be sent; asks for its connection if there is none.
    pub(crate) fn readiness(&mut self, now: Instant, path: &Path) -> Readiness {
        if path.transport != Transport::Tcp {
            // A permission comes first (RFC 8445 section 7.2.1).
            return if self.permit(now, path) { Readiness::Open } else { Readiness::Opening };
        }
        if let Some(stream) = self.streams.iter().find(|stream| stream.path == *path) {
            return if stream.open { Readiness::Open } else { Readiness::Opening };
        }
        // A passive candidate never connects: its connections are there before their pairs are.
        let active =
            self.locals.list.iter().any(|local| local.is_at(path) && local.candidate.tcp_type == Some(TcpType::Active));
        if !active || self.streams.len() >= self.config.max_pairs {
            return Readiness::Never;
        }
        self.open_stream(*path, StreamKind::Peer);
        Readiness::Opening
    }

    pub(crate) fn close_stream(&mut self, path: &Path) {
        let before = self.streams.len();
        self.streams.retain(|stream| stream.path != *path);
        if self.streams.len() < before {
            self.emit(Event::CloseStream(*path));
        }
    }

    pub(crate) fn open_stream(&mut self, path: Path, kind: StreamKind) {
        self.streams.push(Stream { path, open: false });
        self.emit(Event::OpenStream(path, kind));
    }

    /// Something came by a connection that was not known: the peer has opened it to a passive candidate. False if there are
    /// too many.
    pub(crate) fn note_accepted(&mut self, path: &Path) -> bool {
        if path.transport == Transport::Udp || self.streams.iter().any(|stream| stream.path == *path) {
            return true;
        }
        if self.streams.len() >= self.config.max_pairs {
            return false;
        }
        self.streams.push(Stream { path: *path, open: true });
        true
    }

    /// Closes connections that no pair needs any more: after a pair is nominated, all others (RFC 6544 section 8).
    pub(crate) fn close_unused_streams(&mut self) {
        if self.streams.is_empty() || !self.is_concluded() {
            return;
        }
        let mut closed = Vec::new();
        let (session, previous) = (&self.session, self.previous.as_ref().and_then(|previous| previous.in_use.as_ref()));
        let gatherer = &self.gatherer;
        self.streams.retain(|stream| {
            let needed = gatherer.uses_stream(&stream.path)
                || session
                    .checklist
                    .pairs
                    .iter()
                    .any(|pair| pair.path == stream.path && (pair.nominated || pair.is_open()))
                || previous.is_some_and(|in_use| in_use.info.path == stream.path);
            if !needed {
                closed.push(stream.path);
            }
            needed
        });
        for path in closed {
            self.session.validated.retain(|known| *known != path);
            let id = self.session.checklist.pairs.iter().find(|pair| pair.path == path).map(|pair| pair.id);
            if let Some(id) = id {
                self.session.checklist.remove(id);
            }
            self.emit(Event::CloseStream(path));
        }
    }
}
