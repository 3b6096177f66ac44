//! Datagrams that the network may fragment: DF is clear for them alone.

#[cfg(target_os = "linux")]
use std::sync::{PoisonError, RwLock};

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

/// The switch of one socket. DF is clear for all who send by it or for nobody, so who clears it sends alone; all others
/// send at the same time, for the price of two uncontended atomic operations. No call under it waits for the network.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
pub(super) struct Switch(RwLock<()>);

#[cfg(target_os = "linux")]
impl Switch {
    /// Calls `send` with DF clear if its datagrams `may_fragment`, else with DF set.
    pub(super) fn with<T>(&self, io: &impl Io, ipv6: bool, may_fragment: bool, send: impl FnOnce() -> T) -> T {
        if !may_fragment {
            let _with_others = self.0.read().unwrap_or_else(PoisonError::into_inner);
            return send();
        }
        let _alone = self.0.write().unwrap_or_else(PoisonError::into_inner);
        set(io, ipv6, true);
        let sent = send();
        set(io, ipv6, false);
        sent
    }
}

/// Where the system has no switch, DF stays as it is.
#[cfg(not(target_os = "linux"))]
#[derive(Debug, Default)]
pub(super) struct Switch;

#[cfg(not(target_os = "linux"))]
impl Switch {
    /// Calls `send`.
    pub(super) fn with<T>(&self, _io: &impl Io, _ipv6: bool, _may_fragment: bool, send: impl FnOnce() -> T) -> T {
        send()
    }
}

/// Lets datagrams sent from now on be fragmented, or not.
#[cfg(target_os = "linux")]
fn set(io: &impl Io, ipv6: bool, may_fragment: bool) {
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::UdpSocket;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, ip_mtu_discover};

    use super::*;

    #[test]
    fn df_is_set_for_all_others_whoever_clears_it_meanwhile() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        set(&socket, false, false);
        let (switch, over) = (Switch::default(), AtomicBool::new(false));
        let discovery = || ip_mtu_discover(&socket).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    assert_eq!(switch.with(&socket, false, true, discovery), Ipv4PathMtuDiscovery::DONT);
                }
                over.store(true, Ordering::Relaxed);
            });
            let mut clear = 0;
            while !over.load(Ordering::Relaxed) {
                let found = switch.with(&socket, false, false, discovery);
                clear += u32::from(found != Ipv4PathMtuDiscovery::PROBE);
            }
            assert_eq!(clear, 0);
        });
    }
}
