//! Flights: the messages one side sends before it waits for the other (RFC 6347 section 4.2.4). They are stored whole, and
//! cut at every transmission, again where they were cut before.

use core::ops::Range;
use std::collections::VecDeque;

use weft_core::{Frame, Spent};

use crate::record::RecordLayer;
use crate::wire::{ContentType, Fragment, HANDSHAKE_HEADER, HandshakeType};

/// The least piece of a message worth its header at the end of a datagram: room there costs nothing.
const MIN_PIECE: usize = 2;

/// The most fragments remembered until the peer acknowledges the records that held them.
const MAX_SENT: usize = 512;

/// A message of a flight.
enum Item {
    Handshake(Outgoing),
    ChangeCipherSpec { epoch: u16 },
}

/// A handshake message, with what of it the peer has not acknowledged.
struct Outgoing {
    epoch: u16,
    message_type: HandshakeType,
    message_seq: u16,
    body: Vec<u8>,
    /// In order, apart from each other, none empty but that of an empty body.
    missing: Vec<Range<usize>>,
    /// Where fragments ended before the message did, in order. What is sent again is cut there, too: overlaps are allowed
    /// (RFC 9147 section 5.5), but there are peers that take of fragments with the same offset the first alone, and would
    /// never get what a longer one adds.
    cuts: Vec<usize>,
    /// Bytes that were sent at least once.
    sent: usize,
}

impl Outgoing {
    /// The next bytes to send, from `at` on.
    fn next_missing(&self, at: usize) -> Option<Range<usize>> {
        let range = self.missing.iter().find(|range| range.end > at || range.is_empty() && range.start >= at)?;
        Some(range.start.max(at)..range.end)
    }

    /// Where a fragment that begins at `start` has to end, if the message was cut there before.
    fn next_cut(&self, start: usize) -> Option<usize> {
        self.cuts.get(self.cuts.partition_point(|cut| *cut <= start)).copied()
    }

    /// A fragment was sent that ended there.
    fn cut(&mut self, end: usize) {
        self.sent = self.sent.max(end);
        if end < self.body.len()
            && let Err(at) = self.cuts.binary_search(&end)
        {
            self.cuts.insert(at, end);
        }
    }

    /// The peer has these bytes; whether that is news.
    fn acknowledge(&mut self, have: &Range<usize>) -> bool {
        let before = self.missing.len();
        let mut left = Vec::with_capacity(before.saturating_add(1));
        let mut news = false;
        for range in self.missing.drain(..) {
            if have.end < range.start || range.end < have.start || have.is_empty() != range.is_empty() {
                left.push(range);
                continue;
            }
            let parts = [range.start..have.start.max(range.start), have.end.min(range.end)..range.end];
            news |= parts.iter().map(ExactSizeIterator::len).sum::<usize>() < range.len() || range.is_empty();
            left.extend(parts.into_iter().filter(|part| !part.is_empty()));
        }
        self.missing = left;
        news
    }
}

/// A fragment that was sent: in which record, of which item.
struct Sent {
    epoch: u16,
    sequence: u64,
    item: usize,
    range: Range<usize>,
}

/// The flight sent last, kept until the peer's answer shows that it arrived, or for good if it was the last of all.
#[derive(Default)]
pub(crate) struct Flight {
    items: Vec<Item>,
    /// Which item is to be written next, and from which byte on.
    position: (usize, usize),
    sent: VecDeque<Sent>,
    /// How often sending began anew.
    repeats: u32,
    /// How many flights came before.
    number: u32,
    /// Beyond 2^16 - 1 when every number was used.
    next_message_seq: u32,
    /// The longest datagram that messages are cut for.
    mtu: usize,
}

impl Flight {
    /// Forgets the flight, to fill in the next one.
    pub(crate) fn begin(&mut self) {
        self.items.clear();
        self.sent.clear();
        self.position = (0, 0);
        self.repeats = 0;
        self.number = self.number.wrapping_add(1);
    }

    /// Gives back the room of a flight that the peer has, as no other will come soon.
    pub(crate) fn release(&mut self) {
        self.items.shrink_to_fit();
        self.sent.shrink_to_fit();
    }

    /// The epoch of its last message.
    pub(crate) fn epoch(&self) -> Option<u16> {
        self.items.last().map(|item| match item {
            Item::Handshake(outgoing) => outgoing.epoch,
            Item::ChangeCipherSpec { epoch } => *epoch,
        })
    }

    /// The number that the next message added will have.
    pub(crate) fn next_message_seq(&self) -> u16 {
        self.next_message_seq as u16
    }

    /// Whether every number was used: none may be used twice, so no message can be added.
    pub(crate) fn is_out_of_numbers(&self) -> bool {
        self.next_message_seq > u16::MAX.into()
    }

    /// Cuts messages for datagrams of this length, those anew that were cut for another.
    pub(crate) fn fit(&mut self, mtu: usize) {
        if self.mtu == mtu {
            return;
        }
        self.mtu = mtu;
        for item in &mut self.items {
            if let Item::Handshake(message) = item {
                message.cuts.clear();
                message.sent = 0;
            }
        }
    }

