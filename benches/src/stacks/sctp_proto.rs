//! The `sctp-proto` crate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
};
use weft_core::{Frame, Instant};
use weft_sctp::Reliability;
use weft_testkit::A_V4;

use super::{Habits, Outgoing, Snapshot, Stack};

/// `sctp-proto`.
pub struct SctpProto {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    /// What stands for [`Instant::ORIGIN`].
    origin: std::time::Instant,
    packets: VecDeque<Bytes>,
    readable: VecDeque<u16>,
    buffer: Vec<u8>,
    open: BTreeSet<u16>,
    resets: Vec<u16>,
    done: Vec<u16>,
    up: bool,
    down: bool,
    fault: Option<String>,
    /// Our INIT chunk and the peer's, exchanged otherwise.
    snap: Option<(Bytes, Bytes)>,
}

fn transport() -> TransportConfig {
    TransportConfig::default()
        .with_max_init_retransmits(None)
        .with_max_data_retransmits(None)
        .with_rto_initial_ms(1000)
        .with_rto_max_ms(10_000)
        .with_max_receive_buffer_size(5 << 20)
        .with_max_send_message_size(1 << 20)
        .with_max_receive_message_size(1 << 20)
}

impl Default for SctpProto {
    fn default() -> Self {
        Self::new()
    }
}

impl SctpProto {
    /// An endpoint with packets as large as ours begin, and retransmission without limits.
    pub fn new() -> Self {
        let mut server = ServerConfig::new();
        server.transport = Arc::new(transport());
        let mut config = EndpointConfig::new();
        config.max_payload_size(1160);
        Self {
            endpoint: Endpoint::new(Arc::new(config), Some(Arc::new(server))),
            association: None,
            origin: std::time::Instant::now(),
            packets: VecDeque::new(),
            readable: VecDeque::new(),
            buffer: Vec::new(),
            open: BTreeSet::new(),
            resets: Vec::new(),
            done: Vec::new(),
            up: false,
            down: false,
            fault: None,
            snap: None,
        }
    }

    /// An INIT chunk for the peer to import (SNAP); `None` when it cannot make one.
    pub fn init_chunk() -> Option<Bytes> {
        sctp_proto::generate_snap_token(&transport()).ok()
    }

    /// One that comes up without a handshake, from its own INIT chunk and the peer's.
    pub fn with_inits(local: Bytes, remote: Bytes) -> Self {
        Self { snap: Some((local, remote)), ..Self::new() }
    }

    fn at(&self, now: Instant) -> std::time::Instant {
        self.origin + (now - Instant::ORIGIN)
    }

    fn take_packets(&mut self, payload: Payload) {
        if let Payload::RawEncode(packets) = payload {
            self.packets.extend(packets);
        }
    }

    fn events(&mut self) {
        let Some((handle, association)) = &mut self.association else { return };
        while let Some(event) = association.poll_endpoint_event() {
            if !event.is_drained() {
                self.endpoint.handle_event(*handle, event);
            }
        }
        while let Some(event) = association.poll() {
            match event {
                Event::Connected => self.up = true,
                Event::HandshakeFailed { reason } => self.fault = Some(format!("sctp-proto: {reason}")),
                Event::AssociationLost { .. } => self.down = true,
                Event::Stream(StreamEvent::Opened { id }) => {
                    while association.accept_stream().is_some() {}
                    self.open.insert(id);
                    self.readable.push_back(id);
                }
                Event::Stream(StreamEvent::Readable { id }) => self.readable.push_back(id),
                Event::Stream(StreamEvent::Finished { id }) => {
                    self.open.remove(&id);
                    self.resets.push(id);
                }
                Event::Stream(StreamEvent::ResetComplete { id }) => self.done.push(id),
                Event::Stream(StreamEvent::ResetFailed { id, .. }) => {
                    self.fault = Some(format!("sctp-proto cannot reset {id}"));
                }
                _ => {}
            }
        }
    }
}

impl Stack for SctpProto {
    fn connect(&mut self, _now: Instant) {
        let mut client = ClientConfig::new();
        client.transport = Arc::new(transport());
        if let Some((local, remote)) = self.snap.take() {
            client = client.with_snap(local, remote);
        }
        self.association = self.endpoint.connect(client, A_V4).ok();
    }

