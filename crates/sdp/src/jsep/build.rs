//! Writing offers and answers (RFC 8829 5.2 and 5.3), in the style of Chromium.

use super::error::NegotiationError;
use super::known::{Known, end_candidates};
use super::parameters::{LocalParameters, RemoteParameters};
use super::read::{Form, data_form};
use crate::wire::{
    Attribute, Connection, Group, IceOptions, IcePwd, IceUfrag, Media, Origin, SctpInit, SctpMap, SctpPort, Session,
    Setup, Time, TlsId,
};

/// A local description and where its data section is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) session: Session,
    pub(crate) data: Option<usize>,
}

impl Built {
    /// The data section.
    pub(crate) fn section(&self) -> Option<&Media> {
        self.data.and_then(|index| self.session.media.get(index))
    }

    /// The user name fragment and password of the data section.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        let value = |name| self.section().and_then(|media| media.attribute(name)).and_then(Attribute::value);
        value("ice-ufrag").zip(value("ice-pwd"))
    }
}

/// Values that would make a description no peer could use are refused before anything is written.
pub(crate) fn check(local: &LocalParameters) -> Result<(), NegotiationError> {
    let need = |what| Err(NegotiationError::LocalParameters(what));
    // RFC 8839 5.4: no longer than 32 when sending.
    if local.ufrag.parse::<IceUfrag>().is_err() || local.ufrag.len() > 32 {
        return need("a ufrag of 4 to 32 letters, digits, + or /");
    }
    if local.pwd.parse::<IcePwd>().is_err() {
        return need("a pwd of 22 to 256 letters, digits, + or /");
    }
    if !local.fingerprints.iter().any(crate::wire::Fingerprint::is_usable) {
        return need("a fingerprint by sha-256, sha-384 or sha-512");
    }
    if local.sctp_port == 0 {
        return need("an SCTP port other than 0");
    }
    Ok(())
}

/// An offer: the sections of `previous` in their places, with data in the one that had it or in a new one.
pub(crate) fn offer(origin: Origin, previous: Option<&Built>, local: &LocalParameters) -> Built {
    let earlier = previous.map_or(&[][..], |previous| &previous.session.media);
    // A section that was rejected is used again under a new name (RFC 8829 5.2.2).
    let free = |media: &Media| media.port == 0 && data_form(media).is_some();
    let data = previous.and_then(|previous| previous.data).or_else(|| earlier.iter().position(free));
    let kept = previous.and_then(Built::section).filter(|media| media.port != 0);
    let mid = kept.and_then(Media::mid).map_or_else(|| unused_mid(earlier), str::to_owned);
    let index = data.unwrap_or(earlier.len());
    // Whatever was agreed on before (RFC 8829 5.1.2).
    let media = Media::new("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel");
    let terms = Terms {
        mid: Some(&mid),
        setup: Setup::ActPass,
        ice_options: local.ice_options.clone(),
        tls_id: local.tls_id.as_ref(),
        sctp_init: local.sctp_init.as_ref(),
        sctp_port: local.sctp_port,
    };
    let media = data_section(media, local, &terms);
    let mut sections: Vec<Media> = earlier.iter().map(rejected).collect();
    match sections.get_mut(index) {
        Some(section) => *section = media,
        None => sections.push(media),
    }
    Built { session: session(origin, Some(mid), sections), data: Some(index) }
}

