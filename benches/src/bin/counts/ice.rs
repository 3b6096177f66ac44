//! A consent check that arrives and is answered (RFC 7675), with the agent's own where that is due.

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
                // The answer, and before it the agent's own check where that is due.
                let mut buffers = [[0; 1200]; 2];
                let mut replies = buffers.each_mut().map(|buffer| Frame::new(buffer, Overhead::NONE));
                counted(|| {
                    let _ = answering.agent.handle_input(now, datagram);
                    for reply in &mut replies {
                        if answering.agent.poll_transmit(now, reply).is_none() {
                            break;
                        }
                    }
                });
                let answers = replies.iter().filter(|reply| reply.content().starts_with(&[1, 1])).count();
                assert_eq!(answers, 1, "a check without an answer");
                let path = Path::udp(asking.address, answering.address);
                for reply in replies.iter_mut().filter(|reply| !reply.content().is_empty()) {
                    let _ = asking.agent.handle_input(now, Datagram::new(path, reply.content_mut()));
                }
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
