//! FORWARD TSN and I-FORWARD-TSN ([RFC 3758 section 3.6](https://www.rfc-editor.org/rfc/rfc3758#section-3.6),
//! [RFC 8260 section 2.3.1](https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1)).

use weft_core::Serial32;

use super::Inbound;
use crate::wire::Skipped;

impl Inbound {
    /// Everything up to `cumulative` is to be taken as received.
    pub(crate) fn on_forward_tsn(&mut self, cumulative: Serial32, skipped: impl Iterator<Item = Skipped>) {
        if !cumulative.follows(self.cumulative) {
            self.ack.now();
            return;
        }
        let gaps = !self.received.is_empty();
        self.cumulative = self.received.advance(cumulative);
        self.ack.forget_earlier();
        if let Some(spans) = &mut self.reassembly {
            spans.forget_through(cumulative);
        }
        self.drop_headless();
        for entry in skipped {
            if entry.stream >= self.in_streams {
                continue;
            }
            // "the data receiver ... MUST deliver ... those messages that were waiting" up to the skipped one and after.
            if entry.unordered {
                self.skip_unordered(entry.stream, entry.mid);
            } else {
                self.skip_ordered(entry.stream, entry.mid);
            }
        }
        self.drop_headless();
        if gaps {
            self.ack.now(); // as for DATA that fills a hole
        }
    }
}
