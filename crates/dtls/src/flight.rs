//! Flights: the messages one side sends before it waits for the other (RFC 6347 section 4.2.4). They are stored whole and
//! cut anew at every transmission.

use weft_core::{Frame, Spent};

use crate::record::RecordLayer;
use crate::wire::{ContentType, Fragment, HANDSHAKE_HEADER, HandshakeType};

/// The least piece of a message worth a record at the end of a datagram.
const MIN_PIECE: usize = 32;

/// A message of a flight.
enum Item {
    Handshake { epoch: u16, message_type: HandshakeType, message_seq: u16, body: Vec<u8> },
    ChangeCipherSpec { epoch: u16 },
}

/// The flight sent last, kept until the peer's answer shows that it arrived, or for good if it was the last of all.
#[derive(Default)]
pub(crate) struct Flight {
    items: Vec<Item>,
    /// Which item is to be written next, and from which byte on.
    position: (usize, usize),
    /// How often sending began anew.
    repeats: u32,
    next_message_seq: u16,
}

impl Flight {
    /// Forgets the flight, to fill in the next one.
    pub(crate) fn begin(&mut self) {
        self.items.clear();
        self.position = (0, 0);
        self.repeats = 0;
    }

    /// The number that the next message added will have.
    pub(crate) fn next_message_seq(&self) -> u16 {
        self.next_message_seq
    }

    /// Adds a handshake message.
    pub(crate) fn push(&mut self, epoch: u16, message_type: HandshakeType, body: Vec<u8>) {
        let message_seq = self.next_message_seq;
        self.next_message_seq = message_seq.wrapping_add(1);
        self.items.push(Item::Handshake { epoch, message_type, message_seq, body });
    }

    pub(crate) fn push_change_cipher_spec(&mut self, epoch: u16) {
        self.items.push(Item::ChangeCipherSpec { epoch });
    }

    /// Sends everything again.
    pub(crate) fn rewind(&mut self) {
        self.position = (0, 0);
        self.repeats = self.repeats.saturating_add(1);
    }

    /// How often the flight was begun again.
    pub(crate) fn repeats(&self) -> u32 {
        self.repeats
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something is still to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.position.0 < self.items.len()
    }

    /// Writes as much of the flight as fits into one datagram; gives the number of records that did.
    pub(crate) fn write(&mut self, records: &mut RecordLayer, frame: &mut Frame<'_>) -> Result<u64, Spent> {
        let mut written = 0;
        while let Some(item) = self.items.get(self.position.0) {
            match item {
                Item::ChangeCipherSpec { epoch } => {
                    match records.append(frame, *epoch, ContentType::CHANGE_CIPHER_SPEC, &[&[1]]) {
                        Err(Spent::NoRoom) => return Ok(written),
                        other => other?,
                    }
                    self.position = (self.position.0 + 1, 0);
                }
                Item::Handshake { epoch, message_type, message_seq, body } => {
                    let overhead = records.overhead(*epoch).ok_or(Spent::NoKeys)?;
                    let room = frame.remaining().saturating_sub(overhead.total().saturating_add(HANDSHAKE_HEADER));
                    let rest = body.get(self.position.1..).unwrap_or_default();
                    let Some(piece) = rest.get(..room.min(rest.len())) else { return Ok(written) };
                    let whole_rest = piece.len() == rest.len();
                    if !whole_rest && piece.len() < MIN_PIECE {
                        return Ok(written);
                    }
                    let fragment = Fragment {
                        message_type: *message_type,
                        length: body.len(),
                        message_seq: *message_seq,
                        offset: self.position.1,
                        body: piece,
                    };
                    match records.append(frame, *epoch, ContentType::HANDSHAKE, &[&fragment.header(), piece]) {
                        Err(Spent::NoRoom) => return Ok(written),
                        other => other?,
                    }
                    let next = self.position.1 + piece.len();
                    self.position = if whole_rest { (self.position.0 + 1, 0) } else { (self.position.0, next) };
                }
            }
            written += 1;
        }
        Ok(written)
    }
}

/// Ways to break the rules, for tests of the other side.
#[cfg(test)]
impl Flight {
    /// Leaves out a message, as if it had never been there.
    pub(crate) fn leave_out(&mut self, unwanted: HandshakeType) {
        let mut gone = 0;
        self.items.retain_mut(|item| match item {
            Item::Handshake { message_type, .. } if *message_type == unwanted => {
                gone += 1;
                false
            }
            Item::Handshake { message_seq, .. } => {
                *message_seq -= gone;
                true
            }
            Item::ChangeCipherSpec { .. } => true,
        });
        assert_eq!(gone, 1, "the message was there");
    }

    /// Puts another body into a message.
    pub(crate) fn replace(&mut self, wanted: HandshakeType, new: Vec<u8>) {
        let bodies = self.items.iter_mut().filter_map(|item| match item {
            Item::Handshake { message_type, body, .. } if *message_type == wanted => Some(body),
            _ => None,
        });
        *bodies.last().unwrap() = new;
    }
}
