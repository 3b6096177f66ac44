//! The `rtc-sctp` crate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TransportConfig,
};
use rtc_shared::TransportProtocol;
use weft_core::{Frame, Instant};
use weft_sctp::Reliability;
use weft_testkit::{A_V4, B_V4};

use super::{Habits, Outgoing, Snapshot, Stack};

/// `rtc-sctp`.
pub struct RtcSctp {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    /// It makes one for each INIT, copies included: those that were made before, of which the peer may mean one.
    others: Vec<(AssociationHandle, Association)>,
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
}

fn transport() -> TransportConfig {
    TransportConfig::default().with_max_receive_buffer_size(5 << 20).with_max_message_size(1 << 20)
}

impl Default for RtcSctp {
    fn default() -> Self {
        Self::new()
    }
}

impl RtcSctp {
    /// An endpoint with packets as large as ours begin, and retransmission without limits.
    pub fn new() -> Self {
        let server = ServerConfig::new(transport());
        let mut config = EndpointConfig::new();
        config.max_payload_size(1160);
        Self {
            endpoint: Endpoint::new(B_V4, TransportProtocol::UDP, Arc::new(config), Some(Arc::new(server))),
            association: None,
            others: Vec::new(),
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

    /// The one with this handle is meant.
    fn turn_to(&mut self, handle: AssociationHandle) {
        if let Some(at) = self.others.iter().position(|(other, _)| *other == handle) {
            let meant = self.others.swap_remove(at);
            self.others.extend(self.association.replace(meant));
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
                Event::HandshakeFailed { reason } => self.fault = Some(format!("rtc-sctp: {reason}")),
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
                _ => {}
            }
        }
    }
}

impl Stack for RtcSctp {
    fn connect(&mut self, now: Instant) {
        let at = self.at(now);
        self.association = self.endpoint.connect(at, ClientConfig::new(transport()), A_V4).ok();
    }

    fn is_up(&self) -> bool {
        self.up && !self.down
    }

    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let at = self.at(now);
        match self.endpoint.handle(at, A_V4, None, Bytes::copy_from_slice(packet)) {
            Some((handle, DatagramEvent::NewAssociation(association))) => {
                self.others.extend(self.association.replace((handle, association)));
            }
            Some((handle, DatagramEvent::AssociationEvent(event))) => {
                self.turn_to(handle);
                if let Some((_, association)) = &mut self.association {
                    association.handle_event(event);
                }
            }
            _ => {}
        }
        self.events();
    }

    fn transmit(&mut self, now: Instant, frame: &mut Frame<'_>) -> bool {
        let at = self.at(now);
        if self.packets.is_empty() {
            let transmit = self.association.as_mut().and_then(|(_, association)| association.poll_transmit(at));
            if let Some(transmit) = transmit {
                self.take_packets(transmit.message);
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

    fn send_message(&mut self, now: Instant, message: &Outgoing) -> bool {
        let at = self.at(now);
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
            && stream.write_sctp(at, &message.payload, binary).is_ok()
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

    fn reset(&mut self, now: Instant, stream: u16) {
        let at = self.at(now);
        let closed = self
            .association
            .as_mut()
            .map(|(_, association)| association.stream(stream).and_then(|mut stream| stream.close(at)).is_ok());
        if closed != Some(true) {
            self.fault = Some(format!("rtc-sctp does not reset {stream}"));
        }
    }

    fn take_resets(&mut self) -> Vec<u16> {
        self.events();
        // A stream that both sides have reset is gone without an event.
        if let Some((_, association)) = &mut self.association {
            let gone: Vec<u16> = self.open.iter().copied().filter(|id| association.stream(*id).is_err()).collect();
            self.open.retain(|id| !gone.contains(id));
            self.resets.extend(gone);
        }
        core::mem::take(&mut self.resets)
    }

    fn take_resets_done(&mut self) -> Vec<u16> {
        self.events();
        core::mem::take(&mut self.done)
    }

    fn shutdown(&mut self, _now: Instant) {
        let begun = self.association.as_mut().is_some_and(|(_, association)| association.shutdown().is_ok());
        if !begun {
            self.fault = Some("rtc-sctp does not shut down".to_owned());
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
            repeats_resets: false,
            takes_reflected_tags: false,
            shuts_down_last: true,
        }
    }
}
