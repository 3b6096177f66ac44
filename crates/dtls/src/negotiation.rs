//! Which version a handshake is of: the client's one hello offers all, the server chooses the highest it shares.

use crate::crypto::Failed;
use crate::error::Fault;
use crate::handshake::{Core, Step};
use crate::reassembly::Message;
use crate::v12;
use crate::v13;
use crate::wire::{ClientHello, HandshakeType, ProtocolVersion};

/// The handshake of one version and one side.
pub(crate) enum Handshake {
    /// A client that was not started.
    Unstarted,
    /// A server that waits for a hello.
    Listening,
    Client12(Box<v12::Client>),
    Server12(Box<v12::Server>),
    /// Of a client that may yet fall back to 1.2.
    Client13(Box<v13::Client>),
    Server13(Box<v13::Server>),
    /// What is left of a 1.3 handshake that has ended.
    Session13(Box<v13::Session>),
}

impl Handshake {
    /// Begins as client.
    pub(crate) fn start(core: &mut Core) -> Result<Self, Failed> {
        if core.config.speaks(ProtocolVersion::DTLS_1_3) {
            let client = v13::Client::start(core)?;
            return Ok(Self::Client13(Box::new(client)));
        }
        Ok(Self::Client12(Box::new(v12::Client::start(core))))
    }

    /// Handles one message of the peer.
    pub(crate) fn handle(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        match self {
            Self::Unstarted => Ok(Step::Unexpected),
            Self::Listening => self.listen(core, message),
            Self::Client12(client) => client.handle(core, message),
            Self::Server12(server) => server.handle(core, message),
            Self::Server13(server) => server.handle(core, message),
            Self::Session13(session) => session.handle(core, message),
            Self::Client13(client) => {
                let Some(mut fallen) = client.fall_back(core, message)? else { return client.handle(core, message) };
                let step = fallen.handle(core, message);
                match step {
                    // Not an answer that 1.2 takes, either: the true one may still come.
                    Ok(Step::Unexpected) | Err(Fault::Malformed) => core.transcript.clear(),
                    _ => *self = Self::Client12(Box::new(fallen)),
                }
                step
            }
        }
    }

    /// Chooses the version by the first hello. It stays open until a hello was accepted.
    fn listen(&mut self, core: &mut Core, message: &Message) -> Result<Step, Fault> {
        if message.message_type != HandshakeType::CLIENT_HELLO || message.epoch != 0 {
            return Ok(Step::Unexpected);
        }
        let offers_v13 = ClientHello::parse(&message.body)?.offers_v13()?;
        if offers_v13 && core.config.speaks(ProtocolVersion::DTLS_1_3) {
            let mut server = v13::Server::new();
            let step = server.handle(core, message)?;
            *self = Self::Server13(Box::new(server));
            return Ok(step);
        }
        let mut server = v12::Server::new();
        let step = server.handle(core, message)?;
        *self = Self::Server12(Box::new(server));
        Ok(step)
    }

    /// The handshake has ended: of 1.3 the secrets alone are needed on.
    pub(crate) fn settle(&mut self) {
        let session = match self {
            Self::Client13(client) => client.take_session(),
            Self::Server13(server) => server.take_session(),
            _ => None,
        };
        if let Some(session) = session {
            *self = Self::Session13(Box::new(session));
        }
    }

    /// Whether DTLS 1.3 was chosen, or still may be.
    pub(crate) fn may_be_v13(&self) -> bool {
        matches!(self, Self::Client13(_) | Self::Server13(_) | Self::Session13(_))
    }

    pub(crate) fn is_client(&self) -> bool {
        matches!(self, Self::Unstarted | Self::Client12(_) | Self::Client13(_))
    }
}
