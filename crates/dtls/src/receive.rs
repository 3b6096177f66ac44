//! What a datagram does to a connection.

use core::ops::Range;

use weft_core::Instant;

use crate::connection::{Connection, Handshake, Phase, Timer};
use crate::error::{Error, Fault};
use crate::event::Event;
use crate::handshake::Step;
use crate::reassembly::{Message, Taken};
use crate::record::{Incoming, split};
use crate::wire::{Alert, AlertDescription, AlertLevel, ContentType, Fragment, HandshakeType};

impl Connection {
    /// Handles every record of a datagram, then those that waited for what it brought.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &mut [u8]) -> Result<(), Error> {
        let mut at = 0;
        while at < datagram.len() && self.phase != Phase::Closed {
            let found = split(datagram, at).map(|(_, end)| end);
            let Some((end, record)) = found.and_then(|end| Some((end, datagram.get_mut(at..end)?))) else {
                self.counters.malformed_records += 1;
                break;
            };
            if let Some(content) = self.record(now, record)? {
                self.spans.push(at.saturating_add(content.start)..at.saturating_add(content.end));
            }
            at = end;
            self.replay_early(now)?;
        }
        Ok(())
    }

    /// Opens the records that came before their keys, once those are there.
    fn replay_early(&mut self, now: Instant) -> Result<(), Error> {
        if !self.core.records.has_read_epoch(1) {
            return Ok(());
        }
        while let Some(mut record) = self.early.pop() {
            if let Some(content) = self.record(now, &mut record)? {
                self.ready.extend(record.get(content).map(<[u8]>::to_vec));
            }
        }
        Ok(())
    }

    /// Handles one record; gives where application data that may be yielded lies in it.
    fn record(&mut self, now: Instant, record: &mut [u8]) -> Result<Option<Range<usize>>, Error> {
        let (content_type, epoch, range) = match self.core.records.open(record, &mut self.counters) {
            Incoming::Opened { content_type, epoch, content } => (content_type, epoch, content),
            Incoming::Dropped => return Ok(None),
            Incoming::Early => {
                self.keep_early(record);
                return Ok(None);
            }
        };
        let Some(content) = record.get(range.clone()) else { return Ok(None) };
        match content_type {
            ContentType::APPLICATION_DATA => return Ok(self.application_data(epoch, content).then_some(range)),
            ContentType::HANDSHAKE => self.fragments(now, epoch, content)?,
            ContentType::ALERT => self.alert(epoch, content)?,
            // The change of keys is told by the epoch of what follows, and proven by Finished: the message itself, which
            // anybody can write, changes nothing (RFC 6347 section 4.1).
            ContentType::CHANGE_CIPHER_SPEC => {}
            _ => self.counters.unexpected_records += 1,
        }
        Ok(None)
    }

    fn keep_early(&mut self, record: &[u8]) {
        if self.phase == Phase::Connected {
            self.counters.unexpected_records += 1;
        } else if self.early.keep(record) {
            self.counters.early_records_kept += 1;
        } else {
            self.counters.early_records_dropped += 1;
        }
    }

    /// Whether the data may be yielded now. Before the peer's Finished it is kept: until then neither side is proven.
    fn application_data(&mut self, epoch: u16, content: &[u8]) -> bool {
        if epoch == 0 {
            self.counters.plaintext_application_data += 1;
            return false;
        }
        if content.is_empty() {
            return false;
        }
        if self.phase == Phase::Connected {
            return true;
        }
        if self.undelivered.keep(content) {
            self.counters.early_records_kept += 1;
        } else {
            self.counters.early_records_dropped += 1;
        }
        false
    }

    fn alert(&mut self, epoch: u16, content: &[u8]) -> Result<(), Error> {
        let Ok(alert) = Alert::parse(content) else {
            self.counters.malformed_records += 1;
            return Ok(());
        };
        let ends = alert.level == AlertLevel::Fatal || alert.description == AlertDescription::CLOSE_NOTIFY;
        if epoch == 0 {
            self.counters.unauthenticated_alerts += 1;
            if ends && self.phase == Phase::Handshaking {
                self.suspicion.get_or_insert((alert.description, 0));
            }
            return Ok(());
        }
        if alert.description == AlertDescription::CLOSE_NOTIFY {
            // RFC 5246 section 7.2.1: answered with one of our own, and pending writes are discarded.
            self.shut(Some(Alert::CLOSE_NOTIFY));
            self.events.push_back(Event::PeerClosed);
        } else if ends {
            return Err(self.fail(Error::AlertReceived(alert.description)));
        } else {
            self.counters.warnings += 1;
        }
        Ok(())
    }

    /// Handles the fragments of a handshake record.
    fn fragments(&mut self, now: Instant, epoch: u16, content: &[u8]) -> Result<(), Error> {
        let mut rest = content;
        while !rest.is_empty() {
            let Ok((fragment, tail)) = Fragment::parse(rest) else {
                self.counters.bad_fragments += 1;
                break;
            };
            rest = tail;
            if self.phase == Phase::Connected {
                self.late_fragment(now, epoch, &fragment);
            } else if let Taken::Old(message_seq) = self.reassembly.insert(&fragment, epoch, &mut self.counters) {
                self.repeated(now, message_seq, epoch);
            }
        }
        self.messages(now)
    }

    /// After the handshake nothing is put together any more: a repeat is answered, a renegotiation refused.
    fn late_fragment(&mut self, now: Instant, epoch: u16, fragment: &Fragment<'_>) {
        let renegotiation = matches!(fragment.message_type, HandshakeType::HELLO_REQUEST | HandshakeType::CLIENT_HELLO);
        if epoch > 0 && renegotiation {
            self.alert = Some(Alert { level: AlertLevel::Warning, description: AlertDescription::NO_RENEGOTIATION });
        } else if fragment.message_seq < self.reassembly.next() {
            self.counters.old_fragments += 1;
            self.repeated(now, fragment.message_seq, epoch);
        } else {
            self.counters.bad_fragments += 1;
        }
    }

    /// The peer repeats the end of the flight that ours answered, so ours did not arrive: it goes again at once (RFC 6347
    /// section 4.2.4), but not so often that duplicates on the way would multiply.
    fn repeated(&mut self, now: Instant, message_seq: u16, epoch: u16) {
        let recently = now.saturating_duration_since(self.flight_begun) < self.initial_rto / 4;
        if self.answered != Some((message_seq, epoch)) || recently || self.core.flight.is_empty() {
            return;
        }
        self.counters.repeats_answered += 1;
        self.core.flight.rewind();
        self.flight_begun = now;
        if self.timers.is_set(Timer::Retransmit) {
            self.arm_flight(now);
        }
    }

    /// Hands whole messages to the handshake, in their order.
    fn messages(&mut self, now: Instant) -> Result<(), Error> {
        while matches!(self.phase, Phase::Idle | Phase::Handshaking) {
            let Some(message) = self.reassembly.take() else { break };
            let step = match &mut self.handshake {
                Handshake::Unstarted => Ok(Step::Unexpected),
                Handshake::Client12(client) => client.handle(&mut self.core, &message),
                Handshake::Server12(server) => server.handle(&mut self.core, &message),
            };
            match step {
                Ok(Step::Unexpected) if message.epoch > 0 => {
                    let alert = AlertDescription::UNEXPECTED_MESSAGE;
                    return Err(self.fail(Error::Refused { reason: "a message out of order", alert }));
                }
                Err(Fault::Malformed) if message.epoch > 0 => {
                    let alert = AlertDescription::DECODE_ERROR;
                    return Err(self.fail(Error::Refused { reason: "a malformed message", alert }));
                }
                // Anybody may have written it: as if it had never come.
                Ok(Step::Unexpected) | Err(Fault::Malformed) => self.counters.bad_messages += 1,
                Err(Fault::Fatal(error)) => return Err(self.fail(error)),
                Ok(step) => self.progress(now, &message, step),
            }
        }
        Ok(())
    }

    /// A message was accepted.
    fn progress(&mut self, now: Instant, message: &Message, step: Step) {
        self.reassembly.advance();
        self.suspicion = None;
        if self.phase == Phase::Idle {
            self.begin(now);
        }
        match step {
            Step::Unexpected | Step::Taken => {}
            Step::Answer => {
                self.answered = Some((message.message_seq, message.epoch));
                self.answer(now);
            }
            Step::Connected(info) => {
                self.answered = Some((message.message_seq, message.epoch));
                self.flight_begun = now;
                self.timers.stop_all();
                self.phase = Phase::Connected;
                while let Some(record) = self.undelivered.pop() {
                    self.ready.push_back(record);
                }
                self.info = Some(info.clone());
                self.events.push_back(Event::Connected(info));
            }
        }
    }

    /// Our flight was answered and the next is ready.
    fn answer(&mut self, now: Instant) {
        if !self.flight_was_repeated {
            self.rto = self.initial_rto;
        }
        self.flight_was_repeated = false;
        self.arm_flight(now);
    }
}
