//! From the contract's settings to an association's.

use core::time::Duration;

use weft_core::Rng;
use weft_sctp::{Association, Config, ControllerKind};

use crate::command::Settings;

/// The contract's default for the largest packet.
const MTU: usize = 1480;

/// What an association can keep to.
const LEAST_MTU: usize = 508;
const MOST_MTU: usize = 65_000;

impl Settings {
    /// What they mean for an association: RFC 9260's values where they say nothing.
    pub(crate) fn config(&self) -> Config {
        let base = Config::default();
        let time = |ms: Option<u64>, default: Duration| ms.map_or(default, Duration::from_millis);
        Config {
            local_port: self.local_port.unwrap_or(5000),
            remote_port: self.remote_port.unwrap_or(5001),
            mtu: self.mtu.unwrap_or(MTU),
            out_streams: self.out_streams.unwrap_or(base.out_streams),
            in_streams: self.in_streams.unwrap_or(base.in_streams),
            rto_initial: time(self.rto_initial_ms, base.rto_initial),
            rto_min: time(self.rto_min_ms, base.rto_min),
            rto_max: time(self.rto_max_ms, base.rto_max),
            sack_delay: time(self.sack_delay_ms, base.sack_delay),
            heartbeat_interval: self.heartbeat_interval_ms.filter(|ms| *ms > 0).map(Duration::from_millis),
            max_init_retransmits: Some(self.max_init_retransmits.unwrap_or(8)),
            max_retransmits: Some(self.max_retransmits.unwrap_or(10)),
            cookie_lifetime: time(self.cookie_life_ms, base.cookie_lifetime),
            max_burst: self.max_burst.unwrap_or(base.max_burst),
            initial_window: self.initial_cwnd_mtus,
            interleaving: self.i_data.unwrap_or(false),
            partial_reliability: self.pr_sctp.unwrap_or(true),
            stream_reset: self.reconfig.unwrap_or(true),
            zero_checksum: self.zero_checksum.unwrap_or(false),
            pacing: self.pacing.unwrap_or(false),
            rack: self.rack.unwrap_or(false),
            controller: self.controller.as_deref().and_then(ControllerKind::from_name).unwrap_or(base.controller),
            ..base
        }
    }

    /// Refuses what an association could not do exactly as it is asked.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(mtu) = self.mtu.filter(|mtu| !(LEAST_MTU..=MOST_MTU).contains(mtu)) {
            return Err(format!("`mtu` is {mtu}, not {LEAST_MTU} to {MOST_MTU}"));
        }
        if self.out_streams == Some(0) || self.in_streams == Some(0) {
            return Err("an INIT must not ask for 0 streams".to_owned());
        }
        match &self.controller {
            Some(name) if ControllerKind::from_name(name).is_none() => Err(format!("no controller `{name}`")),
            _ => Ok(()),
        }
    }

    /// A new association with these settings.
    pub(crate) fn association(&self, rng: Rng) -> Association {
        Association::new(self.config(), rng)
    }
}
