//! Settings that many connections have in common.

#[cfg(feature = "net")]
use std::io;
use std::ops::Deref;
use std::sync::Arc;
#[cfg(feature = "net")]
use std::sync::OnceLock;
use std::time::Duration;

use weft_dtls::{Certificate, SrtpProfile};

use crate::config::{Config, MdnsPolicy};

/// Settings that many connections share, with what their layers are told: a clone is one word. Whoever makes thousands of
/// connections with the same settings makes one of these and gives each a clone; a [`Config`] does as well, and costs each of
/// them a copy. With a certificate in it, what DTLS is told is shared, too.
///
/// ```
/// use weft_rtc::{Config, Endpoint, SharedConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = SharedConfig::from(Config::default().with_loopback(true));
/// let endpoint = Endpoint::bind(&config)?;
/// let peers = [endpoint.peer_connection(config.clone())?, endpoint.peer_connection(config)?];
/// # drop(peers);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedConfig(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    ice: Arc<weft_ice::Config>,
    sctp: Arc<weft_sctp::Config>,
    /// With the certificate of the settings, if they have one.
    dtls: Option<Arc<weft_dtls::Config>>,
    /// For TURN servers by TLS, once one is asked.
    #[cfg(feature = "net")]
    tls: OnceLock<Arc<weft_net::TlsConfig>>,
}

impl SharedConfig {
    pub(crate) fn ice(&self) -> Arc<weft_ice::Config> {
        Arc::clone(&self.0.ice)
    }

    pub(crate) fn sctp(&self) -> Arc<weft_sctp::Config> {
        Arc::clone(&self.0.sctp)
    }

    /// For a connection with this certificate: that of the settings, or one made for it alone. It takes no certificate of
    /// a peer before it is told which.
    pub(crate) fn dtls(&self, certificate: &Arc<Certificate>) -> Arc<weft_dtls::Config> {
        self.0.dtls.clone().unwrap_or_else(|| Arc::new(dtls(&self.0.config, certificate)))
    }

    /// For TURN servers by TLS: whom they are to be vouched for by.
    #[cfg(feature = "net")]
    pub(crate) fn tls(&self) -> io::Result<Arc<weft_net::TlsConfig>> {
        if let Some(tls) = self.0.tls.get() {
            return Ok(Arc::clone(tls));
        }
        let roots = weft_net::Roots::SystemAnd(self.0.config.tls_roots.clone());
        let tls = Arc::new(weft_net::TlsConfig::new(&roots).map_err(io::Error::other)?);
        Ok(Arc::clone(self.0.tls.get_or_init(|| tls)))
    }
}

impl From<Config> for SharedConfig {
    fn from(config: Config) -> Self {
        let dtls = config.certificate.as_ref().map(|certificate| Arc::new(dtls(&config, certificate)));
        Self(Arc::new(Shared {
            ice: Arc::new(ice(&config)),
            sctp: Arc::new(sctp(&config)),
            dtls,
            #[cfg(feature = "net")]
            tls: OnceLock::new(),
            config,
        }))
    }
}

impl Deref for SharedConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0.config
    }
}

fn ice(config: &Config) -> weft_ice::Config {
    weft_ice::Config {
        policy: config.ice_transport_policy,
        hide_addresses: config.mdns == MdnsPolicy::Hide,
        max_remote_candidates: config.max_remote_candidates,
        max_pairs: config.max_candidate_pairs,
        report_checks: config.report_checks,
        ..weft_ice::Config::default()
    }
}

/// How large a description of the peer's may be. It may bring all candidates that are kept, and as many as by default in
/// any case: those beyond are ignored, and no reason to refuse it.
pub(crate) fn sdp_limits(config: &Config) -> weft_sdp::Limits {
    let limits = weft_sdp::Limits::DEFAULT;
    let more = config.max_remote_candidates.saturating_sub(limits.candidates);
    weft_sdp::Limits {
        candidates: limits.candidates + more,
        attributes: limits.attributes + more,
        lines: limits.lines + more,
        size: limits.size + more * CANDIDATE_LINE,
        ..limits
    }
}

/// What a line with a candidate takes at most, in bytes, if it has a name and the extensions that browsers write.
const CANDIDATE_LINE: usize = 256;

fn dtls(config: &Config, certificate: &Arc<Certificate>) -> weft_dtls::Config {
    // Each connection judges by the fingerprints it was told; none are taken by these.
    let verifier = weft_dtls::Verifier::Fingerprints(Vec::new());
    let mut dtls = weft_dtls::Config::new(Arc::clone(certificate), verifier);
    if let Some(versions) = &config.dtls_versions {
        dtls.versions.clone_from(versions);
    }
    if let Some(groups) = &config.dtls_groups {
        dtls.groups.clone_from(groups);
    }
    if let Some(records) = config.dtls_records_per_key {
        dtls.limits.records_per_key = records;
    }
    // No media goes here, but there are peers that end a connection without SRTP keys (aiortc, for one), and nobody minds.
    dtls.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
    dtls.mtu = config.max_datagram;
    // Behind ICE the path is known to work: long pauses only delay what loss has delayed already.
    dtls.max_rto = Duration::from_secs(3);
    // The peer may still wait for our answer, which a human may carry: consent decides when to give up.
    dtls.handshake_timeout = Duration::from_secs(3600);
    dtls
}

/// SCTP over DTLS over ICE: consent decides death, so retransmission never gives up.
fn sctp(config: &Config) -> weft_sctp::Config {
    weft_sctp::Config {
        mtu: config.max_datagram.saturating_sub(DTLS_OVERHEAD),
        max_message_size: config.max_message_size as usize,
        controller: config.controller,
        interleaving: config.interleaving,
        send_buffer: config.send_buffer,
        receive_buffer: config.receive_buffer.max(config.max_message_size as usize),
        min_mtu: LEAST_DATAGRAM - DTLS_OVERHEAD,
        max_mtu: config.max_probed_datagram.max(config.max_datagram).saturating_sub(DTLS_OVERHEAD),
        // Consent checks keep the path known: a heartbeat finds out nothing more, and thousands of them cost.
        heartbeat_interval: Some(Duration::from_secs(300)),
        ..weft_sctp::Config::rtc()
    }
}

/// What every IPv4 host takes: 576 bytes less the IP and UDP headers.
const LEAST_DATAGRAM: usize = 548;

/// What the costliest DTLS protection adds to a record: 13 bytes of header, 8 of explicit nonce, 16 of tag.
const DTLS_OVERHEAD: usize = 37;
