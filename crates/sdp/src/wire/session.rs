//! The document: session level and media sections.
//!
//! <https://www.rfc-editor.org/rfc/rfc8866#section-5>

use std::fmt;
use std::str::FromStr;

use super::cursor::is_token_char;
use super::group::Group;
use super::parse;
use crate::config::Limits;
use crate::error::{Fault, ParseError};

/// Where something stood in the text it was read from: 0 when it was made, not read. All are equal, so that
/// documents compare by what they say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line(pub(crate) usize);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Line {}

/// A session description, of version 0 as all are (RFC 8866 5).
///
/// Reading keeps every attribute, known or not, so that writing gives back what was read; only the obsolete `k=` is
/// dropped, as RFC 8866 5.12 asks for. Written lines end in CRLF; read ones may end in LF.
///
/// ```
/// let text = "v=0\r\no=- 42 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n";
/// let session = weft_sdp::Session::parse(text)?;
/// assert!(session.has_attribute("ice-lite"));
/// assert_eq!(session.to_string(), text);
/// # Ok::<(), weft_sdp::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `o=`: who made this description, and which version of it this is.
    pub origin: Origin,
    /// `s=`: the session's name, `-` for none.
    pub name: String,
    /// `i=`.
    pub information: Option<String>,
    /// `u=`.
    pub uri: Option<String>,
    /// `e=` lines.
    pub emails: Vec<String>,
    /// `p=` lines.
    pub phones: Vec<String>,
    /// `c=`: the address for sections that have none of their own.
    pub connection: Option<Connection>,
    /// `b=` lines.
    pub bandwidths: Vec<Bandwidth>,
    /// `t=` lines with their `r=` and `z=`; at least one.
    pub times: Vec<Time>,
    /// `a=` lines of the session level.
    pub attributes: Vec<Attribute>,
    /// `m=` sections.
    pub media: Vec<Media>,
}

/// `o=` (RFC 8866 5.2). The numbers are kept as digits, since the grammar does not bound them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The user's name, `-` for none.
    pub username: String,
    /// Digits, unique with the other fields.
    pub session_id: String,
    /// Digits; grows when the description changes.
    pub session_version: String,
    /// Where it was made.
    pub address: Connection,
}

/// An address as `o=` and `c=` write it (RFC 8866 5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Network type, `IN`.
    pub net_type: String,
    /// Address type, `IP4` or `IP6`.
    pub addr_type: String,
    /// The address, a name, or a multicast address with its TTL and count.
    pub address: String,
}

impl Connection {
    /// `IN IP4` or `IN IP6` with this address.
    pub fn ip(address: std::net::IpAddr) -> Self {
        let addr_type = if address.is_ipv4() { "IP4" } else { "IP6" };
        Self { net_type: "IN".into(), addr_type: addr_type.into(), address: address.to_string() }
    }

    /// `IN IP4 0.0.0.0`: no address yet, or none that means anything.
    pub fn unspecified() -> Self {
        Self::ip(std::net::Ipv4Addr::UNSPECIFIED.into())
    }
}

/// `b=` (RFC 8866 5.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bandwidth {
    /// `CT`, `AS`, …
    pub kind: String,
    /// Digits, by default in kilobits per second.
    pub value: String,
}

/// `t=` with the lines that belong to it (RFC 8866 5.9 to 5.11). Times are digits: seconds since 1900, or 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// When the session starts.
    pub start: String,
    /// When it stops.
    pub stop: String,
    /// `r=` lines, as written.
    pub repeats: Vec<String>,
    /// `z=` line, as written.
    pub zone: Option<String>,
}

impl Time {
    /// `t=0 0`: a session that is always there, which is what JSEP writes.
    pub fn unbounded() -> Self {
        Self { start: "0".into(), stop: "0".into(), repeats: Vec::new(), zone: None }
    }
}

/// A media section: an `m=` line and what follows it (RFC 8866 5.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `application`, …
    pub kind: String,
    /// The transport port; 0 for a rejected or disabled section.
    pub port: u16,
    /// How many ports, where the line says so.
    pub port_count: Option<u32>,
    /// The protocol, as `UDP/DTLS/SCTP`.
    pub protocol: String,
    /// Formats, at least one.
    pub formats: Vec<String>,
    /// `i=`.
    pub information: Option<String>,
    /// `c=` lines.
    pub connections: Vec<Connection>,
    /// `b=` lines.
    pub bandwidths: Vec<Bandwidth>,
    /// `a=` lines.
    pub attributes: Vec<Attribute>,
    pub(crate) line: Line,
}

