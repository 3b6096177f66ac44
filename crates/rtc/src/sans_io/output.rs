//! The way out: STUN, DTLS flights and sealed SCTP packets into the caller's batch.

use weft_core::{Batch, Instant, Layer, Overhead, Path, Wrap};

use super::{Dtls, PeerConnection};
use crate::capture::Direction;

impl PeerConnection {
    /// Builds datagrams in `batch` until there is nothing to send now or the batch has no room for another. Returns how
    /// many were built; when the batch is full, send it and call again.
    pub fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<Path>) -> usize {
        let before = self.counters.datagrams_sent;
        while !self.states.closed
            && let Some(len) = self.transmit_ice(now, batch)
        {
            self.count_ice(len);
        }
        if self.ice.selected_path().is_some() {
            // While keys exist, the last packets of SCTP leave before DTLS says goodbye.
            while let Some(len) = self.transmit_sctp(now, batch) {
                self.count(len);
            }
            while let Some(len) = self.transmit_dtls(now, batch) {
                self.count(len);
            }
        }
        if self.states.closed {
            // After the farewells, which may go by them: allocations are given back.
            self.ice.close(now);
            while let Some(len) = self.transmit_ice(now, batch) {
                self.count_ice(len);
            }
        }
        let built = (self.counters.datagrams_sent - before) as usize;
        // Sending drains queues: channels may be writable again. It may also ask for a connection to a server or the peer.
        self.settle(now);
        built
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something to build at `now`; if not, it builds nothing. For
    /// drivers that would have to find a buffer first.
    pub fn wants_transmit(&mut self, now: Instant) -> bool {
        let dtls = match &self.dtls {
            Dtls::Running(dtls) | Dtls::Ended(Some(dtls)) => dtls.wants_transmit(),
            Dtls::Waiting | Dtls::Ended(None) => false,
        };
        self.states.closed || dtls || self.ice.wants_transmit(now) || self.channels.wants_transmit()
    }

    /// As [`poll_transmit`](Self::poll_transmit), but builds what the channels send and nothing else; what else there is, and
    /// what a full batch left, is for a `poll_transmit` soon after. For drivers that send a message at once from where it
    /// was queued.
    pub fn transmit_channels(&mut self, now: Instant, batch: &mut Batch<Path>) -> usize {
        let before = self.counters.datagrams_sent;
        if !self.states.closed && self.ice.selected_path().is_some() {
            while let Some(len) = self.transmit_sctp(now, batch) {
                self.count(len);
            }
        }
        self.settle(now);
        (self.counters.datagrams_sent - before) as usize
    }

    fn count(&mut self, len: usize) {
        self.counters.datagrams_sent += 1;
        self.counters.bytes_sent += len as u64;
    }

    fn count_ice(&mut self, len: usize) {
        self.count(len);
        self.not_of_pair.packets_sent += 1;
        self.not_of_pair.bytes_sent += len as u64;
    }

    fn transmit_ice(&mut self, now: Instant, batch: &mut Batch<Path>) -> Option<usize> {
        let mut frame = batch.frame(self.config.max_datagram, Overhead::NONE)?;
        let path = self.ice.poll_transmit(now, &mut frame)?;
        let len = frame.len();
        let frame = frame.finish();
        batch.commit(frame, path);
        Some(len)
    }

    fn transmit_dtls(&mut self, now: Instant, batch: &mut Batch<Path>) -> Option<usize> {
        let dtls = match &mut self.dtls {
            Dtls::Running(dtls) | Dtls::Ended(Some(dtls)) => dtls,
            Dtls::Waiting | Dtls::Ended(None) => return None,
        };
        let relay = self.ice.overhead();
        let mut frame = batch.frame(self.config.max_datagram + relay.total(), relay)?;
        if self.states.closed {
            // Only now that there is a frame: SCTP had one too, and has said its last.
            dtls.close(now);
        }
        dtls.poll_transmit(now, &mut frame)?;
        let path = self.ice.wrap(now, &mut frame)?;
        let len = frame.len();
        let frame = frame.finish();
        batch.commit(frame, path);
        Some(len)
    }

    fn transmit_sctp(&mut self, now: Instant, batch: &mut Batch<Path>) -> Option<usize> {
        let Dtls::Running(dtls) = &mut self.dtls else { return None };
        if !self.channels.wants_transmit() {
            return None;
        }
        let relay = self.ice.overhead();
        let overhead = dtls.overhead()?.and(relay);
        // Room for a probe of the path MTU, too.
        let probe = self.channels.association().max_packet() + overhead.total();
        let mut frame = batch.frame(probe.max(self.config.max_datagram + relay.total()), overhead)?;
        self.channels.poll_transmit(now, &mut frame)?;
        if let Some(capture) = &self.capture {
            capture.packet(now, Direction::Outbound, frame.content());
        }
        if let Err(spent) = dtls.wrap(&mut frame) {
            tracing::warn!(%spent, "a packet could not be sealed");
            return None;
        }
        let path = self.ice.wrap(now, &mut frame)?;
        let len = frame.len();
        let frame = frame.finish();
        batch.commit(frame, path);
        Some(len)
    }
}