/// An answer: each section of the offer in its place, all rejected but the one for data.
pub(crate) fn answer(
    origin: Origin,
    offer: &Session,
    data: Option<&RemoteParameters>,
    setup: Setup,
    local: &LocalParameters,
) -> Result<Built, NegotiationError> {
    let mut sections: Vec<Media> = offer.media.iter().map(rejected).collect();
    let place = data.and_then(|data| Some((data, offer.media.get(data.mline_index)?)));
    let Some((data, offered)) = place else {
        return Ok(Built { session: session(origin, None, sections), data: None });
    };
    let terms = Terms {
        mid: data.mid.as_deref(),
        setup,
        // RFC 8829 5.3.1: an option is only written if the offer has it.
        ice_options: local.ice_options.common_with(&data.ice_options),
        // RFC 8842 5.3: no tls-id unless the offer has one.
        tls_id: local.tls_id.as_ref().filter(|_| data.tls_id.is_some()),
        // draft-hancke-tsvwg-snap-00: only where the offer has one.
        sctp_init: local.sctp_init.as_ref().filter(|_| data.sctp_init.is_some() && data.sctp_port != 0),
        // RFC 8841 10.3: a port of zero is answered by zero.
        sctp_port: if data.sctp_port == 0 { 0 } else { local.sctp_port },
    };
    let mut media = rejected(offered);
    media.port = 9;
    media.formats.clone_from(&offered.formats);
    let media = data_section(media, local, &terms);
    if let Some(section) = sections.get_mut(data.mline_index) {
        *section = media;
    }
    let bundled = offer
        .groups()?
        .iter()
        .any(|group| group.is_bundle() && group.mids.iter().any(|mid| Some(mid) == data.mid.as_ref()));
    let bundled = data.mid.clone().filter(|_| bundled);
    Ok(Built { session: session(origin, bundled, sections), data: Some(data.mline_index) })
}

fn session(origin: Origin, bundled: Option<String>, media: Vec<Media>) -> Session {
    let group = bundled.map(|mid| Attribute::new("group", Group { semantics: "BUNDLE".into(), mids: vec![mid] }));
    Session {
        origin,
        name: "-".into(),
        information: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: None,
        bandwidths: Vec::new(),
        times: vec![Time::unbounded()],
        attributes: group.into_iter().collect(),
        media,
    }
}

/// The section with port 0, and nothing of it but what says which it is.
fn rejected(media: &Media) -> Media {
    let format = media.formats.first().map_or("0", String::as_str);
    let mut rejected = Media::new(&media.kind, 0, &media.protocol, format);
    rejected.connections.push(Connection::unspecified());
    rejected.attributes.extend(media.mid().map(|mid| Attribute::new("mid", mid)));
    if data_form(media).is_none() {
        rejected.attributes.push(Attribute::flag("inactive"));
    }
    rejected
}

/// What depends on the exchange rather than on this side.
struct Terms<'a> {
    mid: Option<&'a str>,
    setup: Setup,
    ice_options: IceOptions,
    tls_id: Option<&'a TlsId>,
    sctp_init: Option<&'a SctpInit>,
    sctp_port: u16,
}

fn data_section(mut media: Media, local: &LocalParameters, terms: &Terms<'_>) -> Media {
    let form = data_form(&media).unwrap_or(Form::Standard);
    media.attributes.clear();
    let mut put = |name: &str, value: &dyn std::fmt::Display| media.attributes.push(Attribute::new(name, value));
    put("ice-ufrag", &local.ufrag);
    put("ice-pwd", &local.pwd);
    if !terms.ice_options.is_empty() {
        put("ice-options", &terms.ice_options);
    }
    local.fingerprints.iter().for_each(|fingerprint| put("fingerprint", fingerprint));
    put("setup", &terms.setup);
    if let Some(tls_id) = terms.tls_id {
        put("tls-id", tls_id);
    }
    if let Some(mid) = terms.mid {
        put("mid", &mid);
    }
    match form {
        Form::Standard => put("sctp-port", &SctpPort(terms.sctp_port)),
        Form::SctpMap => {
            let map = SctpMap { port: terms.sctp_port, protocol: "webrtc-datachannel".into(), streams: Some(65_535) };
            put("sctpmap", &map);
        }
    }
    put("max-message-size", &local.max_message_size);
    if let Some(init) = terms.sctp_init {
        put("sctp-init", init);
    }
    if form == Form::SctpMap {
        media.formats = vec![terms.sctp_port.to_string()];
    }
    media.connections = vec![Connection::unspecified()];
    let mut known = Known::of(&media);
    for candidate in &local.candidates {
        known.add(&mut media, candidate);
    }
    if local.end_of_candidates {
        end_candidates(&mut media);
    }
    media
}

fn unused_mid(media: &[Media]) -> String {
    let taken: Vec<&str> = media.iter().filter_map(Media::mid).collect();
    // One of more names than there are sections is free.
    let mut names = (0..=media.len()).map(|number| number.to_string());
    names.find(|name| !taken.contains(&name.as_str())).unwrap_or_default()
}
