//! Reading a document: one pass over the lines, which come in a fixed order (RFC 8866 5 and 9).

use std::net::IpAddr;
use std::str::SplitInclusive;

use super::cursor::{Cursor, is_token_char};
use super::session::{Attribute, Bandwidth, Connection, Line, Media, Origin, Session, Time};
use crate::config::Limits;
use crate::error::{Expected, Fault, ParseError};

pub(crate) fn session(text: &str, limits: &Limits) -> Result<Session, ParseError> {
    if text.len() > limits.size {
        let expected = Expected::AtMost { limit: limits.size, of: "bytes in a description" };
        return Err(ParseError { line: 1, column: 1, expected });
    }
    let mut lines = Lines::new(text, limits)?;
    let session = session_level(&mut lines)?;
    lines.finish()?;
    Ok(session)
}

/// The lines of a description, one ahead.
struct Lines<'a> {
    text: SplitInclusive<'a, char>,
    limits: &'a Limits,
    number: usize,
    /// The line that comes next: its letter and its value.
    next: Option<(u8, &'a str)>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Result<Self, ParseError> {
        let mut lines = Self { text: text.split_inclusive('\n'), limits, number: 0, next: None };
        lines.advance()?;
        Ok(lines)
    }

    fn advance(&mut self) -> Result<(), ParseError> {
        self.number += 1;
        self.next = None;
        let Some(line) = self.text.next() else { return Ok(()) };
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if self.number > self.limits.lines {
            return Err(self.limit(self.limits.lines, "lines"));
        }
        if line.len() > self.limits.line_length {
            return Err(self.limit(self.limits.line_length, "bytes in a line"));
        }
        if line.is_empty() && self.only_blank_lines_follow() {
            return Ok(());
        }
        if let Some(at) = line.bytes().position(|byte| matches!(byte, b'\0' | b'\r')) {
            return Err(Fault::new(at, "a line without NUL or a lone CR").at(self.number, 0, line));
        }
        let (Some(letter), Some(value)) = (line.bytes().next(), line.get(1..).and_then(|rest| rest.strip_prefix('=')))
        else {
            return Err(Fault::new(0, "a line of the form <letter>=<value>").at(self.number, 0, line));
        };
        self.next = Some((letter, value));
        Ok(())
    }

    /// Text that was pasted often ends in blank lines, which mean nothing.
    fn only_blank_lines_follow(&mut self) -> bool {
        self.text.by_ref().all(|line| matches!(line, "\n" | "\r\n"))
    }

    fn limit(&self, limit: usize, of: &'static str) -> ParseError {
        ParseError { line: self.number, column: 1, expected: Expected::AtMost { limit, of } }
    }

    fn unexpected(&self, expected: &'static str) -> ParseError {
        ParseError { line: self.number, column: 1, expected: Expected::Grammar(expected) }
    }

    /// Reads the next line with `read` if it has this letter.
    fn optional<T>(
        &mut self,
        letter: u8,
        read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Fault>,
    ) -> Result<Option<T>, ParseError> {
        let Some((_, value)) = self.next.filter(|(found, _)| *found == letter) else { return Ok(None) };
        let mut cursor = Cursor::new(value);
        let read = read(&mut cursor).and_then(|read| cursor.end().map(|()| read));
        // The letter and the equals sign stand before the value.
        let read = read.map_err(|fault| fault.at(self.number, 2, value))?;
        self.advance()?;
        Ok(Some(read))
    }

    fn required<T>(
        &mut self,
        letter: u8,
        expected: &'static str,
        read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Fault>,
    ) -> Result<T, ParseError> {
        match self.optional(letter, read)? {
            Some(read) => Ok(read),
            None => Err(self.unexpected(expected)),
        }
    }

    fn all<T>(&mut self, letter: u8, read: impl Fn(&mut Cursor<'a>) -> Result<T, Fault>) -> Result<Vec<T>, ParseError> {
        let mut all = Vec::new();
        while let Some(one) = self.optional(letter, &read)? {
            all.push(one);
        }
        Ok(all)
    }

    fn attributes(&mut self) -> Result<Vec<Attribute>, ParseError> {
        let mut attributes = Vec::new();
        let mut candidates = 0;
        while self.next.is_some_and(|(letter, _)| letter == b'a') {
            let number = self.number;
            let Some(attribute) = self.optional(b'a', |cursor| attribute(cursor, number))? else { break };
            candidates += usize::from(attribute.name() == "candidate");
            let full = if attributes.len() >= self.limits.attributes {
                Some((self.limits.attributes, "attributes in a section"))
            } else if candidates > self.limits.candidates {
                Some((self.limits.candidates, "candidates in a section"))
            } else {
                None
            };
            if let Some((limit, of)) = full {
                return Err(ParseError { line: number, column: 1, expected: Expected::AtMost { limit, of } });
            }
            attributes.push(attribute);
        }
        Ok(attributes)
    }

    fn finish(&self) -> Result<(), ParseError> {
        if self.next.is_none() { Ok(()) } else { Err(self.unexpected("an a= or m= line, or the end")) }
    }
}

