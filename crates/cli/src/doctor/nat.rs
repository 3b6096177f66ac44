//! How NATs map and filter: [RFC 5780](https://www.rfc-editor.org/rfc/rfc5780).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use weft_core::{Frame, Overhead, Rng};
use weft_net::{Dns, DnsConfig, DnsEvent};
use weft_rtc::stun::{
    ChangeRequest, Class, Host, Message, MessageBuilder, Method, OtherAddress, ServerUrl, TransactionId,
    XorMappedAddress,
};

use super::{ms, source};

/// How long each of the requests is waited for, before the next goes out: a request is lost now and then, and a filter is told
/// by silence.
const WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(400), Duration::from_millis(600), Duration::from_millis(750)];

/// On what a mapping or a filter depends (RFC 4787 sections 4.1 and 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Behaviour {
    /// On neither address nor port of the other side.
    EndpointIndependent,
    /// On its address.
    AddressDependent,
    /// On its address and its port.
    AddressAndPortDependent,
}

impl Behaviour {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address- and port-dependent",
        }
    }
}

/// What a STUN server shows.
#[derive(Debug, Default, Serialize)]
pub(crate) struct NatReport {
    pub(super) url: String,
    /// Its address; `None` if its name has none.
    pub(super) server: Option<SocketAddr>,
    /// The address of ours that asked.
    pub(super) local: Option<SocketAddr>,
    /// That address as the server sees it; `None` without an answer.
    pub(super) mapped: Option<SocketAddr>,
    pub(super) rtt_ms: Option<f64>,
    /// Something between here and there translates addresses.
    pub(super) nat: Option<bool>,
    pub(super) mapping: Option<Behaviour>,
    pub(super) filtering: Option<Behaviour>,
    /// What keeps more from being known.
    pub(super) note: Option<String>,
}

/// Asks all servers, one after the other.
pub(super) async fn examine(urls: &[ServerUrl]) -> Vec<NatReport> {
    let mut reports = Vec::new();
    for url in urls {
        match addresses(url).await {
            Ok(addresses) => {
                for address in addresses {
                    reports.push(ask(url, address).await);
                }
            }
            Err(why) => reports.push(NatReport { url: url.to_string(), note: Some(why), ..NatReport::default() }),
        }
    }
    compare(&mut reports).await;
    reports
}

async fn addresses(url: &ServerUrl) -> Result<Vec<SocketAddr>, String> {
    let ips = match url.host() {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => resolve(name).await?,
    };
    // Where this host has no address of a family there is nothing to ask from.
    let all = ips.into_iter().map(|ip| SocketAddr::new(ip, url.port())).filter(|address| source(*address).is_ok());
    let all: Vec<SocketAddr> = all.collect();
    if all.is_empty() { Err("it cannot be reached from here".to_owned()) } else { Ok(all) }
}

