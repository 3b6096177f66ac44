//! Flows that share a bottleneck.

use core::net::SocketAddr;
use core::time::Duration;

use weft_core::{Datagram, Frame, Instant, Overhead, Path, Rng};

use crate::{A_V4, B_V4, Clock, Host, Link, LinkConfig, Packet};

/// Pairs of hosts whose packets all take the same link forward, and another one back, in virtual time.
///
/// ```text
///  sender 0 ─┐                ┌─ receiver 0
///  sender 1 ─┼─ forward link ─┼─ receiver 1
///     ...   ─┘                └─   ...
/// ```
#[derive(Debug)]
pub struct Dumbbell<H> {
    /// Sender and receiver of each flow.
    pub flows: Vec<(H, H)>,
    /// The link from senders to receivers.
    pub forward: Link,
    /// The link from receivers to senders.
    pub back: Link,
    /// Size of the frames given to the hosts, bytes. 1,500 unless changed.
    pub max_datagram: usize,
    /// When each flow begins to be polled; from the start unless changed.
    pub starts: Vec<Instant>,
    clock: Clock,
    buf: Vec<u8>,
}

/// Local port of sender `flow` and of its receiver.
fn port(flow: usize) -> u16 {
    10_000_u16.wrapping_add(flow as u16)
}

fn flow_of(address: SocketAddr) -> usize {
    usize::from(address.port().wrapping_sub(10_000))
}

impl<H: Host> Dumbbell<H> {
    /// Flows over two links whose misfortunes come from `seed`.
    pub fn new(mut flows: Vec<(H, H)>, forward: LinkConfig, back: LinkConfig, seed: u64) -> Self {
        let mut rng = Rng::from_test_seed(seed);
        for (n, (sender, receiver)) in flows.iter_mut().enumerate() {
            let (mut near, mut far) = (A_V4, B_V4);
            near.set_port(port(n));
            far.set_port(port(n));
            sender.assign(Path::udp(near, far));
            receiver.assign(Path::udp(far, near));
        }
        Self {
            starts: vec![Instant::ORIGIN; flows.len()],
            flows,
            forward: Link::new(forward, rng.fork()),
            back: Link::new(back, rng.fork()),
            max_datagram: 1_500,
            clock: Clock::new(),
            buf: Vec::new(),
        }
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Runs for `duration`. Whenever something happened to a flow, `app` may read and write at its two ends; what they
    /// then want to send leaves at once.
    pub fn run_for(&mut self, duration: Duration, mut app: impl FnMut(Instant, usize, &mut H, &mut H)) {
        let end = self.now() + duration;
        for n in 0..self.flows.len() {
            self.attend(n, &mut app);
        }
        while let Some((at, timer)) = self.next().filter(|(at, _)| *at <= end) {
            self.clock.advance_to(at);
            if let Some(n) = timer {
                self.fire(n);
                self.attend(n, &mut app);
            } else {
                self.deliver(&mut app);
            }
        }
        self.clock.advance_to(end);
    }

    /// What happens next: arrivals, or the timers of a flow.
    fn next(&self) -> Option<(Instant, Option<usize>)> {
        let mut best: Option<(Instant, Option<usize>)> = None;
        let mut offer = |at: Option<Instant>, what| {
            if let Some(at) = at.filter(|at| best.is_none_or(|(other, _)| *at < other)) {
                best = Some((at, what));
            }
        };
        offer(self.forward.next_arrival(), None);
        offer(self.back.next_arrival(), None);
        for (n, ((sender, receiver), start)) in self.flows.iter().zip(&self.starts).enumerate() {
            let timer = [sender.next_timeout(), receiver.next_timeout()].into_iter().flatten().min();
            offer(if *start > self.now() { Some(*start) } else { timer }, Some(n));
        }
        best.map(|(at, what)| (at.max(self.now()), what))
    }

    fn fire(&mut self, n: usize) {
        let now = self.now();
        let Some((sender, receiver)) = self.flows.get_mut(n) else { return };
        for side in [sender, receiver] {
            if side.next_timeout().is_some_and(|at| at <= now) {
                side.timeout(now);
            }
        }
    }

    fn deliver(&mut self, app: &mut impl FnMut(Instant, usize, &mut H, &mut H)) {
        let now = self.now();
        let mut touched = 0_u64;
        for forward in [true, false] {
            let link = if forward { &mut self.forward } else { &mut self.back };
            while let Some(mut packet) = link.receive(now) {
                let n = flow_of(packet.path.remote);
                let Some((sender, receiver)) = self.flows.get_mut(n) else { continue };
                let path = packet.arrival_path();
                let datagram = Datagram { path, ecn: packet.ecn, payload: &mut packet.payload };
                (if forward { receiver } else { sender }).receive(now, datagram);
                touched |= 1 << (n % 64);
            }
        }
        for n in 0..self.flows.len() {
            if touched & 1 << (n % 64) != 0 {
                self.attend(n, app);
            }
        }
    }

    fn attend(&mut self, n: usize, app: &mut impl FnMut(Instant, usize, &mut H, &mut H)) {
        let now = self.now();
        if self.starts.get(n).is_none_or(|start| *start > now) {
            return;
        }
        let Some((sender, receiver)) = self.flows.get_mut(n) else { return };
        app(now, n, sender, receiver);
        self.buf.resize(self.max_datagram, 0);
        for (side, link) in [(sender, &mut self.forward), (receiver, &mut self.back)] {
            loop {
                let mut frame = Frame::new(&mut self.buf, Overhead::NONE);
                let Some(path) = side.transmit(now, &mut frame) else { break };
                let packet = Packet { may_fragment: frame.may_fragment(), ..Packet::new(path, frame.content()) };
                link.send(now, packet);
            }
            side.settle(now);
        }
    }
}
