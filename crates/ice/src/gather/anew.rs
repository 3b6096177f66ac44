//! Other servers and another policy: RFC 8829 section 4.1.18. They take effect when gathering begins anew, and what is of the
//! session there is stays with it until the restart.

use weft_core::{Instant, Transport};
use weft_stun::turn;

use super::relayed::is_of;
use super::{Job, JobState, Server, ServerError, ServerId, ServerKind, hidden};
use crate::agent::Agent;
use crate::candidate::{Candidate, CandidateKind, LocalCandidate};
use crate::config::Policy;
use crate::locals::Term;

/// What gathering begins with the next time.
#[derive(Debug)]
pub(crate) struct Next {
    policy: Policy,
    servers: Vec<(ServerId, Server)>,
}

impl Next {
    pub(super) fn set_credentials(&mut self, id: ServerId, kind: &ServerKind) {
        for (_, server) in self.servers.iter_mut().filter(|(known, _)| *known == id) {
            server.kind.clone_from(kind);
        }
    }
}

/// How long something that was gathered is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stay {
    /// As long as its server is one of ours.
    Stays,
    /// Until the restart.
    UntilRestart,
    /// Until no data of the session before goes by it.
    UntilServed,
    /// Until the server has heard that it is given back.
    Released,
}

impl Server {
    /// Whether it is the same but for its credentials: those are for the allocations there are, too.
    fn is_like(&self, other: &Self) -> bool {
        (&self.host, self.port, self.transport, self.is_turn())
            == (&other.host, other.port, other.transport, other.is_turn())
    }
}

impl Agent {
    /// Takes other servers, in place of all there are, and another policy: with the next gathering, which
    /// [`gather_anew`](Self::gather_anew) begins or else the next [`restart`](Self::restart) (RFC 8829 section 4.1.18, W3C
    /// `setConfiguration`). Gives their ids, in order; a server that is known already keeps its own, and its allocations,
    /// also with other credentials.
    ///
    /// # Errors
    /// [`ServerError`] if there are too many, or one is of a kind that does not exist. Nothing has changed then.
    pub fn set_servers(&mut self, policy: Policy, servers: &[Server]) -> Result<Vec<ServerId>, ServerError> {
        servers.iter().try_for_each(Server::check)?;
        if servers.len() > self.config.max_servers {
            return Err(ServerError::TooMany);
        }
        let mut next: Vec<(ServerId, Server)> = Vec::new();
        for server in servers {
            let mut known = self.gatherer.servers.iter().filter(|known| known.server.is_like(server));
            let known = known.find(|known| !next.iter().any(|(id, _)| *id == known.id)).map(|known| known.id);
            let id = known.unwrap_or_else(|| self.gatherer.new_id());
            next.push((id, server.clone()));
        }
        let ids = next.iter().map(|(id, _)| *id).collect();
        self.gatherer.next_servers = Some(Box::new(Next { policy, servers: next }));
        Ok(ids)
    }

    /// Begins to gather with the servers and the policy of [`set_servers`](Self::set_servers), for a session that is to be
    /// announced: [`candidates_to_signal`](Self::candidates_to_signal) are its own, and others follow as events. Checks and data
    /// of the session there is go on as before, until a [`restart`](Self::restart). Without other servers nothing happens.
    ///
    /// Where the policy is no longer that of relays alone, add the host candidates again.
    pub fn gather_anew(&mut self, now: Instant) {
        let Some(next) = self.gatherer.next_servers.take() else { return };
        let policy_before = core::mem::replace(&mut self.policy, next.policy);
        if self.gatherer.bases.is_empty() {
            // Nothing was gathered yet.
            self.session_policy = self.policy;
        }
        self.gatherer.announced = false;
        for known in &mut self.gatherer.servers {
            known.retired = !next.servers.iter().any(|(id, _)| *id == known.id);
        }
        for (id, server) in next.servers {
            self.take_server(now, id, server);
        }
        self.let_jobs_go(now);
        self.set_terms();
        if policy_before == Policy::Relay && self.policy == Policy::All {
            self.tell_mappings();
        }
        self.form_jobs();
        self.settle(now);
    }

    /// Candidates that the description of a session to come tells: all that were gathered, but for those that leave with the
    /// session there is.
    pub fn candidates_to_signal(&self) -> impl Iterator<Item = &Candidate> {
        let locals = self.locals.list.iter().filter(|local| local.term != Term::Leaves);
        locals.map(|local| &local.candidate).filter(|candidate| candidate.kind != CandidateKind::PeerReflexive)
    }

    fn take_server(&mut self, now: Instant, id: ServerId, server: Server) {
        let known = self.gatherer.servers.iter().find(|known| known.id == id);
        match (known.map(|known| &known.server.kind), &server.kind) {
            (Some(had), ServerKind::Turn(Some(credentials))) if *had != server.kind => {
                self.set_server_credentials(now, id, credentials);
            }
            (Some(_), _) => {}
            (None, _) => self.take_in(id, server),
        }
    }

