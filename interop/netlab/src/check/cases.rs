//! What must hold with coturn.

use std::error::Error;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weft_core::{Layer as _, Transport};
use weft_stun::turn::{Config, Event, Failure, RelayFamily, State};
use weft_stun::{AddressFamily, CredentialError, Credentials};

use super::transport::Driver;
use crate::coturn::{Auth, Coturn, LOCALHOST, SECRET, USER};

/// Nothing, or what went wrong.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A case: its name, what it holds, and what it does.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What must hold.
    pub about: &'static str,
    /// Does it.
    pub run: fn() -> Outcome,
}

/// All of them.
pub const CASES: &[Case] = &[
    Case { name: "udp/long-term", about: "data passes both ways", run: || echo(Transport::Udp, Auth::LongTerm) },
    Case { name: "udp/rest", about: "data passes both ways", run: || echo(Transport::Udp, Auth::Rest) },
    Case { name: "tcp/long-term", about: "data passes both ways", run: || echo(Transport::Tcp, Auth::LongTerm) },
    Case { name: "tcp/rest", about: "data passes both ways", run: || echo(Transport::Tcp, Auth::Rest) },
    Case { name: "tls/long-term", about: "data passes both ways", run: || echo(Transport::Tls, Auth::LongTerm) },
    Case { name: "tls/rest", about: "data passes both ways", run: || echo(Transport::Tls, Auth::Rest) },
    Case { name: "stale-nonce/udp", about: "nonces that last 2 s", run: || stale_nonce(Transport::Udp) },
    Case { name: "stale-nonce/tls", about: "nonces that last 2 s", run: || stale_nonce(Transport::Tls) },
    Case { name: "expiry/kept", about: "allocations of 4 s are kept up", run: kept_up },
    Case { name: "expiry/lost", about: "one that ran out is replaced", run: ran_out },
    Case { name: "restart", about: "a restarted server gives another", run: restarted },
    Case { name: "wrong-password/udp", about: "is told at once", run: || wrong_password(Transport::Udp) },
    Case { name: "wrong-password/tcp", about: "is told at once", run: || wrong_password(Transport::Tcp) },
    Case { name: "wrong-password/tls", about: "is told at once", run: || wrong_password(Transport::Tls) },
    Case { name: "expired-rest", about: "credentials of yesterday are told", run: expired_rest },
    Case { name: "quota", about: "one allocation a user, and a second client", run: quota },
    Case { name: "forbidden-peer", about: "a peer the server denies", run: forbidden_peer },
    Case { name: "mismatch", about: "an address in use asks for another port", run: mismatch },
    Case { name: "ipv6/only", about: "an IPv6 relay on an IPv6 server", run: ipv6 },
    Case { name: "ipv6/both", about: "both families in one allocation", run: both_families },
];

fn expect(holds: bool, what: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(what.into().into()) }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn credentials(auth: Auth) -> Credentials {
    match auth {
        Auth::LongTerm => Credentials::new(USER.0, USER.1),
        Auth::Rest => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            Credentials::turn_rest(SECRET, "bob", now + 600)
        }
    }
}

fn begin(server: &Coturn, transport: Transport, config: Config) -> Result<Driver, Box<dyn Error + Send + Sync>> {
    let address = if transport == Transport::Tls { server.tls_address() } else { server.address() };
    Ok(Driver::begin(transport, address, &server.certificate, config)?)
}

fn allocated(driver: &mut Driver) -> Outcome {
    let there = driver.until(|driver| driver.client.state() == State::Allocated)?;
    expect(there, format!("no allocation: {:?}", driver.events))
}

fn saw(driver: &mut Driver, wanted: impl Fn(&Event) -> bool) -> Outcome {
    let there = driver.until(|driver| driver.events.iter().any(&wanted))?;
    expect(there, format!("it did not happen: {:?}", driver.events))
}

/// Sends to a plain socket and back, as far as `sizes` go.
fn exchange(driver: &mut Driver, peer: &UdpSocket, sizes: &[usize]) -> Outcome {
    peer.set_read_timeout(Some(seconds(5)))?;
    let address = peer.local_addr()?;
    let mut buf = [0; 2000];
    for (at, &size) in sizes.iter().enumerate() {
        let content = vec![at as u8; size];
        expect(driver.send(address, &content)?, "the client sends nothing")?;
        driver.turn()?;
        let (len, from) = peer.recv_from(&mut buf)?;
        expect(buf.get(..len) == Some(&content[..]), format!("{len} bytes of {size} came"))?;
        let family = AddressFamily::of(address.ip());
        expect(driver.client.relayed(family).map(|relayed| relayed.port()) == Some(from.port()), "another port")?;
        peer.send_to(&content, from)?;
        expect(driver.until(|driver| !driver.received.is_empty())?, format!("{size} bytes did not come back"))?;
        let (_, back) = driver.received.pop_front().unwrap_or((address, Vec::new()));
        expect(back == content, "other bytes came back")?;
    }
    Ok(())
}