fn session_level(lines: &mut Lines<'_>) -> Result<Session, ParseError> {
    lines.required(b'v', "a v= line", |cursor| cursor.byte(b'0', "version 0"))?;
    let origin = lines.required(b'o', "an o= line", origin)?;
    // RFC 8866 asks for at least one character, but the examples of RFC 8839 and some peers leave it empty.
    let name = lines.required(b's', "an s= line", |cursor| Ok(cursor.run(|_| true).to_owned()))?;
    let information = lines.optional(b'i', text)?;
    let uri = lines.optional(b'u', |cursor| Ok(cursor.some(|byte| byte.is_ascii_graphic(), "a URI")?.to_owned()))?;
    let emails = lines.all(b'e', text)?;
    let phones = lines.all(b'p', text)?;
    let connection = lines.optional(b'c', connection)?;
    let bandwidths = lines.all(b'b', bandwidth)?;
    let mut times = vec![time_description(lines)?];
    while lines.next.is_some_and(|(letter, _)| letter == b't') {
        times.push(time_description(lines)?);
    }
    lines.optional(b'k', key)?;
    let attributes = lines.attributes()?;
    let mut media = Vec::new();
    while lines.next.is_some_and(|(letter, _)| letter == b'm') {
        if media.len() >= lines.limits.sections {
            return Err(lines.limit(lines.limits.sections, "media sections"));
        }
        media.push(media_section(lines)?);
    }
    Ok(Session { origin, name, information, uri, emails, phones, connection, bandwidths, times, attributes, media })
}

fn time_description(lines: &mut Lines<'_>) -> Result<Time, ParseError> {
    let (start, stop) = lines.required(b't', "a t= line", |cursor| {
        let start = time(cursor, "a start time (0, or seconds of at least 10 digits)")?;
        cursor.space()?;
        let stop = time(cursor, "a stop time (0, or seconds of at least 10 digits)")?;
        Ok((start, stop))
    })?;
    let repeats = lines.all(b'r', repeat)?;
    let zone = if repeats.is_empty() { None } else { lines.optional(b'z', zone)? };
    Ok(Time { start, stop, repeats, zone })
}

fn media_section(lines: &mut Lines<'_>) -> Result<Media, ParseError> {
    let line = Line(lines.number);
    let mut media = lines.required(b'm', "an m= line", media_line)?;
    media.line = line;
    media.information = lines.optional(b'i', text)?;
    media.connections = lines.all(b'c', connection)?;
    media.bandwidths = lines.all(b'b', bandwidth)?;
    lines.optional(b'k', key)?;
    media.attributes = lines.attributes()?;
    Ok(media)
}

fn media_line(cursor: &mut Cursor<'_>) -> Result<Media, Fault> {
    let kind = cursor.token("a media type")?.to_owned();
    cursor.space()?;
    let port = cursor.number("a port (0 to 65535)")?;
    let port_count = if cursor.take(b'/') { Some(cursor.number("a number of ports")?) } else { None };
    cursor.space()?;
    let start = cursor.offset();
    let protocol = cursor.some(|byte| is_token_char(byte) || byte == b'/', "a protocol")?;
    if protocol.split('/').any(str::is_empty) {
        return Err(Fault::new(start, "a protocol (tokens joined by /)"));
    }
    let mut formats = Vec::new();
    while formats.is_empty() || !cursor.is_done() {
        cursor.space()?;
        formats.push(cursor.token("a format")?.to_owned());
    }
    let mut media = Media::new(&kind, port, protocol, "");
    media.port_count = port_count;
    media.formats = formats;
    Ok(media)
}

fn origin(cursor: &mut Cursor<'_>) -> Result<Origin, Fault> {
    let username = cursor.word("a user name or -")?.to_owned();
    cursor.space()?;
    let session_id = cursor.digits("a session id (digits)")?.to_owned();
    cursor.space()?;
    let session_version = cursor.digits("a session version (digits)")?.to_owned();
    cursor.space()?;
    Ok(Origin { username, session_id, session_version, address: address(cursor)?.0 })
}

