//! How large packets may be: Datagram Packetization Layer Path MTU Discovery
//! ([RFC 8899](https://www.rfc-editor.org/rfc/rfc8899)), by HEARTBEAT chunks padded with PAD
//! ([RFC 4820](https://www.rfc-editor.org/rfc/rfc4820)).
//!
//! ```text
//!          confirmed             confirmed, more to try
//!  Base ──────────────▶ Search ───────────────────────┐
//!   │ ▲                  │ ▲ ▲                        │
//!   │ │ black hole       │ │ └────────────────────────┘
//!   │ └──────────────────┤ │ after a while
//!   │ never confirmed    ▼ │
//!   └──────────────▶ Complete          (at the least size, if the base was never confirmed)
//! ```

use core::time::Duration;

use weft_core::Instant;

use crate::Config;

/// "MAX_PROBES" (RFC 8899 section 5.1.2).
const MAX_PROBES: u8 = 3;
/// "PROBE_TIMER": "SHOULD NOT be smaller than 1 second".
const PROBE_TIMER: Duration = Duration::from_secs(1);
/// "PMTU_RAISE_TIMER".
const RAISE_TIMER: Duration = Duration::from_secs(600);
/// After how long a base size that was not confirmed is tried again.
const BASE_AGAIN: Duration = Duration::from_secs(60);
/// The search ends when so few bytes are left to win.
const ENOUGH: usize = 16;
/// So many expiries of T3-rtx in a row, and so many large packets lost in a row while small ones pass, are a black hole.
const TIMEOUTS: u32 = 2;
const LARGE_LOSSES: u32 = 10;
/// So often a chunk that no longer fits is sent in fragments before it is clear that they vanish. Where a third of all packets
/// are lost, most of them fail one after the other by chance.
const FRAGMENT_TRIES: u32 = 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The base size is to be confirmed.
    Base,
    /// Larger sizes are tried.
    Search,
    /// Nothing to try for now.
    Complete,
}

/// A packet of exactly this size is to be sent, or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Probe {
    pub(crate) size: usize,
    pub(crate) nonce: u64,
}

#[derive(Debug)]
pub(crate) struct PathMtu {
    enabled: bool,
    phase: Phase,
    least: u16,
    base: u16,
    most: u16,
    /// The largest size known to pass, or assumed to.
    size: u16,
    /// The smallest size known not to pass.
    fails: u16,
    tries: u8,
    due: bool,
    probe: Option<Probe>,
    /// T3-rtx expired so often since something was acknowledged.
    timeouts: u32,
    /// Packets above the least size lost in a row.
    large_losses: u32,
    fragment_tries: u32,
    /// A probe was answered since the path shrank: it works for what is small enough.
    alive: bool,
}

impl PathMtu {
    pub(crate) fn new(config: &Config) -> Self {
        let base = config.packet_size() & !3;
        let word = |n: usize| u16::try_from(n & !3).unwrap_or(!3);
        Self {
            enabled: config.path_mtu_discovery,
            phase: Phase::Base,
            least: word(config.min_mtu.clamp(508, base)),
            base: word(base),
            most: word(config.max_mtu.max(base)),
            size: word(base),
            fails: word(config.max_mtu.max(base)).saturating_add(4),
            tries: 0,
            due: false,
            probe: None,
            timeouts: 0,
            large_losses: 0,
            fragment_tries: 0,
            alive: false,
        }
    }

    /// The largest packet to be sent, bytes.
    pub(crate) fn size(&self) -> usize {
        self.size.into()
    }

    /// The largest packet that may ever be sent, bytes.
    pub(crate) fn most(&self) -> usize {
        if self.enabled { self.most.into() } else { self.base.into() }
    }

    /// Packets up to this size say nothing about a black hole.
    pub(crate) fn least(&self) -> usize {
        self.least.into()
    }

