//! Binding requests and responses with the attributes of
//! [RFC 8445 section 7.1](https://www.rfc-editor.org/rfc/rfc8445#section-7.1).
//!
//! ```text
//! request:  USERNAME, ICE-CONTROLLING or ICE-CONTROLLED, [USE-CANDIDATE], [NOMINATION], PRIORITY, MESSAGE-INTEGRITY, FINGERPRINT
//! success:  XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT
//! error:    ERROR-CODE, [UNKNOWN-ATTRIBUTES], [MESSAGE-INTEGRITY], FINGERPRINT
//! ```

use core::net::SocketAddr;

use weft_core::{Frame, Full, Path};
use weft_stun::{
    AttributeType, Class, ErrorCode, IceControlled, IceControlling, IntegrityKey, Message, MessageBuilder, Method,
    Priority, TransactionId, UnknownAttributes, UseCandidate, Username, XorMappedAddress,
};

use crate::event::Role;

/// A connectivity or consent check.
pub(crate) struct Request<'a> {
    pub(crate) id: TransactionId,
    /// `RFRAG:LFRAG`.
    pub(crate) username: &'a str,
    pub(crate) key: &'a IntegrityKey,
    pub(crate) role: Role,
    pub(crate) tie_breaker: u64,
    pub(crate) priority: u32,
    pub(crate) use_candidate: bool,
    pub(crate) nomination: Option<u32>,
}

/// NOMINATION of draft-thatcher-ice-renomination-01 section 2: a counter; the pair with the highest one is in use. Its number
/// is the one libwebrtc has given it.
pub(crate) const NOMINATION: AttributeType = AttributeType(0xC001);

impl Request<'_> {
    pub(crate) fn write(&self, frame: &mut Frame<'_>) -> Result<(), Full> {
        let mut message = MessageBuilder::new(frame, Class::Request, Method::BINDING, self.id)?;
        message.attribute(&Username(self.username))?;
        match self.role {
            Role::Controlling => message.attribute(&IceControlling(self.tie_breaker))?,
            Role::Controlled => message.attribute(&IceControlled(self.tie_breaker))?,
        };
        if self.use_candidate {
            message.attribute(&UseCandidate)?;
        }
        if let Some(nomination) = self.nomination {
            message.raw(NOMINATION, &nomination.to_be_bytes())?;
        }
        message.attribute(&Priority(self.priority))?.integrity(self.key)?.fingerprint()
    }
}

/// Attribute types that a request had and we do not understand, as UNKNOWN-ATTRIBUTES carries them. What exceeds the array
/// is left out, so that the response is never longer than the request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unknown {
    types: [[u8; 2]; 8],
    len: usize,
}

impl Unknown {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        let mut unknown = Self::default();
        // A token that nobody asked for is as good as unknown (RFC 7635 section 7).
        let refused = |kind: &AttributeType| {
            kind.is_comprehension_required() && (!kind.is_known() || *kind == AttributeType::ACCESS_TOKEN)
        };
        let kinds = message.attributes().map(|raw| raw.kind).filter(refused);
        for (slot, kind) in unknown.types.iter_mut().zip(kinds) {
            *slot = kind.0.to_be_bytes();
            unknown.len += 1;
        }
        unknown
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Success(SocketAddr),
    Error(ErrorCode<'static>),
    Unknown(Unknown),
}

/// A response that waits to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response {
    pub(crate) path: Path,
    pub(crate) id: TransactionId,
    pub(crate) outcome: Outcome,
    /// Whether the request had MESSAGE-INTEGRITY-SHA256: the response then has it, too (RFC 8489 section 9.1.3).
    pub(crate) sha256: bool,
}

impl Response {
    /// Writes it, protected with `key` if the request was authenticated.
    pub(crate) fn write(&self, frame: &mut Frame<'_>, key: Option<&IntegrityKey>) -> Result<(), Full> {
        let class = if matches!(self.outcome, Outcome::Success(_)) { Class::Success } else { Class::Error };
        let mut message = MessageBuilder::new(frame, class, Method::BINDING, self.id)?;
        match &self.outcome {
            Outcome::Success(mapped) => message.attribute(&XorMappedAddress(*mapped))?,
            Outcome::Error(code) => message.attribute(code)?,
            Outcome::Unknown(unknown) => {
                let types = unknown.types.get(..unknown.len).unwrap_or_default();
                message.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)?.attribute(&UnknownAttributes::new(types))?
            }
        };
        match key {
            Some(key) if self.sha256 => message.integrity_sha256(key)?,
            Some(key) => message.integrity(key)?,
            None => &mut message,
        };
        message.fingerprint()
    }
}
