//! Reading a peer's description: which section carries data, and what it says (RFC 8829 5.8).

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use super::description::SdpType;
use super::error::{NegotiationError, Required};
use super::parameters::RemoteParameters;
use crate::error::{Expected, ParseError};
use crate::wire::{
    Attribute, Candidate, Fingerprint, Group, IceOptions, IcePwd, IceUfrag, MaxMessageSize, Media, Mid,
    RemoteCandidates, SctpMap, SctpPort, Session, Setup, TlsId,
};

/// How a data section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// RFC 8841: `m=application 9 UDP/DTLS/SCTP webrtc-datachannel`.
    Standard,
    /// Drafts before it: `m=application 9 DTLS/SCTP 5000`.
    SctpMap,
}

/// The form of a section for data channels, and nothing for any other.
pub(crate) fn data_form(media: &Media) -> Option<Form> {
    // RFC 8841 4.3: there is exactly one format.
    let [format] = media.formats.as_slice() else { return None };
    match (media.kind.as_str(), media.protocol.as_str()) {
        ("application", "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP") if format == "webrtc-datachannel" => Some(Form::Standard),
        ("application", "DTLS/SCTP") if format.parse::<u16>().is_ok() => Some(Form::SctpMap),
        _ => None,
    }
}

/// Which sections are bundled: the name of each, with the name of the one whose transport it shares.
struct Bundles(HashMap<String, String>);

impl Bundles {
    fn of(session: &Session) -> Result<Self, ParseError> {
        let mut bundled = HashMap::new();
        for group in session.groups()?.into_iter().filter(Group::is_bundle) {
            let Some(tagged) = group.mids.first().cloned() else { continue };
            bundled.extend(group.mids.into_iter().map(|mid| (mid, tagged.clone())));
        }
        Ok(Self(bundled))
    }

    /// The name of the section whose transport this one shares, if it is bundled.
    fn tagged(&self, media: &Media) -> Option<&str> {
        self.0.get(media.mid()?).map(String::as_str)
    }
}

/// Whether a section is in use. In an offer, port 0 is no refusal in a bundle with `a=bundle-only` (RFC 9143 6).
fn is_enabled(bundles: &Bundles, media: &Media, kind: SdpType) -> bool {
    let bundle_only = || media.has_attribute("bundle-only") && bundles.tagged(media).is_some();
    media.port != 0 || (kind == SdpType::Offer && bundle_only())
}

/// Each section's name is a token and its own (RFC 5888 4).
pub(crate) fn check_mids(session: &Session) -> Result<(), NegotiationError> {
    let mut seen = HashSet::new();
    for media in &session.media {
        let Some(Mid(mid)) = only(&media.attributes, "mid")? else { continue };
        if !seen.insert(mid.clone()) {
            return Err(NegotiationError::DuplicateMid { mid, line: media.line() });
        }
    }
    Ok(())
}

/// The parameters of the first section for data that is in use.
pub(crate) fn data_parameters(session: &Session, kind: SdpType) -> Result<Option<RemoteParameters>, NegotiationError> {
    let bundles = Bundles::of(session)?;
    let sections = session.media.iter().enumerate();
    let mut data = sections.filter_map(|(index, media)| Some((index, media, data_form(media)?)));
    match data.find(|(_, media, _)| is_enabled(&bundles, media, kind)) {
        Some((_, media, _)) if leans_on_another(session, &bundles, media) => Ok(None),
        Some((index, media, form)) => section_parameters(session, kind, index, media, form).map(Some),
        None => Ok(None),
    }
}

/// Whether a section has no transport of its own, but that of another in its bundle, which this side rejects as it is
/// not for data. RFC 9143 7.3.2 then leaves no choice but to reject this one too.
fn leans_on_another(session: &Session, bundles: &Bundles, media: &Media) -> bool {
    let own = media.has_attribute("ice-ufrag") || session.has_attribute("ice-ufrag");
    !own && bundles.tagged(media).is_some_and(|tagged| Some(tagged) != media.mid())
}

fn section_parameters(
    session: &Session,
    kind: SdpType,
    index: usize,
    media: &Media,
    form: Form,
) -> Result<RemoteParameters, NegotiationError> {
    let line = media.line();
    let missing = |required| NegotiationError::Missing { required, line };
    if media.has_attribute("ice-mismatch") {
        return Err(NegotiationError::IceMismatch { line });
    }
    let ufrag: IceUfrag = inherited(session, media, "ice-ufrag")?.ok_or(missing(Required::IceUfrag))?;
    let pwd: IcePwd = inherited(session, media, "ice-pwd")?.ok_or(missing(Required::IcePwd))?;
    Ok(RemoteParameters {
        mid: media.mid().map(str::to_owned),
        mline_index: index,
        ufrag: ufrag.as_str().to_owned(),
        pwd: pwd.as_str().to_owned(),
        ice_options: inherited::<IceOptions>(session, media, "ice-options")?.unwrap_or_default(),
        ice_lite: session.has_attribute("ice-lite"),
        fingerprints: fingerprints(session, media)?,
        setup: setup(session, media, kind)?,
        tls_id: inherited::<TlsId>(session, media, "tls-id")?,
        sctp_port: sctp_port(media, form)?.ok_or(missing(Required::SctpPort))?,
        max_message_size: only::<MaxMessageSize>(&media.attributes, "max-message-size")?.unwrap_or_default(),
        sctp_init: media.attributes_named("sctp-init").next().and_then(|a| a.value().map(str::to_owned)),
        candidates: candidates(media)?,
        end_of_candidates: media.has_attribute("end-of-candidates") || session.has_attribute("end-of-candidates"),
    })
}

