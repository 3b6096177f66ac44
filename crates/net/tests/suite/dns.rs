//! The stub resolver against servers in this file: as a value, and by real sockets.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use proptest::prelude::*;
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use weft_core::{Instant, Rng, Transport};
use weft_net::{Clock, Dns, DnsConfig, DnsError, DnsEvent, DnsTransmit, Hosts, LookupId, Resolver};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What a server knows: names with addresses, and aliases.
#[derive(Clone, Default)]
struct Zone(Vec<(&'static str, Record)>);

#[derive(Clone)]
enum Record {
    Ip(&'static str),
    Alias(&'static str),
    /// The server fails.
    Failure,
    /// Answers over UDP are cut short.
    Long(&'static str),
}

fn question(bytes: &[u8]) -> (String, TYPE) {
    let packet = Packet::parse(bytes).unwrap();
    assert!(packet.has_flags(PacketFlag::RECURSION_DESIRED) && packet.questions.len() == 1);
    let QTYPE::TYPE(kind) = packet.questions[0].qtype else { panic!("a strange question") };
    (packet.questions[0].qname.to_string(), kind)
}

impl Zone {
    fn answer(&self, transport: Transport, bytes: &[u8]) -> Vec<u8> {
        let asked = Packet::parse(bytes).unwrap();
        let (name, kind) = question(bytes);
        let mut reply = Packet::new_reply(asked.id());
        reply.questions.push(asked.questions[0].clone());
        let of = |owner: &str| {
            self.0.iter().filter(|(name, _)| *name == owner).map(|(_, record)| record.clone()).collect::<Vec<_>>()
        };
        let mut owner = name.clone();
        let mut known = !of(&name).is_empty();
        for _ in 0..5 {
            let records = of(&owner);
            let mut alias = None;
            for record in records {
                let data = match record {
                    Record::Failure => {
                        *reply.rcode_mut() = RCODE::ServerFailure;
                        return reply.build_bytes_vec().unwrap();
                    }
                    Record::Long(_) if transport == Transport::Udp => {
                        reply.set_flags(PacketFlag::TRUNCATION);
                        return reply.build_bytes_vec().unwrap();
                    }
                    Record::Ip(text) | Record::Long(text) => match ip(text) {
                        IpAddr::V4(v4) if kind == TYPE::A => RData::A(A { address: v4.into() }),
                        IpAddr::V6(v6) if kind == TYPE::AAAA => RData::AAAA(AAAA { address: v6.into() }),
                        _ => continue,
                    },
                    Record::Alias(to) => {
                        alias = Some(to);
                        RData::CNAME(CNAME(Name::new_unchecked(to)))
                    }
                };
                reply.answers.push(ResourceRecord::new(Name::new(&owner).unwrap().into_owned(), CLASS::IN, 60, data));
            }
            match alias {
                Some(to) => to.clone_into(&mut owner),
                None => break,
            }
        }
        known |= !reply.answers.is_empty();
        if !known {
            *reply.rcode_mut() = RCODE::NameError;
        }
        reply.build_bytes_vec().unwrap()
    }
}

/// A resolver in virtual time, with the servers it asks; `None` is silent.
struct World {
    now: Instant,
    resolver: Resolver,
    servers: Vec<(SocketAddr, Option<Zone>)>,
    asked: Vec<(Duration, SocketAddr, Transport, String, TYPE)>,
}

impl World {
    fn new(config: &str, servers: &[Option<Zone>]) -> Self {
        let names: Vec<SocketAddr> = (0..servers.len()).map(|n| at(&format!("192.0.2.{}:53", n + 1))).collect();
        let mut config = DnsConfig::parse(config);
        config.servers.clone_from(&names);
        config.hosts = Hosts::parse("192.0.2.77 known.example");
        let resolver = Resolver::new(config, Rng::from_test_seed(1));
        Self {
            now: Instant::ORIGIN,
            resolver,
            servers: names.into_iter().zip(servers.iter().cloned()).collect(),
            asked: Vec::new(),
        }
    }

    fn serve(&mut self) {
        while let Some(DnsTransmit { transport, server, bytes }) = self.resolver.poll_transmit() {
            let (name, kind) = question(&bytes);
            self.asked.push((self.now - Instant::ORIGIN, server, transport, name, kind));
            let zone = self.servers.iter().find(|(known, _)| *known == server).unwrap().1.clone();
            if let Some(zone) = zone {
                self.resolver.handle_input(self.now, server, transport, &zone.answer(transport, &bytes));
            }
        }
    }

    /// Until something is known of a name, and how long it took.
    fn run(&mut self) -> (DnsEvent, Duration) {
        let start = self.now;
        loop {
            self.serve();
            if let Some(event) = self.resolver.poll_event() {
                return (event, self.now - start);
            }
            self.now = self.resolver.poll_timeout().expect("nothing is under way");
            self.resolver.handle_timeout(self.now);
        }
    }

    fn resolve(&mut self, name: &str) -> (Result<Vec<IpAddr>, DnsError>, Duration) {
        let id = self.resolver.resolve(self.now, name).unwrap();
        let (event, took) = self.run();
        assert!(self.resolver.is_idle());
        match event {
            DnsEvent::Resolved(of, mut found) if of == id => {
                found.sort();
                (Ok(found), took)
            }
            DnsEvent::Failed(of, error) if of == id => (Err(error), took),
            other => panic!("{other:?}"),
        }
    }
}

#[allow(clippy::unnecessary_wraps)] // as the silent ones are `None`
fn zone(records: &[(&'static str, Record)]) -> Option<Zone> {
    Some(Zone(records.to_vec()))
}

fn both() -> Option<Zone> {
    zone(&[("turn.example", Record::Ip("192.0.2.9")), ("turn.example", Record::Ip("2001:db8::9"))])
}

#[test]
fn both_families_are_asked_at_once() {
    let mut world = World::new("", &[both()]);
    let (found, took) = world.resolve("Turn.Example");
    assert_eq!(found, Ok(vec![ip("192.0.2.9"), ip("2001:db8::9")]));
    assert_eq!(took, Duration::ZERO);
    assert!(world.asked.iter().all(|asked| asked.0.is_zero()) && world.asked.len() == 2);
}

#[test]
fn what_is_known_is_not_asked_for() {
    let mut world = World::new("", &[None]);
    assert_eq!(world.resolve("Known.example.").0, Ok(vec![ip("192.0.2.77")]));
    assert_eq!(world.resolve("2001:db8::5").0, Ok(vec![ip("2001:db8::5")]));
    assert_eq!(world.resolve("localhost").0, Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]));
    assert!(world.asked.is_empty());
}

#[test]
fn a_silent_server_costs_a_second() {
    let mut world = World::new("", &[None, both()]);
    let (found, took) = world.resolve("turn.example");
    assert!(found.is_ok());
    assert_eq!(took, Duration::from_secs(1));
    // And with all silent there is an end.
    let mut world = World::new("", &[None, None]);
    let (found, took) = world.resolve("turn.example");
    assert_eq!(found, Err(DnsError::TimedOut));
    assert_eq!((took, world.asked.len()), (Duration::from_secs(14), 12), "1, 2 and 4 s for each of two");
    let mut world = World::new("options timeout:1", &[None]);
    assert_eq!(world.resolve("turn.example").1, Duration::from_secs(3));
}

#[test]
fn servers_take_turns_where_that_is_asked_for() {
    let mut world = World::new("options rotate", &[both(), both()]);
    for n in 0..4 {
        world.asked.clear();
        world.resolve("turn.example").0.unwrap();
        assert_eq!(world.asked[0].1, at(&format!("192.0.2.{}:53", n % 2 + 1)));
    }
}

#[test]
fn a_server_that_fails_is_left_at_once() {
    let mut world = World::new("", &[zone(&[("turn.example", Record::Failure)]), both()]);
    let (found, took) = world.resolve("turn.example");
    assert!(found.is_ok() && took.is_zero());
    let mut world = World::new("", &[zone(&[("turn.example", Record::Failure)])]);
    let (found, took) = world.resolve("turn.example");
    assert_eq!((found, took), (Err(DnsError::Refused), Duration::ZERO));
}

#[test]
fn names_are_looked_for_in_search_domains() {
    let known = zone(&[("turn.b.example", Record::Ip("192.0.2.9"))]);
    let mut world = World::new("search a.example b.example", std::slice::from_ref(&known));
    assert_eq!(world.resolve("turn").0, Ok(vec![ip("192.0.2.9")]));
    let names: Vec<&str> = world.asked.iter().map(|asked| asked.3.as_str()).collect();
    assert!(names.starts_with(&["turn.a.example"]) && names.ends_with(&["turn.b.example"]), "{names:?}");
    assert_eq!(world.resolve("turn.").0, Err(DnsError::NotFound), "absolute");
    assert_eq!(
        world.resolve("turn.b").0,
        Err(DnsError::NotFound),
        "with a dot: as it is first, then turn.b.a.example, ..."
    );
    let mut world = World::new("search example\noptions ndots:2", &[known]);
    assert_eq!(world.resolve("turn.b").0, Ok(vec![ip("192.0.2.9")]));
    assert_eq!(world.asked[0].3, "turn.b.example");
}

#[test]
fn a_long_answer_comes_by_tcp() {
    let long = zone(&[("turn.example", Record::Long("192.0.2.9")), ("turn.example", Record::Long("2001:db8::9"))]);
    let mut world = World::new("", &[long]);
    assert_eq!(world.resolve("turn.example").0.map(|found| found.len()), Ok(2));
    assert_eq!(world.asked.iter().filter(|asked| asked.2 == Transport::Tcp).count(), 2);
}

#[test]
fn a_connection_that_fails_is_as_a_server_that_fails() {
    let long = zone(&[("turn.example", Record::Long("192.0.2.9"))]);
    let mut world = World::new("", &[long, both()]);
    world.resolver.resolve(world.now, "turn.example").unwrap();
    for _ in 0..2 {
        let sent = world.resolver.poll_transmit().unwrap();
        let answer = world.servers[0].1.clone().unwrap().answer(Transport::Udp, &sent.bytes);
        world.resolver.handle_input(world.now, sent.server, Transport::Udp, &answer);
    }
    assert_eq!(world.resolver.poll_transmit().unwrap().transport, Transport::Tcp);
    assert_eq!(world.resolver.poll_transmit().unwrap().transport, Transport::Tcp);
    world.resolver.stream_failed(world.now, at("192.0.2.1:53"));
    let (event, took) = world.run();
    assert!(matches!(event, DnsEvent::Resolved(_, found) if found.len() == 2) && took.is_zero());
}

#[test]
fn aliases_are_followed_and_do_not_lead_in_circles() {
    let records = [
        ("turn.example", Record::Alias("a.example")),
        ("a.example", Record::Alias("b.example")),
        ("b.example", Record::Ip("192.0.2.9")),
        ("round.example", Record::Alias("and.example")),
        ("and.example", Record::Alias("round.example")),
    ];
    let mut world = World::new("", &[zone(&records)]);
    assert_eq!(world.resolve("turn.example").0, Ok(vec![ip("192.0.2.9")]));
    assert_eq!(world.resolve("round.example").0, Err(DnsError::NotFound));
}

/// Some servers never answer for a family they have nothing of.
#[test]
fn one_family_does_not_wait_long_for_the_other() {
    let mut world = World::new("", &[None]);
    let id = world.resolver.resolve(world.now, "turn.example").unwrap();
    while let Some(sent) = world.resolver.poll_transmit() {
        if question(&sent.bytes).1 == TYPE::A {
            let answer = both().unwrap().answer(Transport::Udp, &sent.bytes);
            world.resolver.handle_input(world.now, sent.server, Transport::Udp, &answer);
        }
    }
    let (event, took) = world.run();
    assert_eq!((event, took), (DnsEvent::Resolved(id, vec![ip("192.0.2.9")]), Duration::from_millis(250)));
}

#[test]
fn only_the_answer_to_the_question_counts() {
    let mut world = World::new("", &[None, None]);
    world.resolver.resolve(world.now, "turn.example").unwrap();
    let sent: Vec<_> = std::iter::from_fn(|| world.resolver.poll_transmit()).collect();
    let (server, stranger) = (sent[0].server, at("198.51.100.66:53"));
    let answer = both().unwrap().answer(Transport::Udp, &sent[0].bytes);
    let mut other_id = answer.clone();
    other_id[0] ^= 1;
    let mut other_name = Packet::parse(&answer).unwrap();
    other_name.questions[0].qname = Name::new_unchecked("evil.example");
    let mut query = answer.clone();
    query[2] &= 0x7F;
    let other_name = other_name.build_bytes_vec().unwrap();
    for (from, transport, bytes) in [
        (stranger, Transport::Udp, &answer),
        (at("192.0.2.2:53"), Transport::Udp, &answer),
        (server, Transport::Tcp, &answer),
        (server, Transport::Udp, &other_id),
        (server, Transport::Udp, &other_name),
        (server, Transport::Udp, &query),
    ] {
        world.resolver.handle_input(world.now, from, transport, bytes);
        world.resolver.handle_timeout(world.now + Duration::from_millis(900));
        assert_eq!(world.resolver.poll_event(), None);
    }
    world.resolver.handle_input(world.now, server, Transport::Udp, &answer);
    world.resolver.handle_timeout(world.now + Duration::from_millis(900));
    assert!(world.resolver.poll_event().is_some());
}

#[test]
fn what_is_no_name_is_refused() {
    let mut world = World::new("", &[None]);
    let long = "a".repeat(64);
    let longer = "abc.".repeat(64);
    for name in ["", ".", "a..b", "-\u{fc}-", "a b", long.as_str(), longer.as_str()] {
        assert_eq!(world.resolver.resolve(world.now, name), Err(DnsError::Name), "{name:?}");
    }
    for _ in 0..64 {
        world.resolver.resolve(world.now, "turn.example").unwrap();
    }
    assert_eq!(world.resolver.resolve(world.now, "turn.example"), Err(DnsError::TooMany));
    let mut none = Resolver::new(DnsConfig::default(), Rng::from_test_seed(1));
    assert_eq!(none.resolve(world.now, "turn.example"), Err(DnsError::NoServers));
}

proptest! {
    #[test]
    fn answers_of_any_bytes_are_survived(
        cut in 0_usize..200, flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..6), noise: Vec<u8>,
    ) {
        let mut world = World::new("", &[None]);
        world.resolver.resolve(world.now, "turn.example").unwrap();
        let server = at("192.0.2.1:53");
        while let Some(sent) = world.resolver.poll_transmit() {
            let mut answer = both().unwrap().answer(Transport::Udp, &sent.bytes);
            let len = answer.len();
            for (at, flip) in &flips {
                // The id stays, so that it is looked at.
                if let Some(byte) = answer.get_mut(2 + at % (len - 2)) {
                    *byte ^= flip;
                }
            }
            answer.truncate(len.saturating_sub(cut));
            world.resolver.handle_input(world.now, server, Transport::Udp, &answer);
            world.resolver.handle_input(world.now, server, Transport::Udp, &noise);
        }
    }
}

/// A server by real sockets: everything is cut short over UDP, and told over TCP.
fn long_winded() -> SocketAddr {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).unwrap();
    let zone = Zone(vec![("turn.example", Record::Long("192.0.2.9")), ("short.example", Record::Ip("192.0.2.8"))]);
    let of_udp = zone.clone();
    std::thread::spawn(move || {
        let mut buf = [0; 512];
        while let Ok((len, from)) = udp.recv_from(&mut buf) {
            let _ = udp.send_to(&of_udp.answer(Transport::Udp, &buf[..len]), from);
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let (mut stream, zone) = (stream, zone.clone());
            std::thread::spawn(move || {
                let mut len = [0; 2];
                while stream.read_exact(&mut len).is_ok() {
                    let mut query = vec![0; usize::from(u16::from_be_bytes(len))];
                    stream.read_exact(&mut query).unwrap();
                    let answer = zone.answer(Transport::Tcp, &query);
                    let framed = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
                    // In two pieces, as TCP may do.
                    stream.write_all(&framed[..3]).unwrap();
                    stream.write_all(&framed[3..]).unwrap();
                }
            });
        }
    });
    address
}

#[test]
fn names_are_resolved_by_real_sockets() {
    let config = DnsConfig { servers: vec![long_winded()], ..DnsConfig::default() };
    let clock = Clock::new();
    let begun = clock.now();
    let mut dns = Dns::new(config, Rng::from_test_seed(7));
    let wanted: Vec<LookupId> = ["turn.example", "short.example", "missing.example"]
        .iter()
        .map(|name| dns.resolve(clock.now(), name).unwrap())
        .collect();
    let mut events = Vec::new();
    let mut used = 0;
    while events.len() < 3 {
        dns.turn(clock.now());
        used = used.max(dns.udp_sockets().count() + dns.tcp_sockets().count());
        events.extend(std::iter::from_fn(|| dns.poll_event()));
        assert!(clock.now() - begun < Duration::from_secs(5), "{events:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(events.contains(&DnsEvent::Resolved(wanted[0], vec![ip("192.0.2.9")])), "{events:?}");
    assert!(events.contains(&DnsEvent::Resolved(wanted[1], vec![ip("192.0.2.8")])), "{events:?}");
    assert!(events.contains(&DnsEvent::Failed(wanted[2], DnsError::NotFound)), "{events:?}");
    assert_eq!(used, 2, "one by UDP, one by TCP");
    dns.turn(clock.now());
    assert!(dns.is_idle() && dns.udp_sockets().count() + dns.tcp_sockets().count() == 0, "no socket is left open");
}
