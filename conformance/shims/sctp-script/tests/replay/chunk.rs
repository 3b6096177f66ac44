//! Chunks as text, both ways: `DATA tsn=7 sid=0 ssn=0 ppid=53 flags=BE len=100`.

use weft_sctp_script::{decode, encode};

use super::value::Variables;

/// Names and types of chunks.
const KINDS: &[(&str, u8)] = &[
    ("DATA", 0),
    ("INIT", 1),
    ("INIT-ACK", 2),
    ("SACK", 3),
    ("HEARTBEAT", 4),
    ("HEARTBEAT-ACK", 5),
    ("ABORT", 6),
    ("SHUTDOWN", 7),
    ("SHUTDOWN-ACK", 8),
    ("ERROR", 9),
    ("COOKIE-ECHO", 10),
    ("COOKIE-ACK", 11),
    ("SHUTDOWN-COMPLETE", 14),
    ("I-DATA", 64),
    ("RE-CONFIG", 130),
    ("PAD", 132),
    ("FORWARD-TSN", 192),
    ("I-FORWARD-TSN", 194),
];

const DATA_FLAGS: &[(char, u8)] = &[('E', 1), ('B', 2), ('U', 4), ('I', 8)];

/// A chunk as fields in the order they stand.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Text {
    /// Reads `NAME key=value key=value`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().ok_or("a chunk without a name")?.to_owned();
        let field = |word: &str| match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (word.to_owned(), String::new()),
        };
        Ok(Self { name, fields: words.map(field).collect() })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|f| f.0 == key).map(|f| f.1.as_str())
    }
}

/// Writes chunks for scripts.
pub(crate) struct Writer<'v> {
    pub(crate) variables: &'v Variables,
}

