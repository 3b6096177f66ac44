//! The addresses the two sides have (documentation ranges: RFC 5737, RFC 3849).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Side A over IPv4.
pub const A_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5_000);
/// Side B over IPv4.
pub const B_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)), 6_000);
/// Side A over IPv6.
pub const A_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 1)), 5_000);
/// Side B over IPv6.
pub const B_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 2)), 6_000);
