//! The way in: ICE, then by first byte, then DTLS, then SCTP.

use weft_core::{Datagram, Instant, Layer};
use weft_sctp::DataChannels;
use weft_sdp::SctpInit;

use super::{Dtls, PeerConnection};
use crate::capture::{Direction, Interface};
use crate::event::Failure;

/// Early DTLS datagrams kept: a ClientHello with post-quantum keys takes two, and one repetition may follow.
const MAX_EARLY_DTLS: usize = 4;
/// The longest of them, in bytes.
const MAX_EARLY_LEN: usize = 2048;

impl PeerConnection {
    /// Handles a datagram that arrived. Its payload is opened in place. Whatever is wrong with it is counted and
    /// dropped.
    pub fn handle_input(&mut self, now: Instant, datagram: Datagram<'_>) {
        if self.states.closed {
            return;
        }
        self.counters.datagrams_received += 1;
        let len = datagram.payload.len() as u64;
        self.counters.bytes_received += len;
        let mut early = self.peer_init();
        let failure = match self.ice.handle_input(now, datagram) {
            Err(error) => Some(Failure::Agent(error)),
            Ok(None) => {
                self.not_of_pair.packets_received += 1;
                self.not_of_pair.bytes_received += len;
                None
            }
            // RFC 7983 section 7: 20 to 63 is DTLS; STUN was taken by ICE.
            Ok(Some(rest)) if matches!(rest.payload.first(), Some(20..=63)) => match &mut self.dtls {
                Dtls::Running(dtls) => {
                    let capture = self.capture.as_ref();
                    open(now, dtls, &mut self.channels, rest.payload, early.take(), capture).err()
                }
                Dtls::Waiting if is_early(rest.payload) && self.early_dtls.len() < MAX_EARLY_DTLS => {
                    self.early_dtls.push(rest.payload.to_vec());
                    None
                }
                Dtls::Waiting | Dtls::Ended(_) => {
                    self.counters.early_dtls += 1;
                    None
                }
            },
            Ok(Some(_)) => {
                self.counters.unknown_first_byte += 1;
                None
            }
        };
        self.failed(now, failure);
        self.settle(now);
    }

    /// Lets due timers fire.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.states.closed {
            return;
        }
        let was_busy = self.ice.is_busy();
        let ice = self.ice.handle_timeout(now).map_err(Failure::Agent).err();
        self.failed(now, ice);
        if was_busy && !self.ice.is_busy() {
            // Traffic has ended: what it took is given back long before the next heartbeat would.
            self.rest();
        }
        let dtls = match &mut self.dtls {
            Dtls::Running(dtls) => dtls.handle_timeout(now).map_err(Failure::Dtls).err(),
            Dtls::Waiting | Dtls::Ended(_) => None,
        };
        self.failed(now, dtls);
        // Why an association died is told once, as an event.
        let _ = self.channels.handle_timeout(now);
        if self.restart_by.is_some_and(|at| at <= now) {
            self.give_up(now);
        }
        self.tidy_when_calm(now);
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.states.closed {
            return None;
        }
        let dtls = match &self.dtls {
            Dtls::Running(dtls) => dtls.poll_timeout(),
            Dtls::Waiting | Dtls::Ended(_) => None,
        };
        Instant::earliest([self.ice.poll_timeout(), dtls, self.channels.poll_timeout(), self.restart_by])
    }

    /// Hands what came early to the connection it was for.
    pub(super) fn replay_early_dtls(&mut self, now: Instant) {
        for mut payload in std::mem::take(&mut self.early_dtls) {
            let Dtls::Running(dtls) = &mut self.dtls else { return };
            let failure = open(now, dtls, &mut self.channels, &mut payload, None, self.capture.as_ref()).err();
            self.failed(now, failure);
        }
    }

    fn failed(&mut self, now: Instant, failure: Option<Failure>) {
        match failure {
            Some(Failure::Dtls(error)) => self.dtls_failed(now, error),
            Some(failure) => self.fail(failure),
            None => {}
        }
    }
}

/// Whether a datagram may begin a handshake: content type 22 in epoch 0 (RFC 6347 section 4.1). Others are of a connection
/// that is no more.
fn is_early(payload: &[u8]) -> bool {
    payload.len() <= MAX_EARLY_LEN && matches!(payload, [22, _, _, 0, 0, ..])
}

/// Opens a datagram in place and hands what was in it to SCTP.
fn open(
    now: Instant,
    dtls: &mut weft_dtls::Connection,
    channels: &mut DataChannels,
    payload: &mut [u8],
    init: Option<SctpInit>,
    capture: Option<&Interface>,
) -> Result<(), Failure> {
    let mut records = dtls.handle_input(now, payload).map_err(Failure::Dtls)?;
    let mut init = init;
    while let Some(packet) = records.next() {
        // What comes with the end of the handshake is for an association that both sides hold to be up.
        if let Some(init) = init.take() {
            let _ = channels.connect_with_init(now, &init.0);
        }
        if let Some(capture) = capture {
            capture.packet(now, Direction::Inbound, packet);
        }
        // Why an association died is told once, as an event.
        if channels.handle_input(now, packet).is_err() {
            break;
        }
    }
    Ok(())
}