    /// What has led to no candidate is given up at once, the rest of what is no longer wanted with the restart.
    fn let_jobs_go(&mut self, now: Instant) {
        for index in 0..self.gatherer.jobs.len() {
            let Some(job) = self.gatherer.jobs.get(index) else { continue };
            if !matches!(job.stay, Stay::Stays | Stay::UntilRestart) {
                continue;
            }
            let wanted = self.gatherer.servers.iter().any(|known| known.id == job.server && !known.retired)
                && (job.turn || self.policy == Policy::All);
            let useful = matches!(job.state, JobState::Reflexive(_)) || job.relayed().next().is_some();
            match (wanted, useful) {
                (true, _) => self.set_stay(index, Stay::Stays),
                (false, true) => self.set_stay(index, Stay::UntilRestart),
                (false, false) => self.release(now, index),
            }
        }
    }

    fn set_stay(&mut self, index: usize, stay: Stay) {
        if let Some(job) = self.gatherer.jobs.get_mut(index) {
            job.stay = stay;
        }
    }

    /// Gives back what a job has on its server.
    fn release(&mut self, now: Instant, index: usize) {
        let Some(job) = self.gatherer.jobs.get_mut(index) else { return };
        job.stay = Stay::Released;
        if let JobState::Relay(relay) = &mut job.state {
            relay.give_back(now);
        }
    }

    /// Which candidates are of the session there is alone, and which of those to come.
    fn set_terms(&mut self) {
        let (hides, policy) = (self.hides(), self.policy);
        let jobs = &self.gatherer.jobs;
        let brought = |candidate: &Candidate, stays| {
            jobs.iter().any(|job| (job.stay == Stay::Stays) == stays && job.has_brought(candidate))
        };
        let is_wanted = |candidate: &Candidate| {
            let lost = brought(candidate, false) && !brought(candidate, true);
            !lost && (candidate.kind == CandidateKind::Relayed || policy == Policy::All)
        };
        let moved = self.locals.remove(|local| local.term == Term::Waits && !is_wanted(&local.candidate));
        self.session.checklist.relocate(&moved);
        for local in self.locals.list.iter_mut().filter(|local| local.term != Term::Waits) {
            local.term = if is_wanted(&local.candidate) { Term::Stays } else { Term::Leaves };
            if hides && local.candidate.kind == CandidateKind::Relayed {
                local.candidate.related = local.candidate.related.map(hidden);
            }
        }
    }

    /// With relays alone, what a relay saw of us was nobody's concern.
    fn tell_mappings(&mut self) {
        let seen = self.gatherer.jobs.iter().filter(|job| job.stay == Stay::Stays).filter_map(|job| {
            let JobState::Relay(relay) = &job.state else { return None };
            let path = relay.client.path();
            let mapped = relay.client.allocation()?.mapped;
            (path.transport == Transport::Udp).then_some((mapped, path))
        });
        for (mapped, path) in seen.collect::<Vec<_>>() {
            self.gathered(LocalCandidate::server_reflexive(mapped, path.local, path.remote.ip()), path.local, u16::MAX);
        }
    }

    /// The session ends, and what was gathered for it alone.
    pub(crate) fn end_terms(&mut self) {
        for job in &mut self.gatherer.jobs {
            if job.stay == Stay::UntilRestart {
                job.stay = Stay::UntilServed;
            }
        }
        self.locals.end_terms();
        self.session_policy = self.policy;
    }

    /// Which session a candidate is for that is found now.
    pub(crate) fn term_of(&self, kind: CandidateKind) -> Term {
        let ruled_out = self.session_policy == Policy::Relay && kind != CandidateKind::Relayed;
        if ruled_out { Term::Waits } else { Term::Stays }
    }

    /// Gives back what the session before has no more use for, and forgets what was given back.
    pub(crate) fn release_served(&mut self, now: Instant) {
        if self.gatherer.jobs.iter().all(|job| job.stay == Stay::Stays) {
            return;
        }
        for index in 0..self.gatherer.jobs.len() {
            let Some(job) = self.gatherer.jobs.get(index).filter(|job| job.stay == Stay::UntilServed) else { continue };
            let in_use = self.previous_in_use().map(|in_use| in_use.info.path);
            let serves = matches!((&job.state, in_use), (JobState::Relay(relay), Some(path)) if is_of(relay, &path));
            if !serves {
                self.release(now, index);
            }
        }
        let over = |job: &mut Job| {
            let closing = matches!(&job.state, JobState::Relay(relay) if relay.client.state() == turn::State::Closing);
            job.stay == Stay::Released && !closing
        };
        let ended: Vec<Job> = self.gatherer.jobs.extract_if(.., over).collect();
        for job in &ended {
            self.close_stream(&job.route());
        }
        if !ended.is_empty() {
            let jobs = &self.gatherer.jobs;
            self.gatherer.servers.retain(|known| !known.retired || jobs.iter().any(|job| job.server == known.id));
            // One allocation is all that a server gives one address of ours: another server at the same address had to wait.
            self.form_jobs();
        }
    }
}