fn fingerprints(session: &Session, media: &Media) -> Result<Vec<Fingerprint>, NegotiationError> {
    // RFC 8122 5: those of the session hold for sections that have none.
    let level = if media.has_attribute("fingerprint") { &media.attributes } else { &session.attributes };
    let mut usable = Vec::new();
    let mut weak = false;
    for attribute in level.iter().filter(|attribute| attribute.name() == "fingerprint") {
        let fingerprint: Fingerprint = attribute.parse()?;
        if fingerprint.is_usable() { usable.push(fingerprint) } else { weak = true }
    }
    match (usable.is_empty(), weak) {
        (false, _) => Ok(usable),
        (true, true) => Err(NegotiationError::WeakFingerprints { line: media.line() }),
        (true, false) => Err(NegotiationError::Missing { required: Required::Fingerprint, line: media.line() }),
    }
}

fn setup(session: &Session, media: &Media, kind: SdpType) -> Result<Setup, NegotiationError> {
    let line = media.line();
    match (inherited(session, media, "setup")?, kind) {
        (Some(setup @ Setup::HoldConn), _) | (Some(setup @ Setup::ActPass), SdpType::PrAnswer | SdpType::Answer) => {
            Err(NegotiationError::Setup { setup, kind, line })
        }
        (Some(setup), _) => Ok(setup),
        // RFC 4145 4: "The default value of the setup attribute in an offer/answer exchange is 'active' in the offer
        // and 'passive' in the answer."
        (None, SdpType::Offer) => Ok(Setup::Active),
        (None, _) => Ok(Setup::Passive),
    }
}

fn sctp_port(media: &Media, form: Form) -> Result<Option<u16>, NegotiationError> {
    match form {
        Form::Standard => Ok(only::<SctpPort>(&media.attributes, "sctp-port")?.map(|SctpPort(port)| port)),
        Form::SctpMap => {
            let map: Option<SctpMap> = only(&media.attributes, "sctpmap")?;
            let format = media.formats.first().and_then(|format| format.parse().ok());
            Ok(map.map(|map| map.port).or(format))
        }
    }
}

fn candidates(media: &Media) -> Result<Vec<Candidate>, NegotiationError> {
    for attribute in media.attributes_named("remote-candidates") {
        attribute.parse::<RemoteCandidates>()?;
    }
    let mut candidates = Vec::new();
    for attribute in media.attributes_named("candidate") {
        let candidate: Candidate = attribute.parse()?;
        if is_of_use(&candidate) {
            candidates.push(candidate);
        }
    }
    Ok(candidates)
}

/// A data section has one component, and what is not understood is ignored (RFC 8839 5.1).
pub(crate) fn is_of_use(candidate: &Candidate) -> bool {
    candidate.component == 1 && candidate.is_known()
}

/// The attribute of the section, or else of the session.
fn inherited<T: FromStr<Err = ParseError>>(
    session: &Session,
    media: &Media,
    name: &str,
) -> Result<Option<T>, NegotiationError> {
    let level = if media.has_attribute(name) { &media.attributes } else { &session.attributes };
    only(level, name)
}

/// The attribute of this name. More than one would leave open which holds.
fn only<T: FromStr<Err = ParseError>>(attributes: &[Attribute], name: &str) -> Result<Option<T>, NegotiationError> {
    let mut named = attributes.iter().filter(|attribute| attribute.name() == name);
    let first = named.next();
    if let Some(second) = named.next() {
        let expected = Expected::Grammar("no second attribute of this name");
        return Err(ParseError { line: second.line().max(1), column: 3, expected }.into());
    }
    Ok(first.map(Attribute::parse).transpose()?)
}

/// RFC 3264 6 and RFC 8829 5.8.3: an answer has the sections of its offer.
pub(crate) fn check_answer(offer: &Session, answer: &Session, kind: SdpType) -> Result<(), NegotiationError> {
    let (expected, found) = (offer.media.len(), answer.media.len());
    if expected != found {
        return Err(NegotiationError::SectionCount { kind, expected, found });
    }
    for (offered, answered) in offer.media.iter().zip(&answer.media) {
        let changed = |what| Err(NegotiationError::SectionChanged { line: answered.line(), what });
        if offered.kind != answered.kind {
            return changed("media type");
        }
        if offered.protocol != answered.protocol {
            return changed("protocol");
        }
        if answered.mid().is_some_and(|mid| Some(mid) != offered.mid()) {
            return changed("mid");
        }
    }
    // RFC 9143 7.4: what the answer bundles, the offer bundles.
    let offered = Bundles::of(offer)?;
    match Bundles::of(answer)?.0.into_keys().find(|mid| !offered.0.contains_key(mid)) {
        Some(mid) => Err(NegotiationError::BundleMismatch { mid }),
        None => Ok(()),
    }
}

/// RFC 3264 8: a later offer keeps the sections there are, in their places. One that both sides have at port 0 is
/// free for another use.
pub(crate) fn check_subsequent_offer(
    local: &Session,
    remote: &Session,
    offer: &Session,
) -> Result<(), NegotiationError> {
    let (expected, found) = (remote.media.len(), offer.media.len());
    if found < expected {
        return Err(NegotiationError::SectionCount { kind: SdpType::Offer, expected, found });
    }
    for ((ours, theirs), offered) in local.media.iter().zip(&remote.media).zip(&offer.media) {
        let changed = |what| Err(NegotiationError::SectionChanged { line: offered.line(), what });
        if ours.port == 0 || theirs.port == 0 {
            continue;
        }
        if theirs.kind != offered.kind {
            return changed("media type");
        }
        if theirs.mid().is_some() && theirs.mid() != offered.mid() {
            return changed("mid");
        }
    }
    Ok(())
}