    /// Goes on after messages that somebody else sent.
    pub(crate) fn continue_from(&mut self, message_seq: u16) {
        self.next_message_seq = message_seq.into();
    }

    /// Adds a handshake message. There must be a number left for it.
    pub(crate) fn push(&mut self, epoch: u16, message_type: HandshakeType, body: Vec<u8>) {
        let message_seq = self.next_message_seq();
        self.next_message_seq = u32::from(message_seq).saturating_add(1);
        let missing = core::iter::once(0..body.len()).collect();
        self.items.push(Item::Handshake(Outgoing {
            epoch,
            message_type,
            message_seq,
            body,
            missing,
            cuts: Vec::new(),
            sent: 0,
        }));
    }

    pub(crate) fn push_change_cipher_spec(&mut self, epoch: u16) {
        self.items.push(Item::ChangeCipherSpec { epoch });
    }

    /// Sends everything again that was not acknowledged.
    pub(crate) fn rewind(&mut self) {
        self.position = (0, 0);
        self.repeats = self.repeats.saturating_add(1);
    }

    /// Sends at once what is known to be missing.
    pub(crate) fn resume(&mut self) {
        self.position = (0, 0);
    }

    /// Tells this flight from others.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of its messages.
    pub(crate) fn held(&self) -> usize {
        let len = |item: &Item| if let Item::Handshake(outgoing) = item { outgoing.body.len() } else { 0 };
        self.items.iter().map(len).sum()
    }

    /// How often the flight was begun again.
    pub(crate) fn repeats(&self) -> u32 {
        self.repeats
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The epoch of a protected flight of which nothing was sent yet.
    pub(crate) fn unsent_epoch(&self) -> Option<u16> {
        let first = self.items.first().filter(|_| self.position == (0, 0) && self.sent.is_empty())?;
        match first {
            Item::Handshake(message) if message.epoch > 0 => Some(message.epoch),
            _ => None,
        }
    }

    /// Whether something is still to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.position.0 < self.items.len()
    }

    /// The peer has these records; whether that is news (RFC 9147 section 7.2).
    pub(crate) fn acknowledge(&mut self, records: impl Iterator<Item = (u64, u64)>) -> bool {
        let mut news = false;
        for (epoch, sequence) in records {
            let items = &mut self.items;
            self.sent.retain(|sent| {
                let acknowledged = u64::from(sent.epoch) == epoch && sent.sequence == sequence;
                if acknowledged && let Some(Item::Handshake(item)) = items.get_mut(sent.item) {
                    news |= item.acknowledge(&sent.range);
                }
                !acknowledged
            });
        }
        news
    }

