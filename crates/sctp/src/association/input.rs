//! Packets coming in ([RFC 9260 sections 8.4, 8.5](https://www.rfc-editor.org/rfc/rfc9260#section-8.4)).

use weft_core::Instant;

use super::Association;
use crate::error::AssociationError;
use crate::event::State;
use crate::inbound::Fragment;
use crate::wire::abort::T_BIT;
use crate::wire::cause::code;
use crate::wire::packet::CHUNK_HEADER_LEN;
use crate::wire::{
    Cause, Chunk, ForwardTsn, Header, IForwardTsn, Init, Packet, Params, Sack, Unknown, abort, cause, heartbeat, kind,
    shutdown,
};

/// Chunks that stand alone or first.
const FIRST: [u8; 4] = [kind::INIT, kind::INIT_ACK, kind::SHUTDOWN_COMPLETE, kind::COOKIE_ECHO];

/// Where no run of small messages begins, none is looked for at so many further chunks: small messages of two streams that
/// alternate would be looked at twice.
const PATIENCE: u32 = 7;

/// Goes on with the packet, or not.
enum Next {
    Chunk,
    Stop,
}

impl Association {
    pub(super) fn on_packet(&mut self, now: Instant, bytes: &[u8]) -> Result<(), AssociationError> {
        let Some(packet) = self.check_packet(bytes) else {
            self.stats.packets_dropped += 1;
            return Ok(());
        };
        self.stats.packets_received += 1;
        let mut had_data = false;
        self.answered = 0;
        let (mut chunks, mut n, mut no_run_before) = (packet.chunks(), 0, 0);
        let result = loop {
            let left = chunks.rest().len();
            let Some(chunk) = chunks.next() else {
                if !chunks.is_done() {
                    self.stats.chunks_dropped += 1; // what is left is no whole chunk
                }
                break Ok(());
            };
            if matches!(chunk.kind, kind::DATA | kind::I_DATA) {
                n += 1;
                let Some(data) = Fragment::parse(&chunk) else {
                    self.stats.chunks_dropped += 1;
                    continue;
                };
                had_data = true;
                let interleaving = chunk.kind == kind::I_DATA;
                if data.is_whole() && n > no_run_before {
                    if let Some(rest) = self.on_run(&data, interleaving, &packet.last(left)) {
                        chunks = rest;
                        continue;
                    }
                    no_run_before = n + PATIENCE;
                }
                if let Err(error) = self.on_data(&data, interleaving) {
                    break Err(error);
                }
                continue;
            }
            // Elsewhere they and all that follows mean nothing (sections 3, 3.2.2, 12.3).
            if n > 0 && FIRST.contains(&chunk.kind) {
                self.stats.chunks_dropped += 1;
                break Ok(());
            }
            n += 1;
            had_data |= self.asks_for_sack(&chunk);
            match self.on_chunk(now, packet.header.verification_tag, &chunk) {
                Ok(Next::Chunk) => {}
                Ok(Next::Stop) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if result.is_ok() && had_data {
            self.after_data(now);
        }
        if result.is_ok() && self.state == State::CookieEchoed {
            self.ask_for_cookie_ack(now, &packet);
        }
        result
    }

    /// Ports, checksum and Verification Tag. Packets that belong to no association are answered here.
    fn check_packet<'d>(&mut self, bytes: &'d [u8]) -> Option<Packet<'d>> {
        let packet = Packet::parse(bytes).ok()?;
        let header = packet.header;
        if (header.destination_port, header.source_port) != self.ports {
            return None;
        }
        let first = packet.first();
        let zero_is_fine = header.checksum == 0
            && self.config.zero_checksum
            && first.kind != kind::INIT
            && first.kind != kind::COOKIE_ECHO;
        if !zero_is_fine && !packet.checksum_ok() {
            return None;
        }
        let tag = header.verification_tag;
        let own = tag == self.local_tag;
        let reflected = first.flags & T_BIT != 0;
        match first.kind {
            // "The receiver of an INIT ... MUST be 0", and it must be alone.
            kind::INIT => (tag == 0 && packet.chunks().nth(1).is_none()).then_some(packet),
            kind::INIT_ACK | kind::SHUTDOWN_COMPLETE if packet.chunks().nth(1).is_some() => None,
            kind::ABORT | kind::SHUTDOWN_COMPLETE if self.exists() => {
                (if reflected { tag == self.peer_tag && tag != 0 } else { own }).then_some(packet)
            }
            // Its tag is that of the cookie it brings, which is checked there.
            kind::COOKIE_ECHO if !self.over => Some(packet),
            kind::SHUTDOWN_ACK if matches!(self.state, State::CookieWait | State::CookieEchoed) => {
                self.answer_stranger(header, &packet);
                None
            }
            _ if self.exists() => own.then_some(packet),
            _ => {
                self.answer_stranger(header, &packet);
                None
            }
        }
    }

