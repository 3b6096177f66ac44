//! DNS messages, read and written by simple-dns.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

/// One address of a name.
pub(super) struct Answer {
    pub(super) name: String,
    pub(super) ip: IpAddr,
}

/// A question for the addresses of a name.
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// The QU bit (RFC 6762 section 5.4).
    pub(super) unicast: bool,
}

/// What of a message concerns us.
pub(super) enum Incoming {
    Query { id: u16, asked: Vec<Asked> },
    Response(Vec<Answer>),
}

/// Questions and records of one message that are looked at.
const MAX_ENTRIES: usize = 64;

/// Reads a message; `None` if it is none, or not for us (RFC 6762 sections 18.3 and 18.11: other opcodes and codes are ignored).
pub(super) fn parse(bytes: &[u8]) -> Option<Incoming> {
    let packet = Packet::parse(bytes).ok()?;
    if packet.opcode() != simple_dns::OPCODE::StandardQuery || packet.rcode() != simple_dns::RCODE::NoError {
        return None;
    }
    if packet.has_flags(PacketFlag::RESPONSE) {
        let records = packet.answers.iter().chain(&packet.additional_records).take(MAX_ENTRIES);
        let answers = records.filter(|record| record.class == CLASS::IN && record.ttl > 0).filter_map(|record| {
            let ip = match &record.rdata {
                RData::A(a) => IpAddr::V4(Ipv4Addr::from(a.address)),
                RData::AAAA(aaaa) => IpAddr::V6(Ipv6Addr::from(aaaa.address)),
                _ => return None,
            };
            Some(Answer { name: text(&record.name), ip })
        });
        return Some(Incoming::Response(answers.collect()));
    }
    let asked = packet.questions.iter().take(MAX_ENTRIES).map(|question| {
        let of_class = matches!(question.qclass, QCLASS::ANY | QCLASS::CLASS(CLASS::IN));
        let any = question.qtype == QTYPE::ANY;
        Asked {
            name: text(&question.qname),
            v4: of_class && (any || question.qtype == QTYPE::TYPE(TYPE::A)),
            v6: of_class && (any || question.qtype == QTYPE::TYPE(TYPE::AAAA)),
            unicast: question.unicast_response,
        }
    });
    Some(Incoming::Query { id: packet.id(), asked: asked.collect() })
}

/// Names are compared without case (RFC 6762 section 16).
fn text(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// A question for both kinds of address.
pub(super) fn query(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    for kind in [TYPE::A, TYPE::AAAA] {
        packet.questions.push(Question::new(Name::new(name).ok()?, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    }
    packet.build_bytes_vec_compressed().ok()
}

/// An answer. `legacy` is what a resolver gets that does not take part in multicast DNS (RFC 6762 section 6.7): the id and the
/// question again, no cache-flush bit, and a short life.
pub(super) fn response(name: &str, ip: IpAddr, ttl: u32, legacy: Option<u16>) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(legacy.unwrap_or(0));
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let (kind, rdata) = match ip {
        IpAddr::V4(v4) => (TYPE::A, RData::A(A { address: v4.into() })),
        IpAddr::V6(v6) => (TYPE::AAAA, RData::AAAA(AAAA { address: v6.into() })),
    };
    if legacy.is_some() {
        packet.questions.push(Question::new(Name::new(name).ok()?, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    }
    let record = ResourceRecord::new(Name::new(name).ok()?, CLASS::IN, ttl, rdata);
    packet.answers.push(record.with_cache_flush(legacy.is_none()));
    packet.build_bytes_vec_compressed().ok()
}