async fn resolve(name: &str) -> Result<Vec<IpAddr>, String> {
    let seed = weft_net::entropy_seed().map_err(|error| error.to_string())?;
    let clock = weft_net::Clock::new();
    let mut dns = Dns::new(DnsConfig::system(), Rng::from_seed(seed));
    dns.resolve(clock.now(), name).map_err(|error| error.to_string())?;
    loop {
        dns.turn(clock.now());
        match dns.poll_event() {
            Some(DnsEvent::Resolved(_, found)) => return Ok(found),
            Some(DnsEvent::Failed(_, error)) => return Err(error.to_string()),
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

/// A success response.
struct Answer {
    from: SocketAddr,
    mapped: SocketAddr,
    other: Option<SocketAddr>,
    rtt: Duration,
}

struct Prober {
    socket: UdpSocket,
    rng: Rng,
}

impl Prober {
    async fn new(server: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(source(server)?, 0)).await?;
        Ok(Self { socket, rng: Rng::from_seed(weft_net::entropy_seed()?) })
    }

    /// Asks `to` for a binding; `None` if nothing comes back.
    async fn ask(&mut self, to: SocketAddr, change: Option<ChangeRequest>) -> Option<Answer> {
        let id = TransactionId::random(&mut self.rng);
        let mut buf = [0; 128];
        let mut frame = Frame::new(&mut buf, Overhead::NONE);
        let mut message = MessageBuilder::new(&mut frame, Class::Request, Method::BINDING, id).ok()?;
        if let Some(change) = &change {
            message.attribute(change).ok()?;
        }
        message.fingerprint().ok()?;
        for wait in WAITS {
            let sent = Instant::now();
            // What cannot be sent is as what is lost.
            let _ = self.socket.send_to(frame.content(), to).await;
            if let Ok(answer) = timeout(wait, self.answer(id, sent)).await {
                return Some(answer);
            }
        }
        None
    }

    async fn answer(&self, id: TransactionId, sent: Instant) -> Answer {
        let mut buf = [0; 1500];
        loop {
            let Ok((len, from)) = self.socket.recv_from(&mut buf).await else {
                // Errors of what was sent before come again with the next.
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            let Ok(message) = Message::parse(buf.get(..len).unwrap_or_default()) else { continue };
            let mapped = message.get::<XorMappedAddress>().ok().flatten();
            if let Some(XorMappedAddress(mapped)) = mapped
                && message.class() == Class::Success
                && message.transaction_id() == id
            {
                let other = message.get::<OtherAddress>().ok().flatten().map(|OtherAddress(other)| other);
                return Answer { from, mapped, other, rtt: sent.elapsed() };
            }
        }
    }
}

async fn ask(url: &ServerUrl, server: SocketAddr) -> NatReport {
    let mut report = NatReport { url: url.to_string(), server: Some(server), ..NatReport::default() };
    if let Err(error) = discover(server, &mut report).await {
        report.note = Some(error.to_string());
    }
    report
}

async fn discover(server: SocketAddr, report: &mut NatReport) -> io::Result<()> {
    let mut prober = Prober::new(server).await?;
    let local = prober.socket.local_addr()?;
    report.local = Some(local);
    // Section 4.3, test I.
    let Some(first) = prober.ask(server, None).await else {
        report.note = Some("no answer".to_owned());
        return Ok(());
    };
    (report.mapped, report.rtt_ms) = (Some(first.mapped), Some(ms(first.rtt)));
    report.nat = Some(first.mapped != local);
    let Some(other) = first.other.filter(|other| other.ip() != server.ip() && other.port() != server.port()) else {
        report.note = Some("it does not tell how NATs map and filter (RFC 5780)".to_owned());
        return Ok(());
    };
    // The filter first: what is sent to the server's other address opens it for that.
    report.filtering = Some(filtering(&mut prober, server).await);
    report.mapping = mapping(&mut prober, server, local, first.mapped, other).await;
    Ok(())
}

/// Section 4.3: the same port seen by the other address, and by the other port there?
async fn mapping(
    prober: &mut Prober,
    server: SocketAddr,
    local: SocketAddr,
    first: SocketAddr,
    other: SocketAddr,
) -> Option<Behaviour> {
    if first == local {
        return Some(Behaviour::EndpointIndependent);
    }
    let second = prober.ask(SocketAddr::new(other.ip(), server.port()), None).await?.mapped;
    if second == first {
        return Some(Behaviour::EndpointIndependent);
    }
    let third = prober.ask(other, None).await?.mapped;
    Some(if third == second { Behaviour::AddressDependent } else { Behaviour::AddressAndPortDependent })
}

/// Section 4.4: do answers from elsewhere come in?
async fn filtering(prober: &mut Prober, server: SocketAddr) -> Behaviour {
    let elsewhere = prober.ask(server, Some(ChangeRequest { ip: true, port: true })).await;
    if elsewhere.is_some_and(|answer| answer.from.ip() != server.ip()) {
        return Behaviour::EndpointIndependent;
    }
    let other_port = prober.ask(server, Some(ChangeRequest { ip: false, port: true })).await;
    let came = other_port.is_some_and(|answer| answer.from.port() != server.port());
    if came { Behaviour::AddressDependent } else { Behaviour::AddressAndPortDependent }
}

/// Two servers that do not speak RFC 5780 tell together whether the mapping depends on whom is asked.
async fn compare(reports: &mut [NatReport]) {
    let known: Vec<SocketAddr> = reports.iter().filter(|r| r.mapped.is_some()).filter_map(|r| r.server).collect();
    for report in reports.iter_mut().filter(|report| report.mapping.is_none() && report.mapped.is_some()) {
        let Some(server) = report.server else { continue };
        let alike = |other: &&SocketAddr| other.ip() != server.ip() && other.is_ipv4() == server.is_ipv4();
        let Some(other) = known.iter().find(alike) else { continue };
        let Ok(mut prober) = Prober::new(server).await else { continue };
        let (Some(one), Some(two)) = (prober.ask(server, None).await, prober.ask(*other, None).await) else { continue };
        let same = one.mapped == two.mapped;
        report.mapping = Some(if same { Behaviour::EndpointIndependent } else { Behaviour::AddressDependent });
        report.note = Some(format!("mapping {}by comparison with {other}", if same { "" } else { "at least so, " }));
    }
}
