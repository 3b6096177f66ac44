//! Sans-IO DTLS: handshakes over one record layer, opened and sealed in place.
