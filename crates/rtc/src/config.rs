//! What a peer connection is told at birth.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use weft_dtls::{Certificate, NamedGroup, ProtocolVersion};
use weft_ice::{Policy, Server};
use weft_sctp::congestion::ControllerKind;
use weft_stun::{Credentials, ServerUrl};

use crate::capture::Capture;
use crate::error::Error;

/// The least leaves room for a DTLS record around the smallest SCTP packet; the most is what UDP over IPv4 carries.
const MAX_DATAGRAM: RangeInclusive<usize> = 512..=65_507;

/// Bounds of what may be kept of a peer's candidates.
const CAPS: RangeInclusive<usize> = 1..=10_000;

/// Longer, it would rather be taken for a busy loop.
const MAX_BUSY_POLL: Duration = Duration::from_millis(100);

/// A STUN or TURN server (`RTCIceServer`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IceServer {
    /// How it is reached: `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065), such as
    /// `"turn:turn.example.org?transport=tcp".parse()?`. Each is a way of its own; none waits for another.
    pub urls: Vec<ServerUrl>,
    /// Username and password, which TURN needs.
    pub credentials: Option<Credentials>,
}

impl IceServer {
    /// A STUN server.
    pub fn stun(url: ServerUrl) -> Self {
        Self { urls: vec![url], credentials: None }
    }

    /// A TURN server, reached by any of `urls`.
    pub fn turn(urls: Vec<ServerUrl>, username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { urls, credentials: Some(Credentials::new(username, password)) }
    }
}

/// Which TCP candidates there are (RFC 6544): where UDP does not pass, a peer or server that takes TCP connections is reached
/// all the same. They come after all that works by UDP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TcpCandidates {
    /// None.
    None,
    /// Those that open connections, as browsers have. They take no socket until they are used.
    #[default]
    Active,
    /// Those that open connections and those that take them: a listening socket at each address. For servers.
    ActiveAndPassive,
}

/// What is done with names of multicast DNS (`.local`, RFC 6762).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MdnsPolicy {
    /// Nothing: candidates with names are ignored, as where there is no multicast. The peer behind one is learnt from its own
    /// checks.
    Off,
    /// Names of the peer's candidates are resolved.
    #[default]
    Resolve,
    /// And our own addresses are signalled by names that stand for them, so that nobody off this link learns them.
    Hide,
}

