//! Questions and answers of DNS (RFC 1035 section 4), read and written by simple-dns.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// Records of one answer that are looked at.
const MAX_RECORDS: usize = 256;
/// Aliases followed within one answer.
const MAX_ALIASES: usize = 16;
/// Addresses taken from one answer.
const MAX_ADDRESSES: usize = 16;

/// A and AAAA (RFC 1035 section 3.4.1, RFC 3596 section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    const fn record(self) -> TYPE {
        match self {
            Self::V4 => TYPE::A,
            Self::V6 => TYPE::AAAA,
        }
    }
}

/// What a server says.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The addresses, none if the name has none of this family.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoName,
    /// The answer is longer than a datagram: ask by TCP (RFC 1035 section 4.2.1).
    Truncated,
    /// The server cannot or will not tell.
    Refused,
}

/// An answer to a question of ours, perhaps.
pub(super) struct Answer {
    pub(super) id: u16,
    pub(super) family: Family,
    pub(super) name: String,
    pub(super) verdict: Verdict,
}

/// A question; `None` if the name is none.
pub(super) fn query(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(family.record());
    packet.questions.push(Question::new(Name::new(name).ok()?, kind, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

/// Reads an answer; `None` if it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Answer> {
    let packet = Packet::parse(bytes).ok()?;
    let question = packet.questions.first().filter(|_| packet.questions.len() == 1)?;
    if !packet.has_flags(PacketFlag::RESPONSE) || question.qclass != QCLASS::CLASS(CLASS::IN) {
        return None;
    }
    let family = match question.qtype {
        QTYPE::TYPE(TYPE::A) => Family::V4,
        QTYPE::TYPE(TYPE::AAAA) => Family::V6,
        _ => return None,
    };
    let name = text(&question.qname);
    let verdict = match packet.rcode() {
        _ if packet.has_flags(PacketFlag::TRUNCATION) => Verdict::Truncated,
        RCODE::NoError => Verdict::Addresses(addresses(&packet, &name, family)),
        RCODE::NameError => Verdict::NoName,
        _ => Verdict::Refused,
    };
    Some(Answer { id: packet.id(), family, name, verdict })
}

/// The addresses of `name`, of its alias, of the alias of that, and so on.
fn addresses(packet: &Packet<'_>, name: &str, family: Family) -> Vec<IpAddr> {
    let records = || packet.answers.iter().take(MAX_RECORDS).filter(|record| record.class == CLASS::IN);
    let mut owner = name.to_owned();
    for _ in 0..MAX_ALIASES {
        let of_owner = records().filter(|record| text(&record.name) == owner);
        let found: Vec<IpAddr> = of_owner
            .clone()
            .filter_map(|record| match (&record.rdata, family) {
                (RData::A(a), Family::V4) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
                (RData::AAAA(aaaa), Family::V6) => Some(IpAddr::V6(Ipv6Addr::from(aaaa.address))),
                _ => None,
            })
            .take(MAX_ADDRESSES)
            .collect();
        if !found.is_empty() {
            return found;
        }
        let alias = of_owner.clone().find_map(|record| match &record.rdata {
            RData::CNAME(cname) => Some(text(&cname.0)),
            _ => None,
        });
        match alias {
            Some(alias) => owner = alias,
            None => return Vec::new(),
        }
    }
    Vec::new()
}

/// Names are compared without case (RFC 4343 section 3).
fn text(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}
