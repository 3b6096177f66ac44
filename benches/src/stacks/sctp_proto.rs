//! The `sctp-proto` crate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ServerConfig, StreamEvent, TransportConfig,
};
use weft_core::{Frame, Instant};
use weft_testkit::A_V4;

use super::{Snapshot, Stack};

/// `sctp-proto`.
pub struct SctpProto {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    /// What stands for [`Instant::ORIGIN`].
    origin: std::time::Instant,
    packets: VecDeque<Bytes>,
    readable: VecDeque<u16>,
    open: BTreeSet<u16>,
    up: bool,
}

fn transport() -> TransportConfig {
    TransportConfig::default()
        .with_max_init_retransmits(None)
        .with_max_data_retransmits(None)
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
            open: BTreeSet::new(),
            up: false,
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
                Event::Stream(StreamEvent::Opened { id }) => {
                    while association.accept_stream().is_some() {}
                    self.open.insert(id);
                    self.readable.push_back(id);
                }
                Event::Stream(StreamEvent::Readable { id }) => self.readable.push_back(id),
                _ => {}
            }
        }
    }
}

impl Stack for SctpProto {
    fn connect(&mut self, _now: Instant) {
        let mut client = ClientConfig::new();
        client.transport = Arc::new(transport());
        self.association = self.endpoint.connect(client, A_V4).ok();
    }

    fn is_up(&self) -> bool {
        self.up
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

    fn send(&mut self, _now: Instant, stream: u16, message: &Bytes) -> bool {
        let Some((_, association)) = self.association.as_mut().filter(|_| self.up) else { return false };
        if self.open.insert(stream) && association.open_stream(stream, PayloadProtocolIdentifier::Binary).is_err() {
            return false;
        }
        let Ok(mut stream) = association.stream(stream) else { return false };
        // It takes whatever it is given, and grows slower with it.
        if stream.buffered_amount().is_ok_and(|amount| amount > 1 << 20) {
            return false;
        }
        stream.write_sctp(message, PayloadProtocolIdentifier::Binary).is_ok()
    }

    fn read(&mut self, _now: Instant, each: &mut dyn FnMut(u16, &[u8])) {
        let Some((_, association)) = &mut self.association else { return };
        let mut buffer = vec![0; 1 << 17];
        while let Some(id) = self.readable.pop_front() {
            let Ok(mut stream) = association.stream(id) else { continue };
            while let Ok(Some(chunks)) = stream.read_sctp() {
                let read = chunks.read(&mut buffer).unwrap_or(0);
                each(id, buffer.get(..read).unwrap_or_default());
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let srtt = self.association.as_ref().map_or(0.0, |(_, association)| association.rtt().as_secs_f64());
        Snapshot { srtt, packet: 1188, ..Snapshot::default() }
    }
}
