//! What passes, decrypted down to SCTP, as [pcapng](https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html) for
//! Wireshark.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use weft_core::Instant;

/// `LINKTYPE_SCTP`: SCTP packets with nothing below.
const LINKTYPE_SCTP: u16 = 248;
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// Writes the SCTP packets of connections as pcapng, to be opened in Wireshark. One may serve many connections
/// ([`Config::capture`](crate::Config::capture)): each is an interface of its own in the file, named by its user name
/// fragment, and every packet says whether it came or went. Times are those of the connection's clock, which begins with its
/// driver.
///
/// The content of messages is in the file as it was sent, before encryption.
///
/// ```no_run
/// use weft_rtc::{Capture, Config};
///
/// # fn main() -> std::io::Result<()> {
/// let mut config = Config::default();
/// config.capture = Some(Capture::new(std::fs::File::create("connection.pcapng")?)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Capture {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// `None` once it has failed.
    out: Option<Box<dyn Write + Send>>,
    interfaces: u32,
}

/// Which way a packet went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Inbound = 1,
    Outbound = 2,
}

/// A connection's place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    capture: Capture,
    number: u32,
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

impl Capture {
    /// A capture to `out`: a file, or anything that takes bytes. It is written to with each packet, so that nothing is
    /// lost when the program ends; give a `BufWriter` where that is too slow. Once writing fails, no more is written.
    ///
    /// # Errors
    /// When the head of the file cannot be written.
    pub fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let mut out: Box<dyn Write + Send> = Box::new(out);
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // The section's length is not known.
        body.extend(u64::MAX.to_le_bytes());
        out.write_all(&block(SECTION_HEADER, &body))?;
        Ok(Self { shared: Arc::new(Mutex::new(Shared { out: Some(out), interfaces: 0 })) })
    }

    /// A place for one more connection.
    pub(crate) fn interface(&self, name: &str) -> Interface {
        let mut body = Vec::new();
        body.extend(LINKTYPE_SCTP.to_le_bytes());
        body.extend([0; 2]);
        // No limit on a packet's length.
        body.extend(0_u32.to_le_bytes());
        option(&mut body, 2, name.as_bytes());
        // if_tsresol: nanoseconds.
        option(&mut body, 9, &[9]);
        option(&mut body, 0, &[]);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let number = shared.interfaces;
        shared.interfaces += 1;
        shared.write(&block(INTERFACE_DESCRIPTION, &body));
        Interface { capture: self.clone(), number }
    }
}

impl Shared {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(out) = &mut self.out
            && let Err(error) = out.write_all(bytes)
        {
            tracing::warn!(%error, "the capture ends here");
            self.out = None;
        }
    }
}

impl Interface {
    pub(crate) fn packet(&self, now: Instant, direction: Direction, packet: &[u8]) {
        let Ok(len) = u32::try_from(packet.len()) else { return };
        let nanos = now.as_nanos();
        let mut body = Vec::with_capacity(packet.len() + 48);
        body.extend(self.number.to_le_bytes());
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend((nanos as u32).to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(len.to_le_bytes());
        padded(&mut body, packet);
        // epb_flags.
        option(&mut body, 2, &(direction as u32).to_le_bytes());
        option(&mut body, 0, &[]);
        self.capture.shared.lock().unwrap_or_else(PoisonError::into_inner).write(&block(ENHANCED_PACKET, &body));
    }
}

/// A block with its type and, at both ends, its length.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() + 12) as u32;
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend(kind.to_le_bytes());
    block.extend(len.to_le_bytes());
    block.extend(body);
    block.extend(len.to_le_bytes());
    block
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    padded(out, value);
}

fn padded(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(4), 0);
}