const SIZES: &[usize] = &[0, 1, 2, 3, 4, 5, 100, 1200, 1372];

fn echo(transport: Transport, auth: Auth) -> Outcome {
    let server = Coturn::start(LOCALHOST, auth, &[])?;
    let mut driver = begin(&server, transport, Config::new(credentials(auth)))?;
    allocated(&mut driver)?;
    let peer = UdpSocket::bind((LOCALHOST, 0))?;
    let address = peer.local_addr()?;
    let now = driver.now();
    driver.client.permit(now, address.ip())?;
    saw(&mut driver, |event| *event == Event::Permitted(address.ip()))?;
    exchange(&mut driver, &peer, SIZES)?;
    let now = driver.now();
    driver.client.bind_channel(now, address)?;
    saw(&mut driver, |event| *event == Event::ChannelBound(address))?;
    expect(driver.client.overhead(address).map(|overhead| overhead.head) == Some(4), "no channel header")?;
    exchange(&mut driver, &peer, SIZES)?;
    // A second client is a peer of the first: relay to relay.
    let mut other = begin(&server, transport, Config::new(credentials(auth)))?;
    allocated(&mut other)?;
    let relayed = |driver: &Driver| driver.client.allocation().map(|allocation| allocation.relayed);
    let (Some(here), Some(there)) = (relayed(&driver), relayed(&other)) else { return Err("no address".into()) };
    let now = other.now();
    other.client.permit(now, here.ip())?;
    saw(&mut other, |event| matches!(event, Event::Permitted(_)))?;
    expect(driver.send(there, b"relay to relay")?, "the client sends nothing")?;
    driver.turn()?;
    expect(other.until(|other| other.received.iter().any(|got| *got == (here, b"relay to relay".to_vec())))?, "lost")?;
    let now = driver.now();
    driver.client.close(now);
    saw(&mut driver, |event| *event == Event::Closed)?;
    if transport == Transport::Udp { again(&mut driver) } else { Ok(()) }
}

/// What was given back is gone: another may have it. coturn takes some seconds over that.
fn again(driver: &mut Driver) -> Outcome {
    for _ in 0..20 {
        let (now, path) = (driver.now(), driver.client.path());
        driver.client.connect(now, path);
        let decided = |driver: &Driver| matches!(driver.client.state(), State::Allocated | State::Failed);
        driver.until(decided)?;
        if driver.client.state() == State::Allocated {
            return Ok(());
        }
        driver.pass(seconds(1))?;
    }
    expect(false, format!("it is still taken: {:?}", driver.events.last()))
}

fn stale_nonce(transport: Transport) -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--stale-nonce=2"])?;
    let mut driver = begin(&server, transport, Config::new(credentials(Auth::LongTerm)))?;
    allocated(&mut driver)?;
    for last in 2..8_u8 {
        driver.pass(Duration::from_millis(1300))?;
        let ip = IpAddr::from([127, 0, 0, last]);
        let now = driver.now();
        driver.client.permit(now, ip)?;
        saw(&mut driver, |event| *event == Event::Permitted(ip))?;
    }
    // Two to allocate, one for each permission: what is beyond that answers a 438.
    let stats = driver.client.stats();
    let again = stats.requests - stats.retransmissions - 8;
    expect(again >= 2, format!("no nonce was stale: {stats:?}"))?;
    expect(driver.client.state() == State::Allocated, "the allocation is gone")?;
    let now = driver.now();
    driver.client.close(now);
    saw(&mut driver, |event| *event == Event::Closed)
}

fn kept_up() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--max-allocate-lifetime=4"])?;
    let mut driver = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    allocated(&mut driver)?;
    let lifetime = driver.client.allocation().map(|allocation| allocation.lifetime);
    expect(lifetime == Some(seconds(4)), format!("{lifetime:?}"))?;
    let peer = UdpSocket::bind((LOCALHOST, 0))?;
    let now = driver.now();
    driver.client.permit(now, LOCALHOST)?;
    for _ in 0..4 {
        driver.pass(seconds(3))?;
        exchange(&mut driver, &peer, &[100])?;
    }
    expect(!driver.events.iter().any(|event| matches!(event, Event::Lost(_))), "it was lost")
}

fn ran_out() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--max-allocate-lifetime=3"])?;
    let mut driver = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    allocated(&mut driver)?;
    // As a laptop that sleeps.
    std::thread::sleep(seconds(6));
    saw(&mut driver, |event| matches!(event, Event::Lost(_)))?;
    allocated(&mut driver)?;
    let peer = UdpSocket::bind((LOCALHOST, 0))?;
    let now = driver.now();
    driver.client.permit(now, LOCALHOST)?;
    saw(&mut driver, |event| matches!(event, Event::Permitted(_)))?;
    exchange(&mut driver, &peer, &[100])
}

