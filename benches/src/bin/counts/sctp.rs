//! SCTP in memory, as under a peer connection: zero checksum, the packet size that path MTU discovery ends at left out.

use std::time::Duration;

use bytes::Bytes;
use weft_benches::stacks::{Stack, Weft};
use weft_core::{Frame, Instant, Overhead};
use weft_sctp::Config;

use crate::counted;

/// Whose work is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Sender,
    Receiver,
    Both,
}

struct Wire {
    now: Instant,
    sender: Weft,
    receiver: Weft,
    buffer: Vec<u8>,
    packets: u64,
    who: Option<Who>,
}

fn connected() -> Wire {
    let config = Config { path_mtu_discovery: false, ..Config::rtc() };
    let mut wire = Wire {
        now: Instant::ORIGIN,
        sender: Weft::new(config.clone(), 1),
        receiver: Weft::new(config, 2),
        buffer: vec![0; 2048],
        packets: 0,
        who: None,
    };
    wire.sender.connect(wire.now);
    while !(wire.sender.is_up() && wire.receiver.is_up()) {
        wire.turn();
    }
    wire
}

impl Wire {
    fn sender<T>(&mut self, work: impl FnOnce(&mut Weft, Instant, &mut [u8]) -> T) -> T {
        let (stack, now, buffer) = (&mut self.sender, self.now, &mut self.buffer);
        match self.who {
            Some(Who::Sender | Who::Both) => counted(|| work(stack, now, buffer)),
            _ => work(stack, now, buffer),
        }
    }

    fn receiver<T>(&mut self, work: impl FnOnce(&mut Weft, Instant, &mut [u8]) -> T) -> T {
        let (stack, now, buffer) = (&mut self.receiver, self.now, &mut self.buffer);
        match self.who {
            Some(Who::Receiver | Who::Both) => counted(|| work(stack, now, buffer)),
            _ => work(stack, now, buffer),
        }
    }

    fn turn(&mut self) {
        self.now += Duration::from_micros(50);
        // As many as one call with segmentation offload carries.
        for _ in 0..64 {
            let Some(len) = self.sender(write) else { break };
            self.packets += 1;
            self.receiver(|stack, now, buffer| stack.receive(now, buffer.get(..len).unwrap_or_default()));
        }
        while let Some(len) = self.receiver(write) {
            self.sender(|stack, now, buffer| stack.receive(now, buffer.get(..len).unwrap_or_default()));
        }
        self.sender(|stack, now, _| tick(stack, now));
        self.receiver(|stack, now, _| tick(stack, now));
    }

    fn transfer(&mut self, messages: u64, size: usize) {
        self.transfer_on(1, messages, size);
    }

    /// Messages on so many streams in turn.
    fn transfer_on(&mut self, streams: u64, messages: u64, size: usize) {
        let message = Bytes::from(vec![0x5A; size]);
        let (mut to_send, mut received) = (messages, 0);
        while received < messages {
            while to_send > 0 {
                let stream = (to_send % streams) as u16;
                if !self.sender(|stack, now, _| stack.send(now, stream, &message)) {
                    break;
                }
                to_send -= 1;
            }
            self.turn();
            received += self.receiver(|stack, now, _| {
                let mut read = 0;
                stack.read(now, &mut |_, _| read += 1);
                read
            });
            self.sender(|stack, now, _| stack.read(now, &mut |_, _| {}));
        }
    }
}

fn write(stack: &mut Weft, now: Instant, buffer: &mut [u8]) -> Option<usize> {
    let mut frame = Frame::new(buffer, Overhead::NONE);
    stack.transmit(now, &mut frame).then(|| frame.len())
}

fn tick(stack: &mut Weft, now: Instant) {
    if stack.next_timeout().is_some_and(|at| at <= now) {
        stack.timeout(now);
    }
}

/// At least `packets` packets of 64 KiB messages; those of the start are not counted.
fn packets(packets: u64, who: Who) -> u64 {
    let mut wire = connected();
    wire.transfer(100, 65_536);
    wire.who = Some(who);
    let before = wire.packets;
    while wire.packets - before < packets {
        wire.transfer(20, 65_536);
    }
    wire.packets - before
}

pub(crate) fn send(operations: u64) -> u64 {
    packets(operations, Who::Sender)
}

pub(crate) fn receive(operations: u64) -> u64 {
    packets(operations, Who::Receiver)
}

/// After so many messages queues are as long as they ever will be.
const WARM: u64 = 80_000;

pub(crate) fn small(operations: u64) -> u64 {
    let mut wire = connected();
    wire.transfer(WARM, 32);
    wire.who = Some(Who::Both);
    wire.transfer(operations, 32);
    operations
}

pub(crate) fn small_in_turn(operations: u64) -> u64 {
    let mut wire = connected();
    wire.transfer_on(2, WARM, 32);
    wire.who = Some(Who::Both);
    wire.transfer_on(2, operations, 32);
    operations
}
