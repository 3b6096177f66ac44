//! As much DER as it takes to find the public key of an X.509 certificate (RFC 5280 section 4.1), of any version, and the end
//! of its validity.
//!
//! ```text
//! Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
//! TBSCertificate ::= SEQUENCE { [0] version OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
//!                               validity SEQUENCE, subject SEQUENCE, subjectPublicKeyInfo SEQUENCE, ... }
//! SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { algorithm OID, parameters }, BIT STRING }
//! ```
//! Everything else in a certificate that a fingerprint vouches for is passed over: serial number, validity, names and
//! extensions may hold anything (RFC 8122 section 5).

use core::time::Duration;

use crate::crypto::{KeyKind, PublicKey};
use crate::wire::{DecodeError, Reader};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;

const ID_EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const ID_PRIME256V1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const ID_SECP384R1: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
const ID_RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const ID_ED25519: &[u8] = &[0x2B, 0x65, 0x70];

/// Why no key was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoKey {
    /// Not a certificate.
    Malformed,
    /// A key of a kind that is not known here.
    Unsupported,
}

impl From<DecodeError> for NoKey {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// Reads one element: its tag and its content.
fn element<'a>(r: &mut Reader<'a>) -> Result<(u8, &'a [u8]), DecodeError> {
    let tag = r.u8()?;
    let length = match r.u8()? {
        short @ 0..=0x7F => usize::from(short),
        0x81 => r.u8()?.into(),
        0x82 => r.u16()?.into(),
        0x83 => r.u24()?,
        _ => return Err(DecodeError),
    };
    Ok((tag, r.take(length)?))
}

fn expect<'a>(r: &mut Reader<'a>, tag: u8) -> Result<&'a [u8], DecodeError> {
    let (found, content) = element(r)?;
    if found == tag { Ok(content) } else { Err(DecodeError) }
}

/// Finds the public key in a certificate.
pub(crate) fn subject_public_key(certificate: &[u8]) -> Result<PublicKey<'_>, NoKey> {
    let mut tbs = after_serial_number(certificate)?;
    for _signature_issuer_validity_subject in 0..4 {
        expect(&mut tbs, SEQUENCE)?;
    }
    public_key_info(expect(&mut tbs, SEQUENCE)?)
}

/// When a certificate's validity ends, in time since 1970 (UTC); zero for what ended before.
pub(crate) fn not_after(certificate: &[u8]) -> Option<Duration> {
    let mut tbs = after_serial_number(certificate).ok()?;
    for _signature_issuer in 0..2 {
        expect(&mut tbs, SEQUENCE).ok()?;
    }
    let mut validity = Reader::new(expect(&mut tbs, SEQUENCE).ok()?);
    let (_not_before, (tag, text)) = (element(&mut validity).ok()?, element(&mut validity).ok()?);
    time(tag, core::str::from_utf8(text).ok()?)
}

/// A time in either form (RFC 5280 section 4.1.2.5): UTCTime has two digits for the years from 1950 to 2049.
fn time(tag: u8, text: &str) -> Option<Duration> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            let year: i64 = year.parse().ok()?;
            (if year < 50 { year + 2000 } else { year + 1900 }, rest)
        }
        (GENERALIZED_TIME, 14) => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let field = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (field(0)?, field(2)?);
    let seconds = (field(4)? * 60 + field(6)?) * 60 + field(8)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year; 306 days later it is January.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + (day - 1)
        - MARCH_1_OF_YEAR_0_TO_1970;
    Some(Duration::from_secs((days * 86_400 + seconds).try_into().unwrap_or(0)))
}

/// Days from 1 March of the year 0 to 1 January 1970.
const MARCH_1_OF_YEAR_0_TO_1970: i64 = 719_468;

/// What is to be signed of a certificate, after its serial number.
fn after_serial_number(certificate: &[u8]) -> Result<Reader<'_>, NoKey> {
    let mut outer = Reader::new(certificate);
    let mut body = Reader::new(expect(&mut outer, SEQUENCE)?);
    outer.finish()?;
    let mut tbs = Reader::new(expect(&mut body, SEQUENCE)?);
    let (tag, _) = element(&mut tbs)?;
    match tag {
        // Absent in version 1, which libdatachannel's certificates are.
        VERSION => drop(expect(&mut tbs, INTEGER)?),
        INTEGER => {}
        _ => return Err(NoKey::Malformed),
    }
    Ok(tbs)
}

