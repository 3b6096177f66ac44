//! What an ICE agent gathers here.

use std::time::{Duration, Instant};

use serde::Serialize;
use weft_rtc::{Config, DataChannelInit, GatheringState, PeerConnection, PeerEvent};

use super::{DoctorError, ms};

/// No server is waited for so long.
const PATIENCE: Duration = Duration::from_secs(15);

/// A candidate and when it was known.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) candidate: String,
    pub(super) ms: f64,
}

/// A server that gave no candidate.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) server: Option<String>,
    pub(super) local: Option<String>,
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) ms: f64,
}

/// What was gathered.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Gathering {
    pub(super) candidates: Vec<Found>,
    pub(super) errors: Vec<Refused>,
    /// When all was known.
    pub(super) ms: f64,
}

/// Gathers with this configuration, as a connection would.
pub(super) async fn gather(config: Config) -> Result<Gathering, DoctorError> {
    let mut gathering = Gathering::default();
    let peer = PeerConnection::new(config)?;
    let began = Instant::now();
    let _channel = peer.create_data_channel(DataChannelInit::new("doctor"))?;
    peer.set_local_description(None)?;
    let all = async {
        while let Some(event) = peer.next_event().await {
            match event {
                PeerEvent::IceCandidate(candidate) if !candidate.candidate.is_empty() => {
                    gathering.candidates.push(Found { candidate: candidate.candidate, ms: ms(began.elapsed()) });
                }
                PeerEvent::IceCandidateError(error) => gathering.errors.push(Refused {
                    server: error.address.map(|address| address.to_string()),
                    local: error.base.map(|base| base.to_string()),
                    code: error.code,
                    reason: error.reason.into(),
                    ms: ms(began.elapsed()),
                }),
                PeerEvent::GatheringState(GatheringState::Complete) => return,
                _ => {}
            }
        }
    };
    // What is known by then is told.
    let _ = tokio::time::timeout(PATIENCE, all).await;
    gathering.ms = ms(began.elapsed());
    Ok(gathering)
}
