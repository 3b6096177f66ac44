//! Setting it up without a handshake: the INIT chunks were exchanged otherwise
//! ([SNAP](https://datatracker.ietf.org/doc/draft-hancke-tsvwg-snap/00/), in SDP as `a=sctp-init`).
//!
//! Only for associations below which something else has authenticated the peer, as DTLS does: there is no cookie, and no
//! sign that the peer is where it says.

use weft_core::Instant;

use super::setup::{Verdict, judge};
use super::{Association, Timer};
use crate::error::InitError;
use crate::event::State;
use crate::wire::packet::CHUNK_HEADER_LEN;
use crate::wire::{Init, be16, kind};

/// The longest INIT chunk taken, bytes. Those of known stacks have 30 to 60.
const MAX_INIT: usize = 1024;

impl Association {
    /// Our INIT chunk as it would be sent, without padding, to be given to the peer by other means. It does not begin
    /// anything, and is the same until the association begins.
    pub fn local_init(&self) -> Vec<u8> {
        let mut chunk = self.init_chunk();
        let len = be16(&chunk, 2).map_or(0, usize::from);
        chunk.truncate(len);
        chunk
    }

    /// Whether these bytes are an INIT chunk that [`connect_with_init`](Self::connect_with_init) takes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_init(chunk: &[u8]) -> Result<(), InitError> {
        parse(chunk).map(|_| ())
    }

    /// Takes the peer's INIT chunk, which it gave us by other means as we gave ours ([`local_init`](Self::local_init)),
    /// for a handshake done: the association is up at once. Both sides have to do so.
    ///
    /// # Errors
    /// [`InitError`]; the association is then as it was.
    pub fn connect_with_init(&mut self, now: Instant, chunk: &[u8]) -> Result<(), InitError> {
        if self.state != State::Closed || self.over {
            return Err(InitError::Begun);
        }
        let init = parse(chunk)?;
        if let Verdict::Refuse(_) = judge(&init, self.config.partial_reliability) {
            return Err(InitError::Malformed("a field or parameter is impossible"));
        }
        self.peer_tag = init.initiate_tag;
        self.out_streams = self.config.out_streams.min(init.inbound_streams);
        self.in_streams = self.config.in_streams.min(init.outbound_streams);
        self.extensions = self.agreed(init.extensions());
        self.meet_peer(init.initial_tsn, init.a_rwnd);
        self.timers.stop(Timer::T1Init);
        self.enter_established(now);
        Ok(())
    }
}

fn parse(chunk: &[u8]) -> Result<Init<'_>, InitError> {
    let refuse = |what| Err(InitError::Malformed(what));
    let len = be16(chunk, 2).map_or(0, usize::from);
    if chunk.first() != Some(&kind::INIT) || chunk.len() > MAX_INIT {
        return refuse("not an INIT chunk");
    }
    // Padding may have been left in.
    let Some((value, padding)) = chunk.get(CHUNK_HEADER_LEN..len).zip(chunk.get(len..)) else {
        return refuse("its length is not that of the chunk");
    };
    if padding.len() > 3 {
        return refuse("its length is not that of the chunk");
    }
    match Init::parse(value) {
        Some(init) if init.initiate_tag == 0 => refuse("the Initiate Tag is 0"),
        Some(init) if init.outbound_streams == 0 || init.inbound_streams == 0 => refuse("it has no streams"),
        Some(init) if init.a_rwnd < super::setup::MIN_RWND => refuse("the window is below 1500 bytes"),
        Some(init) if !init.params.well_formed() => refuse("a parameter's length is impossible"),
        Some(init) => Ok(init),
        None => refuse("it is too short"),
    }
}