fn restarted() -> Outcome {
    let mut server = Coturn::start(LOCALHOST, Auth::LongTerm, &[])?;
    let mut driver = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    let peer = UdpSocket::bind((LOCALHOST, 0))?;
    let (now, address) = (driver.now(), peer.local_addr()?);
    driver.client.bind_channel(now, address)?;
    saw(&mut driver, |event| *event == Event::ChannelBound(address))?;
    server.restart()?;
    driver.events.clear();
    let now = driver.now();
    driver.client.permit(now, IpAddr::from([127, 0, 0, 9]))?;
    saw(&mut driver, |event| matches!(event, Event::Lost(_)))?;
    saw(&mut driver, |event| *event == Event::ChannelBound(address))?;
    exchange(&mut driver, &peer, &[100])
}

fn fails(driver: &mut Driver, wanted: impl Fn(&Failure) -> bool) -> Outcome {
    let start = driver.now();
    saw(driver, |event| matches!(event, Event::Failed(failure) if wanted(failure)))?;
    let took = driver.now() - start;
    expect(took < seconds(2), format!("it took {took:?}"))
}

fn wrong_password(transport: Transport) -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &[])?;
    let mut driver = begin(&server, transport, Config::new(Credentials::new(USER.0, "guess")))?;
    fails(&mut driver, |failure| *failure == Failure::Credentials(CredentialError::Wrong))?;
    let mut driver = begin(&server, transport, Config::default())?;
    fails(&mut driver, |failure| *failure == Failure::Credentials(CredentialError::Required))
}

fn expired_rest() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::Rest, &[])?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let old = Credentials::turn_rest(SECRET, "bob", now - 86_400);
    let mut driver = begin(&server, Transport::Udp, Config::new(old))?;
    fails(&mut driver, |failure| *failure == Failure::Credentials(CredentialError::Wrong))
}

fn quota() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--user-quota=1"])?;
    let mut first = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    allocated(&mut first)?;
    let mut second = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    fails(&mut second, |failure| *failure == Failure::QuotaReached)?;
    let now = first.now();
    first.client.close(now);
    saw(&mut first, |event| *event == Event::Closed)?;
    again(&mut second)
}

fn forbidden_peer() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--denied-peer-ip=127.0.0.66"])?;
    let mut driver = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    let (good, bad) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 66]));
    let now = driver.now();
    driver.client.permit(now, bad)?;
    driver.client.permit(now, good)?;
    saw(&mut driver, |event| *event == Event::Permitted(good))?;
    saw(&mut driver, |event| matches!(event, Event::PermissionRefused { peer, code: 403, .. } if *peer == bad))
}

fn mismatch() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &[])?;
    let mut driver = begin(&server, Transport::Udp, Config::new(credentials(Auth::LongTerm)))?;
    allocated(&mut driver)?;
    // As a program that crashed and comes back on its old port.
    let (now, path) = (driver.now(), driver.client.path());
    driver.client.connect(now, path);
    fails(&mut driver, |failure| *failure == Failure::AllocationMismatch)
}

fn ipv6() -> Outcome {
    let ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server = Coturn::start(ip, Auth::LongTerm, &[])?;
    let config = Config::new(credentials(Auth::LongTerm)).with_family(RelayFamily::Only(AddressFamily::V6));
    let mut driver = begin(&server, Transport::Udp, config)?;
    allocated(&mut driver)?;
    let peer = UdpSocket::bind((ip, 0))?;
    let (now, address) = (driver.now(), peer.local_addr()?);
    driver.client.permit(now, ip)?;
    saw(&mut driver, |event| *event == Event::Permitted(ip))?;
    exchange(&mut driver, &peer, SIZES)?;
    let now = driver.now();
    driver.client.bind_channel(now, address)?;
    saw(&mut driver, |event| *event == Event::ChannelBound(address))?;
    exchange(&mut driver, &peer, SIZES)
}

fn both_families() -> Outcome {
    let server = Coturn::start(LOCALHOST, Auth::LongTerm, &["--relay-ip=127.0.0.1", "--relay-ip=::1"])?;
    let config = Config::new(credentials(Auth::LongTerm)).with_family(RelayFamily::Both);
    let mut driver = begin(&server, Transport::Udp, config)?;
    allocated(&mut driver)?;
    let allocation = driver.client.allocation().copied();
    let both = allocation.is_some_and(|a| a.relayed.is_ipv4() && a.additional.is_some_and(|six| six.is_ipv6()));
    expect(both, format!("{allocation:?}"))?;
    for ip in [LOCALHOST, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let peer = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        let now = driver.now();
        driver.client.permit(now, ip)?;
        saw(&mut driver, |event| *event == Event::Permitted(ip))?;
        exchange(&mut driver, &peer, &[100])?;
    }
    expect(driver.client.poll_timeout().is_some(), "nothing is refreshed")
}
