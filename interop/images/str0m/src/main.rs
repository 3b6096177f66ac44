//! str0m behind the peer protocol. It has no sockets of its own: this gives it one.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use interop_peer::{Answer, Channels, HIGH, Out, Refusal, max_message_size, number, text};
use serde_json::{Value, json};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::config::DtlsVersion;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

struct Peer {
    out: Out,
    channels: Channels,
    ids: BTreeMap<String, ChannelId>,
    waiting: Vec<(String, ChannelConfig)>,
    rtc: Rtc,
    socket: UdpSocket,
    candidate: Candidate,
    pending: Option<SdpPendingOffer>,
    limit: usize,
    negotiated: bool,
}

impl Peer {
    fn new(out: Out, version: DtlsVersion) -> Result<Self, Refusal> {
        // Which address leads out; nothing is sent.
        let probe = UdpSocket::bind("0.0.0.0:0")?;
        probe.connect("192.0.2.1:9")?;
        let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
        let candidate = Candidate::host(socket.local_addr()?, "udp")?;
        let builder = Rtc::builder().set_sctp_max_buffered_amount(4 << 20).set_dtls_version(version);
        let mut rtc = builder.build(Instant::now());
        rtc.add_local_candidate(candidate.clone());
        Ok(Self {
            out,
            channels: Channels::default(),
            ids: BTreeMap::new(),
            waiting: Vec::new(),
            rtc,
            socket,
            candidate,
            pending: None,
            limit: usize::MAX,
            negotiated: false,
        })
    }

    fn carry_out(&mut self, command: &Value) -> Answer {
        match text(command, "do").unwrap_or_default() {
            "configure" => Err(Refusal("Unsupported", "str0m cannot be configured once it runs".to_owned())),
            "channel" => self.channel(command),
            "offer" => self.offer(command.get("ice_restart") == Some(&true.into())),
            "remote" => self.remote(command),
            "candidate" => {
                let line = text(command, "candidate").unwrap_or_default();
                // TCP and names are none that this socket can reach.
                if let Ok(candidate) = Candidate::from_sdp_string(line) {
                    self.rtc.add_remote_candidate(candidate);
                }
                Ok(Value::Null)
            }
            "send" => {
                let limit = self.limit;
                self.channels.named(command)?.1.send(command, limit)
            }
            "stream" => self.channels.named(command)?.1.pour(command),
            "receive" => self.channels.named(command)?.1.receive(command),
            "close_channel" => {
                self.channels.named(command)?.1.closing = true;
                Ok(Value::Null)
            }
            "stats" => {
                self.channels.stats(json!({}), &mut self.out);
                Ok(Value::Null)
            }
            "close" | "quit" => {
                self.out.over = true;
                self.rtc.close()?;
                while self.rtc.is_alive() && !matches!(self.poll()?, Some(at) if at > Instant::now()) {}
                Ok(Value::Null)
            }
            other => Err(Refusal("Unsupported", format!("no command {other}"))),
        }
    }

    fn channel(&mut self, command: &Value) -> Answer {
        let handle = text(command, "channel").unwrap_or_default().to_owned();
        let mut reliability = Reliability::Reliable;
        if let Some(retransmits) = number(command, "max_retransmits") {
            reliability = Reliability::MaxRetransmits { retransmits };
        } else if let Some(lifetime) = number(command, "max_packet_life_time") {
            reliability = Reliability::MaxPacketLifetime { lifetime };
        }
        let config = ChannelConfig {
            label: text(command, "label").unwrap_or_default().to_owned(),
            protocol: text(command, "protocol").unwrap_or_default().to_owned(),
            ordered: command.get("ordered") != Some(&false.into()),
            reliability,
            negotiated: command.get("negotiated").is_some().then(|| number(command, "stream")).flatten(),
        };
        let stream = config.negotiated;
        self.channels.add(&handle, stream);
        if self.negotiated {
            let id = self.rtc.direct_api().create_data_channel(config);
            self.ids.insert(handle, id);
        } else {
            self.waiting.push((handle, config));
        }
        Ok(json!({ "stream": stream }))
    }

