//! Two hosts, two links, one clock.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Overhead, Path, Rng};

use crate::{A_V4, A_V6, B_V4, B_V6, Clock, Fate, Host, Link, LinkConfig, LinkStats, Nat, Packet};

/// More datagrams than any sane host sends at one instant.
const MAX_DATAGRAMS_AT_ONCE: u32 = 100_000;
/// More steps than any sane pair takes without time moving on.
const MAX_STEPS_AT_ONCE: u32 = 10_000;

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What a filter says of a packet about to be sent. It may have changed the packet, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Send it.
    Pass,
    /// Drop it.
    Drop,
    /// Send it twice.
    Twice,
    /// Send it that much later.
    Delay(Duration),
}

/// A packet that was sent while [capturing](Pair::capture).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Traced {
    /// When.
    pub at: Instant,
    /// By whom.
    pub from: Side,
    /// As its sender made it, before filter, address translation and link touched it.
    pub packet: Packet,
    /// What becomes of it.
    pub fate: Fate,
}

/// The condition waited for did not come true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stalled {
    /// When it was given up.
    pub at: Instant,
    /// Nothing was in flight and no timer ran: the pair would have waited for ever.
    pub idle: bool,
    /// What the links from A to B and from B to A did.
    pub links: Box<[LinkStats; 2]>,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.idle { "nothing in flight, no timer set" } else { "out of time" };
        let [a_to_b, b_to_a] = &*self.links;
        write!(f, "stalled at {:?} ({why}); a to b: {a_to_b:?}; b to a: {b_to_a:?}", self.at)
    }
}

impl core::error::Error for Stalled {}

type Filter = Box<dyn FnMut(Instant, Side, &mut Packet) -> Verdict>;

/// Two hosts with a link each way, in virtual time.
///
/// Between steps a test may call anything on `a` and `b`; what they then want to send leaves at the next step.
pub struct Pair<A, B> {
    /// One side.
    pub a: A,
    /// The other side.
    pub b: B,
    /// Link from A to B.
    pub a_to_b: Link,
    /// Link from B to A.
    pub b_to_a: Link,
    /// What translates A's addresses, if anything. Address A's packets to what it maps to.
    pub a_nat: Option<Nat>,
    /// What translates B's addresses, if anything.
    pub b_nat: Option<Nat>,
    /// Size of the frames given to the hosts: the longest datagram, room included. 1,500 bytes unless changed.
    pub max_datagram: usize,
    /// Room set aside in those frames.
    pub room: Overhead,
    clock: Clock,
    alive: [bool; 2],
    filter: Option<Filter>,
    trace: Option<Vec<Traced>>,
    buf: Vec<u8>,
    steps_at_once: u32,
}

impl<A: Host, B: Host> Pair<A, B> {
    /// Two hosts with equal links, from [`A_V4`] to [`B_V4`] and back. Everything that happens follows from `seed`.
    pub fn new(a: A, b: B, link: LinkConfig, seed: u64) -> Self {
        Self::with_links(a, b, link.clone(), link, seed)
    }

