//! Answering a check and renewing consent allocates nothing in steady state. A binary of its own, since it
//! counts what its allocator does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, LocalCandidate, Role};

/// Lets both send what they have to send, without delay, until neither has anything.
fn exchange(now: Instant, a: &mut Agent, b: &mut Agent, buf: &mut [u8]) -> u64 {
    let mut datagrams = 0;
    loop {
        let before = datagrams;
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            from.handle_timeout(now).unwrap();
            let mut frame = Frame::new(buf, Overhead::NONE);
            while let Some(path) = from.poll_transmit(now, &mut frame) {
                let path = Path::udp(path.remote, path.local);
                assert!(to.handle_input(now, Datagram::new(path, frame.content_mut())).unwrap().is_none());
                frame.truncate(0);
                datagrams += 1;
            }
            while from.poll_event().is_some() {}
        }
        if datagrams == before {
            return datagrams;
        }
    }
}

#[test]
fn steady_state_does_not_allocate() {
    let mut now = Instant::ORIGIN;
    let mut a = Agent::new(Config::default(), Role::Controlling, Rng::from_test_seed(1));
    let mut b = Agent::new(Config::default(), Role::Controlled, Rng::from_test_seed(2));
    let of_a = *a.add_local_candidate(now, LocalCandidate::host("192.0.2.1:5000".parse().unwrap())).unwrap().unwrap();
    let of_b = *b.add_local_candidate(now, LocalCandidate::host("192.0.2.2:6000".parse().unwrap())).unwrap().unwrap();
    a.set_remote_credentials(now, b.local_credentials());
    b.set_remote_credentials(now, a.local_credentials());
    a.add_remote_candidate(now, of_b).unwrap();
    b.add_remote_candidate(now, of_a).unwrap();
    let mut buf = [0; 1200];
    let mut run = |seconds: u64, a: &mut Agent, b: &mut Agent| {
        let mut datagrams = 0;
        for _ in 0..seconds * 10 {
            now += std::time::Duration::from_millis(100);
            datagrams += exchange(now, a, b, &mut buf);
        }
        datagrams
    };
    run(60, &mut a, &mut b);
    for agent in [&mut a, &mut b] {
        agent.shrink_to_fit();
    }
    assert!(a.selected_pair().unwrap().nominated && b.selected_pair().unwrap().nominated);
    let mut datagrams = 0;
    let allocations = allocation_counter::measure(|| datagrams = run(600, &mut a, &mut b));
    assert!(datagrams > 400, "{datagrams}");
    assert_eq!(allocations.count_total, 0);
}
