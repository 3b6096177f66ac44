//! What `initialize` and `create_data_channel` are told.

use weft_ice::Policy;
use weft_sctp::{ChannelInit, Reliability};
use weft_stun::Credentials;

use super::Error;
use crate::config::Config;

/// A STUN or TURN server (W3C `RTCIceServer`).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp`, `turns:…`: at least one.
    pub urls: Vec<String>,
    /// User name for TURN.
    pub username: Option<String>,
    /// Password for TURN.
    pub credential: Option<String>,
}

/// The configuration of a connection (W3C `RTCConfiguration`).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Configuration {
    /// Servers to learn further candidates from.
    pub ice_servers: Vec<IceServer>,
    /// Use relayed candidates alone, so that the other side learns no address of ours (W3C `iceTransportPolicy`).
    pub relay_only: bool,
}

impl Configuration {
    /// `base` with these servers.
    pub(super) fn apply(&self, base: &Config) -> Result<Config, Error> {
        let mut config = base.clone();
        config.ice_servers.clear();
        for server in &self.ice_servers {
            config.ice_servers.push(server.parse()?);
        }
        if self.relay_only {
            config.ice_transport_policy = Policy::Relay;
        }
        config.validate().map_err(|error| Error::Parameter(error.to_string()))?;
        Ok(config)
    }
}

impl IceServer {
    fn parse(&self) -> Result<crate::config::IceServer, Error> {
        if self.urls.is_empty() {
            return Err(Error::Parameter("an ICE server needs urls".to_owned()));
        }
        let parse =
            |url: &String| url.parse().map_err(|error| Error::Parameter(format!("ICE server {url:?}: {error}")));
        let urls = self.urls.iter().map(parse).collect::<Result<_, _>>()?;
        let credentials = self.username.as_ref().zip(self.credential.as_ref());
        Ok(crate::config::IceServer { urls, credentials: credentials.map(|(name, word)| Credentials::new(name, word)) })
    }
}

/// Options of a channel (W3C `RTCDataChannelInit`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelOptions {
    /// Agreed on beforehand by both sides, who pass the same [`id`](Self::id); nothing is announced in band.
    pub negotiated: bool,
    /// The stream, 0 to 65,534: to be given if and only if `negotiated`.
    pub id: Option<u16>,
    /// Retransmissions of a message before it is given up; not together with `max_packet_life_time`.
    pub max_retransmits: Option<u16>,
    /// Milliseconds that a message may take before it is given up.
    pub max_packet_life_time: Option<u16>,
    /// Whether messages keep their order.
    pub ordered: bool,
    /// Subprotocol, at most 65,535 bytes.
    pub protocol: String,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            negotiated: false,
            id: None,
            max_retransmits: None,
            max_packet_life_time: None,
            ordered: true,
            protocol: String::new(),
        }
    }
}

impl ChannelOptions {
    pub(super) fn to_init(&self, label: &str) -> Result<ChannelInit, Error> {
        let refuse = |why: &str| Err(Error::Parameter(why.to_owned()));
        let reliability = match (self.max_retransmits, self.max_packet_life_time) {
            (None, None) => Reliability::Reliable,
            (Some(times), None) => Reliability::MaxRetransmits(times),
            (None, Some(millis)) => Reliability::MaxLifetime(millis),
            (Some(_), Some(_)) => return refuse("maxRetransmits and maxPacketLifeTime exclude each other"),
        };
        match (self.negotiated, self.id) {
            (true, None) => return refuse("a negotiated channel needs an id"),
            (false, Some(_)) => return refuse("an id needs negotiated: otherwise it is chosen here"),
            (true, Some(u16::MAX)) => return refuse("the id 65535 is reserved (RFC 8831 section 6.5)"),
            _ => {}
        }
        Ok(ChannelInit {
            protocol: self.protocol.clone(),
            ordered: self.ordered,
            reliability,
            negotiated: self.id,
            ..ChannelInit::new(label)
        })
    }
}
