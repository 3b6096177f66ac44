//! A DTLS server over UDP for any number of clients: sends back what it receives. Clients prove their address by a cookie
//! before anything is kept of them.
//!
//! `cargo run --example udp_server -- 127.0.0.1:4433 ["sha-256 AA:BB:..."]`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a program, with a socket and a clock"
)]

mod shared;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead};
use weft_dtls::{Admission, ClientAuthentication, Connection, Event, Listener, ListenerLimits};

/// Connections at a time.
const MAX_CLIENTS: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: udp_server ADDRESS:PORT [FINGERPRINT]")?;
    let fingerprint = arguments.next();
    let mut config = shared::config(fingerprint.as_deref())?;
    // Ask for a certificate only if we know which one to expect.
    config.client_authentication =
        if fingerprint.is_some() { ClientAuthentication::Required } else { ClientAuthentication::None };
    let socket = UdpSocket::bind(address)?;
    let mut listener = Listener::new(Arc::new(config), ListenerLimits::default(), shared::rng()?);
    let mut clients: HashMap<SocketAddr, Box<Connection>> = HashMap::new();
    let origin = std::time::Instant::now();
    let mut buffer = vec![0; 65_536];
    loop {
        let now = Instant::ORIGIN + origin.elapsed();
        let due = clients.values().filter_map(|client| client.poll_timeout()).min();
        let patience = due.map_or(Duration::from_secs(1), |at| at - now).min(Duration::from_secs(1));
        socket.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        match socket.recv_from(&mut buffer) {
            Ok((n, from)) => {
                let now = Instant::ORIGIN + origin.elapsed();
                receive(now, &mut buffer[..n], from, &socket, &mut listener, &mut clients)?;
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
        let now = Instant::ORIGIN + origin.elapsed();
        clients.retain(|peer, client| {
            let alive = client.handle_timeout(now).is_ok();
            let mut closed = false;
            while let Some(event) = client.poll_event() {
                match event {
                    Event::Connected(info) => {
                        eprintln!("{peer} connected: DTLS {} {} {}", info.version, info.cipher_suite, info.group);
                    }
                    Event::PeerClosed => closed = true,
                    _ => {}
                }
            }
            let sent = shared::flush(client, now, &socket, *peer).is_ok();
            if !(alive && sent) || closed {
                eprintln!("{peer} gone");
            }
            alive && sent && !closed
        });
    }
}

/// A datagram of a client that is known goes to its connection, any other to the listener.
fn receive(
    now: Instant,
    datagram: &mut [u8],
    from: SocketAddr,
    socket: &UdpSocket,
    listener: &mut Listener,
    clients: &mut HashMap<SocketAddr, Box<Connection>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let Some(client) = clients.get_mut(&from) else {
        let mut reply = [0; 512];
        let mut reply = Frame::new(&mut reply, Overhead::NONE);
        match listener.handle_input(now, from, datagram, &mut reply) {
            Admission::None => {}
            Admission::Reply => drop(socket.send_to(reply.content(), from)?),
            Admission::Admitted(client) if clients.len() < MAX_CLIENTS => drop(clients.insert(from, client)),
            Admission::Admitted(_) => eprintln!("{from} turned away"),
        }
        return Ok(());
    };
    let mut echo = Vec::new();
    // A connection that dies of it tells the client, and is removed with the next timeout.
    if let Ok(mut records) = client.handle_input(now, datagram) {
        while let Some(record) = records.next() {
            echo.push(record.to_vec());
        }
    }
    for data in echo {
        shared::send(client, &data, socket, from)?;
    }
    Ok(())
}
