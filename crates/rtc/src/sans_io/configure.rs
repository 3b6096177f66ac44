//! Other servers and another policy (RFC 8829 section 4.1.18, webrtc-pc section 4.4.1.6).

use weft_core::Instant;
use weft_dtls::Certificate;

use super::PeerConnection;
use crate::config::Config;
use crate::error::Error;
use crate::shared_config::SharedConfig;

impl PeerConnection {
    /// Takes another configuration (W3C `setConfiguration`): that of [`config`](Self::config) with other
    /// [`ice_servers`](Config::ice_servers), [`ice_transport_policy`](Config::ice_transport_policy) and
    /// [`tls_roots`](Config::tls_roots). They take effect when candidates are gathered next. Once that has begun, the next
    /// offer restarts ICE, though nothing says that one is needed: to have it now, [`restart_ice`](Self::restart_ice). Until
    /// it is answered data goes on as before. [`capture`](Config::capture) stays what it is.
    ///
    /// # Errors
    /// [`Error::InvalidModification`] when something else differs; a certificate that is not given does not.
    /// [`Error::Config`], [`Error::Closed`]. The connection is then as it was.
    pub fn set_configuration(&mut self, now: Instant, config: impl Into<SharedConfig>) -> Result<(), Error> {
        self.ensure_open()?;
        let config = config.into();
        config.validate()?;
        if let Some(what) = self.config.fixed_difference(&config, &self.certificate) {
            return Err(Error::InvalidModification(what));
        }
        let same_servers = self.config.ice_servers == config.ice_servers
            && self.config.ice_transport_policy == config.ice_transport_policy;
        if same_servers && self.config.tls_roots == config.tls_roots {
            return Ok(());
        }
        if !same_servers {
            self.take_servers(now, &config)?;
        }
        let kept = &self.config;
        self.config =
            Config { certificate: kept.certificate.clone(), capture: kept.capture.clone(), ..Config::clone(&config) }
                .into();
        self.settle(now);
        Ok(())
    }

    fn take_servers(&mut self, now: Instant, config: &Config) -> Result<(), Error> {
        let of_urls = config.ice_servers.iter().flat_map(|server| {
            let with_credentials = |url| (url, weft_ice::Server::from_url(url, server.credentials.clone()));
            server.urls.iter().map(with_credentials)
        });
        // Which servers there cannot be was checked with the rest.
        let (urls, servers): (Vec<_>, Vec<_>) =
            of_urls.filter_map(|(url, server)| Some((url.clone(), server.ok()?))).unzip();
        let too_many = |_| Error::Config("ice_servers have more URLs than servers are asked");
        let ids = self.ice.set_servers(config.ice_transport_policy, &servers).map_err(too_many)?;
        self.servers.retain(|(id, _)| self.ice.server(*id).is_some() && !ids.contains(id));
        self.servers.extend(ids.into_iter().zip(urls));
        if self.generations.has_begun() {
            let known = [self.negotiator.current_local_credentials(), self.negotiator.local_credentials()];
            self.outdated = known.into_iter().flatten().map(|(ufrag, _)| ufrag.to_owned()).collect();
        } else {
            self.ice.gather_anew(now);
        }
        Ok(())
    }
}

impl Config {
    /// The name of a setting that cannot change once there is a connection, and would. `certificate` is the connection's.
    fn fixed_difference(&self, new: &Self, certificate: &Certificate) -> Option<&'static str> {
        let Self {
            certificate: new_certificate,
            loopback,
            interfaces,
            port,
            port_range,
            follow_interfaces,
            tcp_candidates,
            mdns,
            dns_servers,
            max_remote_candidates,
            max_candidate_pairs,
            report_checks,
            ice_servers: _,
            ice_transport_policy: _,
            tls_roots: _,
            max_message_size,
            send_buffer,
            receive_buffer,
            max_datagram,
            max_probed_datagram,
            controller,
            interleaving,
            dtls_versions,
            dtls_groups,
            dtls_records_per_key,
            restart_timeout,
            snap,
            segmentation_offload,
            busy_poll,
            trickle,
            capture: _,
        } = new;
        let same = [
            ("certificate", new_certificate.as_ref().is_none_or(|other| other.der() == certificate.der())),
            ("loopback", *loopback == self.loopback),
            ("interfaces", *interfaces == self.interfaces),
            ("port", *port == self.port),
            ("port_range", *port_range == self.port_range),
            ("follow_interfaces", *follow_interfaces == self.follow_interfaces),
            ("tcp_candidates", *tcp_candidates == self.tcp_candidates),
            ("mdns", *mdns == self.mdns),
            ("dns_servers", *dns_servers == self.dns_servers),
            ("max_remote_candidates", *max_remote_candidates == self.max_remote_candidates),
            ("max_candidate_pairs", *max_candidate_pairs == self.max_candidate_pairs),
            ("report_checks", *report_checks == self.report_checks),
            ("max_message_size", *max_message_size == self.max_message_size),
            ("send_buffer", *send_buffer == self.send_buffer),
            ("receive_buffer", *receive_buffer == self.receive_buffer),
            ("max_datagram", *max_datagram == self.max_datagram),
            ("max_probed_datagram", *max_probed_datagram == self.max_probed_datagram),
            ("controller", *controller == self.controller),
            ("interleaving", *interleaving == self.interleaving),
            ("dtls_versions", *dtls_versions == self.dtls_versions),
            ("dtls_groups", *dtls_groups == self.dtls_groups),
            ("dtls_records_per_key", *dtls_records_per_key == self.dtls_records_per_key),
            ("restart_timeout", *restart_timeout == self.restart_timeout),
            ("snap", *snap == self.snap),
            ("segmentation_offload", *segmentation_offload == self.segmentation_offload),
            ("busy_poll", *busy_poll == self.busy_poll),
            ("trickle", *trickle == self.trickle),
        ];
        same.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }
}
