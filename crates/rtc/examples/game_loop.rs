//! Peers in a game's loop: `poll` once a frame, no runtime, no thread, nothing that waits:
//! `cargo run -p weft-rtc --example game_loop`.
//!
//! Two players in one program tell each other where they are, sixty times a second, over a channel that rather loses a
//! position than sends an old one.
#![allow(clippy::disallowed_methods)] // a game has a clock

use std::error::Error;
use std::time::{Duration, Instant};

use weft_rtc::polled::{ChannelOptions, ChannelState, DataChannel, PeerConnection, Signal};

const FRAME: Duration = Duration::from_micros(16_667);
const FRAMES: u32 = 120;

struct Player {
    name: &'static str,
    peer: PeerConnection,
    positions: DataChannel,
    seen: u32,
    other: (f32, f32),
}

impl Player {
    fn new(name: &'static str) -> Result<Self, Box<dyn Error>> {
        let mut peer = PeerConnection::new();
        // Both sides make the channel with the same id: nothing has to be announced, and it is there from the start.
        let options = ChannelOptions {
            negotiated: true,
            id: Some(1),
            ordered: false,
            max_retransmits: Some(0),
            ..ChannelOptions::default()
        };
        let positions = peer.create_data_channel("positions", &options)?;
        Ok(Self { name, peer, positions, seen: 0, other: (0.0, 0.0) })
    }

    /// Once a frame: the network first, then what it brought.
    fn frame(&mut self, number: u32) -> Result<(), Box<dyn Error>> {
        self.peer.poll()?;
        while self.positions.available_packet_count() > 0 {
            let packet = self.positions.get_packet()?;
            if let Some((x, y)) = packet.split_at_checked(4) {
                self.other = (f32::from_le_bytes(x.try_into()?), f32::from_le_bytes(y.try_into()?));
                self.seen += 1;
            }
        }
        if self.positions.ready_state() == ChannelState::Open {
            let (x, y) = (f32::from(u16::try_from(number)?), 1.5_f32);
            let packet: Vec<u8> = [x.to_le_bytes(), y.to_le_bytes()].concat();
            self.positions.put_packet(&packet)?;
        }
        Ok(())
    }
}

/// What a signalling server would carry between two machines.
fn signal(from: &mut Player, to: &mut Player) -> Result<(), Box<dyn Error>> {
    while let Some(signal) = from.peer.next_signal() {
        match signal {
            Signal::SessionDescriptionCreated { kind, sdp } => {
                from.peer.set_local_description(&kind, &sdp)?;
                to.peer.set_remote_description(&kind, &sdp)?;
            }
            Signal::IceCandidateCreated { media, index, name } => to.peer.add_ice_candidate(&media, index, &name)?,
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut red, mut blue) = (Player::new("red")?, Player::new("blue")?);
    red.peer.create_offer()?;
    let mut slowest = Duration::ZERO;
    for number in 0..FRAMES {
        let start = Instant::now();
        red.frame(number)?;
        blue.frame(number)?;
        slowest = slowest.max(start.elapsed());
        signal(&mut red, &mut blue)?;
        signal(&mut blue, &mut red)?;
        std::thread::sleep(FRAME.saturating_sub(start.elapsed()));
    }
    println!("{FRAMES} frames; the slowest took {slowest:?} for both players");
    for player in [&red, &blue] {
        println!("{} saw {} positions, the last at {:?}", player.name, player.seen, player.other);
    }
    if red.seen.min(blue.seen) > FRAMES / 2 { Ok(()) } else { Err("too few positions came".into()) }
}
