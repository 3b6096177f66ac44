//! RE-CONFIG ([RFC 6525 sections 3.1, 4](https://www.rfc-editor.org/rfc/rfc6525#section-4)).
//!
//! ```text
//! | Type = 130    |  Chunk Flags  |      Chunk Length             |
//! |                  Re-configuration Parameter ...               |
//!
//! Outgoing SSN Reset Request (13):            Re-configuration Response (16):
//! | Re-configuration Request SN   (32) |      | Re-configuration Response SN (32) |
//! | Re-configuration Response SN  (32) |      | Result                       (32) |
//! | Sender's Last Assigned TSN    (32) |      | Sender's Next TSN, optional  (32) |
//! | Stream Number (16) ...             |      | Receiver's Next TSN, optional(32) |
//!
//! Incoming SSN Reset Request (14):            SSN/TSN Reset Request (15):
//! | Re-configuration Request SN   (32) |      | Re-configuration Request SN  (32) |
//! | Stream Number (16) ...             |
//!
//! Add Outgoing (17) or Incoming (18) Streams Request:
//! | Re-configuration Request SN   (32) |
//! | Number of new streams (16) | Reserved (16) |
//! ```

use weft_core::Serial32;

use super::{Param, Params, be16, be32, kind, put_chunk, put_param, put16, put32};

/// Parameter types.
pub mod parameter {
    /// Outgoing SSN Reset Request.
    pub const OUTGOING_RESET: u16 = 13;
    /// Incoming SSN Reset Request.
    pub const INCOMING_RESET: u16 = 14;
    /// SSN/TSN Reset Request.
    pub const TSN_RESET: u16 = 15;
    /// Re-configuration Response.
    pub const RESPONSE: u16 = 16;
    /// Add Outgoing Streams Request.
    pub const ADD_OUTGOING: u16 = 17;
    /// Add Incoming Streams Request.
    pub const ADD_INCOMING: u16 = 18;
}

/// Results (RFC 6525 section 4.4).
pub mod result {
    /// Success - Nothing to do.
    pub const NOTHING_TO_DO: u32 = 0;
    /// Success - Performed.
    pub const PERFORMED: u32 = 1;
    /// Denied.
    pub const DENIED: u32 = 2;
    /// Error - Wrong SSN.
    pub const WRONG_SSN: u32 = 3;
    /// Error - Request already in progress.
    pub const ALREADY_IN_PROGRESS: u32 = 4;
    /// Error - Bad Sequence Number.
    pub const BAD_SEQUENCE_NUMBER: u32 = 5;
    /// In progress.
    pub const IN_PROGRESS: u32 = 6;
}

/// A list of stream numbers; empty means all streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamList<'a>(&'a [u8]);

impl<'a> StreamList<'a> {
    /// The stream numbers.
    pub fn iter(&self) -> impl Iterator<Item = u16> + 'a {
        self.0.chunks_exact(2).filter_map(|n| be16(n, 0))
    }

    /// Whether it means all streams.
    pub fn is_all(&self) -> bool {
        self.0.len() < 2
    }
}

/// A request or response in a RE-CONFIG chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request<'a> {
    /// The sender reset its outgoing streams.
    OutgoingReset {
        /// Number of this request.
        request: Serial32,
        /// The Incoming SSN Reset Request this answers, or the last number seen.
        response: Serial32,
        /// The reset takes effect after this TSN.
        last_tsn: Serial32,
        /// Streams.
        streams: StreamList<'a>,
    },
    /// The sender asks the receiver to reset its outgoing streams.
    IncomingReset {
        /// Number of this request.
        request: Serial32,
        /// Streams.
        streams: StreamList<'a>,
    },
    /// The sender asks to start all streams and TSNs anew.
    TsnReset {
        /// Number of this request.
        request: Serial32,
    },
    /// The sender wants to send on more streams.
    AddOutgoing {
        /// Number of this request.
        request: Serial32,
        /// How many more.
        streams: u16,
    },
    /// The sender asks the receiver to send on more streams.
    AddIncoming {
        /// Number of this request.
        request: Serial32,
        /// How many more.
        streams: u16,
    },
    /// The answer to a request.
    Response(Answer),
}