impl Writer<'_> {
    fn number(&self, chunk: &Text, key: &str, default: u64) -> Result<u64, String> {
        chunk.get(key).map_or(Ok(default), |text| self.variables.number(text))
    }

    fn bytes(&self, chunk: &Text, key: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(text) = chunk.get(key) else { return Ok(None) };
        self.hex(text).map(Some)
    }

    fn hex(&self, text: &str) -> Result<Vec<u8>, String> {
        let text = if text.starts_with('$') { self.variables.resolve(text)? } else { text.to_owned() };
        decode(&text).ok_or_else(|| format!("`{text}` is not hexadecimal"))
    }

    /// Appends the chunk with padding. `length=` overrules its length field, `cut=` leaves bytes out at its end.
    pub(crate) fn write(&self, out: &mut Vec<u8>, chunk: &Text) -> Result<(), String> {
        let kind = match KINDS.iter().find(|k| k.0 == chunk.name) {
            Some((_, kind)) => u64::from(*kind),
            None if chunk.name == "RAW" => self.number(chunk, "type", 0)?,
            None => return Err(format!("no chunk is called `{}`", chunk.name)),
        };
        let (flags, value) = self.value(kind as u8, chunk)?;
        let length = self.number(chunk, "length", value.len() as u64 + 4)?;
        out.extend([kind as u8, flags]);
        out.extend((length as u16).to_be_bytes());
        out.extend(&value);
        let cut = self.number(chunk, "cut", u64::MAX)?;
        if cut == u64::MAX {
            out.resize(out.len().next_multiple_of(4), 0);
        } else {
            out.truncate(out.len().saturating_sub(cut as usize));
        }
        Ok(())
    }

    fn value(&self, kind: u8, chunk: &Text) -> Result<(u8, Vec<u8>), String> {
        let mut out = Vec::new();
        let mut flags = self.flags(kind, chunk)?;
        let n = |key: &str, default: u64| self.number(chunk, key, default);
        match kind {
            _ if chunk.name == "RAW" => {}
            0 => {
                out.extend((n("tsn", 0)? as u32).to_be_bytes());
                out.extend((n("sid", 0)? as u16).to_be_bytes());
                out.extend((n("ssn", 0)? as u16).to_be_bytes());
                out.extend((n("ppid", 0)? as u32).to_be_bytes());
                self.payload(chunk, &mut out)?;
            }
            64 => {
                out.extend((n("tsn", 0)? as u32).to_be_bytes());
                out.extend((n("sid", 0)? as u16).to_be_bytes());
                out.extend([0, 0]);
                out.extend((n("mid", 0)? as u32).to_be_bytes());
                let last = if flags & 2 == 0 { n("fsn", 0)? } else { n("ppid", 0)? };
                out.extend((last as u32).to_be_bytes());
                self.payload(chunk, &mut out)?;
            }
            1 | 2 => {
                out.extend((n("tag", 1)? as u32).to_be_bytes());
                out.extend((n("rwnd", 1_000_000)? as u32).to_be_bytes());
                out.extend((n("os", 10)? as u16).to_be_bytes());
                out.extend((n("is", 10)? as u16).to_be_bytes());
                out.extend((n("tsn", 1)? as u32).to_be_bytes());
                self.parameters(chunk, &mut out)?;
            }
            3 => self.sack(chunk, &mut out)?,
            4 | 5 | 6 | 9 | 130 => self.parameters(chunk, &mut out)?,
            7 => out.extend((n("cum", 0)? as u32).to_be_bytes()),
            192 => {
                out.extend((n("tsn", 0)? as u32).to_be_bytes());
                self.skipped(chunk, &mut out)?;
            }
            _ => {}
        }
        if let Some(hex) = self.bytes(chunk, "hex")? {
            out.extend(hex);
        }
        if matches!(kind, 6 | 14) && chunk.get("T").is_some() {
            flags |= 1;
        }
        Ok((flags, out))
    }

    fn flags(&self, kind: u8, chunk: &Text) -> Result<u8, String> {
        let Some(text) = chunk.get("flags") else { return Ok(if matches!(kind, 0 | 64) { 3 } else { 0 }) };
        if !matches!(kind, 0 | 64) || text.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(self.variables.number(text)? as u8);
        }
        text.chars().filter(|c| *c != '-').try_fold(0, |flags, c| {
            let bit = DATA_FLAGS.iter().find(|f| f.0 == c).ok_or_else(|| format!("no flag `{c}`"))?;
            Ok(flags | bit.1)
        })
    }

    fn payload(&self, chunk: &Text, out: &mut Vec<u8>) -> Result<(), String> {
        if let Some(text) = chunk.get("text") {
            out.extend(text.as_bytes());
        }
        let len = self.number(chunk, "len", 0)? as usize;
        out.resize(out.len() + len, 0x61);
        Ok(())
    }

    fn sack(&self, chunk: &Text, out: &mut Vec<u8>) -> Result<(), String> {
        let list = |key: &str| chunk.get(key).map(|t| t.split(',').collect::<Vec<_>>()).unwrap_or_default();
        let (gaps, dups) = (list("gaps"), list("dups"));
        out.extend((self.number(chunk, "cum", 0)? as u32).to_be_bytes());
        out.extend((self.number(chunk, "rwnd", 1_000_000)? as u32).to_be_bytes());
        out.extend((gaps.len() as u16).to_be_bytes());
        out.extend((dups.len() as u16).to_be_bytes());
        for gap in gaps {
            let (first, last) = gap.split_once('-').unwrap_or((gap, gap));
            out.extend((self.variables.number(first)? as u16).to_be_bytes());
            out.extend((self.variables.number(last)? as u16).to_be_bytes());
        }
        for tsn in dups {
            out.extend((self.variables.number(tsn)? as u32).to_be_bytes());
        }
        Ok(())
    }

    fn skipped(&self, chunk: &Text, out: &mut Vec<u8>) -> Result<(), String> {
        for pair in chunk.get("skip").into_iter().flat_map(|t| t.split(',')) {
            let (stream, ssn) = pair.split_once(':').ok_or("skip=STREAM:SSN")?;
            out.extend((self.variables.number(stream)? as u16).to_be_bytes());
            out.extend((self.variables.number(ssn)? as u16).to_be_bytes());
        }
        Ok(())
    }

    /// `p.TYPE=HEX` (type in hexadecimal) for parameters, `c.CODE=HEX` (decimal) for causes; `n32:X` inside the value is
    /// a 32-bit number, pieces are joined by `/`.
    fn parameters(&self, chunk: &Text, out: &mut Vec<u8>) -> Result<(), String> {
        for (key, value) in &chunk.fields {
            let kind = match (key.strip_prefix("p."), key.strip_prefix("c.")) {
                (Some(hex), _) => u16::from_str_radix(hex, 16).ok(),
                (_, Some(code)) => code.parse().ok(),
                _ => continue,
            };
            let kind = kind.ok_or_else(|| format!("`{key}` names no type"))?;
            out.resize(out.len().next_multiple_of(4), 0);
            let (value, length) = value.split_once('@').map_or((value.as_str(), None), |(v, l)| (v, Some(l)));
            let mut bytes = Vec::new();
            for piece in value.split('/').filter(|p| !p.is_empty()) {
                match (piece.strip_prefix("n32:"), piece.strip_prefix("n16:")) {
                    (Some(n), _) => bytes.extend((self.variables.number(n)? as u32).to_be_bytes()),
                    (_, Some(n)) => bytes.extend((self.variables.number(n)? as u16).to_be_bytes()),
                    _ => bytes.extend(self.hex(piece)?),
                }
            }
            let length = length.map_or(Ok(bytes.len() as u64 + 4), |l| self.variables.number(l))?;
            out.extend(kind.to_be_bytes());
            out.extend((length as u16).to_be_bytes());
            out.extend(bytes);
        }
        Ok(())
    }
}

fn be16(bytes: &[u8], at: usize) -> u64 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

fn be32(bytes: &[u8], at: usize) -> u64 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()).into()
}

