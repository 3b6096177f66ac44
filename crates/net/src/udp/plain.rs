//! One datagram with nothing to be said beside it: no control data to write, and for the system to read.

use quinn_udp::Transmit;

/// Whether a call has to say no more than where the datagram goes.
#[cfg(target_os = "linux")]
fn is_plain(transmit: &Transmit<'_>) -> bool {
    let single = transmit.segment_size.is_none_or(|size| size >= transmit.contents.len());
    single && transmit.ecn.is_none() && transmit.src_ip.is_none()
}

/// Sends such a datagram. `None` for any other, and where the system has no cheaper call for it.
#[cfg(target_os = "linux")]
pub(super) fn send(io: &impl std::os::fd::AsFd, transmit: &Transmit<'_>) -> Option<std::io::Result<()>> {
    use rustix::net::{SendFlags, sendto};
    let call = || sendto(io, transmit.contents, SendFlags::empty(), &transmit.destination);
    is_plain(transmit).then(|| Ok(rustix::io::retry_on_intr(call).map(drop)?))
}

/// Sends such a datagram. `None` for any other, and where the system has no cheaper call for it.
#[cfg(not(target_os = "linux"))]
pub(super) fn send<S>(_io: &S, _transmit: &Transmit<'_>) -> Option<std::io::Result<()>> {
    None
}
