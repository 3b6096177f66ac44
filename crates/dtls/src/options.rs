//! Extensions that are the same in every version but for the message that answers them: use_srtp (RFC 5764),
//! record_size_limit (RFC 8449), connection_id (RFC 9146), server_name (RFC 6066) and ALPN (RFC 7301).

use crate::config::{Config, LEAST_RECORD_SIZE_LIMIT};
use crate::error::Fault;
use crate::handshake::Core;
use crate::wire::{
    AlertDescription, ApplicationProtocols, ExtensionType, Extensions, HostName, MAX_PLAINTEXT, ProtocolVersion,
    SrtpProfile, UseSrtp, connection_id, put_connection_id,
};

/// An extension to be written.
pub(crate) type Written = (ExtensionType, Vec<u8>);

const ALPN: ExtensionType = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

fn illegal(reason: &'static str) -> Fault {
    Fault::refused(AlertDescription::ILLEGAL_PARAMETER, reason)
}

/// What to tell a peer of the longest record that we take. One hello speaks to both versions; the limit of 1.3 counts the
/// content type.
fn record_size_limit(config: &Config, v13: bool) -> Vec<u8> {
    let limit = config.limits.record_plaintext();
    let limit = if v13 { limit } else { limit.saturating_sub(1) };
    limit.to_be_bytes().to_vec()
}

/// Those that have a form on the wire.
fn application_protocols(config: &Config) -> impl Iterator<Item = &[u8]> {
    config.application_protocols.iter().map(Vec::as_slice).filter(|name| (1..=255).contains(&name.len()))
}

/// What a client offers.
pub(crate) fn offered(core: &Core) -> Vec<Written> {
    let config = &core.config;
    let mut all = vec![(ExtensionType::RECORD_SIZE_LIMIT, record_size_limit(config, config.speaks(V13)))];
    if let Some(name) = &config.server_name {
        all.push((ExtensionType::SERVER_NAME, HostName(name).write()));
    }
    if !config.srtp_profiles.is_empty() {
        all.push((ExtensionType::USE_SRTP, UseSrtp::write(&config.srtp_profiles)));
    }
    if application_protocols(config).next().is_some() {
        all.push((ALPN, ApplicationProtocols::write(application_protocols(config))));
    }
    if let Some(id) = &core.connection_id {
        all.push((ExtensionType::CONNECTION_ID, put_connection_id(id)));
    }
    all
}

/// Forgets what a hello left that was not taken after all. To be called before the extensions of a hello are read.
pub(crate) fn begin(core: &mut Core) {
    core.srtp_profile = None;
    core.application_protocol = None;
    core.server_name = None;
    core.records.set_content_limit(MAX_PLAINTEXT);
    if let Some(id) = &core.connection_id {
        core.records.connection_ids.offer(id);
    }
}

/// Takes a server's answer to one of these. `None` if it is none of these, or was not offered.
pub(crate) fn take_answer(
    core: &mut Core,
    version: ProtocolVersion,
    extension: ExtensionType,
    data: &[u8],
) -> Result<Option<()>, Fault> {
    let config = core.config.clone();
    match extension {
        ExtensionType::RECORD_SIZE_LIMIT => respect_record_size_limit(core, version, data)?,
        ExtensionType::SERVER_NAME if config.server_name.is_some() => {
            if !data.is_empty() {
                return Err(Fault::Malformed);
            }
        }
        ExtensionType::USE_SRTP if !config.srtp_profiles.is_empty() => {
            let answer = UseSrtp::parse(data)?;
            let mut chosen = answer.profiles.iter().map(SrtpProfile);
            let profile = chosen.next().filter(|profile| config.srtp_profiles.contains(profile));
            // RFC 5764 section 4.1.3: we offered no master key identifier.
            if chosen.next().is_some() || profile.is_none() || !answer.mki.is_empty() {
                return Err(illegal("the server chose an SRTP profile that was not offered"));
            }
            core.srtp_profile = profile;
        }
        ALPN if application_protocols(&config).next().is_some() => {
            let answer = ApplicationProtocols::parse(data)?;
            let mut chosen = answer.iter();
            let name = chosen.next().filter(|name| application_protocols(&config).any(|offered| offered == *name));
            // RFC 7301 section 3.1: one name, no more.
            if chosen.next().is_some() || name.is_none() {
                return Err(illegal("the server chose an application protocol that was not offered"));
            }
            core.application_protocol = name.map(<[u8]>::to_vec);
        }
        ExtensionType::CONNECTION_ID if core.connection_id.is_some() => {
            core.records.connection_ids.agree(connection_id(data)?);
        }
        _ => return Ok(None),
    }
    Ok(Some(()))
}