/// The chunks of a packet we were sent; it must be well formed to the last byte.
pub(crate) fn read(packet: &[u8]) -> Result<Vec<Text>, String> {
    let mut chunks = Vec::new();
    let mut rest = &packet[12..];
    while !rest.is_empty() {
        if rest.len() < 4 || be16(rest, 2) < 4 || be16(rest, 2) as usize > rest.len() {
            return Err(format!("malformed chunk: {}", encode(rest)));
        }
        let length = be16(rest, 2) as usize;
        let whole = length.next_multiple_of(4);
        if rest.len() < whole || rest[length..whole].iter().any(|b| *b != 0) {
            return Err(format!("bad padding: {}", encode(rest)));
        }
        chunks.push(read_chunk(rest[0], rest[1], &rest[4..length]));
        rest = &rest[whole..];
    }
    Ok(chunks)
}

fn read_chunk(kind: u8, flags: u8, value: &[u8]) -> Text {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut put = |key: &str, value: String| fields.push((key.to_owned(), value));
    let name = KINDS.iter().find(|k| k.1 == kind).map_or("RAW", |k| k.0);
    match kind {
        0 | 64 => {
            let letters = ['I', 'U', 'B', 'E'].iter().zip([8, 4, 2, 1]).filter(|(_, bit)| flags & bit != 0);
            put("flags", letters.map(|(c, _)| *c).collect());
            put("tsn", be32(value, 0).to_string());
            put("sid", be16(value, 4).to_string());
            if kind == 0 {
                put("ssn", be16(value, 6).to_string());
                put("ppid", be32(value, 8).to_string());
            } else {
                put("mid", be32(value, 8).to_string());
                put(if flags & 2 == 0 { "fsn" } else { "ppid" }, be32(value, 12).to_string());
            }
            let data = &value[if kind == 0 { 12 } else { 16 }..];
            put("len", data.len().to_string());
            put("data", encode(data));
        }
        1 | 2 => {
            for (key, at) in [("tag", 0), ("rwnd", 4), ("tsn", 12)] {
                put(key, be32(value, at).to_string());
            }
            put("os", be16(value, 8).to_string());
            put("is", be16(value, 10).to_string());
        }
        3 => read_sack(value, &mut put),
        6 | 14 => put(if flags & 1 == 0 { "noT" } else { "T" }, String::new()),
        7 => put("cum", be32(value, 0).to_string()),
        192 => {
            put("tsn", be32(value, 0).to_string());
            let pairs = value[4..].chunks_exact(4).map(|p| format!("{}:{}", be16(p, 0), be16(p, 2)));
            put("skip", pairs.collect::<Vec<_>>().join(","));
        }
        _ => {}
    }
    let parameters = match kind {
        1 | 2 => &value[16..],
        4 | 5 | 6 | 9 | 130 => value,
        _ => &[],
    };
    let decimal = matches!(kind, 6 | 9);
    read_parameters(parameters, decimal, &mut put);
    put("type", kind.to_string());
    put("size", (value.len() + 4).to_string());
    put("hex", encode(value));
    Text { name: name.to_owned(), fields }
}

fn read_sack(value: &[u8], put: &mut impl FnMut(&str, String)) {
    put("cum", be32(value, 0).to_string());
    put("rwnd", be32(value, 4).to_string());
    let (gaps, dups) = (be16(value, 8) as usize, be16(value, 10) as usize);
    let blocks = value[12..12 + 4 * gaps].chunks_exact(4).map(|g| format!("{}-{}", be16(g, 0), be16(g, 2)));
    put("gaps", blocks.collect::<Vec<_>>().join(","));
    let tsns = value[12 + 4 * gaps..12 + 4 * (gaps + dups)].chunks_exact(4).map(|d| be32(d, 0).to_string());
    put("dups", tsns.collect::<Vec<_>>().join(","));
}

fn read_parameters(mut rest: &[u8], decimal: bool, put: &mut impl FnMut(&str, String)) {
    while rest.len() >= 4 {
        let (kind, length) = (be16(rest, 0), be16(rest, 2) as usize);
        assert!((4..=rest.len()).contains(&length), "malformed parameter: {}", encode(rest));
        let value = &rest[4..length];
        let key = if decimal { format!("c.{kind}") } else { format!("p.{kind:x}") };
        put(&key, encode(value));
        if !decimal && matches!(kind, 13..=18) {
            read_request(kind, value, put);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The fields of a re-configuration parameter, under names of their own.
fn read_request(kind: u64, value: &[u8], put: &mut impl FnMut(&str, String)) {
    let streams = |at: usize| value[at..].chunks_exact(2).map(|s| be16(s, 0).to_string()).collect::<Vec<_>>().join(",");
    match kind {
        13 => {
            put("req", be32(value, 0).to_string());
            put("resp", be32(value, 4).to_string());
            put("last", be32(value, 8).to_string());
            put("streams", streams(12));
        }
        14 => {
            put("req", be32(value, 0).to_string());
            put("streams", streams(4));
        }
        16 => {
            put("answers", be32(value, 0).to_string());
            put("result", be32(value, 4).to_string());
            if value.len() >= 16 {
                put("sender_tsn", be32(value, 8).to_string());
                put("receiver_tsn", be32(value, 12).to_string());
            }
        }
        _ => put("req", be32(value, 0).to_string()),
    }
}
