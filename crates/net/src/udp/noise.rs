//! Errors that are the network's, not the socket's.

use std::io::{self, ErrorKind};

/// Codes `std` has no kind for: I/O error (of the network card), no buffer space (its queue is full), host down.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CODES: [i32; 3] = [5, 105, 112];
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
const CODES: [i32; 3] = [5, 55, 64];
#[cfg(windows)]
const CODES: [i32; 2] = [10_055, 10_064];
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    windows
)))]
const CODES: [i32; 0] = [];

/// Whether `error` concerns one datagram or one destination and leaves the socket usable: a UDP packet was lost, as UDP
/// packets are.
pub(super) fn is_noise(error: &io::Error) -> bool {
    let kind = matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::PermissionDenied
            | ErrorKind::AddrNotAvailable
            | ErrorKind::InvalidInput
            | ErrorKind::TimedOut
    );
    kind || quinn_udp::is_msg_size_err(error) || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_linux_says_of_lost_packets_is_noise() {
        // EPERM, EIO, EACCES, EINVAL, EMSGSIZE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENOBUFS, ETIMEDOUT, ECONNREFUSED,
        // EHOSTDOWN, EHOSTUNREACH
        for code in [1, 5, 13, 22, 90, 99, 100, 101, 105, 110, 111, 112, 113] {
            assert!(is_noise(&io::Error::from_raw_os_error(code)), "{code}");
        }
        // EBADF, EAGAIN, EPIPE, ENOTSOCK
        for code in [9, 11, 32, 88] {
            assert!(!is_noise(&io::Error::from_raw_os_error(code)), "{code}");
        }
    }
}
