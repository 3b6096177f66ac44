//! The presentation language of RFC 5246 section 4: big-endian numbers and vectors with a length in front.

/// The bytes are not what the message's syntax allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed message")]
pub struct DecodeError;

/// Walks over bytes and takes fields off their front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(DecodeError)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Result<usize, DecodeError> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]) as usize)
    }

    pub(crate) fn u48(&mut self) -> Result<u64, DecodeError> {
        let high = self.u16()?;
        let low = self.array().map(u32::from_be_bytes)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// A vector with a one-byte length.
    pub(crate) fn u8_vector(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u8()?;
        self.take(n.into())
    }

    /// A vector with a two-byte length.
    pub(crate) fn u16_vector(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u16()?;
        self.take(n.into())
    }

    /// A vector with a three-byte length.
    pub(crate) fn u24_vector(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.u24()?;
        self.take(n)
    }

    /// What is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Everything was read, as it must.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError) }
    }
}

/// Appends a vector with a one-byte length. What exceeds it is left out: callers write bounded content.
pub(crate) fn put_u8_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..usize::from(u8::MAX)).unwrap_or(bytes);
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

/// Appends a vector with a two-byte length, bounded likewise.
pub(crate) fn put_u16_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a vector with a three-byte length, bounded likewise.
pub(crate) fn put_u24_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..0xFF_FFFF).unwrap_or(bytes);
    out.extend((bytes.len() as u32).to_be_bytes().iter().skip(1));
    out.extend_from_slice(bytes);
}