fn public_key_info(info: &[u8]) -> Result<PublicKey<'_>, NoKey> {
    let mut r = Reader::new(info);
    let mut algorithm = Reader::new(expect(&mut r, SEQUENCE)?);
    let bits = expect(&mut r, BIT_STRING)?;
    let Some((0, key)) = bits.split_first() else { return Err(NoKey::Malformed) };
    let kind = match expect(&mut algorithm, OID)? {
        ID_EC_PUBLIC_KEY => match expect(&mut algorithm, OID)? {
            ID_PRIME256V1 => KeyKind::P256,
            ID_SECP384R1 => KeyKind::P384,
            _ => return Err(NoKey::Unsupported),
        },
        ID_RSA_ENCRYPTION => KeyKind::Rsa,
        ID_ED25519 => KeyKind::Ed25519,
        _ => return Err(NoKey::Unsupported),
    };
    Ok(PublicKey { kind, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x82];
        out.extend((content.len() as u16).to_be_bytes());
        out.extend_from_slice(content);
        out
    }

    fn certificate(version: bool, curve: &[u8]) -> Vec<u8> {
        let algorithm = tlv(SEQUENCE, &[tlv(OID, ID_EC_PUBLIC_KEY), tlv(OID, curve)].concat());
        let info = tlv(SEQUENCE, &[algorithm, tlv(BIT_STRING, &[0, 4, 1, 2])].concat());
        let mut tbs = if version { tlv(VERSION, &[2, 1, 2]) } else { Vec::new() };
        tbs.extend(tlv(INTEGER, &[1]));
        for _ in 0..4 {
            tbs.extend(tlv(SEQUENCE, &[]));
        }
        tbs.extend(info);
        tlv(SEQUENCE, &[tlv(SEQUENCE, &tbs), tlv(SEQUENCE, &[]), tlv(BIT_STRING, &[0])].concat())
    }

    #[test]
    fn versions_1_and_3_are_read() {
        for version in [false, true] {
            let der = certificate(version, ID_PRIME256V1);
            assert_eq!(subject_public_key(&der), Ok(PublicKey { kind: KeyKind::P256, key: &[4, 1, 2] }));
        }
    }

    /// RSASSA-PSS keys, whose object identifier differs from that of rsaEncryption in its last byte.
    //= rfc8446#4.2.3
    //# If the public key is carried in an X.509 certificate, it MUST use the rsaEncryption OID [RFC5280].
    #[test]
    fn rsa_keys_are_those_of_rsa_encryption_alone() {
        let mut oid = ID_RSA_ENCRYPTION.to_vec();
        for (last, expected) in [(1, Ok(KeyKind::Rsa)), (10, Err(NoKey::Unsupported))] {
            *oid.last_mut().unwrap() = last;
            let algorithm = tlv(SEQUENCE, &[tlv(OID, &oid), vec![5, 0]].concat());
            let info = [algorithm, tlv(BIT_STRING, &[0, 1])].concat();
            assert_eq!(public_key_info(&info).map(|key| key.kind), expected);
        }
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let at = |tag, text| time(tag, text).map(|time| time.as_secs());
        assert_eq!(at(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(at(UTC_TIME, "500101000000Z"), Some(0), "1950");
        assert_eq!(at(GENERALIZED_TIME, "20000229120000Z"), Some(951_825_600));
        assert_eq!(at(GENERALIZED_TIME, "20000301000000Z"), Some(951_868_800));
        assert_eq!(at(GENERALIZED_TIME, "21000301000000Z"), Some(4_107_542_400));
        for (tag, text) in [
            (UTC_TIME, "20000301000000Z"),
            (GENERALIZED_TIME, "700101000000Z"),
            (UTC_TIME, "700101000000"),
            (UTC_TIME, "7001010000+0Z"),
            (UTC_TIME, "701301000000Z"),
            (UTC_TIME, ""),
            (INTEGER, "700101000000Z"),
        ] {
            assert_eq!(at(tag, text), None, "{text}");
        }
    }

    #[test]
    fn cut_short_and_unknown_are_told_apart() {
        assert_eq!(subject_public_key(&certificate(true, &[1, 2, 3])), Err(NoKey::Unsupported));
        let der = certificate(true, ID_SECP384R1);
        for n in 0..der.len() {
            assert_eq!(subject_public_key(&der[..n]), Err(NoKey::Malformed), "cut at {n}");
        }
    }
}