    fn is_up(&self) -> bool {
        self.up && !self.down
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let at = self.at(now);
        match self.endpoint.handle(at, A_V4, None, None, Bytes::copy_from_slice(packet)) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.association = Some((handle, association));
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some((_, association)) = &mut self.association {
                    association.handle_event(event);
                }
            }
            None => {}
        }
        self.events();
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let at = self.at(now);
        if self.packets.is_empty() {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.take_packets(transmit.payload);
            }
            let transmit = self.association.as_mut().and_then(|(_, association)| association.poll_transmit(at));
            if let Some(transmit) = transmit {
                self.take_packets(transmit.payload);
            }
        }
        self.packets.pop_front().is_some_and(|packet| frame.push(&packet).is_ok())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let at = self.association.as_ref()?.1.poll_timeout()?;
        let nanos = at.saturating_duration_since(self.origin).as_nanos();
        Some(Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn timeout(&mut self, now: Instant) {
        let at = self.at(now);
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(at);
        }
        self.events();
    }

    fn send_message(&mut self, _now: Instant, message: &Outgoing) -> bool {
        let Some((_, association)) = self.association.as_mut().filter(|_| self.up) else { return false };
        let binary = PayloadProtocolIdentifier::Binary;
        if self.open.insert(message.stream) && association.open_stream(message.stream, binary).is_err() {
            return false;
        }
        let Ok(mut stream) = association.stream(message.stream) else { return false };
        // It takes whatever it is given, and grows slower with it.
        if stream.buffered_amount().is_ok_and(|amount| amount > 1 << 20) {
            return false;
        }
        let (kind, value) = match message.reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::MaxRetransmits(n) => (ReliabilityType::Rexmit, n),
            Reliability::MaxLifetime(ms) => (ReliabilityType::Timed, ms),
        };
        stream.set_reliability_params(!message.ordered, kind, value.into()).is_ok()
            && stream.write_sctp(&message.payload, binary).is_ok()
    }

    fn read(&mut self, _now: Instant, each: &mut dyn FnMut(u16, &[u8])) {
        while let Some(id) = self.readable.pop_front() {
            let Some((_, association)) = &mut self.association else { return };
            while let Ok(Some(chunks)) = association.stream(id).and_then(|mut stream| stream.read_sctp()) {
                self.buffer.resize(chunks.len().max(self.buffer.len()), 0);
                let read = chunks.read(&mut self.buffer).unwrap_or(0);
                each(id, self.buffer.get(..read).unwrap_or_default());
            }
            self.events();
        }
    }

    fn snapshot(&self) -> Snapshot {
        let srtt = self.association.as_ref().map_or(0.0, |(_, association)| association.rtt().as_secs_f64());
        Snapshot { srtt, packet: 1188, ..Snapshot::default() }
    }

    fn reset(&mut self, _now: Instant, stream: u16) {
        let closed = self
            .association
            .as_mut()
            .map(|(_, association)| association.stream(stream).and_then(|mut stream| stream.close()).is_ok());
        if closed != Some(true) {
            self.fault = Some(format!("sctp-proto does not reset {stream}"));
        }
        self.open.remove(&stream);
    }

    fn take_resets(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.resets)
    }

    fn take_resets_done(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.done)
    }

    fn shutdown(&mut self, _now: Instant) {
        let begun = self.association.as_mut().is_some_and(|(_, association)| association.shutdown().is_ok());
        if !begun {
            self.fault = Some("sctp-proto does not shut down".to_owned());
        }
        self.events();
    }

    fn is_over(&self) -> bool {
        self.up && self.association.as_ref().is_some_and(|(_, association)| association.is_closed())
    }

    fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What is queued when it shuts down is never sent. Its endpoint knows associations by their own Verification Tag alone
    /// and drops a packet with any other before a chunk is looked at, reflected tags included.
    fn habits(&self) -> Habits {
        Habits {
            messages_before_shutdown: 0,
            largest_with_a_lifetime: usize::MAX,
            notes_the_end: false,
            resets_by_hand: false,
            repeats_resets: true,
            takes_reflected_tags: false,
            shuts_down_last: true,
        }
    }
}