impl Media {
    /// A section without lines of its own yet.
    pub fn new(kind: &str, port: u16, protocol: &str, format: &str) -> Self {
        Self {
            kind: kind.into(),
            port,
            port_count: None,
            protocol: protocol.into(),
            formats: vec![format.into()],
            information: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            attributes: Vec::new(),
            line: Line(0),
        }
    }

    /// The line of the `m=` in the text this was read from, counted from 1; 0 when it was not read.
    pub fn line(&self) -> usize {
        self.line.0
    }

    /// The first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name() == name)
    }

    /// All attributes of this name, in order.
    pub fn attributes_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.name() == name)
    }

    /// Whether there is an attribute of this name.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The value of `a=mid` (RFC 5888 4).
    pub fn mid(&self) -> Option<&str> {
        self.attribute("mid").and_then(Attribute::value)
    }
}

impl Session {
    /// Reads a description within the default [`Limits`].
    ///
    /// # Errors
    /// The first place where the text leaves the grammar or a limit.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_within(text, &Limits::DEFAULT)
    }

    /// Reads a description within limits of your own.
    ///
    /// # Errors
    /// The first place where the text leaves the grammar or a limit.
    pub fn parse_within(text: &str, limits: &Limits) -> Result<Self, ParseError> {
        parse::session(text, limits)
    }

    /// Reads a description from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// The first place where the bytes are not UTF-8, or leave the grammar or a limit.
    pub fn parse_bytes(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => parse::session(text, limits),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let text = std::str::from_utf8(good).unwrap_or_default();
                let start = text.rfind('\n').map_or(0, |at| at + 1);
                let line = 1 + text.matches('\n').count();
                Err(Fault::new(good.len() - start, "UTF-8").at(line, 0, text.get(start..).unwrap_or_default()))
            }
        }
    }

    /// The first session-level attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name() == name)
    }

    /// All session-level attributes of this name, in order.
    pub fn attributes_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.name() == name)
    }

    /// Whether there is a session-level attribute of this name.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The `a=group` lines (RFC 5888 5).
    ///
    /// # Errors
    /// A group that does not follow its grammar.
    pub fn groups(&self) -> Result<Vec<Group>, ParseError> {
        self.attributes_named("group").map(Attribute::parse).collect()
    }
}

impl FromStr for Session {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

/// An `a=` line: a name, and for most a value (RFC 8866 5.13).
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    text: Box<str>,
    /// Bytes of the name; the colon and the value follow.
    name: usize,
    line: Line,
}

impl Attribute {
    /// An attribute with a value, as `a=mid:0`. The name must be a token and the value free of line ends and NUL;
    /// what is not is left out of both, so that one attribute can never become two lines.
    pub fn new(name: &str, value: impl fmt::Display) -> Self {
        let flag = Self::flag(name);
        let mut text = String::from(flag.text);
        text.push(':');
        text.extend(value.to_string().chars().filter(|c| !matches!(c, '\0' | '\r' | '\n')));
        Self { text: text.into(), ..flag }
    }

    /// An attribute that is there or not, as `a=ice-lite`. See [`new`](Self::new) for what a name may hold.
    pub fn flag(name: &str) -> Self {
        let text: String = name.chars().filter(|c| u8::try_from(*c).is_ok_and(is_token_char)).collect();
        Self { name: text.len(), text: text.into(), line: Line(0) }
    }

    /// An attribute as read: `text` is what follows `a=`, checked by the parser.
    pub(crate) fn read(text: &str, name: usize, line: usize) -> Self {
        Self { text: text.into(), name, line: Line(line) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.text.get(..self.name).unwrap_or_default()
    }

    /// What follows the colon, if there is one.
    pub fn value(&self) -> Option<&str> {
        self.text.get(self.name + 1..)
    }

    /// The line in the text this was read from, counted from 1; 0 when it was not read.
    pub fn line(&self) -> usize {
        self.line.0
    }

    /// The value as a `T`. An error names the place within the whole description.
    ///
    /// # Errors
    /// The value does not follow the grammar of `T`, or there is none.
    pub fn parse<T: FromStr<Err = ParseError>>(&self) -> Result<T, ParseError> {
        self.value().unwrap_or_default().parse().map_err(|error: ParseError| ParseError {
            line: self.line.0.max(1),
            // "a=", the name, and the colon.
            column: error.column + self.name + 3,
            ..error
        })
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a={}", self.text)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
