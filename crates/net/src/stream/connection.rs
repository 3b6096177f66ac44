//! What the plain and the asynchronous stream share: everything but the file descriptor.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;

use weft_core::{Datagram, Path, Transport};

use super::socket::{Framing, StreamConfig, StreamStats};

/// Bytes read at once, and the least the buffer holds.
const READ: usize = 16 * 1024;
/// The longest message with its frame: ChannelData of 65,535 bytes with header and padding.
const LONGEST: usize = 65_540;
/// Reads of what nobody wants any more, in one call.
const DISCARDS: usize = 64;

/// How far the end has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum End {
    Open,
    /// The goodbye is among what is to be written.
    Said,
    /// Everything is written, and FIN behind it.
    Sent,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) path: Path,
    framing: Framing,
    /// The TCP connection is made.
    pub(super) connected: bool,
    /// Framed and not written yet.
    out: Vec<u8>,
    out_at: usize,
    received: Vec<u8>,
    /// What of `received` was not yielded yet.
    filled: Range<usize>,
    #[cfg(feature = "tls")]
    tls: Option<Box<rustls::ClientConnection>>,
    end: End,
    pub(super) stats: StreamStats,
}

impl Connection {
    /// A connection whose local address is known.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unnecessary_wraps))] // TLS refuses names
    pub(super) fn new(local: SocketAddr, remote: SocketAddr, config: &StreamConfig) -> io::Result<Self> {
        #[cfg(feature = "tls")]
        let tls = config.tls.as_ref().map(|(config, name)| config.connection(name)).transpose()?;
        #[cfg(feature = "tls")]
        let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
        #[cfg(not(feature = "tls"))]
        let transport = Transport::Tcp;
        Ok(Self {
            path: Path { transport, local, remote },
            framing: config.framing,
            connected: false,
            out: Vec::new(),
            out_at: 0,
            received: Vec::new(),
            filled: 0..0,
            #[cfg(feature = "tls")]
            tls: tls.map(Box::new),
            end: End::Open,
            stats: StreamStats::default(),
        })
    }

    /// Whether datagrams can be sent: connected, and the TLS handshake done.
    pub(super) fn is_open(&self) -> bool {
        #[cfg(feature = "tls")]
        let handshaking = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        #[cfg(not(feature = "tls"))]
        let handshaking = false;
        self.connected && !handshaking
    }