    /// Chunks other than DATA that a SACK answers.
    fn asks_for_sack(&self, chunk: &Chunk<'_>) -> bool {
        match chunk.kind {
            kind::FORWARD_TSN => self.extensions.forward_tsn && ForwardTsn::parse(chunk.value).is_some(),
            kind::I_FORWARD_TSN => self.extensions.i_forward_tsn && IForwardTsn::parse(chunk.value).is_some(),
            _ => false,
        }
    }

    fn exists(&self) -> bool {
        self.state != State::Closed
    }

    /// "Out of the blue" packets (section 8.4).
    fn answer_stranger(&mut self, header: Header, packet: &Packet<'_>) {
        let mut chunk = Vec::new();
        let has = |kind: u8| packet.chunks().any(|c| c.kind == kind);
        let stale =
            |c: Chunk<'_>| c.kind == kind::ERROR && cause::first(c.value).is_some_and(|e| e.0 == code::STALE_COOKIE);
        if has(kind::ABORT) {
            return;
        }
        if has(kind::SHUTDOWN_ACK) {
            shutdown::write_complete(&mut chunk, T_BIT);
        } else if has(kind::SHUTDOWN_COMPLETE) || has(kind::COOKIE_ACK) || packet.chunks().any(stale) {
            return;
        } else {
            abort::write_abort(&mut chunk, T_BIT, None);
        }
        self.push_reply(header.verification_tag, chunk);
    }

