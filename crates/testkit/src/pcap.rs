//! A captured trace as a pcap file: raw IP, nanosecond time, headers made up around the payload.
//!
//! ```no_run
//! # fn show(trace: &[weft_testkit::Traced]) -> std::io::Result<()> {
//! std::fs::write("trace.pcap", weft_testkit::pcap::file(trace))
//! # }
//! ```

use core::net::IpAddr;

use crate::{Packet, Traced};

/// The bytes of a pcap file that holds every packet of `trace` as it was sent, whatever became of it.
pub fn file(trace: &[Traced]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_3c4d_u32.to_le_bytes()); // magic: little endian, nanoseconds
    out.extend([2, 0, 4, 0]); // version 2.4
    out.extend([0; 8]); // time zone, accuracy
    out.extend(65_535_u32.to_le_bytes()); // snapshot length
    out.extend(101_u32.to_le_bytes()); // LINKTYPE_RAW
    for Traced { at, packet, .. } in trace {
        let ip = ip_packet(packet);
        let nanos = at.as_nanos();
        let len = ip.len() as u32;
        for field in [(nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32, len, len] {
            out.extend(field.to_le_bytes());
        }
        out.extend(ip);
    }
    out
}

fn ip_packet(packet: &Packet) -> Vec<u8> {
    let udp_len = (packet.payload.len() + 8) as u16;
    let (source, destination) = (octets(packet.path.local.ip()), octets(packet.path.remote.ip()));
    let ecn = packet.ecn as u8;
    let mut header = if packet.path.local.is_ipv6() {
        let mut header = vec![0x60, ecn << 4, 0, 0];
        header.extend(udp_len.to_be_bytes());
        header.extend([17, 64]);
        header
    } else {
        let mut header = vec![0x45, ecn];
        header.extend(udp_len.saturating_add(20).to_be_bytes());
        header.extend([0, 0, if packet.may_fragment { 0 } else { 0x40 }, 0, 64, 17, 0, 0]);
        header
    };
    header.extend(&source);
    header.extend(&destination);
    if packet.path.local.is_ipv4() {
        let sum = checksum(&[&header]);
        if let Some(field) = header.get_mut(10..12) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
    let mut udp = Vec::with_capacity(usize::from(udp_len));
    udp.extend(packet.path.local.port().to_be_bytes());
    udp.extend(packet.path.remote.port().to_be_bytes());
    udp.extend(udp_len.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(&packet.payload);
    let pseudo = [0, 17].into_iter().chain(udp_len.to_be_bytes()).collect::<Vec<u8>>();
    // A sum of zero is sent as all ones (RFC 768).
    let sum = Some(checksum(&[&source, &destination, &pseudo, &udp])).filter(|sum| *sum != 0).unwrap_or(0xffff);
    if let Some(field) = udp.get_mut(6..8) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    header.extend(udp);
    header
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071) over parts, each but the last of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|w| u64::from(w.first().copied().unwrap_or(0)) << 8 | u64::from(w.get(1).copied().unwrap_or(0)))
        .sum();
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
