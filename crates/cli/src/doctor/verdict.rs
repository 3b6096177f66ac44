//! What it all means, in one plain sentence.

use super::{Behaviour, NatReport, RelayReport};

pub(super) fn no_network() -> String {
    "There is no network here: no interface has an address that another machine could reach.".to_owned()
}

pub(super) fn of(nat: &[NatReport], relays: &[RelayReport]) -> String {
    let relay = relay(relays);
    if nat.is_empty() {
        return format!("No STUN server was named, so nothing is known of NATs; {relay}.");
    }
    // What is better known, and of IPv4, says more.
    let told = nat.iter().filter(|nat| nat.mapped.is_some());
    let Some(best) = told.max_by_key(|nat| (nat.mapping.is_some(), nat.local.is_some_and(|local| local.is_ipv4())))
    else {
        return silent(relays);
    };
    if best.nat == Some(false) {
        return match best.filtering {
            Some(Behaviour::AddressDependent | Behaviour::AddressAndPortDependent) => {
                format!(
                    "No NAT, but a firewall that lets in only answers: direct connections work with most peers; {relay}."
                )
            }
            _ => format!("No NAT stands between here and the server: peers reach this host directly; {relay}."),
        };
    }
    match (best.mapping, best.filtering) {
        (None, _) => {
            format!("There is a NAT here, and the server does not tell of what kind (name a second one); {relay}.")
        }
        (Some(Behaviour::EndpointIndependent), Some(Behaviour::AddressAndPortDependent) | None) => format!(
            "The NAT here keeps one port for all destinations: direct connections work with most peers, those behind a \
             symmetric NAT excepted; {relay}."
        ),
        (Some(Behaviour::EndpointIndependent), Some(_)) => format!(
            "The NAT here keeps one port for all destinations and lets strangers answer: direct connections work with nearly \
             all peers; {relay}."
        ),
        (Some(_), _) => format!(
            "The NAT here is symmetric (another port for each destination): direct connections work only with peers that are \
             open to all ports, others need a relay; {relay}."
        ),
    }
}

/// No STUN server answers.
fn silent(relays: &[RelayReport]) -> String {
    let works = |transport: &str| relays.iter().find(|relay| relay.transport == transport && relay.relayed.is_some());
    if let Some(relay) = works("UDP") {
        return format!(
            "The STUN servers do not answer, but UDP passes to the relay ({}): connections go through it.",
            at(relay)
        );
    }
    match works("TCP").or(works("TLS")) {
        Some(relay) => format!(
            "UDP does not pass here: connections go through the relay over {} ({}), which is slower than direct ones.",
            relay.transport,
            at(relay)
        ),
        None if relays.is_empty() => {
            "UDP does not pass here, and no TURN server was named: connections beyond this network \
                                      need one, over TCP or TLS."
                .to_owned()
        }
        None => "UDP does not pass here and no relay is reached: connections beyond this network fail.".to_owned(),
    }
}

fn at(relay: &RelayReport) -> String {
    relay.ms.map_or_else(String::new, |ms| format!("{ms:.0} ms"))
}

fn relay(relays: &[RelayReport]) -> String {
    let working = relays.iter().filter(|relay| relay.relayed.is_some());
    // UDP before TCP before TLS, as an agent prefers them.
    let rank = |relay: &&RelayReport| ["UDP", "TCP", "TLS"].iter().position(|way| *way == relay.transport);
    let best = working.min_by_key(rank);
    match best {
        Some(best) => format!("where that fails the relay is there over {} in {}", best.transport, at(best)),
        None if relays.is_empty() => "where that fails there is no relay, as no TURN server was named".to_owned(),
        None => "where that fails there is no relay, as none of the TURN servers could be used".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nat(mapping: Option<Behaviour>, filtering: Option<Behaviour>) -> NatReport {
        let address = "192.0.2.1:5000".parse().ok();
        NatReport {
            local: address,
            mapped: "203.0.113.1:6000".parse().ok(),
            nat: Some(true),
            mapping,
            filtering,
            ..NatReport::default()
        }
    }

    fn relay(transport: &'static str, ms: Option<f64>) -> RelayReport {
        let relayed = ms.map(|_| "203.0.113.9:50000".to_owned());
        RelayReport { url: String::new(), transport, relayed, ms, error: None }
    }

    #[test]
    fn each_kind_of_network_is_called_what_it_is() {
        use Behaviour::{AddressAndPortDependent as Apd, AddressDependent as Ad, EndpointIndependent as Ei};
        let says = |nats: &[NatReport], relays: &[RelayReport], part: &str| {
            let verdict = of(nats, relays);
            assert!(verdict.contains(part), "{part}: {verdict}");
        };
        for mapping in [Ad, Apd] {
            says(&[nat(Some(mapping), Some(Apd))], &[], "symmetric (another port");
        }
        says(&[nat(Some(Ei), Some(Apd))], &[], "keeps one port for all destinations: ");
        says(&[nat(Some(Ei), Some(Ad))], &[], "lets strangers answer");
        says(&[nat(None, None)], &[], "does not tell of what kind");
        says(&[NatReport { nat: Some(false), ..nat(Some(Ei), Some(Ei)) }], &[], "No NAT stands");
        says(&[NatReport { nat: Some(false), ..nat(Some(Ei), Some(Apd)) }], &[], "firewall");
        says(&[nat(Some(Ei), Some(Apd))], &[relay("TLS", Some(80.0)), relay("UDP", Some(12.4))], "over UDP in 12 ms");
        says(&[nat(Some(Ei), Some(Apd))], &[relay("UDP", None)], "none of the TURN servers");
        says(&[], &[], "No STUN server was named");
        let dead = || NatReport { mapped: None, ..nat(None, None) };
        says(&[dead()], &[], "no TURN server was named");
        says(&[dead()], &[relay("UDP", None), relay("TLS", Some(50.0))], "relay over TLS (50 ms)");
        says(&[dead()], &[relay("UDP", Some(9.0))], "UDP passes to the relay");
        says(&[dead()], &[relay("UDP", None)], "no relay is reached");
        // One server that tells is enough.
        says(&[dead(), nat(None, None), nat(Some(Apd), None)], &[], "symmetric");
    }
}
