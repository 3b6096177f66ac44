//! Runs go out.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use quinn_udp::{Transmit, UdpSockRef};
use weft_core::{Path, Run, Transport};

use super::fragment::Io;
use super::noise::is_noise;
use super::plain;
use super::socket::{Core, count};

/// The system call, or what stands for it in a test.
type Call<'a> = &'a mut dyn FnMut(&Transmit<'_>) -> io::Result<()>;

impl Core {
    /// Sends `run` over `io`, the socket this is the core of.
    pub(super) fn send<S>(&self, io: &S, run: &Run<Path>, bytes: &[u8]) -> io::Result<()>
    where
        S: Io,
        for<'a> UdpSockRef<'a>: From<&'a S>,
    {
        let mut call = |transmit: &Transmit<'_>| {
            plain::send(io, transmit).unwrap_or_else(|| self.state.try_send(io.into(), transmit))
        };
        self.fragmenting.with(io, self.bound.is_ipv6(), run.may_fragment, || self.send_by(&mut call, run, bytes))
    }

    fn send_by(&self, call: Call<'_>, run: &Run<Path>, bytes: &[u8]) -> io::Result<()> {
        let segments = run.segments();
        let Some(destination) = self.destination(&run.route) else {
            count(&self.counters.dropped, segments);
            return Ok(());
        };
        // Bound to one address, the socket has but one source.
        let source = Some(run.route.local.ip()).filter(|ip| self.bound.ip().is_unspecified() && !ip.is_unspecified());
        let transmit =
            Transmit { destination, ecn: None, contents: bytes, segment_size: Some(run.segment_size), src_ip: source };
        // Segments that are larger than what the system knows of the path are refused, and are not fragmented.
        if run.may_fragment || segments > self.max_segments.load(Ordering::Relaxed) {
            return self.send_one_by_one(call, &transmit, false);
        }
        match self.counted(call, &transmit, segments) {
            Err(error) if segments > 1 && may_refuse_offload(&error) => self.send_one_by_one(call, &transmit, true),
            Err(error) => self.drop_noise(error, segments),
            Ok(()) => Ok(()),
        }
    }

    /// Sends the datagrams of a run each in a call of its own. If that is because the whole run was `refused`, and the
    /// first datagram alone is not, then it is segmentation offload that the system refuses.
    fn send_one_by_one(&self, call: Call<'_>, run: &Transmit<'_>, refused: bool) -> io::Result<()> {
        let mut pieces = run.contents.chunks(run.segment_size.unwrap_or(0).max(1));
        let mut first = true;
        while let Some(contents) = pieces.next() {
            let transmit = Transmit { contents, segment_size: None, ..run.clone() };
            match self.counted(call, &transmit, 1) {
                Ok(()) if first && refused => {
                    tracing::info!(local = %self.bound, "no segmentation offload: the system refused it");
                    self.max_segments.store(1, Ordering::Relaxed);
                }
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && !first => {
                    // To ask for the run again would send its first datagrams twice, perhaps for ever.
                    count(&self.counters.dropped, 1 + pieces.len());
                    return Ok(());
                }
                Err(error) => self.drop_noise(error, 1)?,
            }
            first = false;
        }
        Ok(())
    }

    fn counted(&self, call: Call<'_>, transmit: &Transmit<'_>, segments: usize) -> io::Result<()> {
        call(transmit)?;
        count(&self.counters.sent, segments);
        count(&self.counters.send_calls, 1);
        Ok(())
    }

    fn drop_noise(&self, error: io::Error, segments: usize) -> io::Result<()> {
        if quinn_udp::is_msg_size_err(&error) {
            count(&self.counters.too_big, segments);
        } else if is_noise(&error) {
            tracing::trace!(local = %self.bound, %error, segments, "not sent");
            count(&self.counters.dropped, segments);
        } else {
            return Err(error);
        }
        Ok(())
    }

    /// Where a route leads, if this socket can send there at all. The system would answer some of the rest with EINVAL,
    /// by which it also refuses segmentation offload, and would take an unspecified address for this host.
    fn destination(&self, route: &Path) -> Option<SocketAddr> {
        let mut remote = route.remote;
        let usable = route.transport == Transport::Udp
            && remote.port() != 0
            && !remote.ip().is_unspecified()
            && remote.is_ipv4() == self.bound.is_ipv4();
        if let (SocketAddr::V6(to), SocketAddr::V6(from)) = (&mut remote, self.bound)
            && to.ip().is_unicast_link_local()
            && to.scope_id() == 0
        {
            to.set_scope_id(Some(from.scope_id()).filter(|id| *id != 0)?);
        }
        usable.then_some(remote)
    }
}

/// EIO and EINVAL are how Linux says that a network card or a driver cannot segment.
fn may_refuse_offload(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidInput || (cfg!(unix) && error.raw_os_error() == Some(5))
}

