//! Watching the path in use: silence where there should be none is looked into at once, and a path that has died is left.

use core::time::Duration;

use weft_core::Instant;

use crate::agent::Agent;
use crate::event::{Event, RestartReason};

impl Agent {
    /// Data that the peer is to answer was sent by the selected path. If nothing comes from the peer for
    /// [`Config::silence`](crate::Config::silence), the path is checked.
    pub fn on_data_sent(&mut self, now: Instant) {
        if self.owed_since.is_none() && !self.config.lite {
            self.owed_since = Some(now);
            let due = now + self.patience_with_silence();
            self.deadline = Some(self.deadline.map_or(due, |deadline| deadline.min(due)));
        }
    }

    /// Whether data has come a moment ago: none for [`Config::silence`](crate::Config::silence) is looked into by
    /// [`handle_timeout`](weft_core::Layer::handle_timeout), and from then on this is false.
    pub fn is_busy(&self) -> bool {
        self.last_data.is_some()
    }

    fn patience_with_silence(&self) -> Duration {
        self.config.silence.max(self.rtt().unwrap_or_default() * 2)
    }

    /// When the path in use is to be asked whether it still works: the peer owes an answer, or has stopped sending. The
    /// latter may be nothing, and costs one check.
    fn probe_at(&self) -> Option<Instant> {
        let pair = self.selected().filter(|pair| pair.probed.is_none() && !pair.suspect && !self.config.lite)?;
        let quiet = pair.check.is_none().then_some(self.last_data).flatten();
        Instant::earliest([self.owed_since, quiet]).map(|since| since + self.patience_with_silence())
    }

    /// When a lite agent, which checks nothing, sees that no data come.
    fn quiet_at(&self) -> Option<Instant> {
        let since = self.last_data.filter(|_| self.config.lite)?;
        Some(since + self.patience_with_silence())
    }

    /// When the path in use counts as dead, unless it answers; when it does already, the time to ask it again, as nothing better
    /// was found: the repetitions of one check are too far apart soon.
    fn dead_at(&self) -> Option<Instant> {
        let pair = self.selected().filter(|_| !self.config.lite)?;
        Some(pair.probed? + self.config.path_timeout.max(pair.rto.smoothed().unwrap_or_default() * 4))
    }

    /// When the path wants watching next.
    pub(crate) fn watch_deadline(&self) -> Option<Instant> {
        let lost = self.session.lost.map(|(at, _)| at);
        Instant::earliest([self.probe_at(), self.quiet_at(), self.dead_at(), lost])
    }

    /// Probes the path in use, gives it up, or asks for a restart, as it is due.
    pub(crate) fn watch_path(&mut self, now: Instant) {
        if self.quiet_at().is_some_and(|at| at <= now) {
            self.last_data = None;
        }
        if self.probe_at().is_some_and(|at| at <= now)
            && let Some(id) = self.session.selected
        {
            (self.owed_since, self.last_data) = (None, None);
            if let Some(pair) = self.session.checklist.get_mut(id) {
                pair.probed = Some(now);
                // It has to be confirmed as nominated, in case the peer sees it come from another address now.
                pair.nominate |= pair.nominated && self.role == crate::Role::Controlling;
            }
            self.session.checklist.trigger(id);
        }
        if self.dead_at().is_some_and(|at| at <= now)
            && let Some(pair) = self.session.selected.and_then(|id| self.session.checklist.get_mut(id))
        {
            let (id, asked_already) = (pair.id, pair.suspect);
            (pair.suspect, pair.probed, pair.nominate) = (true, Some(now), false);
            if asked_already {
                self.session.checklist.trigger(id);
            } else {
                self.look_for_another(now, RestartReason::PathDead);
            }
        }
        if let Some((_, reason)) = self.session.lost.take_if(|(at, _)| *at <= now) {
            self.emit(Event::RestartNeeded(reason));
        }
    }
}
