//! str0m: one socket and one loop for all, each datagram offered to one after the other, as its chat example does.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use serde_json::Value;
use str0m::config::DtlsCert;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::runtime::Runtime;
use weft_benches::{cpu_seconds, raise_buffers};

use super::signal::Far;
use super::{Args, Measured, PATIENCE, REST, Result, all_are_there, in_time, resident};

struct Peers {
    socket: UdpSocket,
    /// One for all.
    certificate: DtlsCert,
    all: Vec<(Rtc, bool)>,
    buffer: Vec<u8>,
}

impl Peers {
    /// One more, up to its open channel.
    fn connect(&mut self, runtime: &Runtime, far: &Far, id: u64) -> Result<()> {
        let start = Instant::now();
        let mut rtc = Rtc::builder().set_dtls_cert(self.certificate.clone()).build(start);
        rtc.add_local_candidate(Candidate::host(self.socket.local_addr()?, "udp")?);
        let mut change = rtc.sdp_api();
        change.add_channel("idle".to_owned());
        let (offer, pending) = change.apply().ok_or("no offer")?;
        let answer = runtime.block_on(in_time(far.answer(id, &offer.to_sdp_string())))?;
        rtc.sdp_api().accept_answer(pending, str0m::change::SdpAnswer::from_sdp_string(&answer)?)?;
        self.all.push((rtc, false));
        while !self.all.last().is_some_and(|(_, open)| *open) {
            self.turn()?;
            if start.elapsed() > PATIENCE {
                return Err("no connection".into());
            }
        }
        Ok(())
    }

    /// Sends what there is to send, then waits for one datagram.
    fn turn(&mut self) -> Result<()> {
        let mut wake = Instant::now() + Duration::from_millis(5);
        for (rtc, open) in &mut self.all {
            loop {
                match rtc.poll_output()? {
                    Output::Transmit(transmit) => {
                        self.socket.send_to(&transmit.contents, transmit.destination)?;
                    }
                    Output::Timeout(at) => {
                        wake = wake.min(at);
                        break;
                    }
                    Output::Event(Event::ChannelOpen(..)) => *open = true,
                    Output::Event(_) => {}
                }
            }
        }
        let patience = wake.saturating_duration_since(Instant::now()).max(Duration::from_micros(100));
        self.socket.set_read_timeout(Some(patience))?;
        let read = self.socket.recv_from(&mut self.buffer);
        let now = Instant::now();
        if let Ok((len, source)) = read {
            let contents = self.buffer.get(..len).unwrap_or_default().try_into()?;
            let destination = self.socket.local_addr()?;
            let input = Input::Receive(now, Receive { proto: Protocol::Udp, source, destination, contents });
            if let Some((rtc, _)) = self.all.iter_mut().find(|(rtc, _)| rtc.accepts(&input)) {
                rtc.handle_input(input)?;
            }
        }
        for (rtc, _) in &mut self.all {
            rtc.handle_input(Input::Timeout(now))?;
        }
        Ok(())
    }
}

pub(crate) fn measure(args: &Args) -> Result<Value> {
    str0m::crypto::from_feature_flags().install_process_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let far = runtime.block_on(async { Far::start() })?;
    let provider = str0m::crypto::from_feature_flags();
    let certificate = provider.dtls_provider.generate_certificate().ok_or("no certificate")?;
    let mut peers =
        Peers { socket: UdpSocket::bind("127.0.0.1:0")?, certificate, all: Vec::new(), buffer: vec![0; 2000] };
    raise_buffers(&peers.socket)?;
    // What the first connection makes for all is not theirs.
    peers.connect(&runtime, &far, 0)?;
    peers.all.clear();
    let (memory_before, began, cpu) = (resident(), Instant::now(), cpu_seconds());
    let mut setups = Vec::new();
    for id in 1..=args.count as u64 {
        let start = Instant::now();
        peers.connect(&runtime, &far, id)?;
        setups.push(start.elapsed().as_secs_f64());
    }
    let (wall, setup_cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let rest = Instant::now();
    while rest.elapsed() < REST {
        peers.turn()?;
    }
    let (idle, idle_cpu) = (Instant::now(), cpu_seconds());
    while idle.elapsed().as_secs_f64() < args.seconds {
        peers.turn()?;
    }
    let idle_cpu = cpu_seconds() - idle_cpu;
    let idle = idle.elapsed().as_secs_f64();
    let memory = resident();
    all_are_there(peers.all.iter().filter(|(rtc, _)| rtc.is_connected()).count(), args.count)?;
    Ok(Measured { setups, wall, setup_cpu, memory_before, memory, idle_cpu, idle }.report())
}