    /// The association is up: begins with a probe of the base size. Gives when the timer is to fire.
    pub(crate) fn start(&mut self, now: Instant) -> Option<Instant> {
        if !self.enabled {
            return None;
        }
        self.phase = Phase::Base;
        self.tries = 0;
        self.alive = false;
        self.fails = self.most.saturating_add(4);
        Some(self.arm(now))
    }

    /// It is another path now: begins anew. Gives when the timer is to fire.
    pub(crate) fn retest(&mut self, now: Instant) -> Option<Instant> {
        self.size = self.base;
        self.timeouts = 0;
        self.enabled.then(|| self.on_black_hole(now))
    }

    fn arm(&mut self, now: Instant) -> Instant {
        self.due = true;
        self.tries += 1;
        now + PROBE_TIMER
    }

    /// What the next probe is of.
    fn target(&self) -> u16 {
        match self.phase {
            Phase::Base => self.base,
            Phase::Search if self.fails > self.most => self.most,
            // Half way between what passes and what does not.
            Phase::Search | Phase::Complete => (self.size + (self.fails - self.size) / 2) & !3,
        }
    }

    /// Whether a probe is to be sent now.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    /// Size of the probe to be sent now, if it is at most `room`. It gets `nonce`.
    pub(crate) fn take_probe(&mut self, room: usize, nonce: impl FnOnce() -> u64) -> Option<Probe> {
        if !self.due {
            return None;
        }
        self.due = false;
        let size = usize::from(self.target());
        if size > room {
            // The layer below does not take it: as if it had failed.
            self.fails = self.fails.min(self.target());
            self.tries = MAX_PROBES;
            return None;
        }
        self.probe = Some(Probe { size, nonce: nonce() });
        self.probe
    }

    /// A HEARTBEAT ACK with this nonce came. `None` when it answers no probe, else when the timer is to fire next.
    pub(crate) fn on_answer(&mut self, now: Instant, nonce: u64) -> Option<Instant> {
        let probe = self.probe.filter(|probe| probe.nonce == nonce)?;
        self.probe = None;
        self.tries = 0;
        self.alive = true;
        self.size = self.size.max(u16::try_from(probe.size).unwrap_or(u16::MAX));
        if self.phase == Phase::Base {
            self.phase = Phase::Search;
        }
        Some(self.go_on(now))
    }

    /// The next probe of the search, or its end.
    fn go_on(&mut self, now: Instant) -> Instant {
        let left = usize::from(self.fails.saturating_sub(self.size));
        let done = self.size >= self.most || (self.fails <= self.most && left <= ENOUGH);
        if done {
            self.phase = Phase::Complete;
            self.tries = 0;
            return now + if self.size < self.base { BASE_AGAIN } else { RAISE_TIMER };
        }
        self.arm(now)
    }

    /// The timer fired. Gives when it is to fire next.
    pub(crate) fn on_timer(&mut self, now: Instant) -> Instant {
        if self.phase == Phase::Complete {
            self.fails = self.most.saturating_add(4);
            self.phase = if self.size < self.base { Phase::Base } else { Phase::Search };
            return if self.size < self.most { self.arm(now) } else { now + RAISE_TIMER };
        }
        if self.tries < MAX_PROBES {
            return self.arm(now);
        }
        let failed = self.target();
        self.probe = None;
        self.fails = self.fails.min(failed);
        self.tries = 0;
        if self.phase == Phase::Base {
            // Smaller than the base: what passes is searched from the least size up, or from what is known to pass.
            if !self.alive {
                self.size = self.least;
            }
            self.phase = Phase::Search;
        }
        self.go_on(now)
    }

    /// Something was acknowledged.
    pub(crate) fn on_progress(&mut self) {
        self.timeouts = 0;
    }

    /// A packet above the least size arrived.
    pub(crate) fn on_large_arrived(&mut self) {
        self.large_losses = 0;
    }

    /// `count` packets above the least size were lost. `true`: it looks like a black hole.
    pub(crate) fn on_large_lost(&mut self, count: u32) -> bool {
        self.large_losses = self.large_losses.saturating_add(count);
        self.enabled && self.large_losses >= LARGE_LOSSES && self.shrinks()
    }

