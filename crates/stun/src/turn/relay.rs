//! Datagrams to peers, wrapped in place: [RFC 8656 sections 11.1 and 12.5](https://www.rfc-editor.org/rfc/rfc8656#section-11.1).

use core::net::SocketAddr;

use weft_core::{Frame, Full, Overhead, Path, Spent, Transport, Wrap};

use super::client::{Client, State};
use crate::wire::attribute::{Attribute as _, AttributeType, XorPeerAddress};
use crate::wire::{ChannelData, Class, HEADER_LEN, MAGIC_COOKIE, Method, message_type};
use crate::{AddressFamily, TransactionId};

/// Most a datagram to a peer grows, whatever carries it: a Send indication to an IPv6 peer.
pub const MAX_OVERHEAD: Overhead = Overhead { head: HEADER_LEN + 24 + 4, tail: 3 };

impl Client {
    /// What [`wrap`](Self::wrap) adds to a datagram for `peer`: 4 bytes once a channel is bound, before that the 36 (IPv4) or
    /// 48 (IPv6) of a Send indication; and up to 3 bytes of padding where the tail is not zero. `None` while nothing can
    /// be sent there: no allocation, or no permission asked for.
    pub fn overhead(&self, peer: SocketAddr) -> Option<Overhead> {
        self.relayed(AddressFamily::of(peer.ip())).filter(|_| self.state == State::Allocated)?;
        if !self.peers.is_open(peer.ip()) {
            return None;
        }
        if self.peers.channel_of(peer).is_some_and(|channel| channel.bound) {
            return Some(Overhead { head: ChannelData::HEADER_LEN, tail: if self.is_stream() { 3 } else { 0 } });
        }
        Some(Overhead { head: HEADER_LEN + 4 + XorPeerAddress(peer).encoded_len() + 4, tail: 3 })
    }

    /// Makes of the datagram in `frame`, which is for `peer`, what goes to the server, in place: in its head room, and for
    /// padding in its tail room. Returns the way to the server.
    ///
    /// # Errors
    /// [`Spent::NoKeys`] while [`overhead`](Self::overhead) is `None`; [`Spent::NoRoom`]: the frame is untouched.
    pub fn wrap(&mut self, peer: SocketAddr, frame: &mut Frame<'_>) -> Result<Path, Spent> {
        let overhead = self.overhead(peer).ok_or(Spent::NoKeys)?;
        let channel = self.peers.channel_of(peer).filter(|channel| channel.bound).map(|channel| channel.number);
        let written = match channel {
            Some(number) => ChannelData::wrap(number, self.is_stream(), frame),
            None => self.send_indication(peer, overhead.head, frame),
        };
        written.map_err(|_| Spent::NoRoom)?;
        self.stats.wrapped += 1;
        self.active = true;
        Ok(self.path)
    }

    /// A [`Wrap`] for what goes to `peer`.
    pub fn relay(&mut self, peer: SocketAddr) -> Relay<'_> {
        Relay { client: self, peer }
    }

    /// XOR-PEER-ADDRESS, then DATA around what the frame holds.
    fn send_indication(&mut self, peer: SocketAddr, head: usize, frame: &mut Frame<'_>) -> Result<(), Full> {
        let len = u16::try_from(frame.len()).map_err(|_| Full)?;
        let padding = usize::from(len.wrapping_neg() % 4);
        if frame.head_room() < head || frame.tail_room() < padding {
            return Err(Full);
        }
        let id = TransactionId::random(&mut self.rng);
        frame.claim_tail(padding)?.fill(0);
        let length = u16::try_from(head - HEADER_LEN + frame.len()).map_err(|_| Full)?;
        let out = frame.claim_head(head)?;
        let address = XorPeerAddress(peer);
        let (header, attributes) = out.split_at_mut_checked(HEADER_LEN).ok_or(Full)?;
        let (attribute, data) = attributes.split_at_mut_checked(4 + address.encoded_len()).ok_or(Full)?;
        let (fixed, tail) = header.split_at_mut_checked(8).ok_or(Full)?;
        let ([t0, t1], [l0, l1]) = (message_type(Class::Indication, Method::SEND).to_be_bytes(), length.to_be_bytes());
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        fixed.copy_from_slice(&[t0, t1, l0, l1, c0, c1, c2, c3]);
        tail.copy_from_slice(&id.0);
        let (kind, value) = attribute.split_at_mut_checked(4).ok_or(Full)?;
        kind.copy_from_slice(&attribute_head(AttributeType::XOR_PEER_ADDRESS, address.encoded_len() as u16));
        address.encode(value, &id);
        data.copy_from_slice(&attribute_head(AttributeType::DATA, len));
        Ok(())
    }

    pub(super) fn is_stream(&self) -> bool {
        self.path.transport != Transport::Udp
    }
}

fn attribute_head(kind: AttributeType, len: u16) -> [u8; 4] {
    let ([t0, t1], [l0, l1]) = (kind.0.to_be_bytes(), len.to_be_bytes());
    [t0, t1, l0, l1]
}

/// What wraps datagrams for one peer.
#[derive(Debug)]
pub struct Relay<'c> {
    client: &'c mut Client,
    peer: SocketAddr,
}

impl Wrap for Relay<'_> {
    /// The tail is what padding takes at most.
    fn overhead(&self) -> Option<Overhead> {
        self.client.overhead(self.peer)
    }

    fn wrap(&mut self, frame: &mut Frame<'_>) -> Result<(), Spent> {
        self.client.wrap(self.peer, frame).map(|_| ())
    }
}
