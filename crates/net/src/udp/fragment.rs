//! Datagrams that the network may fragment: DF is clear for them alone.

/// What a socket has to be for that.
#[cfg(target_os = "linux")]
pub(super) trait Io: std::os::fd::AsFd {}
#[cfg(target_os = "linux")]
impl<S: std::os::fd::AsFd> Io for S {}

/// What a socket has to be for that.
#[cfg(not(target_os = "linux"))]
pub(super) trait Io {}
#[cfg(not(target_os = "linux"))]
impl<S> Io for S {}

/// Lets datagrams sent from now on be fragmented, or not. Where the system has no such switch, DF stays as it is.
#[cfg(target_os = "linux")]
pub(super) fn set(io: &impl Io, ipv6: bool, may_fragment: bool) {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    let done = match (ipv6, may_fragment) {
        (false, true) => set_ip_mtu_discover(io, Ipv4PathMtuDiscovery::DONT),
        (false, false) => set_ip_mtu_discover(io, Ipv4PathMtuDiscovery::PROBE),
        (true, true) => set_ipv6_mtu_discover(io, Ipv6PathMtuDiscovery::DONT),
        (true, false) => set_ipv6_mtu_discover(io, Ipv6PathMtuDiscovery::PROBE),
    };
    if let Err(error) = done {
        tracing::debug!(%error, may_fragment, "DF not changed");
    }
}

/// Lets datagrams sent from now on be fragmented, or not. Where the system has no such switch, DF stays as it is.
#[cfg(not(target_os = "linux"))]
pub(super) fn set(_io: &impl Io, _ipv6: bool, _may_fragment: bool) {}
