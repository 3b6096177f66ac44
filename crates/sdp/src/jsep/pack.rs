//! Descriptions in force as text: they are taken apart only while others are exchanged.

use std::ops::Range;
use std::sync::OnceLock;

use super::build::Built;
use super::description::SdpType;
use super::negotiator::{Local, Negotiator, Remote};
use super::parameters::RemoteParameters;
use super::read;
use super::state::SignalingState;
use crate::config::Limits;
use crate::wire::{Candidate, Media, Session};

/// What was agreed on, in little room.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) local_kind: SdpType,
    pub(super) local: Box<str>,
    /// Which section of ours is for data.
    section: Option<usize>,
    /// Where it has our user name fragment and password.
    credentials: Option<[Range<usize>; 2]>,
    pub(super) remote_kind: SdpType,
    pub(super) remote: Box<str>,
    /// All that the peer said but its candidates, once somebody asks for it.
    data: OnceLock<Option<Box<RemoteParameters>>>,
    pub(super) can_trickle: bool,
}

/// What was written here is read whatever its size.
const ANY: Limits = Limits {
    size: usize::MAX,
    lines: usize::MAX,
    line_length: usize::MAX,
    sections: usize::MAX,
    attributes: usize::MAX,
    candidates: usize::MAX,
};

impl Packed {
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        let [ufrag, pwd] = self.credentials.clone()?;
        self.local.get(ufrag).zip(self.local.get(pwd))
    }

    pub(super) fn data(&self) -> Option<&RemoteParameters> {
        let read = || {
            // It was read before it was text.
            let session = Session::parse_within(&self.remote, &ANY).ok()?;
            let data = read::data_parameters(&session, self.remote_kind).ok()??;
            Some(Box::new(RemoteParameters { candidates: Vec::new(), ..data }))
        };
        self.data.get_or_init(read).as_deref()
    }
}

impl Negotiator {
    /// Keeps what is in force as text, in a fraction of the memory, until the next exchange of descriptions or candidate.
    /// Until then [`remote`](Self::remote) and [`agreed`](Self::agreed) hold no candidates; the descriptions do. Does
    /// nothing while an exchange is under way. For who has thousands of connections that do not negotiate any more.
    pub fn pack(&mut self) {
        if self.state != SignalingState::Stable {
            return;
        }
        let can_trickle = self.can_trickle().unwrap_or_default();
        let (Some(local), Some(remote)) = (self.local.current.take(), self.remote.current.take()) else { return };
        let text = local.built.session.to_string().into_boxed_str();
        let place = |part: &str| text.find(part).map(|at| at..at.saturating_add(part.len()));
        let credentials = local.built.credentials().and_then(|(ufrag, pwd)| Some([place(ufrag)?, place(pwd)?]));
        self.packed = Some(Box::new(Packed {
            local_kind: local.kind,
            credentials,
            local: text,
            section: local.built.data,
            remote_kind: remote.kind,
            remote: remote.session.to_string().into(),
            data: OnceLock::new(),
            can_trickle,
        }));
    }

    /// The candidates of our description in force, in order.
    pub fn local_candidates(&self) -> Vec<Candidate> {
        let of = |section: Option<&Media>| {
            let candidates = section.into_iter().flat_map(|media| media.attributes_named("candidate"));
            candidates.filter_map(|attribute| attribute.parse().ok()).collect()
        };
        match (&self.packed, &self.local.current) {
            (Some(packed), _) => {
                let session = Session::parse_within(&packed.local, &ANY).ok();
                of(session.as_ref().zip(packed.section).and_then(|(session, index)| session.media.get(index)))
            }
            (None, Some(local)) => of(local.built.section()),
            (None, None) => Vec::new(),
        }
    }

    /// Takes apart what was packed.
    pub(super) fn unpack(&mut self) {
        let Some(packed) = self.packed.take() else { return };
        let parsed = Session::parse_within(&packed.local, &ANY).and_then(|local| {
            let remote = Session::parse_within(&packed.remote, &ANY)?;
            Ok((local, remote))
        });
        // Both were documents before they were text.
        let Ok((local, remote)) = parsed else { return };
        let data = read::data_parameters(&remote, packed.remote_kind).ok().flatten();
        let built = Built { session: local, data: packed.section };
        self.local.current = Some(Box::new(Local { kind: packed.local_kind, built, known: None }));
        self.remote.current = Some(Box::new(Remote { kind: packed.remote_kind, session: remote, data, known: None }));
    }
}
