//! Retransmission timeout ([RFC 9260 section 6.3.1](https://www.rfc-editor.org/rfc/rfc9260#section-6.3.1)).

use core::time::Duration;

use crate::Config;

/// G, the clock granularity assumed: RTTVAR is never taken below it.
const GRANULARITY: Duration = Duration::from_millis(1);

#[derive(Clone, Debug)]
pub(crate) struct Rto {
    srtt: Option<Duration>,
    rttvar: Duration,
    current: Duration,
    /// RTO.Min and RTO.Max, nanoseconds.
    bounds: (u64, u64),
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Rto {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            srtt: None,
            rttvar: Duration::ZERO,
            current: config.rto_initial,
            bounds: (nanos(config.rto_min), nanos(config.rto_max.max(config.rto_min))),
        }
    }

    pub(crate) fn get(&self) -> Duration {
        self.current
    }

    pub(crate) fn srtt(&self) -> Option<Duration> {
        self.srtt
    }

    fn max(&self) -> Duration {
        Duration::from_nanos(self.bounds.1)
    }

    pub(crate) fn sample(&mut self, rtt: Duration) {
        let srtt = match self.srtt {
            None => {
                self.rttvar = rtt / 2;
                rtt
            }
            Some(srtt) => {
                self.rttvar = self.rttvar * 3 / 4 + srtt.abs_diff(rtt) / 4;
                srtt * 7 / 8 + rtt / 8
            }
        };
        self.srtt = Some(srtt);
        self.rttvar = self.rttvar.max(GRANULARITY);
        self.current = self.measured();
    }

    /// What the round trip asks for, however far the timer was backed off since.
    pub(crate) fn measured(&self) -> Duration {
        let measured = |srtt: Duration| (srtt + self.rttvar * 4).clamp(Duration::from_nanos(self.bounds.0), self.max());
        self.srtt.map_or(self.current, measured)
    }

    /// Rule E2: "back off the timer".
    pub(crate) fn back_off(&mut self) {
        self.current = (self.current * 2).min(self.max());
    }
}
