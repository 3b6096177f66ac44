//! Room given back while nothing comes or goes.

use crate::connection::Connection;

impl Connection {
    /// Gives back room that only a handshake or traffic takes, for a connection that will be idle. That includes keys as they are
    /// prepared for records. The secrets they are made of stay, and the next record in either direction has them made again, in
    /// microseconds.
    pub fn shrink_to_fit(&mut self) {
        self.core.records.rest();
        self.core.notices.shrink_to_fit();
        if self.is_connected() {
            // The certificate was judged, and no other will come.
            self.core.verifier = None;
        }
        self.core.flight.release();
        self.acknowledgements.shrink_to_fit();
        self.spans = Vec::new();
        self.ready.shrink_to_fit();
        self.events.shrink_to_fit();
    }
}
