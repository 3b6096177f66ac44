//! A hundred agents behind one plain UDP socket, each with a peer that has a socket of its own:
//! `cargo run -p weft-ice --example shared`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example is a driver: it owns sockets and a clock

use std::error::Error;
use std::net::UdpSocket;
use std::time::Instant as Clock;

use weft_core::{Datagram, Frame, Instant, Layer, Overhead, Path, Rng};
use weft_ice::{Agent, Config, Demultiplexer, LocalCandidate, Role, Route};

const AGENTS: usize = 100;

fn socket() -> Result<UdpSocket, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let now = || Instant::ORIGIN + start.elapsed();
    let (shared, mut demux) = (socket()?, Demultiplexer::new());
    let (mut agents, mut peers) = (Vec::new(), Vec::new());
    for n in 0..AGENTS {
        let own = socket()?;
        // A program seeds from the operating system's entropy: these credentials can be guessed.
        let agent = |role, seed| Agent::new(Config::default(), role, Rng::from_test_seed(seed));
        let (mut a, mut b) = (agent(Role::Controlled, 2 * n as u64), agent(Role::Controlling, 2 * n as u64 + 1));
        let ours = a.add_local_candidate(now(), LocalCandidate::host(shared.local_addr()?))?.copied();
        b.add_local_candidate(now(), LocalCandidate::host(own.local_addr()?))?;
        demux.add_ufrag(n, a.local_credentials().ufrag())?;
        a.set_remote_credentials(now(), b.local_credentials());
        b.set_remote_credentials(now(), a.local_credentials());
        b.add_remote_candidate(now(), ours.ok_or("redundant")?)?;
        agents.push(a);
        peers.push((b, own));
    }
    let (mut buf, local) = ([0; 1500], shared.local_addr()?);
    while agents.iter().chain(peers.iter().map(|(peer, _)| peer)).any(|agent| agent.selected_path().is_none()) {
        while let Ok((len, from)) = shared.recv_from(&mut buf) {
            let (path, payload) = (Path::udp(local, from), buf.get_mut(..len).unwrap_or_default());
            let Route::Agent(n) = demux.route(&path, payload) else { continue };
            let Some(agent) = agents.get_mut(n) else { continue };
            agent.handle_input(now(), Datagram::new(path, payload))?;
            if agent.is_validated(&path)
                && let Err(taken) = demux.claim(n, path)
            {
                println!("agent {n} may not use {path:?}: it is agent {}'s", taken.owner);
                agent.forbid_path(now(), path);
            }
        }
        for (n, agent) in agents.iter_mut().enumerate() {
            agent.handle_timeout(now())?;
            let mut frame = Frame::new(&mut buf, Overhead::NONE);
            while let Some(path) = agent.poll_transmit(now(), &mut frame) {
                demux.note_sent(n, frame.content());
                shared.send_to(frame.content(), path.remote)?;
                frame.truncate(0);
            }
        }
        for (peer, own) in &mut peers {
            while let Ok((len, from)) = own.recv_from(&mut buf) {
                let path = Path::udp(own.local_addr()?, from);
                peer.handle_input(now(), Datagram::new(path, buf.get_mut(..len).unwrap_or_default()))?;
            }
            peer.handle_timeout(now())?;
            let mut frame = Frame::new(&mut buf, Overhead::NONE);
            while let Some(path) = peer.poll_transmit(now(), &mut frame) {
                own.send_to(frame.content(), path.remote)?;
                frame.truncate(0);
            }
        }
        if now() > Instant::from_millis(10_000) {
            return Err("they did not all find each other".into());
        }
    }
    println!("{AGENTS} agents behind {local}, all connected after {:?}", start.elapsed());
    Ok(())
}