/// All answers of the message that may hold one for connection_id are read.
pub(crate) fn finish_answers(core: &mut Core) {
    if !core.records.connection_ids.are_agreed() {
        core.records.connection_ids.withdraw();
    }
}

fn respect_record_size_limit(core: &mut Core, version: ProtocolVersion, data: &[u8]) -> Result<(), Fault> {
    let limit = u16::from_be_bytes(data.try_into().map_err(|_| Fault::Malformed)?);
    if limit < LEAST_RECORD_SIZE_LIMIT {
        return Err(illegal("the peer's record_size_limit is too small"));
    }
    core.records.set_content_limit(usize::from(limit).saturating_sub(usize::from(version == V13)));
    Ok(())
}

/// What a server answers, in the hello and, in 1.3, in the EncryptedExtensions.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) hello: Vec<Written>,
    pub(crate) encrypted: Vec<Written>,
}

/// Takes what a client offers; gives the answers. What is malformed is found here, so nothing else may have changed yet.
pub(crate) fn answer(core: &mut Core, version: ProtocolVersion, offer: &Extensions<'_>) -> Result<Answers, Fault> {
    let config = core.config.clone();
    let mut answers = Answers::default();
    begin(core);
    if let Some(data) = offer.get(ExtensionType::RECORD_SIZE_LIMIT) {
        respect_record_size_limit(core, version, data)?;
        answers.encrypted.push((ExtensionType::RECORD_SIZE_LIMIT, record_size_limit(&config, version == V13)));
    }
    if let Some(data) = offer.get(ExtensionType::USE_SRTP) {
        let offered = UseSrtp::parse(data)?;
        let profile = config.srtp_profiles.iter().copied().find(|profile| offered.profiles.contains(profile.0));
        core.srtp_profile = profile;
        if let Some(profile) = profile {
            answers.encrypted.push((ExtensionType::USE_SRTP, UseSrtp::write(&[profile])));
        }
    }
    if let Some(data) = offer.get(ExtensionType::SERVER_NAME) {
        core.server_name = Some(HostName::parse(data)?.0.to_owned());
    }
    if let Some(data) = offer.get(ALPN) {
        let offered = ApplicationProtocols::parse(data)?;
        let mut own = application_protocols(&config).peekable();
        if own.peek().is_some() {
            let chosen = own.find(|own| offered.iter().any(|offered| offered == *own));
            // RFC 7301 section 3.2.
            let reason = "no application protocol in common";
            let chosen = chosen.ok_or(Fault::refused(AlertDescription::NO_APPLICATION_PROTOCOL, reason))?;
            answers.encrypted.push((ALPN, ApplicationProtocols::write([chosen])));
            core.application_protocol = Some(chosen.to_vec());
        }
    }
    if let (Some(data), Some(own)) = (offer.get(ExtensionType::CONNECTION_ID), &core.connection_id) {
        let peer = connection_id(data)?;
        answers.hello.push((ExtensionType::CONNECTION_ID, put_connection_id(own)));
        core.records.connection_ids.agree(peer);
    } else {
        core.records.connection_ids.withdraw();
    }
    if version != V13 {
        answers.hello.append(&mut answers.encrypted);
    }
    Ok(answers)
}
