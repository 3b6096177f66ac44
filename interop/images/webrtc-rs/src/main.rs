//! webrtc-rs behind the peer protocol.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use interop_peer::{Answer, Channels, HIGH, Out, Refusal, max_message_size, number, text};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder, RTCIceCandidateInit,
    RTCIceConnectionState, RTCIceGatheringState, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, RTCSessionDescription, RTCSignalingState,
};

/// What the stack reports.
enum Report {
    State(&'static str, String),
    Candidate(RTCIceCandidateInit),
    Arrived(Arc<dyn DataChannel>),
    Channel(String, DataChannelEvent),
}

struct Handler(UnboundedSender<Report>);

impl Handler {
    fn tell(&self, report: Report) {
        // The other end is gone when the process ends.
        let _ = self.0.send(report);
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            self.tell(Report::Candidate(candidate));
        }
    }

    async fn on_signaling_state_change(&self, state: RTCSignalingState) {
        self.tell(Report::State("signaling", state.to_string()));
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        self.tell(Report::State("ice", state.to_string()));
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.tell(Report::State("gathering", state.to_string()));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.tell(Report::State("connection", state.to_string()));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.tell(Report::Arrived(channel));
    }
}

struct Peer {
    out: Out,
    channels: Channels,
    raw: BTreeMap<String, Arc<dyn DataChannel>>,
    pc: Option<Arc<dyn PeerConnection>>,
    reports: UnboundedReceiver<Report>,
    reporter: UnboundedSender<Report>,
    configuration: Value,
    trickle: bool,
    gathered: bool,
    described: bool,
    early: Vec<RTCIceCandidateInit>,
    limit: usize,
}

impl Peer {
    fn new() -> Self {
        let (reporter, reports) = unbounded_channel();
        let out = Out::ready("webrtc-rs", "0.21.1", &["trickle", "dtls-1.2", "restart", "streams-untold"]);
        Self {
            out,
            channels: Channels::default(),
            raw: BTreeMap::new(),
            pc: None,
            reports,
            reporter,
            configuration: json!({}),
            trickle: true,
            gathered: false,
            described: false,
            early: Vec::new(),
            limit: usize::MAX,
        }
    }

    async fn connection(&mut self) -> Result<Arc<dyn PeerConnection>, Refusal> {
        if let Some(pc) = &self.pc {
            return Ok(Arc::clone(pc));
        }
        let mut servers = Vec::new();
        for server in self.configuration.get("ice_servers").and_then(Value::as_array).into_iter().flatten() {
            let urls = server.get("urls").and_then(Value::as_array).into_iter().flatten();
            servers.push(RTCIceServer {
                urls: urls.filter_map(|url| url.as_str().map(str::to_owned)).collect(),
                username: text(server, "username").unwrap_or_default().to_owned(),
                credential: text(server, "credential").unwrap_or_default().to_owned(),
            });
        }
        let relay = text(&self.configuration, "transport_policy") == Some("relay");
        let policy = if relay { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
        let configuration =
            RTCConfigurationBuilder::new().with_ice_servers(servers).with_ice_transport_policy(policy).build();
        // Which address leads out; nothing is sent.
        let probe = UdpSocket::bind("0.0.0.0:0")?;
        probe.connect("192.0.2.1:9")?;
        let pc = PeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_handler(Arc::new(Handler(self.reporter.clone())))
            .with_udp_addrs(vec![format!("{}:0", probe.local_addr()?.ip())])
            .with_data_channel_send_buffer_limit(16 << 20)
            .build()
            .await?;
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        self.pc = Some(Arc::clone(&pc));
        Ok(pc)
    }

    /// Reads a channel's events from now on.
    fn watch(&mut self, handle: &str, raw: Arc<dyn DataChannel>) {
        self.raw.insert(handle.to_owned(), Arc::clone(&raw));
        let (handle, reporter) = (handle.to_owned(), self.reporter.clone());
        tokio::spawn(async move {
            while let Some(event) = raw.poll().await {
                if reporter.send(Report::Channel(handle.clone(), event)).is_err() {
                    break;
                }
            }
        });
    }

    async fn carry_out(&mut self, command: &Value) -> Answer {
        match text(command, "do").unwrap_or_default() {
            "configure" => self.configure(command),
            "channel" => self.channel(command).await,
            "offer" => {
                let pc = self.connection().await?;
                if command.get("ice_restart") == Some(&true.into()) {
                    pc.restart_ice().await?;
                }
                let offer = pc.create_offer(None).await?;
                self.describe("offer", offer).await
            }
            "remote" => self.remote(command).await,
            "candidate" => self.candidate(command).await,
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
                self.channels.stats(json!({"dtls": {"version": "1.2"}}), &mut self.out);
                Ok(Value::Null)
            }
            "close" | "quit" => {
                self.out.over = true;
                if let Some(pc) = self.pc.take() {
                    pc.close().await?;
                }
                Ok(Value::Null)
            }
            other => Err(Refusal("Unsupported", format!("no command {other}"))),
        }
    }