    /// As [`new`](Self::new), with links that differ.
    pub fn with_links(a: A, b: B, a_to_b: LinkConfig, b_to_a: LinkConfig, seed: u64) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        let mut pair = Self {
            a,
            b,
            a_to_b: Link::new(a_to_b, rng.fork()),
            b_to_a: Link::new(b_to_a, rng.fork()),
            a_nat: None,
            b_nat: None,
            max_datagram: 1_500,
            room: Overhead::NONE,
            clock: Clock::new(),
            alive: [true; 2],
            filter: None,
            trace: None,
            buf: Vec::new(),
            steps_at_once: 0,
        };
        pair.assign(A_V4, B_V4);
        pair
    }

    /// Assigns addresses: A's and B's. Hosts with a single peer send there from now on.
    pub fn assign(&mut self, a: SocketAddr, b: SocketAddr) {
        self.a.assign(Path::udp(a, b));
        self.b.assign(Path::udp(b, a));
    }

    /// Assigns [`A_V6`] and [`B_V6`].
    pub fn assign_v6(&mut self) {
        self.assign(A_V6, B_V6);
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// One side dies without a word: it receives nothing, sends nothing, and its timers rest. What it has sent still
    /// arrives.
    pub fn kill(&mut self, side: Side) {
        self.set_alive(side, false);
    }

    /// Brings it back, as it was.
    pub fn revive(&mut self, side: Side) {
        self.set_alive(side, true);
    }

    /// Asks `filter` about every packet that is sent from now on, before address translation and link. It may change
    /// the packet.
    pub fn set_filter(&mut self, filter: impl FnMut(Instant, Side, &mut Packet) -> Verdict + 'static) {
        self.filter = Some(Box::new(filter));
    }

    /// No more filter.
    pub fn clear_filter(&mut self) {
        self.filter = None;
    }

    /// Starts to keep every packet sent (and empties the trace).
    pub fn capture(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// What was sent since [`capture`](Self::capture).
    pub fn trace(&self) -> &[Traced] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Lets `packet` arrive at `to` in the next step, past the link. It still has to pass the NAT of `to`, if any.
    pub fn inject(&mut self, to: Side, packet: Packet) {
        let now = self.now();
        self.link_to(to).deliver_at(now, packet);
    }

    /// The link that leads to `side`.
    pub fn link_to(&mut self, side: Side) -> &mut Link {
        match side {
            Side::A => &mut self.b_to_a,
            Side::B => &mut self.a_to_b,
        }
    }

    /// Changes both links at once.
    pub fn change_links(&mut self, mut change: impl FnMut(&mut LinkConfig)) {
        change(self.a_to_b.config_mut());
        change(self.b_to_a.config_mut());
    }

    /// When something happens next, if nobody sends anything before.
    pub fn next(&self) -> Option<Instant> {
        let timer_a = self.is_alive(Side::A).then(|| self.a.next_timeout()).flatten();
        let timer_b = self.is_alive(Side::B).then(|| self.b.next_timeout()).flatten();
        let arrivals = [self.a_to_b.next_arrival(), self.b_to_a.next_arrival()];
        [timer_a, timer_b].into_iter().chain(arrivals).flatten().min()
    }

    /// Sends what the hosts have to send, moves time to whatever happens next, lets it happen (all that arrives at that
    /// instant first, then timers), and sends again. False if nothing will ever happen.
    ///
    /// # Panics
    /// If a host sends without end, or sets timers that never let time move on.
    pub fn step(&mut self) -> bool {
        self.flush();
        let Some(next) = self.next() else { return false };
        self.happen(next);
        true
    }

    /// Runs until `done` says so; gives the virtual time that took.
    ///
    /// # Errors
    /// If that takes longer than `at_most`, or nothing happens any more.
    pub fn run_until(
        &mut self,
        at_most: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<Duration, Stalled> {
        let start = self.now();
        loop {
            self.flush();
            if done(self) {
                self.flush();
                return Ok(self.now() - start);
            }
            // `done` may have made a host send.
            self.flush();
            match self.next() {
                Some(next) if next <= start + at_most => self.happen(next),
                Some(_) => {
                    self.clock.advance_to(start + at_most);
                    return Err(self.stalled(false));
                }
                None => return Err(self.stalled(true)),
            }
        }
    }

    /// Runs for `duration`, to the nanosecond.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        self.flush();
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.happen(next);
        }
        self.clock.advance_to(end);
    }

    /// Sends what the hosts have to send now.
    pub fn flush(&mut self) {
        for side in [Side::A, Side::B] {
            self.flush_side(side);
        }
    }

    fn stalled(&self, idle: bool) -> Stalled {
        Stalled { at: self.now(), idle, links: Box::new([self.a_to_b.stats(), self.b_to_a.stats()]) }
    }

    fn is_alive(&self, side: Side) -> bool {
        let [a, b] = self.alive;
        if side == Side::A { a } else { b }
    }

    fn set_alive(&mut self, side: Side, alive: bool) {
        let [a, b] = &mut self.alive;
        *(if side == Side::A { a } else { b }) = alive;
    }

    fn nat(&mut self, side: Side) -> Option<&mut Nat> {
        if side == Side::A { self.a_nat.as_mut() } else { self.b_nat.as_mut() }
    }

    fn happen(&mut self, at: Instant) {
        if at > self.now() {
            self.steps_at_once = 0;
        }
        self.steps_at_once += 1;
        assert!(self.steps_at_once < MAX_STEPS_AT_ONCE, "time does not move on from {:?}", self.now());
        self.clock.advance_to(at);
        for side in [Side::A, Side::B] {
            self.deliver(side);
        }
        for side in [Side::A, Side::B] {
            self.fire(side);
        }
        self.flush();
    }

    fn deliver(&mut self, to: Side) {
        let now = self.now();
        while let Some(mut packet) = self.link_to(to).receive(now) {
            if !self.is_alive(to) {
                continue;
            }
            if let Some(nat) = self.nat(to) {
                match nat.inbound(now, packet.path.remote, packet.path.local) {
                    Some(inside) => packet.path.remote = inside,
                    None => continue,
                }
            }
            let path = packet.arrival_path();
            let datagram = Datagram { path, ecn: packet.ecn, payload: &mut packet.payload };
            match to {
                Side::A => self.a.receive(now, datagram),
                Side::B => self.b.receive(now, datagram),
            }
        }
    }

    fn fire(&mut self, side: Side) {
        let now = self.now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match side {
            _ if !self.is_alive(side) => {}
            Side::A if due(self.a.next_timeout()) => self.a.timeout(now),
            Side::B if due(self.b.next_timeout()) => self.b.timeout(now),
            Side::A | Side::B => {}
        }
    }

    fn flush_side(&mut self, from: Side) {
        if !self.is_alive(from) {
            return;
        }
        let now = self.now();
        let mut sent = 0;
        while let Some(packet) = self.build(from) {
            sent += 1;
            assert!(sent < MAX_DATAGRAMS_AT_ONCE, "{from:?} sends without end at {now:?}");
            let traced = self.trace.is_some().then(|| packet.clone());
            let fate = self.send(from, packet);
            if let (Some(trace), Some(packet)) = (&mut self.trace, traced) {
                trace.push(Traced { at: now, from, packet, fate });
            }
        }
        match from {
            Side::A => self.a.settle(now),
            Side::B => self.b.settle(now),
        }
    }

    /// The next datagram of `from`.
    fn build(&mut self, from: Side) -> Option<Packet> {
        self.buf.resize(self.max_datagram, 0);
        let now = self.clock.now();
        let mut frame = Frame::new(&mut self.buf, self.room);
        let path = match from {
            Side::A => self.a.transmit(now, &mut frame),
            Side::B => self.b.transmit(now, &mut frame),
        }?;
        Some(Packet { may_fragment: frame.may_fragment(), ..Packet::new(path, frame.content()) })
    }

    fn send(&mut self, from: Side, mut packet: Packet) -> Fate {
        let now = self.now();
        let verdict = self.filter.as_mut().map_or(Verdict::Pass, |filter| filter(now, from, &mut packet));
        if verdict == Verdict::Drop {
            return Fate::Dropped;
        }
        if let Some(nat) = self.nat(from) {
            packet.path.local = nat.outbound(now, packet.path.local, packet.path.remote);
        }
        let link = self.link_to(from.other());
        if verdict == Verdict::Twice {
            link.send(now, packet.clone());
        }
        let later = if let Verdict::Delay(by) = verdict { by } else { Duration::ZERO };
        link.send_later(now, later, packet)
    }
}

impl<A: fmt::Debug, B: fmt::Debug> fmt::Debug for Pair<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("now", &self.clock.now())
            .field("a", &self.a)
            .field("b", &self.b)
            .field("a_to_b", &self.a_to_b.stats())
            .field("b_to_a", &self.b_to_a.stats())
            .finish_non_exhaustive()
    }
}