    /// Whether the peer has acknowledged all of it.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.items.iter().all(|item| matches!(item, Item::Handshake(outgoing) if outgoing.missing.is_empty()))
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
                    };
                    self.position = (self.position.0 + 1, 0);
                }
                Item::Handshake(item) if item.next_missing(self.position.1).is_none() => {
                    self.position = (self.position.0 + 1, 0);
                    continue;
                }
                Item::Handshake(item) => {
                    let epoch = item.epoch;
                    if !self.write_record(epoch, records, frame)? {
                        return Ok(written);
                    }
                }
            }
            written += 1;
        }
        Ok(written)
    }

    /// Writes one record of `epoch`; whether anything fitted.
    fn write_record(&mut self, epoch: u16, records: &mut RecordLayer, frame: &mut Frame<'_>) -> Result<bool, Spent> {
        let overhead = records.overhead(epoch).ok_or(Spent::NoKeys)?;
        let room = frame.remaining().saturating_sub(overhead.total()).min(records.content_limit());
        let pieces = self.pieces(epoch, room, frame.is_empty());
        let parts: Vec<&[u8]> =
            pieces.iter().flat_map(|piece| [piece.header.as_slice(), self.bytes(piece.item, &piece.range)]).collect();
        let Some(last) = pieces.last() else { return Ok(false) };
        let sequence = match records.append(frame, epoch, ContentType::HANDSHAKE, &parts) {
            Err(Spent::NoRoom) => return Ok(false),
            other => other?,
        };
        self.position = if last.whole { (last.item + 1, 0) } else { (last.item, last.range.end) };
        for piece in pieces {
            if let Some(Item::Handshake(message)) = self.items.get_mut(piece.item) {
                message.cut(piece.range.end);
            }
            if self.sent.len() >= MAX_SENT {
                self.sent.pop_front();
            }
            self.sent.push_back(Sent { epoch, sequence, item: piece.item, range: piece.range });
        }
        Ok(true)
    }

    /// What fits into one record. Under the protection of 1.3 several messages share one (RFC 9147 section 5.5); in 1.2
    /// each has its own, as older peers expect. `fresh`: nothing is in the datagram yet.
    fn pieces(&self, epoch: u16, room: usize, fresh: bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut item, mut at) = self.position;
        let mut room = room;
        while let Some(Item::Handshake(message)) = self.items.get(item) {
            if message.epoch != epoch || !pieces.is_empty() && epoch < 2 {
                break;
            }
            let Some(missing) = message.next_missing(at) else {
                (item, at) = (item + 1, 0);
                continue;
            };
            let Some(left) = room.checked_sub(HANDSHAKE_HEADER) else { break };
            let cut = message.next_cut(missing.start).map_or(missing.end, |cut| cut.min(missing.end));
            let end = cut.min(missing.start.saturating_add(left));
            // What was sent is cut anew only where a whole datagram has no room for it.
            let keep = missing.start < message.sent && !(fresh && pieces.is_empty());
            if end < cut && (keep || end.saturating_sub(missing.start) < MIN_PIECE) {
                break;
            }
            let range = missing.start..end;
            room = left.saturating_sub(range.len());
            let fragment = Fragment {
                message_type: message.message_type,
                length: message.body.len(),
                message_seq: message.message_seq,
                offset: range.start,
                body: message.body.get(range.clone()).unwrap_or_default(),
            };
            let whole = end == message.body.len();
            pieces.push(Piece { header: fragment.header(), item, range, whole });
            (item, at) = if whole { (item + 1, 0) } else { (item, end) };
        }
        pieces
    }

    fn bytes(&self, item: usize, range: &Range<usize>) -> &[u8] {
        match self.items.get(item) {
            Some(Item::Handshake(message)) => message.body.get(range.clone()).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// A fragment about to be written.
struct Piece {
    header: [u8; HANDSHAKE_HEADER],
    item: usize,
    range: Range<usize>,
    /// Whether the message ends with it.
    whole: bool,
}

/// Ways to break the rules, for tests of the other side.
#[cfg(test)]
impl Flight {
    /// Leaves out a message, as if it had never been there.
    pub(crate) fn leave_out(&mut self, unwanted: HandshakeType) {
        let mut gone = 0;
        self.items.retain_mut(|item| match item {
            Item::Handshake(Outgoing { message_type, .. }) if *message_type == unwanted => {
                gone += 1;
                false
            }
            Item::Handshake(Outgoing { message_seq, .. }) => {
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
            Item::Handshake(outgoing) if outgoing.message_type == wanted => Some(outgoing),
            _ => None,
        });
        let last = bodies.last().unwrap();
        last.missing = core::iter::once(0..new.len()).collect();
        last.body = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::wire::{RECORD_HEADER, RecordHeader};
    use weft_core::Overhead;

    /// What fragments the datagrams hold: number of the message, and its bytes.
    fn send(flight: &mut Flight, records: &mut RecordLayer, mtu: usize) -> Vec<(u16, Range<usize>)> {
        let mut ranges = Vec::new();
        flight.fit(mtu);
        while flight.is_pending() {
            let mut buffer = [0; 2048];
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            frame.cap(mtu);
            flight.write(records, &mut frame).unwrap();
            let mut rest = frame.content();
            while let Ok(header) = RecordHeader::parse(rest) {
                let (content, tail) = rest[RECORD_HEADER..].split_at(header.length.into());
                let (fragment, _) = Fragment::parse(content).unwrap();
                ranges.push((fragment.message_seq, fragment.offset..fragment.offset + fragment.body.len()));
                rest = tail;
            }
        }
        ranges
    }

    /// There are peers that take of fragments with the same offset the first alone. What goes again is therefore cut where
    /// it was cut before, though what goes before it is acknowledged.
    #[test]
    fn what_goes_again_is_cut_as_before() {
        let mut records = RecordLayer::new(&Limits::default());
        let mut flight = Flight::default();
        for length in [500, 40, 700] {
            flight.push(0, HandshakeType::CERTIFICATE, vec![7; length]);
        }
        let first = send(&mut flight, &mut records, 256);
        for acknowledged in 0..first.len() {
            flight.acknowledge([(0, acknowledged as u64)].into_iter());
            flight.rewind();
            assert_eq!(send(&mut flight, &mut records, 256), first[acknowledged + 1..]);
            // Those records have other numbers; so that the next one is acknowledged by its first, they are forgotten.
            flight.sent.retain(|sent| sent.sequence < first.len() as u64);
        }
        assert!(flight.is_acknowledged());
    }

    /// For another size of datagrams it is cut anew, so that none is needlessly short.
    #[test]
    fn another_mtu_is_made_use_of() {
        let mut records = RecordLayer::new(&Limits::default());
        let mut flight = Flight::default();
        flight.push(0, HandshakeType::CERTIFICATE, vec![7; 500]);
        for (mtu, datagrams) in [(256, 3), (300, 2), (256, 3), (1200, 1)] {
            assert_eq!(send(&mut flight, &mut records, mtu).len(), datagrams, "{mtu}");
            flight.rewind();
        }
    }
}