#[cfg(test)]
#[cfg(target_os = "linux")] // by its error codes
mod tests {
    use weft_core::{Batch, Limits, Overhead};

    use super::*;
    use crate::UdpSocket;

    const EIO: i32 = 5;
    const EAGAIN: i32 = 11;
    const EINVAL: i32 = 22;
    const EBADF: i32 = 9;
    const EMSGSIZE: i32 = 90;

    /// Sends a run of ten datagrams, the last a short one, by way of `system`, which is told how many datagrams a call
    /// carries and which call it is; gives what came of it, the socket, and the lengths of what went out.
    fn send_run(
        max_segments: usize,
        system: impl FnMut(usize, usize) -> Option<i32>,
    ) -> (io::Result<()>, UdpSocket, Vec<usize>) {
        send_run_of(false, max_segments, system)
    }

    fn send_run_of(
        may_fragment: bool,
        max_segments: usize,
        mut system: impl FnMut(usize, usize) -> Option<i32>,
    ) -> (io::Result<()>, UdpSocket, Vec<usize>) {
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.core.max_segments.store(max_segments, Ordering::Relaxed);
        let mut batch = Batch::new(10_000, Limits::GSO);
        for n in 0..10 {
            let mut frame = batch.frame(500, Overhead::NONE).unwrap();
            frame.push_zeros(if n == 9 { 77 } else { 500 }).unwrap();
            if may_fragment {
                frame.set_may_fragment();
            }
            let frame = frame.finish();
            batch.commit(frame, Path::udp(socket.local_addr(), "127.0.0.1:9".parse().unwrap()));
        }
        let (run, bytes) = batch.front().unwrap();
        let (mut out, mut calls) = (Vec::new(), 0);
        let mut call = |transmit: &Transmit<'_>| {
            let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
            calls += 1;
            if let Some(code) = system(transmit.contents.len().div_ceil(segment), calls) {
                return Err(io::Error::from_raw_os_error(code));
            }
            out.extend(transmit.contents.chunks(segment).map(<[u8]>::len));
            Ok(())
        };
        let result = socket.core.send_by(&mut call, run, bytes);
        (result, socket, out)
    }

    fn all() -> Vec<usize> {
        [vec![500; 9], vec![77]].concat()
    }

    #[test]
    fn a_run_is_one_call() {
        let (result, socket, out) = send_run(64, |_, _| None);
        assert_eq!((result.is_ok(), out, socket.stats().send_calls, socket.stats().sent), (true, all(), 1, 10));
    }

    #[test]
    fn what_may_be_fragmented_is_not_segmented() {
        let (result, socket, out) = send_run_of(true, 64, |segments, _| (segments > 1).then_some(EMSGSIZE));
        assert!(result.is_ok());
        assert_eq!((out, socket.limits().max_segments, socket.stats().sent), (all(), 64, 10));
    }

    #[test]
    fn refused_offload_is_given_up_and_the_run_goes_out_all_the_same() {
        for code in [EIO, EINVAL] {
            let (result, socket, out) = send_run(64, |segments, _| (segments > 1).then_some(code));
            assert!(result.is_ok());
            assert_eq!((out, socket.limits(), socket.stats().sent), (all(), Limits::SINGLE, 10));
        }
    }

    #[test]
    fn what_fails_one_by_one_too_is_not_blamed_on_offload() {
        // A Linux of before 6.16 answers EINVAL for a run whose segments exceed the MTU, EMSGSIZE for one of them.
        let (result, socket, out) = send_run(64, |segments, call| match (segments, call) {
            (2.., _) => Some(EINVAL),
            (_, 2..=10) => Some(EMSGSIZE),
            _ => None,
        });
        assert!(result.is_ok());
        assert_eq!((out, socket.limits().max_segments, socket.stats().too_big), (vec![77], 64, 9));
        let (result, socket, _) = send_run(64, |_, _| Some(EINVAL));
        assert_eq!((result.is_ok(), socket.limits().max_segments, socket.stats().dropped), (true, 64, 10));
    }

    #[test]
    fn blocking_keeps_the_run_unless_part_of_it_is_gone() {
        for max_segments in [64, 1] {
            let (result, socket, out) = send_run(max_segments, |_, _| Some(EAGAIN));
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!((out, socket.stats().sent, socket.stats().dropped), (vec![], 0, 0));
        }
        let (result, socket, out) = send_run(1, |_, call| (call > 4).then_some(EAGAIN));
        assert_eq!((result.is_ok(), out, socket.stats().sent, socket.stats().dropped), (true, vec![500; 4], 4, 6));
    }

    #[test]
    fn a_dead_socket_is_an_error() {
        let (result, ..) = send_run(64, |_, _| Some(EBADF));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(EBADF));
    }
}
