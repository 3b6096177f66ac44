//! A DTLS server over UDP for one client: sends back what it receives.
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

use std::net::UdpSocket;
use std::time::Duration;

use weft_dtls::Event;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: udp_server ADDRESS:PORT [FINGERPRINT]")?;
    let fingerprint = arguments.next();
    let mut config = shared::config(fingerprint.as_deref())?;
    // Ask for a certificate only if we know which one to expect.
    config.require_client_certificate = fingerprint.is_some();
    let mut driver = shared::Driver::new(config, UdpSocket::bind(address)?, None)?;
    loop {
        let mut received = Vec::new();
        let event = driver.step(Duration::from_secs(1), |data| received.push(data.to_vec()))?;
        match event {
            Some(Event::Connected(info)) => {
                eprintln!("connected: DTLS {} {} {}", info.version, info.cipher_suite, info.group);
            }
            Some(Event::PeerClosed) => return Ok(driver.close()?),
            _ => {}
        }
        for data in received {
            driver.send(&data)?;
        }
    }
}
