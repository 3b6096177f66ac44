//! What a datagram does to a connection.

use core::ops::Range;

use weft_core::Instant;

use crate::connection::{Connection, Phase, Timer};
use crate::error::{Error, Fault};
use crate::event::Event;
use crate::handshake::Step;
use crate::negotiation::Handshake;
use crate::reassembly::{Message, Reassembly, Taken};
use crate::record::Incoming;
use crate::v13::{self, APPLICATION_EPOCH, HANDSHAKE_EPOCH};
use crate::wire::{Ack, Alert, AlertDescription, AlertLevel, ContentType, Fragment, HandshakeType, ProtocolVersion};

impl Connection {
    /// Handles every record of a datagram, then those that waited for what it brought.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &mut [u8]) -> Result<(), Error> {
        let mut at = 0;
        while at < datagram.len() && self.phase != Phase::Closed {
            let found = self.core.records.record_end(datagram, at);
            let Some((end, record)) = found.and_then(|end| Some((end, datagram.get_mut(at..end)?))) else {
                self.counters.malformed_records += 1;
                break;
            };
            let opened = self.core.records.open(record, &mut self.counters);
            // RFC 9147 section 4: nor does the rest of the datagram belong to this connection.
            let foreign = matches!(opened, Incoming::Foreign);
            let content = match opened {
                // What almost every record is.
                Incoming::Opened { content_type: ContentType::APPLICATION_DATA, epoch, newest, content, .. }
                    if self.is_for_now(epoch) && !content.is_empty() =>
                {
                    self.newest |= newest;
                    Some(content)
                }
                opened => self.opened(now, record, opened)?,
            };
            if let Some(content) = content {
                self.spans.push(at.saturating_add(content.start)..at.saturating_add(content.end));
            }
            at = if foreign { datagram.len() } else { end };
            if self.core.records.read_epoch() != self.early_tried {
                self.replay_early(now)?;
            }
        }
        Ok(())
    }

    /// Begins a server's handshake with a hello that has proven its sender's address, and what was sent to it before. If
    /// the hello is refused, the connection dies and tells the client.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        message_seq: u16,
        record_sequence: u64,
        hello: &[u8],
        retried: Option<v13::Retried>,
    ) {
        self.reassembly = Reassembly::starting_at(message_seq, &self.config.limits);
        self.core.flight.continue_from(message_seq);
        // RFC 6347 section 4.2.1: the number of the record with the hello.
        self.core.records.continue_plaintext(record_sequence);
        if let Some(retried) = retried {
            self.handshake = Handshake::Server13(Box::new(v13::Server::retried(&mut self.core, &retried)));
        }
        let message_type = HandshakeType::CLIENT_HELLO;
        let whole = Fragment { message_type, length: hello.len(), message_seq, offset: 0, body: hello };
        self.reassembly.insert(&whole, 0, &mut self.counters);
        // An error stays: every further call tells it.
        let _ = self.messages(now);
    }

    /// Tries the records that came before their keys, once there are new ones.
    fn replay_early(&mut self, now: Instant) -> Result<(), Error> {
        while self.core.records.read_epoch() != self.early_tried {
            self.early_tried = self.core.records.read_epoch();
            // What is still early goes back into the queue.
            for _ in 0..self.early.len() {
                let Some(mut record) = self.early.pop() else { break };
                let opened = self.core.records.open(&mut record, &mut self.counters);
                if let Some(content) = self.opened(now, &record, opened)? {
                    self.ready.extend(record.get(content).map(<[u8]>::to_vec));
                }
            }
        }
        Ok(())
    }

    /// Handles one record that was opened, or not; gives where application data that may be yielded lies in it.
    fn opened(&mut self, now: Instant, record: &[u8], opened: Incoming) -> Result<Option<Range<usize>>, Error> {
        let (content_type, epoch, sequence, range) = match opened {
            Incoming::Opened { content_type, epoch, sequence, newest, content } => {
                self.newest |= newest;
                (content_type, epoch, sequence, content)
            }
            Incoming::Spent => {
                let alert = AlertDescription::BAD_RECORD_MAC;
                return Err(self.fail(Error::Refused { reason: "too many forged records", alert }));
            }
            Incoming::Dropped | Incoming::Foreign => return Ok(None),
            Incoming::Overflow => {
                let alert = AlertDescription::RECORD_OVERFLOW;
                return Err(self.fail(Error::Refused { reason: "a record of more than 2^14 bytes", alert }));
            }
            Incoming::Early => {
                self.keep_early(record);
                return Ok(None);
            }
        };
        let Some(content) = record.get(range.clone()) else { return Ok(None) };
        match content_type {
            ContentType::APPLICATION_DATA => return Ok(self.application_data(epoch, content).then_some(range)),
            ContentType::HANDSHAKE => self.fragments(now, epoch, sequence, content)?,
            ContentType::ACK => self.acknowledged(now, epoch, content)?,
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

    /// Whether application data of `epoch` may be yielded at once: it is under keys, and not under those of the handshake of
    /// 1.3, which has epoch 2 to itself.
    fn is_for_now(&self, epoch: u16) -> bool {
        self.phase == Phase::Connected && epoch != 0 && epoch != 2
    }

    /// Whether the data may be yielded now. Before the peer's Finished it is kept: until then neither side is proven.
    fn application_data(&mut self, epoch: u16, content: &[u8]) -> bool {
        if epoch == 0 {
            self.counters.plaintext_application_data += 1;
            return false;
        }
        // Epoch 2 is for the handshake of 1.3 alone.
        if epoch == 2 {
            self.counters.unexpected_records += 1;
            return false;
        }
        if content.is_empty() {
            return false;
        }
        if self.is_for_now(epoch) {
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
            if epoch > 0 {
                // Of two bytes the level alone can be wrong.
                let level = content.len() == 2;
                let alert = if level { AlertDescription::ILLEGAL_PARAMETER } else { AlertDescription::DECODE_ERROR };
                return Err(self.fail(Error::Refused { reason: "a malformed alert", alert }));
            }
            self.counters.malformed_records += 1;
            return Ok(());
        };
        // In 1.3 the level says nothing (RFC 8446 section 6).
        let fatal = if epoch >= 2 {
            alert.description != AlertDescription::USER_CANCELED
        } else {
            alert.level == AlertLevel::Fatal
        };
        let ends = fatal || alert.description == AlertDescription::CLOSE_NOTIFY;
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
    fn fragments(&mut self, now: Instant, epoch: u16, sequence: u64, content: &[u8]) -> Result<(), Error> {
        let v13 = self.handshake.may_be_v13();
        let (mut taken, mut old) = (!content.is_empty(), false);
        let mut rest = content;
        while !rest.is_empty() {
            let Ok((fragment, tail)) = Fragment::parse(rest) else {
                self.counters.bad_fragments += 1;
                taken = false;
                break;
            };
            rest = tail;
            if self.phase == Phase::Connected && !(v13 && epoch >= 2) {
                self.late_fragment(now, epoch, &fragment)?;
                taken = false;
                continue;
            }
            if matches!(self.handshake, Handshake::Listening) && !self.may_begin(&fragment) {
                taken = false;
                continue;
            }
            match self.reassembly.insert(&fragment, epoch, &mut self.counters) {
                Taken::Kept => {}
                Taken::Dropped => taken = false,
                Taken::Old(message_seq) => {
                    old = true;
                    self.repeated(now, message_seq, epoch);
                }
            }
        }
        // A client alone has anything in the clear to acknowledge: a ClientHello is answered.
        if v13 && taken && (epoch >= 2 || self.handshake.is_client()) {
            self.acknowledgements.note(epoch, sequence);
            self.schedule_acknowledgement(now, old && epoch >= 2);
        }
        self.messages(now)
    }

    /// Whether a server that waits takes the fragment: of a first hello alone. No timer runs yet that would free the place
    /// of a forged one, so one that contradicts what is there displaces it.
    fn may_begin(&mut self, fragment: &Fragment<'_>) -> bool {
        let begins = fragment.message_type == HandshakeType::CLIENT_HELLO
            && u32::from(fragment.message_seq) == self.reassembly.next();
        if begins {
            self.reassembly.drop_others(fragment);
        } else {
            self.counters.bad_fragments += 1;
        }
        begins
    }

    /// The records noted are acknowledged at once after the handshake, or if the peer repeats itself; else if the rest of
    /// the flight does not follow soon (RFC 9147 section 7.1).
    fn schedule_acknowledgement(&mut self, now: Instant, repeated: bool) {
        if self.phase == Phase::Connected || repeated {
            self.acknowledgements.send_now();
        } else if !self.timers.is_set(Timer::Acknowledge) {
            self.timers.set(Timer::Acknowledge, now + self.rto / 4);
        }
    }

    /// The peer tells which of our handshake records it has. In the clear anybody can, so that counts for nothing.
    fn acknowledged(&mut self, now: Instant, epoch: u16, content: &[u8]) -> Result<(), Error> {
        if epoch < 2 {
            self.counters.unexpected_records += 1;
            return Ok(());
        }
        let Ok(ack) = Ack::parse(content) else {
            self.counters.malformed_records += 1;
            return Ok(());
        };
        if self.core.flight.is_empty() {
            return Ok(());
        }
        let news = self.core.flight.acknowledge(ack.iter());
        if self.core.flight.is_acknowledged() {
            let last_of_handshake = self.core.flight.epoch() == Some(HANDSHAKE_EPOCH);
            self.core.flight.begin();
            self.timers.stop(Timer::Retransmit);
            if self.phase == Phase::Connected {
                self.timers.stop(Timer::Deadline);
                self.core.flight.release();
                if last_of_handshake {
                    // The server has our Finished: neither side sends anything in that epoch again.
                    self.core.records.retire_write(HANDSHAKE_EPOCH);
                    self.core.records.retire_read(HANDSHAKE_EPOCH);
                }
            }
            if let Handshake::Session13(session) = &mut self.handshake {
                let before = self.core.records.write_epoch();
                if session.acknowledged(&mut self.core).is_err() {
                    return Err(self.fail(Error::Internal("key update")));
                }
                self.counters.key_updates += u64::from(self.core.records.write_epoch() != before);
            }
        } else if news {
            // The rest got lost (RFC 9147 section 7.2).
            self.core.flight.resume();
            self.arm_flight(now);
        }
        Ok(())
    }

    /// After the handshake nothing is put together any more: a repeat is answered, a renegotiation refused, and what else
    /// the peer itself sends is against the rules.
    fn late_fragment(&mut self, now: Instant, epoch: u16, fragment: &Fragment<'_>) -> Result<(), Error> {
        let renegotiation = matches!(fragment.message_type, HandshakeType::HELLO_REQUEST | HandshakeType::CLIENT_HELLO);
        if epoch > 0 && renegotiation {
            self.alert = Some(Alert { level: AlertLevel::Warning, description: AlertDescription::NO_RENEGOTIATION });
        } else if u32::from(fragment.message_seq) < self.reassembly.next() {
            self.counters.old_fragments += 1;
            self.repeated(now, fragment.message_seq, epoch);
        } else if epoch > 0 {
            return Err(self.fail(Error::AFTER_HANDSHAKE));
        } else {
            self.counters.bad_fragments += 1;
        }
        Ok(())
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
        let session = |handshake: &Handshake| matches!(handshake, Handshake::Session13(_));
        let connected_before = self.phase == Phase::Connected;
        while matches!(self.phase, Phase::Idle | Phase::Handshaking)
            || self.phase == Phase::Connected && session(&self.handshake)
        {
            let Some(message) = self.reassembly.take() else { break };
            let step = self.handshake.handle(&mut self.core, &message);
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
        self.excess()?;
        if self.phase == Phase::Connected && !connected_before {
            self.reassembly.drop_before(APPLICATION_EPOCH);
        }
        Ok(())
    }

    /// In 1.2 nothing may follow Finished, not even what came with it.
    fn excess(&mut self) -> Result<(), Error> {
        let over = self.phase == Phase::Connected && !matches!(self.handshake, Handshake::Session13(_));
        if over && self.reassembly.take().is_some_and(|message| message.epoch > 0) {
            return Err(self.fail(Error::AFTER_HANDSHAKE));
        }
        Ok(())
    }

    /// A message was accepted.
    fn progress(&mut self, now: Instant, message: &Message, step: Step) {
        self.events.extend(self.core.notices.drain(..));
        self.reassembly.advance();
        self.suspicion = None;
        self.counters.peer_key_updates += u64::from(message.message_type == HandshakeType::KEY_UPDATE);
        if self.phase == Phase::Idle {
            self.begin(now);
        }
        match step {
            Step::Unexpected | Step::Taken => {}
            Step::Answer => {
                self.answered = Some((message.message_seq, message.epoch));
                self.acknowledgements.clear();
                self.timers.stop(Timer::Acknowledge);
                self.answer(now);
            }
            Step::Connected(info) => {
                self.answered = Some((message.message_seq, message.epoch));
                self.flight_begun = now;
                self.timers.stop_all();
                self.phase = Phase::Connected;
                if info.version == ProtocolVersion::DTLS_1_3 {
                    self.finish_v13(now);
                }
                while let Some(record) = self.undelivered.pop() {
                    self.ready.push_back(record);
                }
                self.info = Some(info.clone());
                self.events.push_back(Event::Connected(info));
            }
        }
    }

    /// The client's last flight is to be acknowledged (RFC 9147 section 5.8.1); until then it is sent again.
    fn finish_v13(&mut self, now: Instant) {
        self.handshake.settle();
        if self.core.flight.is_empty() {
            // The client has our flight, and may repeat its own until it knows that we have that.
            self.core.records.retire_write(HANDSHAKE_EPOCH);
            self.core.flight.release();
            self.acknowledgements.send_now();
        } else {
            self.acknowledgements.clear();
            self.timers.set(Timer::Deadline, now + self.config.handshake_timeout);
            self.answer(now);
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