    /// T3-rtx expired. `true`: it looks like a black hole.
    pub(crate) fn on_timeout(&mut self) -> bool {
        self.timeouts += 1;
        self.enabled && self.timeouts >= TIMEOUTS && self.shrinks()
    }

    /// There is something to fall back to.
    fn shrinks(&self) -> bool {
        self.size > self.base || (self.phase != Phase::Base && self.size > self.least)
    }

    /// Section 4.3: falls back to the base size, which is to be confirmed anew. Gives when the timer is to fire.
    pub(crate) fn on_black_hole(&mut self, now: Instant) -> Instant {
        self.size = self.size.min(self.base);
        self.fails = self.most.saturating_add(4);
        self.phase = Phase::Base;
        self.tries = 0;
        self.large_losses = 0;
        self.fragment_tries = 0;
        self.alive = false;
        self.probe = None;
        self.arm(now)
    }

    /// The earliest chunk outstanding no longer fits and was sent, the network being free to fragment it.
    pub(crate) fn on_fragmented(&mut self) {
        self.fragment_tries += 1;
    }

    /// None is left.
    pub(crate) fn on_fragments_arrived(&mut self) {
        self.fragment_tries = 0;
    }

    /// Whether the path is known to work since it shrank.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive
    }

    /// The path works, but what is outstanding passes neither whole nor in fragments.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.alive && self.fragment_tries >= FRAGMENT_TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes over a path that passes packets up to `path` bytes, until the search rests; the size found.
    fn search(mtu: &mut PathMtu, path: usize) -> usize {
        let mut now = Instant::ORIGIN;
        let mut timer = mtu.start(now).unwrap();
        for nonce in 0..200 {
            if let Some(probe) = mtu.take_probe(9000, || nonce)
                && probe.size <= path
            {
                timer = mtu.on_answer(now, nonce).unwrap();
            }
            if mtu.due {
                continue;
            }
            if timer - now > PROBE_TIMER {
                break;
            }
            now = timer;
            timer = mtu.on_timer(now);
        }
        mtu.size()
    }

    fn config(max_mtu: usize) -> Config {
        Config { path_mtu_discovery: true, mtu: 1160, min_mtu: 508, max_mtu, ..Config::default() }
    }

    #[test]
    fn it_finds_what_the_path_passes() {
        for (path, least, most) in [(9000, 1432, 1432), (1432, 1432, 1432), (1300, 1280, 1300), (1160, 1160, 1160)] {
            let size = search(&mut PathMtu::new(&config(1432)), path);
            assert!((least..=most).contains(&size), "{path}: {size}");
        }
        let size = search(&mut PathMtu::new(&config(1432)), 1000);
        assert!((980..=1000).contains(&size), "below the base: {size}");
        assert_eq!(search(&mut PathMtu::new(&config(1432)), 300), 508, "never below the least");
    }

    #[test]
    fn what_is_known_to_pass_is_kept_while_the_base_is_tried_again() {
        let mut mtu = PathMtu::new(&config(1432));
        let found = search(&mut mtu, 1000);
        let mut now = Instant::from_millis(1_000_000);
        for _ in 0..40 {
            now = mtu.on_timer(now);
            mtu.take_probe(9000, || 7);
            assert!(mtu.size() >= found, "{} after {found}", mtu.size());
        }
    }

    #[test]
    fn a_black_hole_leads_back_to_the_base() {
        let mut mtu = PathMtu::new(&config(1432));
        assert_eq!(search(&mut mtu, 9000), 1432);
        assert!(!mtu.on_timeout() && mtu.on_timeout());
        mtu.on_black_hole(Instant::ORIGIN);
        assert_eq!((mtu.size(), mtu.take_probe(9000, || 1).map(|p| p.size)), (1160, Some(1160)));
    }
}
