//! States and events, with the names and meanings of W3C webrtc-pc.

use weft_core::Path;
use weft_ice::{CheckResult, GatheringError, PairInfo, RestartReason, ServerId, StreamKind};
use weft_sctp::{ChannelId, CloseReason};
pub use weft_sdp::jsep::{IceCandidate, SignalingState};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The name W3C gives it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states!(
    /// `RTCIceGatheringState`.
    GatheringState {
        /// Nothing was gathered yet.
        New = "new",
        /// Candidates are being gathered.
        Gathering = "gathering",
        /// All local candidates are known.
        Complete = "complete",
    }
);

states!(
    /// `RTCIceConnectionState`.
    IceConnectionState {
        /// No checks yet.
        New = "new",
        /// Checks are under way.
        Checking = "checking",
        /// A pair works.
        Connected = "connected",
        /// A pair is selected and nothing is left to check.
        Completed = "completed",
        /// The selected pair no longer answers; it may come back.
        Disconnected = "disconnected",
        /// No pair works.
        Failed = "failed",
        /// The connection was closed.
        Closed = "closed",
    }
);

states!(
    /// `RTCPeerConnectionState`: ICE and DTLS taken together.
    ConnectionState {
        /// Nothing has begun.
        New = "new",
        /// ICE or DTLS is being set up.
        Connecting = "connecting",
        /// ICE and DTLS are up.
        Connected = "connected",
        /// ICE lost its path for now.
        Disconnected = "disconnected",
        /// ICE or DTLS failed for good.
        Failed = "failed",
        /// [`close`](crate::sans_io::PeerConnection::close) was called.
        Closed = "closed",
    }
);

states!(
    /// `RTCDtlsTransportState`.
    DtlsState {
        /// Not started.
        New = "new",
        /// The handshake is under way.
        Connecting = "connecting",
        /// The handshake is done and the certificate matches its fingerprint.
        Connected = "connected",
        /// Closed by either side.
        Closed = "closed",
        /// Failed for good.
        Failed = "failed",
    }
);

states!(
    /// `RTCSctpTransportState`.
    SctpState {
        /// The association is being set up.
        Connecting = "connecting",
        /// The association is up.
        Connected = "connected",
        /// The association has ended.
        Closed = "closed",
    }
);

/// Why a peer connection failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No candidate pair works (any more).
    #[error("ICE: {0:?}")]
    Ice(weft_ice::FailureReason),
    /// The ICE agent is dead.
    #[error("ICE: {0}")]
    Agent(weft_ice::Error),
    /// The DTLS handshake or association failed.
    #[error("DTLS: {0}")]
    Dtls(weft_dtls::Error),
    /// The SCTP association ended in error.
    #[error("SCTP: {0}")]
    Sctp(weft_sctp::AssociationError),
}

/// What a peer connection wants of its driver ([`sans_io::PeerConnection::poll_request`](crate::sans_io::PeerConnection::poll_request)).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request {
    /// The name of a server is to be resolved; `server_resolved` takes the addresses.
    Resolve(ServerId, String),
    /// The `.local` name of a candidate of the peer's is to be resolved by multicast DNS; `candidate_resolved` takes the
    /// addresses, or none. Nothing waits for it.
    ResolveCandidate(String),
    /// A TCP connection is to be opened from the IP address of `local`, whose port is 0, to `remote`; `stream_opened` or
    /// `stream_closed` tells what came of it. The path, as it is here, names the connection from then on: datagrams come
    /// and go with it, framed as the kind says.
    OpenStream(Path, StreamKind),
    /// The connection is not needed any more.
    CloseStream(Path),
}

/// What happened on a peer connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// `signalingState` changed.
    SignalingState(SignalingState),
    /// `iceGatheringState` changed.
    GatheringState(GatheringState),
    /// `iceConnectionState` changed.
    IceConnectionState(IceConnectionState),
    /// `connectionState` changed.
    ConnectionState(ConnectionState),
    /// The DTLS transport's state changed.
    DtlsState(DtlsState),
    /// The SCTP transport's state changed.
    SctpState(SctpState),
    /// A local candidate to be signalled; one with an empty `candidate` is the end of them (RFC 8840 section 8.2).
    IceCandidate(Box<IceCandidate>),
    /// A STUN or TURN server gave no candidate (`icecandidateerror`): which, from where, with what code and why.
    IceCandidateError(Box<GatheringError>),
    /// A connectivity check ended ([`Config::report_checks`](crate::Config::report_checks)).
    IceCheck(Box<Path>, CheckResult),
    /// Data now travels over this pair.
    SelectedPair(Box<PairInfo>),
    /// A pair works that is better than the one in use, and the peer cannot be asked to move to it: a
    /// [restart of ICE](crate::sans_io::PeerConnection::restart_ice) would. Only the controlling side is told.
    BetterPair(Box<PairInfo>),
    /// The pair in use is lost and no other was found: ICE has to restart. [`NegotiationNeeded`](Self::NegotiationNeeded)
    /// follows, and the next offer restarts it.
    IceRestartNeeded(RestartReason),
    /// An offer should be made: the first channel was created, or ICE is to be restarted.
    NegotiationNeeded,
    /// Something failed for good.
    Failed(Failure),
    /// The other side opened a channel. Its messages may follow at once.
    DataChannel(ChannelId),
    /// A channel of ours is open.
    Open(ChannelId),
    /// A channel that had no message waiting has one.
    Readable(ChannelId),
    /// A channel whose send was refused because buffers were full may try again: a quarter of the send buffer is free.
    Writable(ChannelId),
    /// The channel's buffered amount fell to its low threshold.
    BufferedAmountLow(ChannelId),
    /// All of a message sent with this notice was acknowledged.
    Delivered(ChannelId, u64),
    /// A message sent with this notice was given up; part or all of it may have arrived.
    Abandoned(ChannelId, u64),
    /// Everything sent on a channel being finished was acknowledged.
    Finished(ChannelId),
    /// The other side began to close the channel.
    Closing(ChannelId),
    /// The channel is closed, and why.
    Closed(ChannelId, CloseReason),
}