    fn offer(&mut self, restart: bool) -> Answer {
        let mut api = self.rtc.sdp_api();
        for (handle, config) in self.waiting.drain(..) {
            self.ids.insert(handle, api.add_channel_with_config(config));
        }
        if restart {
            api.ice_restart(true);
        }
        let Some((offer, pending)) = api.apply() else {
            return Err(Refusal("Unsupported", "str0m makes no offer when nothing has changed".to_owned()));
        };
        self.pending = Some(pending);
        Ok(self.described("offer", &offer.to_sdp_string()))
    }

    fn described(&mut self, kind: &str, sdp: &str) -> Value {
        let description = json!({"type": kind, "sdp": sdp});
        self.out.event("description", description.clone());
        let signaling = if kind == "offer" { "have-local-offer" } else { "stable" };
        self.out.state("signaling", signaling);
        json!({ "description": description })
    }

    fn remote(&mut self, command: &Value) -> Answer {
        let sdp = text(command, "sdp").unwrap_or_default();
        self.limit = max_message_size(sdp);
        if self.limit < usize::MAX {
            self.out.state("max_message_size", self.limit);
        }
        if text(command, "type") == Some("answer") {
            let answer = SdpAnswer::from_sdp_string(sdp)?;
            let pending = self.pending.take();
            let pending = pending.ok_or_else(|| Refusal("InvalidStateError", "there is no offer".to_owned()))?;
            self.rtc.sdp_api().accept_answer(pending, answer)?;
            self.out.state("signaling", "stable");
        } else {
            let answer = self.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(sdp)?)?;
            self.described("answer", &answer.to_sdp_string());
            for (handle, config) in self.waiting.drain(..) {
                let id = self.rtc.direct_api().create_data_channel(config);
                self.ids.insert(handle, id);
            }
        }
        self.negotiated = true;
        Ok(Value::Null)
    }

    /// Lets str0m do what it has to; when it wants to be called again.
    fn poll(&mut self) -> Result<Option<Instant>, Refusal> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(Some(at)),
                Output::Transmit(transmit) => {
                    // What cannot be sent is lost, as on a bad network.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(event) => self.event(event),
            }
            if !self.rtc.is_alive() {
                self.out.state("connection", "closed");
                return Ok(None);
            }
        }
    }

    fn handle(&self, id: ChannelId) -> Option<String> {
        self.ids.iter().find(|(_, known)| **known == id).map(|(handle, _)| handle.clone())
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.out.state("connection", "connected"),
            Event::IceConnectionStateChange(state) => {
                self.out.state("ice", format!("{state:?}").to_lowercase());
                if state == IceConnectionState::Disconnected {
                    self.out.state("connection", "disconnected");
                }
            }
            Event::ChannelOpen(id, label) => self.opened(id, label),
            Event::ChannelData(data) => {
                if let Some(handle) = self.handle(data.id)
                    && let Some(channel) = self.channels.get(&handle)
                {
                    channel.message(&handle, data.data, !data.binary, &mut self.out);
                }
            }
            Event::ChannelClose(id) => {
                if let Some(handle) = self.handle(id) {
                    if let Some(channel) = self.channels.get(&handle) {
                        channel.closed(&handle, &mut self.out);
                    }
                    self.ids.remove(&handle);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, id: ChannelId, label: String) {
        let stream = self.rtc.direct_api().sctp_stream_id_by_channel_id(id);
        let handle = match self.handle(id) {
            Some(handle) => handle,
            None => {
                let config = self.rtc.channel(id).and_then(|channel| channel.config().cloned()).unwrap_or_default();
                let (retransmits, lifetime) = match config.reliability {
                    Reliability::Reliable => (None, None),
                    Reliability::MaxRetransmits { retransmits } => (Some(retransmits), None),
                    Reliability::MaxPacketLifetime { lifetime } => (None, Some(lifetime)),
                };
                let told = json!({
                    "label": label, "protocol": config.protocol, "ordered": config.ordered,
                    "max_retransmits": retransmits, "max_packet_life_time": lifetime,
                });
                let handle = self.channels.arrived(stream, told, &mut self.out);
                self.ids.insert(handle.clone(), id);
                handle
            }
        };
        if let Some(channel) = self.channels.get(&handle) {
            channel.stream = stream;
            channel.opened(&handle, &mut self.out);
        }
    }

    /// Sends what waits, as far as it fits; whether something was done.
    fn pump(&mut self) -> Result<bool, Refusal> {
        let mut busy = false;
        for (handle, channel) in self.channels.iter() {
            let Some(id) = self.ids.get(handle).copied() else { continue };
            let mut buffered = self.rtc.channel(id).map_or(0, |mut raw| raw.buffered_amount());
            while buffered < HIGH
                && let Some(outgoing) = channel.next()
            {
                let Some(mut raw) = self.rtc.channel(id) else { break };
                if !raw.write(!outgoing.text, &outgoing.data)? {
                    channel.put_back(outgoing);
                    break;
                }
                busy = true;
                buffered += outgoing.data.len();
                channel.sent(outgoing.data.len());
            }
            channel.settle(handle, buffered, &mut self.out);
            if channel.closing && !channel.has_more() && buffered == 0 {
                channel.closing = false;
                self.rtc.direct_api().close_data_channel(id);
                busy = true;
            }
        }
        Ok(busy)
    }

    fn receive(&mut self, wait: Duration, buffer: &mut [u8]) -> Result<(), Refusal> {
        self.socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        for turn in 0..64 {
            match self.socket.recv_from(buffer) {
                Ok((length, source)) => {
                    let contents = buffer[..length].try_into();
                    if let Ok(contents) = contents {
                        let destination = self.candidate.addr();
                        let receive = Receive { proto: Protocol::Udp, source, destination, contents };
                        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
                        self.poll()?;
                    }
                }
                Err(_) => break,
            }
            if turn == 0 {
                self.socket.set_nonblocking(true)?;
            }
        }
        self.socket.set_nonblocking(false)?;
        Ok(())
    }

    fn run(&mut self, first: Value, commands: &Receiver<Value>) -> Result<(), Refusal> {
        let mut buffer = vec![0; 65_536];
        let mut first = Some(first);
        loop {
            loop {
                match first.take().map_or_else(|| commands.try_recv(), Ok) {
                    Ok(command) => {
                        let answer = self.carry_out(&command);
                        self.out.answer(&command, answer);
                        if text(&command, "do") == Some("quit") {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if !self.rtc.is_alive() {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let busy = self.pump()?;
            let next = self.poll()?.unwrap_or_else(Instant::now);
            let wait = next.saturating_duration_since(Instant::now()).min(Duration::from_millis(2));
            self.receive(if busy { Duration::ZERO } else { wait }, &mut buffer)?;
            if self.rtc.is_alive() {
                self.rtc.handle_input(Input::Timeout(Instant::now()))?;
            }
        }
    }
}

fn configure(command: &Value, version: &mut DtlsVersion) -> Answer {
    for field in ["ice_servers", "groups", "mdns", "certificate_pem"] {
        if command.get(field).is_some_and(|value| *value != json!([])) {
            return Err(Refusal("Unsupported", format!("the adapter of str0m cannot set {field}")));
        }
    }
    match text(command, "dtls") {
        Some("1.2") => *version = DtlsVersion::Dtls12,
        Some("1.3") => *version = DtlsVersion::Dtls13,
        _ => {}
    }
    Ok(Value::Null)
}

fn main() {
    let supports = ["trickle", "dtls-1.2", "dtls-1.3", "group-X25519", "restart"];
    let mut out = Out::ready("str0m", "0.25.0", &supports);
    let (sender, commands) = channel();
    std::thread::spawn(move || interop_peer::commands(|command| sender.send(command).is_ok()));
    let mut version = DtlsVersion::Auto;
    let first = loop {
        let Ok(command) = commands.recv() else { return };
        if text(&command, "do") != Some("configure") {
            break command;
        }
        let answer = configure(&command, &mut version);
        out.answer(&command, answer);
    };
    let mut peer = match Peer::new(out, version) {
        Ok(peer) => peer,
        Err(Refusal(_, message)) => {
            eprintln!("{message}");
            std::process::exit(1);
        }
    };
    if let Err(Refusal(_, message)) = peer.run(first, &commands) {
        eprintln!("{message}");
        peer.out.state("connection", "failed");
        // The error is final; answers are still owed.
        while let Ok(command) = commands.recv() {
            peer.out.answer(&command, Ok(Value::Null));
            if text(&command, "do") == Some("quit") {
                break;
            }
        }
    }
    peer.out.event("bye", json!({}));
}