    /// Whether there is something to be written when the socket is writable.
    pub(super) fn wants_write(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
            return true;
        }
        !self.connected || self.out_at < self.out.len()
    }

    /// Sends `bytes`, datagrams of `size` bytes each but for the last.
    pub(super) fn send(&mut self, io: &mut (impl Read + Write), size: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.is_open() {
            self.advance(io)?;
        }
        if !self.is_open() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // What did not fit before goes first; at most one run waits.
        self.flush(io)?;
        let mut datagrams = bytes.chunks(size.max(1));
        let empty = if bytes.is_empty() { Some(&[][..]) } else { None };
        for datagram in empty.into_iter().chain(&mut datagrams) {
            self.frame(datagram);
        }
        match self.flush(io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    fn frame(&mut self, datagram: &[u8]) {
        if self.framing == Framing::Rfc4571 {
            let Ok(header) = crate::framing::header(datagram.len()) else { return };
            self.out.extend_from_slice(&header);
        }
        self.out.extend_from_slice(datagram);
        self.stats.sent += 1;
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// `WouldBlock` if not all could be written.
    pub(super) fn flush(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            if !tls.is_handshaking() && self.out_at < self.out.len() {
                tls.writer().write_all(self.out.get(self.out_at..).unwrap_or_default())?;
                self.out.clear();
                self.out_at = 0;
            }
            while tls.wants_write() {
                tls.write_tls(io)?;
            }
            return Ok(());
        }
        while let Some(rest) = self.out.get(self.out_at..).filter(|rest| !rest.is_empty()) {
            match io.write(rest)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => self.out_at += n,
            }
        }
        self.out.clear();
        self.out_at = 0;
        Ok(())
    }

    /// Takes the TLS handshake further.
    pub(super) fn advance(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        if !self.connected {
            return Ok(());
        }
        #[cfg(feature = "tls")]
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            ignore_blocking(self.flush(io))?;
            match self.read_tls(io) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        ignore_blocking(self.flush(io))
    }

    #[cfg(feature = "tls")]
    fn read_tls(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if tls.read_tls(io)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let outcome = tls.process_new_packets();
        if let Err(error) = outcome {
            // The alert says why, where it still goes out.
            let _ = tls.write_tls(io);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(())
    }

    /// The next datagram.
    ///
    /// # Errors
    /// `WouldBlock` if none is complete; `UnexpectedEof` if the other side has ended the connection; `InvalidData` if it
    /// sends what is no frame.
    pub(super) fn recv(&mut self, io: &mut (impl Read + Write)) -> io::Result<Datagram<'_>> {
        let range = loop {
            if let Some(range) = self.next_frame()? {
                break range;
            }
            self.fill(io)?;
        };
        self.stats.received += 1;
        let payload = self.received.get_mut(range).unwrap_or_default();
        Ok(Datagram::new(self.path, payload))
    }

    /// Where the next datagram lies, if all of it is there.
    fn next_frame(&mut self) -> io::Result<Option<Range<usize>>> {
        let bytes = self.received.get(self.filled.clone()).unwrap_or_default();
        let Some((skip, len)) = self.framing.measure(bytes)? else { return Ok(None) };
        if bytes.len() < skip + len {
            return Ok(None);
        }
        let start = self.filled.start + skip;
        self.filled.start = start + len;
        Ok(Some(start..start + len))
    }

    fn fill(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        self.received.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        let wanted = (self.filled.end + READ).clamp(READ, LONGEST + READ);
        if self.received.len() < wanted {
            self.received.resize(wanted, 0);
        }
        #[cfg_attr(not(feature = "tls"), allow(clippy::never_loop))] // TLS reads again
        loop {
            let room = self.received.get_mut(self.filled.end..).unwrap_or_default();
            #[cfg(feature = "tls")]
            let read = match &mut self.tls {
                Some(tls) => tls.reader().read(room),
                None => io.read(room),
            };
            #[cfg(not(feature = "tls"))]
            let read = io.read(room);
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.filled.end += n;
                    return Ok(());
                }
                #[cfg(feature = "tls")]
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.tls.is_some() => {
                    self.read_tls(io)?;
                    ignore_blocking(self.flush(io))?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends what we send: TLS close_notify, then FIN by `shutdown`, behind what was taken before. Then reads until the other
    /// side has ended, too: a socket that is let go of with something unread resets the connection, and what is on its way
    /// is lost.
    ///
    /// # Errors
    /// `WouldBlock` until both have ended.
    pub(super) fn end(
        &mut self,
        io: &mut (impl Read + Write),
        shutdown: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.is_open() {
            return Ok(());
        }
        if self.end < End::Sent {
            self.say_goodbye(io)?;
            shutdown()?;
            self.end = End::Sent;
            (self.out, self.received, self.filled) = (Vec::new(), Vec::new(), 0..0);
        }
        let mut unwanted = [0; READ];
        for _ in 0..DISCARDS {
            if io.read(&mut unwanted)? == 0 {
                return Ok(());
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Writes what waits, and behind it that this is the end (TLS close_notify).
    fn say_goodbye(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if self.tls.is_some() && self.end == End::Open {
            // What is framed goes into records first.
            ignore_blocking(self.flush(io))?;
            if let Some(tls) = &mut self.tls {
                tls.send_close_notify();
            }
        }
        self.end = End::Said;
        self.flush(io)
    }
}

fn ignore_blocking(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
