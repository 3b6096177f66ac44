//! Requests of ours but the Outgoing SSN Reset
//! ([RFC 6525 sections 5.1.3 to 5.1.6](https://www.rfc-editor.org/rfc/rfc6525#section-5.1.3)). One is out at a time.

use weft_core::{Instant, Serial32};

use super::reset::Outgoing;
use super::{Association, Timer};
use crate::event::Event;
use crate::wire::Answer;
use crate::wire::reconfig::{self, result};

/// What is asked of the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// To reset its outgoing streams.
    ResetIncoming(Vec<u16>),
    /// To start all streams and TSNs anew.
    ResetTsns,
    /// To take so many more streams of ours.
    AddOutgoing(u16),
    /// To send on so many more streams.
    AddIncoming(u16),
}

impl Order {
    pub(super) fn write(&self, chunk: &mut Vec<u8>, number: Serial32) {
        match self {
            Self::ResetIncoming(streams) => reconfig::write_incoming_reset(chunk, number, streams),
            Self::ResetTsns => reconfig::write_tsn_reset(chunk, number),
            Self::AddOutgoing(count) => reconfig::write_add_streams(chunk, number, true, *count),
            Self::AddIncoming(count) => reconfig::write_add_streams(chunk, number, false, *count),
        }
    }
}

impl Association {
    /// Asks the peer to reset streams it sends on (RFC 6525 section 5.1.3). [`Event::IncomingReset`] tells of each when it
    /// does; [`Event::ResetRefused`] when it does not.
    pub fn reset_incoming_streams(&mut self, streams: &[u16]) {
        let most = self.most_streams();
        let mut streams: Vec<u16> = streams.iter().copied().filter(|id| *id < self.in_streams).collect();
        streams.sort_unstable();
        streams.dedup();
        for list in streams.chunks(most) {
            self.order(Order::ResetIncoming(list.to_vec()));
        }
    }

    /// Asks to start all streams, both ways, at Stream Sequence Number 0, and both sides at new TSNs (section 5.1.4).
    /// Nothing is begun until [`Event::TsnsReset`]; what was begun is sent and acknowledged first. Do it at most once in 30
    /// seconds.
    pub fn reset_tsns(&mut self) {
        self.order(Order::ResetTsns);
    }

    /// Asks for more streams: so many to send on, so many to receive on (sections 5.1.5, 5.1.6).
    /// [`Event::OutgoingStreams`] and [`Event::IncomingStreams`] follow, or [`Event::StreamsRefused`].
    pub fn add_streams(&mut self, outgoing: u16, incoming: u16) {
        if outgoing > 0 {
            self.order(Order::AddOutgoing(outgoing));
        }
        if incoming > 0 {
            self.order(Order::AddIncoming(incoming));
        }
    }

    pub(super) fn order(&mut self, order: Order) {
        if !self.over && !self.reset.orders.contains(&order) {
            self.reset.orders.push_back(order);
        }
    }

    /// Makes the next request, if it can be made; true when it was.
    pub(super) fn give_order(&mut self, now: Instant) -> bool {
        while !self.extensions.re_config {
            let Some(order) = self.reset.orders.pop_front() else { return false };
            self.refused(order);
        }
        if self.reset.orders.front() == Some(&Order::ResetTsns) && !self.quiesce() {
            return false;
        }
        let Some(order) = self.reset.orders.pop_front() else { return false };
        let number = self.take_number();
        self.reset.outgoing = Some(Outgoing::new(number, order));
        self.send_request(now);
        true
    }

    /// The peer's Outgoing SSN Reset Request answers our request number `response` (section 5.2.2, E1).
    pub(super) fn order_answered_by_reset(&mut self, response: Serial32) {
        let answered = self.reset.outgoing.as_ref().is_some_and(|request| {
            request.number == response && matches!(request.order, Some(Order::ResetIncoming(_)))
        });
        if answered {
            self.reset.outgoing = None;
            self.due.reconfig = false;
            self.timers.stop(Timer::Reconfig);
        }
    }

    /// The peer's last word on a request.
    pub(super) fn order_done(&mut self, order: Order, answer: &Answer) {
        let performed = answer.result == result::PERFORMED;
        match (order, answer.next_tsns) {
            (Order::ResetIncoming(_), _) if performed || answer.result == result::NOTHING_TO_DO => {}
            (Order::ResetTsns, Some((sender, receiver))) if performed => {
                self.restart_tsns(receiver, sender);
                self.event(Event::TsnsReset(true));
            }
            (Order::AddOutgoing(count), _) if performed => {
                self.out_streams = self.out_streams.saturating_add(count);
                self.event(Event::OutgoingStreams(self.out_streams));
            }
            // The peer's own request tells when they are there.
            (Order::AddIncoming(_), _) if performed => {}
            (order, _) => self.refused(order),
        }
    }

    fn refused(&mut self, order: Order) {
        match order {
            Order::ResetIncoming(streams) => {
                for id in streams {
                    self.event(Event::ResetRefused(id));
                }
            }
            Order::ResetTsns => {
                self.queue.hold(false);
                self.event(Event::TsnsReset(false));
            }
            Order::AddOutgoing(_) | Order::AddIncoming(_) => self.event(Event::StreamsRefused),
        }
    }
}
