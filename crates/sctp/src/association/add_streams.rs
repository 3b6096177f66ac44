//! More streams, as the peer asks
//! ([RFC 6525 sections 5.2.5, 5.2.6](https://www.rfc-editor.org/rfc/rfc6525#section-5.2.5)).

use weft_core::Serial32;

use super::Association;
use super::orders::Order;
use crate::event::Event;
use crate::wire::reconfig::result;

impl Association {
    /// The peer wants to send on more streams.
    pub(super) fn on_add_outgoing(&mut self, number: Serial32, count: u16) {
        if !self.is_new(number) {
            return;
        }
        match self.in_streams.checked_add(count).filter(|sum| count > 0 && *sum <= self.config.max_streams) {
            Some(sum) => {
                self.in_streams = sum;
                self.inbound.set_streams(sum);
                self.answer_new(number, result::PERFORMED);
                self.event(Event::IncomingStreams(sum));
            }
            None => self.answer_new(number, result::DENIED),
        }
    }

    /// The peer wants us to send on more streams: our own request says how it goes on.
    pub(super) fn on_add_incoming(&mut self, number: Serial32, count: u16) {
        if !self.is_new(number) {
            return;
        }
        let sum = self.out_streams.checked_add(count).filter(|sum| count > 0 && *sum <= self.config.max_streams);
        if sum.is_some() && !self.reset.orders.contains(&Order::AddOutgoing(count)) {
            self.order(Order::AddOutgoing(count));
            self.answer_new(number, result::PERFORMED);
        } else {
            self.answer_new(number, result::DENIED);
        }
    }
}
