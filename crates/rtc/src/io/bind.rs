//! Which addresses sockets are bound to, and the sockets.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};

use weft_core::Instant;
use weft_net::{Framing, Interface, InterfaceWatcher, StreamListener, UdpConfig, UdpSocket};

use crate::config::{Config, TcpCandidates};

/// Binds a socket on every address of `interfaces` that `config` allows and makes an `S` of it.
pub(crate) fn bind<S>(
    config: &Config,
    interfaces: &[Interface],
    wrap: impl Fn(UdpSocket) -> io::Result<S>,
) -> io::Result<Vec<S>> {
    let mut sockets = Vec::new();
    let mut last_error = None;
    for ip in addresses(config, interfaces) {
        match bind_one(config, ip).and_then(&wrap) {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                tracing::debug!(%ip, %error, "address not bound");
                last_error = Some(error);
            }
        }
    }
    if sockets.is_empty() {
        return Err(last_error.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no network interface")));
    }
    Ok(sockets)
}

/// A socket at `ip`, on a port as `config` wants it.
pub(crate) fn bind_one(config: &Config, ip: IpAddr) -> io::Result<UdpSocket> {
    let udp = UdpConfig { segmentation_offload: config.segmentation_offload, ..UdpConfig::default() };
    match &config.port_range {
        Some(range) => UdpSocket::bind_in_range(ip, range.clone(), random()?, udp),
        None => UdpSocket::bind_with(SocketAddr::new(ip, config.port), udp),
    }
}

/// A listener at `ip`, if passive TCP candidates are wanted and one can be had.
pub(crate) fn listen(config: &Config, ip: IpAddr) -> Option<StreamListener> {
    if config.tcp_candidates != TcpCandidates::ActiveAndPassive {
        return None;
    }
    let bind = |port| StreamListener::bind(SocketAddr::new(ip, port), Framing::Rfc4571);
    let listener = match &config.port_range {
        Some(range) => {
            let len = usize::from(*range.end() - *range.start()) + 1;
            let skip = random().map_or(0, usize::from) % len;
            let ports = range.clone().skip(skip).chain(range.clone()).take(len);
            ports.map(bind).find_map(Result::ok)
        }
        None => bind(config.port).inspect_err(|error| tracing::debug!(%ip, %error, "no TCP listener")).ok(),
    };
    if listener.is_none() {
        tracing::debug!(%ip, "no passive TCP candidate");
    }
    listener
}

fn random() -> io::Result<u16> {
    let [a, b, ..] = weft_net::entropy_seed()?;
    Ok(u16::from_be_bytes([a, b]))
}

/// A watch on the interfaces, if `config` wants them followed and they can be. Begun before sockets are bound it misses nothing.
pub(crate) fn watch<W>(config: &Config, now: Instant, wrap: impl Fn(InterfaceWatcher) -> io::Result<W>) -> Option<W> {
    let watcher = config.follow_interfaces.then(|| InterfaceWatcher::new(now).and_then(wrap))?;
    watcher.inspect_err(|error| tracing::debug!(%error, "interfaces are not followed")).ok()
}

/// The interfaces there are: those that a watch knows, or listed anew without one.
pub(crate) fn interfaces(watched: Option<&[Interface]>) -> io::Result<Cow<'_, [Interface]>> {
    watched.map_or_else(|| weft_net::interfaces().map(Cow::Owned), |known| Ok(known.into()))
}

/// The addresses of `interfaces` that `config` allows.
pub(crate) fn addresses(config: &Config, interfaces: &[Interface]) -> Vec<IpAddr> {
    let named = |interface: &&Interface| config.interfaces.as_ref().is_none_or(|names| names.contains(&interface.name));
    weft_net::host_addresses_among(interfaces.iter().filter(named), config.loopback)
}