    fn configure(&mut self, command: &Value) -> Answer {
        for field in ["groups", "mdns", "certificate_pem"] {
            if command.get(field).is_some() {
                return Err(Refusal("Unsupported", format!("the adapter of webrtc-rs cannot set {field}")));
            }
        }
        if text(command, "dtls").is_some_and(|version| version == "1.3") {
            return Err(Refusal("Unsupported", "webrtc-rs speaks DTLS 1.2 alone".to_owned()));
        }
        let servers = command.get("ice_servers").and_then(Value::as_array).into_iter().flatten();
        let mut urls = servers.filter_map(|server| server.get("urls")?.as_array()).flatten().filter_map(Value::as_str);
        if urls.any(|url| url.starts_with("turns:") || url.ends_with("transport=tcp")) {
            return Err(Refusal("Unsupported", "webrtc-rs reaches TURN servers over UDP alone".to_owned()));
        }
        if let Some(trickle) = command.get("trickle").and_then(Value::as_bool) {
            self.trickle = trickle;
        }
        if let (Some(all), Some(new)) = (self.configuration.as_object_mut(), command.as_object()) {
            all.extend(new.clone());
        }
        Ok(Value::Null)
    }

    async fn channel(&mut self, command: &Value) -> Answer {
        let handle = text(command, "channel").unwrap_or_default().to_owned();
        let stream = number(command, "stream");
        let init = RTCDataChannelInit {
            ordered: command.get("ordered") != Some(&false.into()),
            max_packet_life_time: number(command, "max_packet_life_time"),
            max_retransmits: number(command, "max_retransmits"),
            protocol: text(command, "protocol").unwrap_or_default().to_owned(),
            negotiated: command.get("negotiated").is_some().then_some(stream).flatten(),
        };
        let label = text(command, "label").unwrap_or_default();
        let raw = self.connection().await?.create_data_channel(label, Some(init)).await?;
        self.channels.add(&handle, stream);
        self.watch(&handle, raw);
        Ok(json!({ "stream": stream }))
    }

    async fn describe(&mut self, kind: &str, description: RTCSessionDescription) -> Answer {
        let pc = self.connection().await?;
        self.gathered = false;
        pc.set_local_description(description).await?;
        let mut patience = 1000;
        while !self.trickle && !self.gathered && patience > 0 {
            self.reported().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            patience -= 1;
        }
        let sdp = pc.local_description().await.map(|local| local.sdp).unwrap_or_default();
        let description = json!({"type": kind, "sdp": sdp});
        self.out.event("description", description.clone());
        Ok(json!({ "description": description }))
    }

    async fn remote(&mut self, command: &Value) -> Answer {
        let sdp = text(command, "sdp").unwrap_or_default().to_owned();
        // Its SCTP sends no longer messages, whatever the other side takes.
        self.limit = max_message_size(&sdp).min(65_536);
        if self.limit < usize::MAX {
            self.out.state("max_message_size", self.limit);
        }
        let pc = self.connection().await?;
        let is_offer = text(command, "type") == Some("offer");
        let description =
            if is_offer { RTCSessionDescription::offer(sdp)? } else { RTCSessionDescription::answer(sdp)? };
        pc.set_remote_description(description).await?;
        self.described = true;
        for candidate in self.early.drain(..) {
            pc.add_ice_candidate(candidate).await?;
        }
        if is_offer {
            let answer = pc.create_answer(None).await?;
            self.describe("answer", answer).await?;
        }
        Ok(Value::Null)
    }

