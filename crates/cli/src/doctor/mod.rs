//! `weft doctor`: what this network lets through, and what that means for connections.

mod gather;
mod nat;
mod print;
mod relay;
mod verdict;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;
use weft_rtc::stun::{Credentials, ServerUrl};
use weft_rtc::{Config, IceServer};

pub(crate) use nat::{Behaviour, NatReport};
pub(crate) use relay::RelayReport;

/// What the command is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A STUN server (`stun:host:port`); may be given more than once. One that speaks RFC 5780, as coturn with two addresses
    /// does, tells how the NAT maps and filters; of two that do not, whether it is symmetric.
    #[arg(long, value_name = "URL")]
    stun: Vec<ServerUrl>,
    /// A TURN server (`turn:host:port`, `turns:host:port`); may be given more than once. `turn:` without `?transport=` is tried
    /// over UDP and over TCP.
    #[arg(long, value_name = "URL")]
    turn: Vec<ServerUrl>,
    /// Username for the TURN servers.
    #[arg(long, default_value = "")]
    username: String,
    /// Password for the TURN servers.
    #[arg(long, default_value = "")]
    password: String,
    /// A certificate authority to trust for `turns:`, next to those of the system: a file with one X.509 certificate in DER.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Use only this interface; may be given more than once.
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// Use loopback addresses, too.
    #[arg(long)]
    loopback: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorError {
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Rtc(#[from] weft_rtc::Error),
    #[error("{0} is no {1} server")]
    Scheme(ServerUrl, &'static str),
    #[error("a server that was named could not be used")]
    Unusable,
}

/// An address of an interface.
#[derive(Debug, Serialize)]
pub(crate) struct InterfaceLine {
    name: String,
    ip: IpAddr,
    prefix: u8,
    loopback: bool,
    /// Candidates are made of it.
    used: bool,
}

/// All that was found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Every server that was named could be used.
    ok: bool,
    interfaces: Vec<InterfaceLine>,
    gathering: gather::Gathering,
    nat: Vec<NatReport>,
    relays: Vec<RelayReport>,
    /// What it means, in one sentence.
    verdict: String,
}

impl Args {
    fn config(&self) -> Result<Config, DoctorError> {
        let mut config = Config::default().with_loopback(self.loopback);
        config.interfaces = (!self.interface.is_empty()).then(|| self.interface.clone());
        for path in &self.ca {
            config.tls_roots.push(std::fs::read(path).map_err(|error| DoctorError::File(path.clone(), error))?);
        }
        Ok(config)
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.username.as_str(), self.password.as_str())
    }
}

fn interfaces(config: &Config) -> Result<Vec<InterfaceLine>, DoctorError> {
    let usable = match &config.interfaces {
        Some(names) => weft_net::host_addresses_of(names, config.loopback)?,
        None => weft_net::host_addresses(config.loopback)?,
    };
    let line = |interface: weft_net::Interface| InterfaceLine {
        used: usable.contains(&interface.ip),
        name: interface.name,
        ip: interface.ip,
        prefix: interface.prefix,
        loopback: interface.is_loopback,
    };
    Ok(weft_net::interfaces()?.into_iter().map(line).collect())
}

async fn examine(args: &Args) -> Result<Report, DoctorError> {
    for url in &args.stun {
        if url.scheme().is_turn() {
            return Err(DoctorError::Scheme(url.clone(), "STUN"));
        }
    }
    for url in &args.turn {
        if !url.scheme().is_turn() {
            return Err(DoctorError::Scheme(url.clone(), "TURN"));
        }
    }
    let config = args.config()?;
    let interfaces = interfaces(&config)?;
    let mut all = config.clone();
    all.ice_servers = args.stun.iter().cloned().map(IceServer::stun).collect();
    if !args.turn.is_empty() {
        all.ice_servers.push(IceServer { urls: args.turn.clone(), credentials: Some(args.credentials()) });
    }
    let progress = |what: &str| {
        if !args.json {
            eprintln!("{what} ...");
        }
    };
    if !interfaces.iter().any(|interface| interface.used) {
        let verdict = verdict::no_network();
        let gathering = gather::Gathering::default();
        return Ok(Report { ok: false, interfaces, gathering, nat: Vec::new(), relays: Vec::new(), verdict });
    }
    progress("gathering candidates");
    let gathering = gather::gather(all).await?;
    if !args.stun.is_empty() {
        progress("asking STUN servers about NATs");
    }
    let nat = nat::examine(&args.stun).await;
    if !args.turn.is_empty() {
        progress("asking TURN servers for relays, by each transport");
    }
    let relays = relay::examine(&config, &args.turn, &args.credentials()).await;
    let ok = nat.iter().all(|nat| nat.mapped.is_some()) && relays.iter().all(|relay| relay.relayed.is_some());
    let verdict = verdict::of(&nat, &relays);
    Ok(Report { ok, interfaces, gathering, nat, relays, verdict })
}

pub(crate) fn run(args: &Args) -> Result<(), DoctorError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = runtime.block_on(examine(args))?;
    if args.json {
        println!("{}", serde_json::to_string(&report).map_err(std::io::Error::other)?);
    } else {
        print::print(&report);
    }
    if report.ok { Ok(()) } else { Err(DoctorError::Unusable) }
}

/// Milliseconds, with fractions.
fn ms(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// An address of this host that leads to `remote`.
fn source(remote: SocketAddr) -> std::io::Result<IpAddr> {
    let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let probe = std::net::UdpSocket::bind(any)?;
    // Sends nothing.
    probe.connect(remote)?;
    Ok(probe.local_addr()?.ip())
}
