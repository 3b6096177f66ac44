//! Datagrams, and the runner's hand on our clock, over one TCP connection.
//!
//! ```text
//! once, to the runner:   shim id (8 bytes, little-endian)
//! 'P' length(4) bytes    a datagram, in either direction
//! 'T' nanoseconds(8)     from the runner: that much time has passed; answered with 't' once it is seen
//! 'M' mtu(4)             from the runner: the path's MTU is this now
//! 'E' nanoseconds(8)     from the runner: the next timer is to be due in this time, or all ones: none is to run
//! 'U' milliseconds(4)    from the runner: the first retransmission timeout is this now
//! ```
//! All other integers are big-endian.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::flags::Flags;

/// Longer than any datagram of UDP.
const MAX_DATAGRAM: u32 = 1 << 17;
/// How long the end waits for what the runner still writes.
const LINGER: Duration = Duration::from_secs(5);

/// What the runner says.
pub(crate) enum Input {
    Datagram(Vec<u8>),
    Elapsed(Duration),
    Mtu(u32),
    /// `None`: no timer.
    ExpectTimeout(Option<Duration>),
    InitialTimeout(Duration),
    /// It has closed the connection.
    End,
}

pub(crate) struct Transport(TcpStream);

impl Transport {
    pub(crate) fn connect(flags: &Flags) -> io::Result<Self> {
        let address: SocketAddr = if flags.ipv6 {
            (Ipv6Addr::LOCALHOST, flags.port).into()
        } else {
            (Ipv4Addr::LOCALHOST, flags.port).into()
        };
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&flags.shim_id.to_le_bytes())?;
        Ok(Self(stream))
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let length = u32::try_from(datagram.len()).map_err(io::Error::other)?;
        let mut packet = Vec::with_capacity(datagram.len().saturating_add(5));
        packet.push(b'P');
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(datagram);
        self.0.write_all(&packet)
    }

    /// The next thing that the runner says. A reset is an end like any other.
    pub(crate) fn receive(&mut self) -> io::Result<Input> {
        match self.next() {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
                ) =>
            {
                Ok(Input::End)
            }
            other => other,
        }
    }

    fn next(&mut self) -> io::Result<Input> {
        let [opcode] = self.take()?;
        Ok(match opcode {
            b'P' => {
                let length = u32::from_be_bytes(self.take()?);
                if length > MAX_DATAGRAM {
                    return Err(io::Error::other("a datagram longer than any"));
                }
                let mut datagram = vec![0; usize::try_from(length).map_err(io::Error::other)?];
                self.0.read_exact(&mut datagram)?;
                Input::Datagram(datagram)
            }
            b'T' => {
                let elapsed = Duration::from_nanos(u64::from_be_bytes(self.take()?));
                self.0.write_all(b"t")?;
                Input::Elapsed(elapsed)
            }
            b'M' => Input::Mtu(u32::from_be_bytes(self.take()?)),
            b'E' => {
                let nanos = u64::from_be_bytes(self.take()?);
                Input::ExpectTimeout((nanos != u64::MAX).then(|| Duration::from_nanos(nanos)))
            }
            b'U' => Input::InitialTimeout(Duration::from_millis(u32::from_be_bytes(self.take()?).into())),
            other => return Err(io::Error::other(format!("unknown opcode {other:#x}"))),
        })
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Says that nothing more will come, and takes what the runner still writes: its writes must not fail.
    pub(crate) fn finish(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
        let _ = self.0.set_read_timeout(Some(LINGER));
        let _ = io::copy(&mut self.0, &mut io::sink());
    }
}
