//! What can be chosen.

use core::time::Duration;

/// Which candidates an agent uses: the `iceTransportPolicy` of webrtc-pc section 4.2.4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Policy {
    /// All.
    #[default]
    All,
    /// Relayed ones alone, so that the peer learns no other address (RFC 8828 mode 4). Host addresses given to the agent
    /// are used to reach TURN servers and for nothing else.
    Relay,
}

/// Settings of an [`Agent`](crate::Agent). The defaults suit the Internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A lite implementation: answers checks and sends none (RFC 8445 section 2.5). It is always controlled by a full peer.
    pub lite: bool,
    /// Ta: the pace of ordinary checks. 50 ms (RFC 8445 section 14.2), at least 5 ms. Another value than the default has to be
    /// agreed with the peer.
    pub ta: Duration,
    /// Floor of the retransmission timeout of checks: 500 ms. RFC 8445 section 14.3 allows no less.
    pub min_rto: Duration,
    /// Rc: how often a check is sent before it is given up. 7 (RFC 8489 section 6.2.1).
    pub max_requests: u32,
    /// Rm: how many RTO to wait after the last. 16 (RFC 8489 section 6.2.1).
    pub last_wait: u32,
    /// How long the agent waits for checks of the peer and for late candidates before it may fail (the timer of
    /// RFC 8863 section 4): 39.5 s.
    pub patience: Duration,
    /// How long the controlling side waits for a better pair after the first valid one, unless that is the best there can
    /// be: 150 ms. Data flows meanwhile.
    pub nomination_wait: Duration,
    /// The same while the best valid pair is relayed and better ones that are not may still work: 800 ms. A hole in a translator
    /// may take one repetition of a check to punch, and a nominated relay may stay for the whole session.
    pub relay_nomination_wait: Duration,
    /// The basic period of consent checks: 5 s, at least 5 s so that the randomised period is never less than 4 s
    /// (RFC 7675 section 5.1).
    pub consent_interval: Duration,
    /// Consent expires so long after the last response: 30 s (RFC 7675 section 5.1).
    pub consent_timeout: Duration,
    /// Silence of the peer after which the state is [`Disconnected`](crate::IceState::Disconnected): 10 s.
    pub disconnected_after: Duration,
    /// Which candidates are used: all of them.
    pub policy: Policy,
    /// How long a STUN or TURN server may take before it counts as out of reach: 10 s. Nothing waits for it meanwhile but
    /// the end of gathering.
    pub gathering_timeout: Duration,
    /// Tr: how long a binding at a STUN server may stay unused before it is refreshed: 15 s (RFC 8445 section 11), at least
    /// 15 s.
    pub keepalive: Duration,
    /// How long the peer may be silent while it owes an answer, or after it has sent data, before the pair in use is checked:
    /// 1 s. Twice the round trip time if that is more.
    pub silence: Duration,
    /// How long a pair in use may leave such a check without an answer before other pairs are tried, too: 2 s. Four
    /// times the round trip time if that is more.
    pub path_timeout: Duration,
    /// How long to look for another pair before a restart is asked for, when the one in use is lost: 4 s.
    pub restart_after: Duration,
    /// Leave our other addresses out of what is signalled of a reflexive or relayed candidate (RFC 8839 section 5.1): off.
    /// For host candidates that are signalled by name, and always so with [`Policy::Relay`].
    pub hide_addresses: bool,
    /// Offer to move to a better pair without a restart (draft-thatcher-ice-renomination): on. It is done when the peer
    /// offers it too.
    pub renomination: bool,
    /// Report the end of each check as an event: off.
    pub report_checks: bool,
    /// STUN and TURN servers at most: 16.
    pub max_servers: usize,
    /// Local candidates at most: 64.
    pub max_local_candidates: usize,
    /// Remote candidates at most, signalled and peer-reflexive together: 100.
    pub max_remote_candidates: usize,
    /// Pairs at most: 100 (RFC 8445 section 6.1.2.5).
    pub max_pairs: usize,
    /// Checks remembered that came before the remote description: 16.
    pub max_early_checks: usize,
    /// Responses that wait to be sent, at most: 64. Requests beyond are dropped.
    pub max_responses: usize,
    /// Error responses to unauthenticated requests in one second, at most: 10. Each is no longer than 36 bytes.
    pub max_unauthenticated_errors: u32,
    /// Events that wait to be polled, at most: 512. Later ones are dropped and counted.
    pub max_events: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lite: false,
            ta: Duration::from_millis(50),
            min_rto: Duration::from_millis(500),
            max_requests: 7,
            last_wait: 16,
            patience: Duration::from_millis(39_500),
            nomination_wait: Duration::from_millis(150),
            relay_nomination_wait: Duration::from_millis(800),
            consent_interval: Duration::from_secs(5),
            consent_timeout: Duration::from_secs(30),
            disconnected_after: Duration::from_secs(10),
            policy: Policy::All,
            gathering_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            silence: Duration::from_secs(1),
            path_timeout: Duration::from_secs(2),
            restart_after: Duration::from_secs(4),
            hide_addresses: false,
            renomination: true,
            report_checks: false,
            max_servers: 16,
            max_local_candidates: 64,
            max_remote_candidates: 100,
            max_pairs: 100,
            max_early_checks: 16,
            max_responses: 64,
            max_unauthenticated_errors: 10,
            max_events: 512,
        }
    }
}

impl Config {
    /// With the bounds that the RFCs set applied.
    pub(crate) fn bounded(mut self) -> Self {
        self.ta = self.ta.max(Duration::from_millis(5));
        self.min_rto = self.min_rto.max(Duration::from_millis(500));
        self.consent_interval = self.consent_interval.max(Duration::from_secs(5));
        self.keepalive = self.keepalive.max(Duration::from_secs(15));
        self.max_requests = self.max_requests.clamp(1, 32);
        self
    }
}
