//! Server-reflexive candidates: a Binding request to a STUN server, repeated to keep the binding (RFC 8445 sections
//! 5.1.1.2 and 5.1.1.4).

use core::net::SocketAddr;

use weft_core::{Frame, Instant};
use weft_stun::{
    AlternateServer, Class, ErrorCode, Message, MessageBuilder, Method, Step, Timing, Transaction, TransactionId,
    XorMappedAddress,
};

use super::{Job, JobState, MAX_REDIRECTS, Stay};
use crate::agent::Agent;
use crate::candidate::{LocalCandidate, check_address};
use crate::event::GatheringError;

/// A request under way.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) transaction: Transaction,
    give_up: Instant,
    /// What the server saw the last time.
    pub(crate) known: Option<SocketAddr>,
}

/// What a server saw.
#[derive(Debug)]
pub(crate) struct Reflexive {
    pub(crate) mapped: SocketAddr,
    /// When the binding is refreshed.
    pub(crate) refresh: Instant,
}

impl Asking {
    pub(super) fn new(
        now: Instant,
        id: TransactionId,
        timing: Timing,
        give_up: Instant,
        known: Option<SocketAddr>,
    ) -> Self {
        Self { transaction: Transaction::new(now, id, timing), give_up, known }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.transaction.deadline().min(self.give_up)
    }

    pub(super) fn has_failed(&self, now: Instant) -> bool {
        self.give_up <= now || self.transaction.step(now) == Step::TimedOut
    }

    /// Writes the request.
    pub(super) fn send(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        self.transaction.on_sent(now);
        let id = self.transaction.id();
        let written = MessageBuilder::new(frame, Class::Request, Method::BINDING, id)
            .and_then(|mut message| message.fingerprint())
            .is_ok();
        if !written {
            frame.truncate(0);
        }
        written
    }
}

impl Agent {
    /// The answer to the request of a job.
    pub(super) fn on_reflexive(&mut self, now: Instant, index: usize, message: &Message<'_>) {
        let refresh = now + self.config.keepalive;
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        let (server, path) = (job.server, job.path);
        let understood = message.unknown_required().next().is_none();
        let mapped = message.get::<XorMappedAddress>().ok().flatten().filter(|_| understood);
        match (message.class(), mapped) {
            (Class::Success, Some(XorMappedAddress(mapped))) if check_address(mapped).is_ok() => {
                let new = !matches!(&job.state, JobState::Asking(asking) if asking.known == Some(mapped));
                job.state = JobState::Reflexive(Reflexive { mapped, refresh });
                if new && mapped.is_ipv4() == path.local.is_ipv4() {
                    let candidate = LocalCandidate::server_reflexive(mapped, path.local, path.remote.ip());
                    self.gathered(candidate, path.local, u16::MAX);
                }
            }
            (Class::Error, _) => self.on_refused(index, message),
            _ => {
                job.state = JobState::Failed;
                self.gathering_failed(server, Some(path), GatheringError::UNREACHABLE, "no address in the answer");
            }
        }
    }

    /// An error response: another server, or none.
    fn on_refused(&mut self, index: usize, message: &Message<'_>) {
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        let code = message.get::<ErrorCode<'_>>().ok().flatten();
        let (code, reason) = code.map_or((0, ""), |code| (code.code, code.reason));
        let alternate = message.get::<AlternateServer>().ok().flatten().map(|AlternateServer(address)| address);
        let (server, path, redirects) = (job.server, job.path, job.redirects + 1);
        job.state = JobState::Failed;
        // RFC 8489 section 10: the same family, and not back to a server that was asked before.
        let usable = alternate.filter(|to| {
            code == ErrorCode::TRY_ALTERNATE.code
                && redirects <= MAX_REDIRECTS
                && to.is_ipv4() == path.remote.is_ipv4()
                && check_address(*to).is_ok()
        });
        let next = usable.map(|remote| weft_core::Path { remote, ..path });
        match next.filter(|next| !self.gatherer.jobs.iter().any(|job| job.server == server && job.path == *next)) {
            Some(path) if self.gatherer.jobs.len() < self.config.max_servers * self.config.max_local_candidates => {
                self.gatherer.jobs.push(Job {
                    server,
                    path,
                    turn: false,
                    redirects,
                    state: JobState::Waiting,
                    stay: Stay::Stays,
                });
            }
            _ => self.gathering_failed(server, Some(path), code, reason),
        }
    }
}
