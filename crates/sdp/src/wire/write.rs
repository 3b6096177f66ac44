//! Writing a document: each line in its place, ended by CRLF (RFC 8866 5).

use std::fmt::{Display, Formatter, Result};

use super::session::{Attribute, Bandwidth, Connection, Media, Session, Time};

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {} {}", self.net_type, self.addr_type, self.address)
    }
}

impl Display for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let origin = &self.origin;
        write!(f, "v=0\r\no={} {} {} ", origin.username, origin.session_id, origin.session_version)?;
        write!(f, "{}\r\ns={}\r\n", origin.address, self.name)?;
        optional(f, 'i', self.information.as_deref())?;
        optional(f, 'u', self.uri.as_deref())?;
        each(f, 'e', &self.emails)?;
        each(f, 'p', &self.phones)?;
        optional(f, 'c', self.connection.as_ref())?;
        bandwidths(f, &self.bandwidths)?;
        self.times.iter().try_for_each(|time| time_description(f, time))?;
        attributes(f, &self.attributes)?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\r\n")?;
        optional(f, 'i', self.information.as_deref())?;
        each(f, 'c', &self.connections)?;
        bandwidths(f, &self.bandwidths)?;
        attributes(f, &self.attributes)
    }
}

fn optional(f: &mut Formatter<'_>, letter: char, value: Option<impl Display>) -> Result {
    value.map_or(Ok(()), |value| write!(f, "{letter}={value}\r\n"))
}

fn each(f: &mut Formatter<'_>, letter: char, values: &[impl Display]) -> Result {
    values.iter().try_for_each(|value| write!(f, "{letter}={value}\r\n"))
}

fn bandwidths(f: &mut Formatter<'_>, bandwidths: &[Bandwidth]) -> Result {
    bandwidths.iter().try_for_each(|Bandwidth { kind, value }| write!(f, "b={kind}:{value}\r\n"))
}

fn time_description(f: &mut Formatter<'_>, time: &Time) -> Result {
    write!(f, "t={} {}\r\n", time.start, time.stop)?;
    each(f, 'r', &time.repeats)?;
    optional(f, 'z', time.zone.as_deref())
}

fn attributes(f: &mut Formatter<'_>, attributes: &[Attribute]) -> Result {
    each(f, 'a', attributes)
}
