//! A bad network between two peers: every candidate is replaced by the address of a seeded relay that leads to it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use weft_netlab::relay::{Bad, Relay, Settings};

use crate::failure::{Doing as _, Outcome};
use crate::peer::Command;

/// How long a relay works before it asks whether it shall end.
const TURN: Duration = Duration::from_millis(50);

/// Relays for the candidates of one pair. They end when this is dropped.
#[derive(Debug)]
pub struct Detour {
    here: IpAddr,
    settings: Settings,
    seed: u64,
    relays: HashMap<SocketAddr, SocketAddr>,
    ended: Arc<AtomicBool>,
}

impl Detour {
    /// Relays on the address `here`, which both peers can reach.
    pub fn new(here: IpAddr, bad: Bad, seed: u64) -> Self {
        let settings = Settings { both: bad, only: None };
        Self { here, settings, seed, relays: HashMap::new(), ended: Arc::default() }
    }

    /// Leads the candidates in a description or a `candidate` command through relays; those that cannot be led there (TCP,
    /// names) are left out.
    pub fn rewrite(&mut self, command: Command) -> Outcome<Option<Command>> {
        if let Some(sdp) = command.text("sdp") {
            let mut lines = Vec::new();
            for line in sdp.split("\r\n") {
                match line.strip_prefix("a=candidate:") {
                    None => lines.push(line.to_owned()),
                    Some(rest) => lines.extend(self.candidate(rest)?.map(|rest| format!("a=candidate:{rest}"))),
                }
            }
            return Ok(Some(command.with("sdp", lines.join("\r\n"))));
        }
        let Some(line) = command.text("candidate").filter(|line| !line.is_empty()) else { return Ok(Some(command)) };
        let rest = line.strip_prefix("a=").unwrap_or(line);
        let rest = rest.strip_prefix("candidate:").unwrap_or(rest).to_owned();
        Ok(self.candidate(&rest)?.map(|rest| command.with("candidate", format!("candidate:{rest}"))))
    }

    /// The candidate (RFC 8839, section 5.1, without `candidate:`) with a relay's address in place of its own.
    fn candidate(&mut self, rest: &str) -> Outcome<Option<String>> {
        let mut words: Vec<String> = rest.split(' ').map(str::to_owned).collect();
        let [_, _, transport, _, address, port, ..] = words.as_slice() else { return Ok(None) };
        let Ok(ip) = address.parse::<IpAddr>() else { return Ok(None) };
        let Ok(port) = port.parse::<u16>() else { return Ok(None) };
        if !transport.eq_ignore_ascii_case("udp") || ip.is_ipv4() != self.here.is_ipv4() {
            return Ok(None);
        }
        let relay = self.relay(SocketAddr::new(ip, port))?;
        if let [_, _, _, _, address, port, ..] = words.as_mut_slice() {
            *address = relay.ip().to_string();
            *port = relay.port().to_string();
        }
        Ok(Some(words.join(" ")))
    }

    fn relay(&mut self, to: SocketAddr) -> Outcome<SocketAddr> {
        if let Some(there) = self.relays.get(&to) {
            return Ok(*there);
        }
        let seed = self.seed + self.relays.len() as u64;
        let mut relay = Relay::bind(SocketAddr::new(self.here, 0), to, &self.settings, seed).doing("the relay")?;
        let address = relay.local_addr().doing("the relay")?;
        let ended = Arc::clone(&self.ended);
        thread::spawn(move || while !ended.load(Ordering::Relaxed) && relay.run(TURN).is_ok() {});
        self.relays.insert(to, address);
        Ok(address)
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_lead_to_relays_and_what_cannot_is_left_out() {
        let mut detour = Detour::new([127, 0, 0, 1].into(), Bad::default(), 1);
        let candidate = |line: &str| Command::new("candidate").with("candidate", line);
        let plain = candidate("candidate:1 1 udp 2130706431 127.0.0.9 4000 typ host generation 0");
        let first = detour.rewrite(plain.clone()).unwrap().unwrap();
        let words: Vec<&str> = first.text("candidate").unwrap().split(' ').collect();
        assert_eq!((words[4], &words[6..]), ("127.0.0.1", ["typ", "host", "generation", "0"].as_slice()));
        assert_ne!(words[5], "4000");
        assert_eq!(detour.rewrite(plain).unwrap().unwrap(), first, "the same candidate has the same relay");
        for left_out in
            ["candidate:1 1 tcp 1 127.0.0.9 9 typ host tcptype active", "candidate:1 1 udp 1 a.local 9 typ host"]
        {
            assert_eq!(detour.rewrite(candidate(left_out)).unwrap(), None);
        }
        let end = candidate("");
        assert_eq!(detour.rewrite(end.clone()).unwrap(), Some(end));
        let sdp =
            "v=0\r\na=candidate:1 1 udp 1 127.0.0.9 4000 typ host\r\na=candidate:2 1 tcp 1 127.0.0.9 9 typ host\r\n";
        let offer = detour.rewrite(Command::new("remote").with("sdp", sdp)).unwrap().unwrap();
        let sdp = offer.text("sdp").unwrap();
        assert!(sdp.starts_with("v=0\r\na=candidate:1 1 udp 1 127.0.0.1 "), "{sdp}");
        assert_eq!(sdp.lines().count(), 2);
    }
}