    async fn candidate(&mut self, command: &Value) -> Answer {
        let candidate = RTCIceCandidateInit {
            candidate: text(command, "candidate").unwrap_or_default().to_owned(),
            sdp_mid: text(command, "mid").map(str::to_owned),
            sdp_mline_index: number(command, "index"),
            username_fragment: text(command, "ufrag").map(str::to_owned),
            ..RTCIceCandidateInit::default()
        };
        if candidate.candidate.is_empty() {
            return Ok(Value::Null);
        }
        if self.described {
            self.connection().await?.add_ice_candidate(candidate).await?;
        } else {
            self.early.push(candidate);
        }
        Ok(Value::Null)
    }

    /// Takes in what was reported so far.
    async fn reported(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.report(report).await;
        }
    }

    async fn report(&mut self, report: Report) {
        match report {
            Report::State(name, state) => {
                self.gathered |= name == "gathering" && state == "complete";
                self.out.state(name, state);
            }
            Report::Candidate(candidate) if self.trickle => {
                let fields = json!({
                    "candidate": candidate.candidate, "mid": candidate.sdp_mid.filter(|mid| !mid.is_empty()).unwrap_or_else(|| "0".to_owned()),
                    "index": candidate.sdp_mline_index.unwrap_or(0), "ufrag": candidate.username_fragment,
                });
                self.out.event("candidate", fields);
            }
            Report::Candidate(_) => {}
            Report::Arrived(raw) => {
                // It keeps neither limit of a channel that the other side opened: what it would tell of reliability is not so.
                let told = json!({
                    "label": raw.label().await.unwrap_or_default(),
                    "protocol": raw.protocol().await.unwrap_or_default(),
                });
                let handle = self.channels.arrived(None, told, &mut self.out);
                if let Some(channel) = self.channels.get(&handle) {
                    channel.opened(&handle, &mut self.out);
                }
                self.watch(&handle, raw);
            }
            Report::Channel(handle, event) => {
                let Some(channel) = self.channels.get(&handle) else { return };
                match event {
                    DataChannelEvent::OnOpen => channel.opened(&handle, &mut self.out),
                    DataChannelEvent::OnClose => channel.closed(&handle, &mut self.out),
                    DataChannelEvent::OnMessage(message) => {
                        channel.message(&handle, message.data.to_vec(), message.is_string, &mut self.out);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Sends what waits, as far as it fits; whether anything is left to do soon.
    async fn pump(&mut self) -> bool {
        let mut busy = false;
        for (handle, channel) in self.channels.iter() {
            let Some(raw) = self.raw.get(handle) else { continue };
            if channel.is_closed || !channel.is_open {
                continue;
            }
            let mut buffered = raw.outstanding_bytes().await.unwrap_or(0);
            while buffered < HIGH
                && let Some(outgoing) = channel.next()
            {
                let bytes = outgoing.data.len();
                let sent = if outgoing.text {
                    raw.send_text(&String::from_utf8_lossy(&outgoing.data)).await
                } else {
                    raw.send(BytesMut::from(outgoing.data.as_slice())).await
                };
                if let Err(error) = sent {
                    eprintln!("{handle}: {error}");
                    break;
                }
                buffered += bytes;
                channel.sent(bytes);
            }
            busy |= channel.has_more() || buffered > 0;
            channel.settle(handle, buffered, &mut self.out);
            if channel.closing && !channel.has_more() && buffered == 0 {
                channel.closing = false;
                if let Err(error) = raw.close().await {
                    eprintln!("{handle}: {error}");
                }
            }
        }
        busy
    }
}

#[tokio::main]
async fn main() {
    let (sender, mut commands) = unbounded_channel();
    std::thread::spawn(move || interop_peer::commands(|command| sender.send(command).is_ok()));
    let mut peer = Peer::new();
    loop {
        let busy = peer.pump().await;
        let wait = Duration::from_millis(if busy { 1 } else { 1000 });
        tokio::select! {
            command = commands.recv() => {
                let Some(command) = command else { break };
                let answer = peer.carry_out(&command).await;
                peer.out.answer(&command, answer);
                if text(&command, "do") == Some("quit") {
                    break;
                }
            }
            report = peer.reports.recv() => {
                if let Some(report) = report {
                    peer.report(report).await;
                }
                peer.reported().await;
            }
            () = tokio::time::sleep(wait) => {}
        }
    }
    peer.out.event("bye", json!({}));
    std::process::exit(0);
}
