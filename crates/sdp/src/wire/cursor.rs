//! A reader over one line, for grammars that are ASCII between opaque text.

use std::str::FromStr;

use crate::error::{Fault, ParseError};

/// RFC 8866 9: token-char.
pub(crate) fn is_token_char(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'{'..=b'~')
}

/// RFC 8839 5.1: ice-char.
pub(crate) fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// RFC 8866 9: a byte of non-ws-string.
pub(crate) fn is_non_space(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte >= 0x80
}

pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(crate) fn fault(&self, expected: &'static str) -> Fault {
        Fault::new(self.at, expected)
    }

    /// The longest run of bytes that `of` accepts. `of` treats all bytes of non-ASCII characters alike.
    pub(crate) fn run(&mut self, of: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !of(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// A run of at least one byte.
    pub(crate) fn some(&mut self, of: impl Fn(u8) -> bool, expected: &'static str) -> Result<&'a str, Fault> {
        match self.run(of) {
            "" => Err(self.fault(expected)),
            run => Ok(run),
        }
    }

    pub(crate) fn token(&mut self, expected: &'static str) -> Result<&'a str, Fault> {
        self.some(is_token_char, expected)
    }

    pub(crate) fn word(&mut self, expected: &'static str) -> Result<&'a str, Fault> {
        self.some(is_non_space, expected)
    }

    pub(crate) fn digits(&mut self, expected: &'static str) -> Result<&'a str, Fault> {
        self.some(|byte| byte.is_ascii_digit(), expected)
    }

    /// A decimal number that fits `T`.
    pub(crate) fn number<T: FromStr>(&mut self, expected: &'static str) -> Result<T, Fault> {
        let start = self.at;
        self.digits(expected)?.parse().map_err(|_| Fault::new(start, expected))
    }

    /// A decimal number without leading zeros, as RFC 8841 asks for.
    pub(crate) fn plain_number<T: FromStr>(&mut self, expected: &'static str) -> Result<T, Fault> {
        if self.rest().len() > 1 && self.rest().starts_with('0') {
            return Err(self.fault(expected));
        }
        self.number(expected)
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.rest().as_bytes().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn byte(&mut self, byte: u8, expected: &'static str) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(expected)) }
    }

    pub(crate) fn space(&mut self) -> Result<(), Fault> {
        self.byte(b' ', "a space")
    }

    /// Takes `literal` if it comes next.
    pub(crate) fn literal(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        self.at += if found { literal.len() } else { 0 };
        found
    }

    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.is_done() { Ok(()) } else { Err(self.fault("the end of the line")) }
    }
}

/// Reads the whole of `text` with `read`. Its errors count from the text's first character.
pub(crate) fn whole<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Fault>,
) -> Result<T, ParseError> {
    let mut cursor = Cursor::new(text);
    let read = read(&mut cursor).and_then(|read| cursor.end().map(|()| read));
    read.map_err(|fault| fault.at(1, 0, text))
}