/// The address of an `o=` line, or of a `c=` line.
fn address(cursor: &mut Cursor<'_>) -> Result<(Connection, usize), Fault> {
    let net_type = cursor.token("a network type (IN)")?.to_owned();
    cursor.space()?;
    let addr_type = cursor.token("an address type (IP4 or IP6)")?.to_owned();
    cursor.space()?;
    let start = cursor.offset();
    let address = cursor.word("an address")?.to_owned();
    Ok((Connection { net_type, addr_type, address }, start))
}

fn connection(cursor: &mut Cursor<'_>) -> Result<Connection, Fault> {
    let (connection, start) = address(cursor)?;
    let mut parts = connection.address.split('/');
    let host = parts.next().unwrap_or_default();
    let (suffix, more) = (parts.next(), parts.next());
    let count = |part: &str| part.parse::<u32>().is_ok_and(|count| count > 0);
    let ip: Option<IpAddr> = host.parse().ok();
    let expected = match (connection.addr_type.as_str(), ip) {
        ("IP4", Some(IpAddr::V6(_))) => "an IPv4 address",
        ("IP6", Some(IpAddr::V4(_))) => "an IPv6 address",
        ("IP4", Some(ip)) if ip.is_multicast() => {
            let ttl = suffix.is_some_and(|ttl| ttl.parse::<u8>().is_ok());
            if ttl && more.is_none_or(count) && parts.next().is_none() {
                return Ok(connection);
            }
            "a multicast address, its TTL (0 to 255), and perhaps a number of addresses"
        }
        ("IP6", Some(ip)) if ip.is_multicast() => {
            if suffix.is_none_or(count) && more.is_none() {
                return Ok(connection);
            }
            "a multicast address, and perhaps a number of addresses"
        }
        (_, Some(_)) if suffix.is_some() => "a unicast address without slash",
        // Host names, and whatever other address types have.
        _ => return Ok(connection),
    };
    Err(Fault::new(start, expected))
}

fn bandwidth(cursor: &mut Cursor<'_>) -> Result<Bandwidth, Fault> {
    let kind = cursor.token("a bandwidth type")?.to_owned();
    cursor.byte(b':', "a colon")?;
    Ok(Bandwidth { kind, value: cursor.digits("a bandwidth (digits)")?.to_owned() })
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    Ok(cursor.some(|_| true, "some text")?.to_owned())
}

fn time(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<String, Fault> {
    let start = cursor.offset();
    let digits = cursor.digits(expected)?;
    if digits != "0" && (digits.starts_with('0') || digits.len() < 10) {
        return Err(Fault::new(start, expected));
    }
    Ok(digits.to_owned())
}

/// RFC 8866 9: typed-time.
fn typed_time(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    cursor.digits("a length of time (digits, and d, h, m or s)")?;
    // At most one unit.
    let _ = [b'd', b'h', b'm', b's'].into_iter().any(|unit| cursor.take(unit));
    Ok(())
}

fn repeat(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let whole = cursor.rest();
    if whole.starts_with('0') {
        return Err(cursor.fault("a repeat interval that is not 0"));
    }
    typed_time(cursor)?;
    for least in 0.. {
        if least >= 2 && cursor.is_done() {
            break;
        }
        cursor.space()?;
        typed_time(cursor)?;
    }
    Ok(whole.to_owned())
}

fn zone(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let whole = cursor.rest();
    loop {
        time(cursor, "a time (seconds of at least 10 digits)")?;
        cursor.space()?;
        cursor.take(b'-');
        typed_time(cursor)?;
        if cursor.is_done() {
            return Ok(whole.to_owned());
        }
        cursor.space()?;
    }
}

/// RFC 8866 5.12: keys are obsolete, and dropped where they are found.
fn key(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let known = cursor.rest() == "prompt" || ["clear:", "base64:", "uri:"].iter().any(|method| cursor.literal(method));
    if !known {
        return Err(cursor.fault("prompt, clear:, base64: or uri:"));
    }
    cursor.run(|_| true);
    Ok(())
}

fn attribute(cursor: &mut Cursor<'_>, line: usize) -> Result<Attribute, Fault> {
    let whole = cursor.rest();
    let name = cursor.token("an attribute name")?.len();
    if !cursor.is_done() {
        cursor.byte(b':', "a colon or the end of the line")?;
        cursor.some(|_| true, "an attribute value")?;
    }
    Ok(Attribute::read(whole, name, line))
}
