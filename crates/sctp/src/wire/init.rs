//! INIT and INIT ACK ([RFC 9260 sections 3.3.2, 3.3.3](https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2)).
//!
//! ```text
//! | Type = 1 or 2 |  Chunk Flags  |      Chunk Length             |
//! |                         Initiate Tag                          |
//! |           Advertised Receiver Window Credit (a_rwnd)          |
//! |  Number of Outbound Streams   |   Number of Inbound Streams   |
//! |                          Initial TSN                          |
//! |              Optional/Variable-Length Parameters ...          |
//! ```

use weft_core::Serial32;

use super::{Params, be16, be32, kind, param, put_chunk, put_param, put16, put32};

/// The fixed fields, and the parameters still to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Init<'a> {
    /// Initiate Tag: the Verification Tag of every packet to its sender. Never 0 in a valid chunk.
    pub initiate_tag: u32,
    /// Advertised Receiver Window Credit, bytes.
    pub a_rwnd: u32,
    /// Streams its sender wants to send on.
    pub outbound_streams: u16,
    /// Streams its sender takes.
    pub inbound_streams: u16,
    /// TSN of the first DATA chunk.
    pub initial_tsn: Serial32,
    /// What follows.
    pub params: Params<'a>,
}

/// Extensions an INIT or INIT ACK offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extensions {
    /// FORWARD TSN (RFC 3758).
    pub forward_tsn: bool,
    /// RE-CONFIG (RFC 6525).
    pub re_config: bool,
    /// I-DATA: messages of different streams may be interleaved (RFC 8260).
    pub interleaving: bool,
    /// I-FORWARD-TSN, which stands in for FORWARD TSN where messages are interleaved (RFC 8260).
    pub i_forward_tsn: bool,
    /// Packets with a zero checksum are accepted, by the method of SCTP over DTLS (RFC 9653).
    pub zero_checksum: bool,
}

/// Error detection method: SCTP over DTLS (RFC 9653).
const EDMID_DTLS: u32 = 1;

impl<'a> Init<'a> {
    /// `None` when too short.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Some(Self {
            initiate_tag: be32(value, 0)?,
            a_rwnd: be32(value, 4)?,
            outbound_streams: be16(value, 8)?,
            inbound_streams: be16(value, 10)?,
            initial_tsn: Serial32(be32(value, 12)?),
            params: Params::new(value.get(16..)?),
        })
    }

    /// The extensions its parameters offer.
    pub fn extensions(&self) -> Extensions {
        let listed = self.params.find(param::SUPPORTED_EXTENSIONS).unwrap_or_default();
        Extensions {
            // RFC 3758 wants the parameter; some stacks (Pion and its kin) name the chunk among their extensions only.
            forward_tsn: self.params.find(param::FORWARD_TSN_SUPPORTED).is_some()
                || listed.contains(&kind::FORWARD_TSN),
            re_config: listed.contains(&kind::RE_CONFIG),
            interleaving: listed.contains(&kind::I_DATA),
            i_forward_tsn: listed.contains(&kind::I_FORWARD_TSN),
            zero_checksum: self.params.find(param::ZERO_CHECKSUM).and_then(|v| be32(v, 0)) == Some(EDMID_DTLS),
        }
    }

    /// Appends an INIT or INIT ACK (`kind`) with these fields, `extensions`, and whatever `more` appends.
    pub fn write(&self, out: &mut Vec<u8>, kind: u8, extensions: Extensions, more: impl FnOnce(&mut Vec<u8>)) {
        put_chunk(out, kind, 0, |out| {
            put32(out, self.initiate_tag);
            put32(out, self.a_rwnd);
            put16(out, self.outbound_streams);
            put16(out, self.inbound_streams);
            put32(out, self.initial_tsn.0);
            if extensions.forward_tsn {
                put_param(out, param::FORWARD_TSN_SUPPORTED, |_| {});
            }
            if extensions.zero_checksum {
                put_param(out, param::ZERO_CHECKSUM, |out| put32(out, EDMID_DTLS));
            }
            put_param(out, param::SUPPORTED_EXTENSIONS, |out| {
                if extensions.re_config {
                    out.push(kind::RE_CONFIG);
                }
                if extensions.forward_tsn {
                    out.push(kind::FORWARD_TSN);
                }
                if extensions.interleaving {
                    out.push(kind::I_DATA);
                }
                if extensions.i_forward_tsn {
                    out.push(kind::I_FORWARD_TSN);
                }
            });
            more(out);
        });
    }
}
