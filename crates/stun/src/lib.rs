//! STUN messages, integrity and transactions; a TURN client.
