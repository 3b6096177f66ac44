//! A consent check that arrives and is answered (RFC 7675).

use std::net::SocketAddr;
use std::time::Duration;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, LocalCandidate, Role};

use crate::counted;

struct End {
    agent: Agent,
    address: SocketAddr,
}

impl End {
    fn new(role: Role, port: u16) -> Self {
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        let mut agent = Agent::new(Config::default(), role, Rng::from_test_seed(port.into()));
        let added = agent.add_local_candidate(Instant::ORIGIN, LocalCandidate::host(address));
        assert!(added.is_ok(), "an agent takes a host candidate");
        Self { agent, address }
    }

    fn know(&mut self, other: &Self) {
        self.agent.set_remote_credentials(Instant::ORIGIN, other.agent.local_credentials());
        for candidate in other.agent.local_candidates() {
            let _ = self.agent.add_remote_candidate(Instant::ORIGIN, *candidate);
        }
    }

    /// Hands over what this end has to send.
    fn flush(&mut self, now: Instant, to: &mut Self) {
        let _ = self.agent.handle_timeout(now);
        let mut buffer = [0; 1200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        while self.agent.poll_transmit(now, &mut frame).is_some() {
            let _ = to.agent.handle_input(now, Datagram::new(Path::udp(to.address, self.address), frame.content_mut()));
            frame.truncate(0);
        }
        while self.agent.poll_event().is_some() {}
    }
}

pub(crate) fn check(operations: u64) -> u64 {
    let (mut asking, mut answering) = (End::new(Role::Controlling, 1000), End::new(Role::Controlled, 2000));
    asking.know(&answering);
    answering.know(&asking);
    let mut now = Instant::ORIGIN;
    for _ in 0..100 {
        now += Duration::from_millis(50);
        asking.flush(now, &mut answering);
        answering.flush(now, &mut asking);
    }
    assert!(asking.agent.selected_pair().is_some(), "no pair");
    let mut done = 0;
    while done < operations {
        now += Duration::from_millis(500);
        answering.flush(now, &mut asking);
        let _ = asking.agent.handle_timeout(now);
        let mut buffer = [0; 1200];
        let mut frame = Frame::new(&mut buffer, Overhead::NONE);
        while asking.agent.poll_transmit(now, &mut frame).is_some() {
            let datagram = Datagram::new(Path::udp(answering.address, asking.address), frame.content_mut());
            // Binding requests (RFC 8489 section 5); what else there is are answers and keep-alives.
            if datagram.payload.starts_with(&[0, 1]) {
                let mut reply = [0; 1200];
                let mut reply = Frame::new(&mut reply, Overhead::NONE);
                let sent = counted(|| {
                    let _ = answering.agent.handle_input(now, datagram);
                    answering.agent.poll_transmit(now, &mut reply).is_some()
                });
                assert!(sent, "a check without an answer");
                let path = Path::udp(asking.address, answering.address);
                let _ = asking.agent.handle_input(now, Datagram::new(path, reply.content_mut()));
                done += 1;
            } else {
                let _ = answering.agent.handle_input(now, datagram);
            }
            frame.truncate(0);
        }
        while asking.agent.poll_event().is_some() || answering.agent.poll_event().is_some() {}
    }
    done
}
