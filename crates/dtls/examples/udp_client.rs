//! A DTLS client over UDP: sends the lines of standard input, prints what comes back.
//!
//! `cargo run --example udp_client -- 127.0.0.1:4433 ["sha-256 AA:BB:..."]`
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a program, with a socket and a clock"
)]

mod shared;

use std::io::Write as _;
use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::Duration;

use weft_dtls::Event;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let peer = arguments.next().ok_or("usage: udp_client ADDRESS:PORT [FINGERPRINT]")?.parse()?;
    let config = shared::config(arguments.next().as_deref())?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut driver = shared::Driver::new(config, socket, Some(peer))?;
    let print = |data: &[u8]| {
        let _ = std::io::stdout().write_all(data).and_then(|()| std::io::stdout().flush());
    };

    loop {
        if let Some(Event::Connected(info)) = driver.step(Duration::from_secs(1), print)? {
            eprintln!("connected: DTLS {} {} {}", info.version, info.cipher_suite, info.group);
            break;
        }
    }

    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    loop {
        match lines.try_recv() {
            Ok(line) => driver.send(format!("{line}\n").as_bytes())?,
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => break,
        }
        if let Some(Event::PeerClosed) = driver.step(Duration::from_millis(50), print)? {
            return Ok(());
        }
    }
    driver.step(Duration::from_millis(200), print)?;
    Ok(driver.close()?)
}
