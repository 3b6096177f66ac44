//! Two connections with nothing between them but a bad network made of a queue and an invented clock: how to drive a sans-IO
//! layer.
//!
//! `cargo run -p weft-dtls --example sans_io`
#![allow(clippy::indexing_slicing, reason = "a program")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{Certificate, Config, Connection, Event, HashAlgorithm, Role, Verifier};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (alice, bob) = (Arc::new(Certificate::generate()?), Arc::new(Certificate::generate()?));
    let knows = |peer: &Certificate| Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
    let configs = [Config::new(alice.clone(), knows(&bob)), Config::new(bob.clone(), knows(&alice))];
    // Outside of tests: Rng::from_seed with the operating system's entropy.
    let mut rng = Rng::from_test_seed(1);
    let [client, server] = configs;
    let mut ends = [
        Connection::new(Arc::new(client), Role::Client, rng.fork()),
        Connection::new(Arc::new(server), Role::Server, rng.fork()),
    ];
    let mut now = Instant::ORIGIN;
    // What is on its way: when it arrives, to whom, and what.
    let mut network: BTreeMap<(Instant, u64), (usize, Vec<u8>)> = BTreeMap::new();
    let mut sent = 0;
    let mut answered = false;
    ends[0].start(now);
    while !answered {
        for (from, end) in ends.iter_mut().enumerate() {
            // First what is to be sent, then what has happened.
            loop {
                let mut buffer = [0; 1500];
                let mut frame = Frame::new(&mut buffer, Overhead::NONE);
                if end.poll_transmit(now, &mut frame).is_none() {
                    break;
                }
                sent += 1;
                let lost = rng.chance(0.2);
                println!("{now:?} {from} sends {} bytes{}", frame.len(), if lost { ", lost" } else { "" });
                if !lost {
                    network.insert((now + Duration::from_millis(50), sent), (1 - from, frame.content().to_vec()));
                }
            }
            while let Some(event) = end.poll_event() {
                let Event::Connected(info) = event else { continue };
                println!("{now:?} {from} is connected: DTLS {} {} {}", info.version, info.cipher_suite, info.group);
            }
        }
        if ends[0].is_connected() && ends[1].is_connected() && network.is_empty() {
            // Application data is sealed in the frame it was written into.
            let mut buffer = [0; 1500];
            let mut frame = Frame::new(&mut buffer, ends[0].overhead().ok_or("no keys")?);
            frame.push(b"hello")?;
            ends[0].wrap(&mut frame)?;
            sent += 1;
            network.insert((now + Duration::from_millis(50), sent), (1, frame.content().to_vec()));
        }
        // Time moves on to whatever happens next: an arrival, or a timer.
        let arrival = network.first_key_value().map(|((at, _), _)| *at);
        let timers = ends.iter().filter_map(Connection::poll_timeout).min();
        now = arrival.into_iter().chain(timers).min().ok_or("nothing will ever happen")?;
        while let Some(entry) = network.first_entry().filter(|entry| entry.key().0 <= now) {
            let (to, mut datagram) = entry.remove();
            // What it yields lies in the datagram, opened in place.
            let mut records = ends[to].handle_input(now, &mut datagram)?;
            while let Some(record) = records.next() {
                println!("{now:?} {to} receives {:?}", String::from_utf8_lossy(record));
                answered = true;
            }
        }
        for end in &mut ends {
            end.handle_timeout(now)?;
        }
    }
    Ok(())
}