    fn on_chunk(&mut self, now: Instant, tag: u32, chunk: &Chunk<'_>) -> Result<Next, AssociationError> {
        let value = chunk.value;
        match chunk.kind {
            kind::SACK => match Sack::parse(value) {
                Some(sack) => self.on_sack(now, &sack)?,
                None => self.stats.chunks_dropped += 1,
            },
            kind::INIT => {
                match Init::parse(value) {
                    Some(init) if self.over => self.refuse_init(&init),
                    Some(init) => self.on_init(now, &init),
                    None => self.stats.chunks_dropped += 1,
                }
                return Ok(Next::Stop);
            }
            kind::INIT_ACK => {
                match Init::parse(value) {
                    Some(init) => self.on_init_ack(now, &init)?,
                    None => self.stats.chunks_dropped += 1,
                }
                return Ok(Next::Stop);
            }
            kind::COOKIE_ECHO => {
                if !self.on_cookie_echo(now, tag, value) {
                    return Ok(Next::Stop);
                }
            }
            kind::COOKIE_ACK => self.on_cookie_ack(now),
            kind::HEARTBEAT if self.state != State::CookieWait => self.on_heartbeat(value),
            kind::HEARTBEAT_ACK => match heartbeat::parse(value) {
                Some(info) => self.on_heartbeat_ack(now, info),
                None => self.stats.chunks_dropped += 1,
            },
            kind::ABORT => return self.on_abort(tag, chunk),
            kind::PAD => {} // "the receiver of the PAD chunk MUST discard this chunk" (RFC 4820 section 3)
            kind::ERROR => match cause::first(value) {
                Some((code::STALE_COOKIE, _)) => self.on_stale_cookie(now)?,
                Some((code::UNRECOGNIZED_CHUNK, [kind::FORWARD_TSN | kind::I_FORWARD_TSN, ..])) => {
                    self.on_no_forward_tsn()?;
                }
                _ => {}
            },
            kind::SHUTDOWN => match shutdown::parse(value) {
                Some(cumulative) => self.on_shutdown(now, cumulative),
                None => self.stats.chunks_dropped += 1,
            },
            kind::SHUTDOWN_ACK => self.on_shutdown_ack(),
            kind::SHUTDOWN_COMPLETE => self.on_shutdown_complete(),
            kind::RE_CONFIG if self.extensions.re_config => self.on_re_config(now, value),
            kind::FORWARD_TSN if self.extensions.forward_tsn => match ForwardTsn::parse(value) {
                Some(forward) => self.on_forward_tsn(&forward),
                None => self.stats.chunks_dropped += 1,
            },
            kind::I_FORWARD_TSN if self.extensions.i_forward_tsn => match IForwardTsn::parse(value) {
                Some(forward) => self.on_i_forward_tsn(&forward),
                None => self.stats.chunks_dropped += 1,
            },
            // Each belongs to one kind of chunk (RFC 8260 section 2.3.1).
            kind::FORWARD_TSN if self.extensions.interleaving => {
                return Err(AssociationError::ProtocolViolation("FORWARD TSN where messages are interleaved"));
            }
            kind::I_FORWARD_TSN => {
                return Err(AssociationError::ProtocolViolation("I-FORWARD-TSN was not negotiated"));
            }
            _ => return Ok(self.on_unknown(chunk)),
        }
        Ok(if self.over { Next::Stop } else { Next::Chunk })
    }

    fn on_abort(&mut self, tag: u32, chunk: &Chunk<'_>) -> Result<Next, AssociationError> {
        // Format error, or a T bit that does not fit the tag: "silently discard" (sections 3.3.7, 8.5.1).
        let reflected = chunk.flags & T_BIT != 0;
        if !Params::new(chunk.value).well_formed() || (reflected && tag != self.peer_tag) {
            self.stats.chunks_dropped += 1;
            return Ok(Next::Stop);
        }
        let first = cause::first(chunk.value);
        let text = first.filter(|c| matches!(c.0, code::USER_INITIATED_ABORT | code::PROTOCOL_VIOLATION));
        Err(AssociationError::PeerAborted {
            code: first.map(|c| c.0),
            reason: text.map(|c| String::from_utf8_lossy(c.1).into_owned()).unwrap_or_default(),
        })
    }

    /// By the action bits (section 3.2).
    fn on_unknown(&mut self, chunk: &Chunk<'_>) -> Next {
        self.stats.chunks_dropped += 1;
        let action = Unknown::chunk(chunk.kind);
        if action.report {
            // As much of it as fits the answer.
            let most = self.room_to_answer().saturating_sub(2 * CHUNK_HEADER_LEN);
            if let Some(raw) = chunk.raw.get(..chunk.raw.len().min(most)).filter(|raw| raw.len() >= CHUNK_HEADER_LEN) {
                let mut error = Vec::new();
                abort::write_error(&mut error, &Cause::UnrecognizedChunk(raw));
                self.answer(error);
            }
        }
        if action.skip { Next::Chunk } else { Next::Stop }
    }

    /// It ended and will not start again.
    fn refuse_init(&mut self, init: &Init<'_>) {
        if init.initiate_tag != 0 {
            let mut chunk = Vec::new();
            abort::write_abort(&mut chunk, 0, Some(&Cause::OutOfResource));
            self.push_reply(init.initiate_tag, chunk);
        }
    }
}