/// Settings of a peer connection. The defaults are right for a browser at the other end of the internet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The certificate to show; a fresh self-signed ECDSA P-256 one when `None`. Its fingerprint goes into the SDP.
    pub certificate: Option<Arc<Certificate>>,
    /// Offer candidates on loopback interfaces. Off by default: no other machine can use them (RFC 8445
    /// section 5.1.1.1 forbids them). For two peers on one machine, tests and measurements.
    pub loopback: bool,
    /// Use only the interfaces with these names; all when `None`.
    pub interfaces: Option<Vec<String>>,
    /// UDP port to bind on every interface; 0 lets the system choose.
    pub port: u16,
    /// UDP ports to bind, one on every interface, in place of [`port`](Self::port): the first one that is free from a random
    /// one on. For firewalls. `None` by default.
    pub port_range: Option<RangeInclusive<u16>>,
    /// Follow network interfaces: sockets are bound on those that appear and closed on those that vanish, and ICE moves. On by
    /// default; of no effect for the sans-IO connection, whose driver does this.
    pub follow_interfaces: bool,
    /// Which TCP candidates to use; active ones by default. Passive ones listen on [`port`](Self::port) or one of
    /// [`port_range`](Self::port_range).
    pub tcp_candidates: TcpCandidates,
    /// What to do with `.local` names; those of the peer are resolved by default.
    pub mdns: MdnsPolicy,
    /// DNS servers to ask for the names of [`ice_servers`](Self::ice_servers); those of the system (`/etc/resolv.conf`) when
    /// empty. At most 8.
    pub dns_servers: Vec<SocketAddr>,
    /// Candidates of the peer to keep at most: 1 to 10,000; 100 by default. As many are checked, as many wait for the
    /// description they belong to, and as many for their names to be resolved; more are ignored and counted
    /// ([`Counters::ignored_candidates`](crate::sans_io::Counters::ignored_candidates)). A description may bring 128, or as
    /// many as this where it is more, in 256 bytes a line; one with more is refused. Each candidate is compared with those that
    /// are kept: 8,000 of them take a good tenth of a second.
    pub max_remote_candidates: usize,
    /// Candidate pairs to check at most: 1 to 10,000; 100 by default (RFC 8445 section 6.1.2.5).
    pub max_candidate_pairs: usize,
    /// Report the result of each connectivity check. Off by default.
    pub report_checks: bool,
    /// Servers to gather candidates from; none by default.
    pub ice_servers: Vec<IceServer>,
    /// Which candidates to use: all, or with [`Policy::Relay`] relayed ones alone, so that the peer learns no address of ours.
    pub ice_transport_policy: Policy,
    /// Certificate authorities to trust for `turns:` servers, next to those of the system: X.509 in DER.
    pub tls_roots: Vec<Vec<u8>>,
    /// The largest message we accept, in bytes, at least 1, announced as `a=max-message-size` (RFC 8841 section 6). 256 KiB by
    /// default, as browsers announce.
    pub max_message_size: u32,
    /// Bytes that may wait in the send buffers of all channels together before a send has to wait; at least 1. 1 MiB by
    /// default. Where the path holds more, it may be twice the congestion window, up to 64 MiB.
    pub send_buffer: usize,
    /// Bytes of received messages that may wait to be read before the peer has to wait. 4 MiB by default, and at least
    /// `max_message_size`.
    pub receive_buffer: usize,
    /// How large a UDP payload may become, in bytes: 512 to 65,507. 1200 by default: what every path is expected to carry.
    pub max_datagram: usize,
    /// How large a UDP payload may become, in bytes, once a probe has shown that the path takes it (RFC 8899). 1472 by
    /// default, all that Ethernet takes over IPv4; no probes go beyond `max_datagram` where this is not larger. Where not
    /// even `max_datagram` passes, datagrams become smaller, down to 548 bytes.
    pub max_probed_datagram: usize,
    /// Congestion control of SCTP; BBR by default.
    pub controller: ControllerKind,
    /// Offer to interleave messages of different channels (RFC 8260), so that a large one does not hold up the others. On
    /// by default; used when the peer offers it, too.
    pub interleaving: bool,
    /// DTLS versions to speak, of 1.3 and 1.2; both when `None`. The highest that both sides have is chosen.
    pub dtls_versions: Option<Vec<ProtocolVersion>>,
    /// Groups for the DTLS key exchange, the preferred first; X25519MLKEM768, X25519, P-256 and P-384 when `None`.
    pub dtls_groups: Option<Vec<NamedGroup>>,
    /// In DTLS 1.3, records that are sealed under one key of ours before it is changed for a new one (RFC 9147
    /// section 4.5.3); 2^23 when `None`.
    pub dtls_records_per_key: Option<u64>,
    /// How long channels outlive a failure of ICE, so that a restart can bring them back; after that they are closed.
    /// 30 seconds by default.
    pub restart_timeout: Duration,
    /// Speak SNAP (draft-hancke-tsvwg-snap-00): SCTP's INIT chunks travel in the descriptions (`a=sctp-init`), and where both
    /// sides have one, channels open up to two round trips sooner. Off by default, as the draft may still change.
    pub snap: bool,
    /// Hand the system runs of datagrams to cut up (UDP segmentation offload), where it can. On by default; where a network
    /// card or a driver is found to refuse, it is given up without this.
    pub segmentation_offload: bool,
    /// How long the async driver stays awake after a UDP datagram came or a handle was used: it gives other tasks of the runtime
    /// their turn and asks the socket again, instead of sleeping until the system wakes it. Zero by default; at most 100 ms. On
    /// loopback, a round trip between two threads takes half as long then.
    ///
    /// It costs up to this much of a processor each time, and all of one where something comes more often than that, consent
    /// checks included (one for each peer about every 5 s). On a runtime of several threads tokio wakes a second one over and
    /// over meanwhile. Little more than the round trip to the peer is of use, some hundred microseconds at most, on a runtime of
    /// one thread that has a processor to itself.
    ///
    /// A setting of an [`Endpoint`](crate::Endpoint). TCP and TLS are waited for as ever, and the polled driver never sleeps.
    pub busy_poll: Duration,
    /// Announce that candidates trickle (RFC 8840). On by default.
    pub trickle: bool,
    /// Write what passes, decrypted down to SCTP, for Wireshark. Off by default. Each packet is written while the connection
    /// is locked: who uses the connection waits for that.
    pub capture: Option<Capture>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            certificate: None,
            loopback: false,
            interfaces: None,
            port: 0,
            port_range: None,
            follow_interfaces: true,
            tcp_candidates: TcpCandidates::default(),
            mdns: MdnsPolicy::default(),
            dns_servers: Vec::new(),
            max_remote_candidates: 100,
            max_candidate_pairs: 100,
            report_checks: false,
            ice_servers: Vec::new(),
            ice_transport_policy: Policy::All,
            tls_roots: Vec::new(),
            max_message_size: 256 * 1024,
            send_buffer: 1024 * 1024,
            receive_buffer: 4 * 1024 * 1024,
            max_datagram: 1200,
            max_probed_datagram: 1472,
            controller: ControllerKind::default(),
            interleaving: true,
            dtls_versions: None,
            dtls_groups: None,
            dtls_records_per_key: None,
            restart_timeout: Duration::from_secs(30),
            snap: false,
            segmentation_offload: true,
            busy_poll: Duration::ZERO,
            trickle: true,
            capture: None,
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// [`Error::Config`], which names the setting and what it may be.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |what| Err(Error::Config(what));
        if !MAX_DATAGRAM.contains(&self.max_datagram) {
            return refuse("max_datagram must be 512 to 65,507 bytes");
        }
        if self.max_message_size == 0 {
            return refuse("max_message_size must be at least 1 byte");
        }
        self.validate_sockets()?;
        for server in &self.ice_servers {
            for url in &server.urls {
                if url.scheme().is_turn() && server.credentials.is_none() {
                    return refuse("a TURN server of ice_servers needs a username and a password");
                }
                if Server::from_url(url, None).is_err() {
                    return refuse("STUN servers of ice_servers are reached by UDP: stun:, not stuns:");
                }
            }
        }
        if self.send_buffer == 0 {
            return refuse("send_buffer must be at least 1 byte");
        }
        if self.dtls_versions.as_ref().is_some_and(Vec::is_empty) {
            return refuse("dtls_versions must have one at least, or be None for all");
        }
        if self.dtls_groups.as_ref().is_some_and(Vec::is_empty) {
            return refuse("dtls_groups must have one at least, or be None for all");
        }
        Ok(())
    }

    fn validate_sockets(&self) -> Result<(), Error> {
        let refuse = |what| Err(Error::Config(what));
        if let Some(range) = &self.port_range {
            if range.is_empty() || *range.start() == 0 {
                return refuse("port_range must hold one port at least, and not begin with 0");
            }
            if self.port != 0 {
                return refuse("port and port_range exclude each other");
            }
        }
        if self.dns_servers.len() > 8 || self.dns_servers.iter().any(|server| server.port() == 0) {
            return refuse("dns_servers must be at most 8 addresses, with ports that are not 0");
        }
        if !CAPS.contains(&self.max_remote_candidates) {
            return refuse("max_remote_candidates must be 1 to 10,000");
        }
        if !CAPS.contains(&self.max_candidate_pairs) {
            return refuse("max_candidate_pairs must be 1 to 10,000");
        }
        if self.busy_poll > MAX_BUSY_POLL {
            return refuse("busy_poll must be at most 100 ms");
        }
        if self.interfaces.as_ref().is_some_and(Vec::is_empty) {
            return refuse("interfaces must name one at least, or be None for all");
        }
        Ok(())
    }

    /// Sets [`loopback`](Self::loopback).
    #[must_use]
    pub fn with_loopback(mut self, loopback: bool) -> Self {
        self.loopback = loopback;
        self
    }

    /// Adds a server to [`ice_servers`](Self::ice_servers).
    #[must_use]
    pub fn with_ice_server(mut self, server: IceServer) -> Self {
        self.ice_servers.push(server);
        self
    }

    /// Sets [`certificate`](Self::certificate).
    #[must_use]
    pub fn with_certificate(mut self, certificate: Arc<Certificate>) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Sets [`tcp_candidates`](Self::tcp_candidates).
    #[must_use]
    pub fn with_tcp_candidates(mut self, which: TcpCandidates) -> Self {
        self.tcp_candidates = which;
        self
    }

    /// Sets [`mdns`](Self::mdns).
    #[must_use]
    pub fn with_mdns(mut self, policy: MdnsPolicy) -> Self {
        self.mdns = policy;
        self
    }

    /// Sets [`snap`](Self::snap).
    #[must_use]
    pub fn with_snap(mut self, snap: bool) -> Self {
        self.snap = snap;
        self
    }

    /// Sets [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub fn with_max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = bytes;
        self
    }
}
