//! The `sctp-proto` crate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
};
use weft_core::Instant;
use weft_sctp::Reliability;
use weft_testkit::A_V4;

use crate::side::{Outgoing, Side};

pub(crate) struct SctpProto {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    /// What stands for [`Instant::ORIGIN`].
    origin: std::time::Instant,
    packets: VecDeque<Bytes>,
    readable: VecDeque<u16>,
    open: BTreeSet<u16>,
    resets: Vec<u16>,
    done: Vec<u16>,
    up: bool,
    down: bool,
}

fn transport() -> TransportConfig {
    TransportConfig::default()
        .with_max_init_retransmits(None)
        .with_max_data_retransmits(None)
        .with_rto_initial_ms(1000)
        .with_rto_max_ms(10_000)
        .with_max_send_message_size(1 << 20)
        .with_max_receive_message_size(1 << 20)
}

impl SctpProto {
    pub(crate) fn new() -> Self {
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
            open: BTreeSet::new(),
            resets: Vec::new(),
            done: Vec::new(),
            up: false,
            down: false,
        }
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
                Event::HandshakeFailed { reason } => panic!("sctp-proto: {reason}"),
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
                Event::Stream(StreamEvent::ResetFailed { id, .. }) => panic!("sctp-proto cannot reset {id}"),
                _ => {}
            }
        }
    }
}

impl Side for SctpProto {
    fn connect(&mut self, _: Instant) {
        let mut client = ClientConfig::new();
        client.transport = Arc::new(transport());
        self.association = Some(self.endpoint.connect(client, A_V4).unwrap());
    }

    fn input(&mut self, now: Instant, packet: &[u8]) {
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

    fn output(&mut self, now: Instant) -> Option<Vec<u8>> {
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
        self.packets.pop_front().map(|packet| packet.to_vec())
    }

    fn timeout(&mut self, now: Instant) {
        let at = self.at(now);
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(at);
        }
        self.events();
    }

    fn next(&self) -> Option<Instant> {
        let at = self.association.as_ref()?.1.poll_timeout()?;
        Some(Instant::ORIGIN + at.saturating_duration_since(self.origin))
    }

    fn up(&self) -> bool {
        self.up && !self.down
    }

    fn down(&self) -> bool {
        self.up && self.association.as_ref().is_some_and(|(_, association)| association.is_closed())
    }

    fn send(&mut self, _now: Instant, message: &Outgoing) -> bool {
        let Some((_, association)) = &mut self.association else { return false };
        if self.open.insert(message.stream) {
            association.open_stream(message.stream, PayloadProtocolIdentifier::Binary).unwrap();
        }
        let mut stream = association.stream(message.stream).unwrap();
        if stream.buffered_amount().unwrap() > 1 << 20 {
            return false;
        }
        let (kind, value) = match message.reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::MaxRetransmits(n) => (ReliabilityType::Rexmit, n.into()),
            Reliability::MaxLifetime(ms) => (ReliabilityType::Timed, ms.into()),
        };
        stream.set_reliability_params(!message.ordered, kind, value).unwrap();
        stream.write_sctp(&message.payload, PayloadProtocolIdentifier::Binary).is_ok()
    }

    fn receive(&mut self, _now: Instant) -> Option<(u16, Bytes)> {
        while let Some(id) = self.readable.front().copied() {
            let (_, association) = self.association.as_mut()?;
            if let Ok(Some(chunks)) = association.stream(id).and_then(|mut stream| stream.read_sctp()) {
                let mut payload = vec![0; chunks.len()];
                chunks.read(&mut payload).unwrap();
                return Some((id, Bytes::from(payload)));
            }
            self.readable.pop_front();
            self.events();
        }
        None
    }

    fn reset(&mut self, _now: Instant, stream: u16) {
        self.association.as_mut().unwrap().1.stream(stream).unwrap().close().unwrap();
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

    fn shutdown(&mut self, _: Instant) {
        self.association.as_mut().unwrap().1.shutdown().unwrap();
        self.events();
    }

    fn resets_by_hand(&self) -> bool {
        false
    }

    /// What is queued when it shuts down is never sent.
    fn messages_before_shutdown(&self) -> u32 {
        0
    }

    fn notes_the_end(&self) -> bool {
        false
    }
}
