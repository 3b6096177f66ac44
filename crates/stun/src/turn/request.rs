//! Requests under way.

use core::net::{IpAddr, SocketAddr};

use weft_core::{Frame, Full, Instant};

use super::config::{Config, RelayFamily};
use crate::long_term::LongTerm;
use crate::wire::attribute::{
    AdditionalAddressFamily, AddressFamily, AttributeType, ChannelNumber, Lifetime, RequestedAddressFamily,
    RequestedTransport, Software, XorPeerAddress,
};
use crate::wire::{Class, MessageBuilder, Method};
use crate::{Timing, Transaction, TransactionId};

/// ADDITIONAL-ADDRESS-FAMILY as coturn (4.6) knows it: by the number of draft-martinsen-tram-ssoda.
const ADDITIONAL_ADDRESS_FAMILY_DRAFT: AttributeType = AttributeType(0x8032);

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Allocate,
    Refresh,
    /// A refresh with a lifetime of zero.
    Deallocate,
    Permit(Vec<IpAddr>),
    Bind(u16, SocketAddr),
}

impl Kind {
    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Deallocate => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind(..) => Method::CHANNEL_BIND,
        }
    }
}

/// A request and its transaction.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) transaction: Transaction,
    /// Whether a response was discarded because its integrity did not hold.
    pub(super) tainted: bool,
}

impl Request {
    pub(super) fn new(now: Instant, kind: Kind, id: TransactionId, timing: Timing) -> Self {
        Self { kind, transaction: Transaction::new(now, id, timing), tainted: false }
    }

    /// Writes it; the same bytes each time, as long as `long_term` stays the same.
    pub(super) fn write(
        &self,
        config: &Config,
        plain: bool,
        long_term: &LongTerm,
        frame: &mut Frame<'_>,
    ) -> Result<(), Full> {
        let mut request = MessageBuilder::new(frame, Class::Request, self.kind.method(), self.transaction.id())?;
        match &self.kind {
            Kind::Allocate => {
                request.attribute(&RequestedTransport::UDP)?;
                match config.family {
                    RelayFamily::Only(family) if !plain => {
                        request.attribute(&RequestedAddressFamily(family))?;
                    }
                    RelayFamily::Both => {
                        let family = AdditionalAddressFamily(AddressFamily::V6);
                        request.attribute(&family)?.raw(ADDITIONAL_ADDRESS_FAMILY_DRAFT, &[2, 0, 0, 0])?;
                    }
                    _ => {}
                }
                lifetime(config, &mut request)?;
            }
            Kind::Refresh => lifetime(config, &mut request)?,
            Kind::Deallocate => {
                request.attribute(&Lifetime(0))?;
            }
            Kind::Permit(peers) => {
                for &ip in peers {
                    request.attribute(&XorPeerAddress(SocketAddr::new(ip, 0)))?;
                }
            }
            Kind::Bind(number, peer) => {
                request.attribute(&ChannelNumber(*number))?.attribute(&XorPeerAddress(*peer))?;
            }
        }
        if let (Kind::Allocate | Kind::Refresh | Kind::Deallocate, Some(software)) = (&self.kind, &config.software) {
            request.attribute(&Software(shortened(software)))?;
        }
        long_term.write(&mut request)?;
        request.fingerprint()
    }
}

/// The first 127 characters (RFC 8489 section 14.14).
fn shortened(text: &str) -> &str {
    text.char_indices().nth(127).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn lifetime(config: &Config, request: &mut MessageBuilder<'_, '_>) -> Result<(), Full> {
    if let Some(lifetime) = config.lifetime {
        request.attribute(&Lifetime(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)))?;
    }
    Ok(())
}