/// A Re-configuration Response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Number of the request answered.
    pub number: Serial32,
    /// See [`result`].
    pub result: u32,
    /// Sender's and Receiver's Next TSN; only in the answer to an SSN/TSN Reset Request.
    pub next_tsns: Option<(Serial32, Serial32)>,
}

impl<'a> Request<'a> {
    /// `None` when it is malformed or of a type RFC 6525 does not define.
    pub fn parse(param: &Param<'a>) -> Option<Self> {
        let value = param.value;
        let number = Serial32(be32(value, 0)?);
        Some(match param.kind {
            parameter::OUTGOING_RESET => Self::OutgoingReset {
                request: number,
                response: Serial32(be32(value, 4)?),
                last_tsn: Serial32(be32(value, 8)?),
                streams: StreamList(value.get(12..)?),
            },
            parameter::INCOMING_RESET => Self::IncomingReset { request: number, streams: StreamList(value.get(4..)?) },
            parameter::TSN_RESET => Self::TsnReset { request: number },
            parameter::ADD_OUTGOING => Self::AddOutgoing { request: number, streams: be16(value, 4)? },
            parameter::ADD_INCOMING => Self::AddIncoming { request: number, streams: be16(value, 4)? },
            parameter::RESPONSE => Self::Response(Answer {
                number,
                result: be32(value, 4)?,
                // "Either both optional fields ... MUST be present, or no field" (section 4.4).
                next_tsns: match value.len() {
                    8 => None,
                    16 => Some((Serial32(be32(value, 8)?), Serial32(be32(value, 12)?))),
                    _ => return None,
                },
            }),
            _ => return None,
        })
    }

    /// The parameters of a RE-CONFIG chunk.
    pub const fn params(value: &'a [u8]) -> Params<'a> {
        Params::new(value)
    }
}

/// Appends a RE-CONFIG chunk with an Outgoing SSN Reset Request.
pub fn write_outgoing_reset(
    out: &mut Vec<u8>,
    request: Serial32,
    response: Serial32,
    last_tsn: Serial32,
    streams: &[u16],
) {
    put_chunk(out, kind::RE_CONFIG, 0, |out| {
        put_param(out, parameter::OUTGOING_RESET, |out| {
            put32(out, request.0);
            put32(out, response.0);
            put32(out, last_tsn.0);
            for stream in streams {
                put16(out, *stream);
            }
        });
    });
}

/// Appends a RE-CONFIG chunk with an Incoming SSN Reset Request.
pub fn write_incoming_reset(out: &mut Vec<u8>, request: Serial32, streams: &[u16]) {
    put_chunk(out, kind::RE_CONFIG, 0, |out| {
        put_param(out, parameter::INCOMING_RESET, |out| {
            put32(out, request.0);
            for stream in streams {
                put16(out, *stream);
            }
        });
    });
}

/// Appends a RE-CONFIG chunk with an SSN/TSN Reset Request, alone in it (section 5.1.4, C3).
pub fn write_tsn_reset(out: &mut Vec<u8>, request: Serial32) {
    put_chunk(out, kind::RE_CONFIG, 0, |out| {
        put_param(out, parameter::TSN_RESET, |out| put32(out, request.0));
    });
}

/// Appends a RE-CONFIG chunk with an Add Outgoing or Add Incoming Streams Request.
pub fn write_add_streams(out: &mut Vec<u8>, request: Serial32, outgoing: bool, streams: u16) {
    let kind_of = if outgoing { parameter::ADD_OUTGOING } else { parameter::ADD_INCOMING };
    put_chunk(out, kind::RE_CONFIG, 0, |out| {
        put_param(out, kind_of, |out| {
            put32(out, request.0);
            put16(out, streams);
            put16(out, 0);
        });
    });
}

/// Appends a RE-CONFIG chunk with several Re-configuration Responses.
pub fn write_responses(out: &mut Vec<u8>, answers: &[Answer]) {
    put_chunk(out, kind::RE_CONFIG, 0, |out| {
        for answer in answers {
            put_param(out, parameter::RESPONSE, |out| {
                put32(out, answer.number.0);
                put32(out, answer.result);
                if let Some((sender, receiver)) = answer.next_tsns {
                    put32(out, sender.0);
                    put32(out, receiver.0);
                }
            });
        }
    });
}
