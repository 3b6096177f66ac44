//! NATs of every kind, each against each, with every kind of server: does a pair connect as well as theory says it can?

pub mod doctor;
pub mod peer;
mod theory;
mod topology;

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::coturn::{Auth, Coturn};
use crate::namespaces::prefix;
pub use theory::{Nat, Servers, Way, expected};
pub use topology::{SERVER, Side, Topology};

/// How long a pair may take that should connect.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long a pair is given that should not.
const DOUBT: Duration = Duration::from_secs(6);

/// What came of a pair.
#[derive(Clone, Debug, Serialize)]
pub struct Met {
    /// One side's NAT.
    pub a: Nat,
    /// The other's.
    pub b: Nat,
    /// What both know.
    pub servers: Servers,
    /// What theory says.
    pub expected: Way,
    /// How they connected.
    pub way: Way,
    /// From the descriptions to the first pair, in milliseconds.
    pub ms: Option<u64>,
    /// What they told on the way, if it came out worse.
    pub log: Vec<String>,
}

impl Met {
    /// Whether it came out as well as it should have.
    pub fn is_good(&self) -> bool {
        self.way >= self.expected
    }
}

/// All pairs that are to be played, with one kind of servers each in a lane of its own.
///
/// # Errors
/// Without root, `ip`, `nft` or coturn.
pub fn play(program: &Path, lanes: &[Servers], progress: impl Fn(&Met) + Sync) -> io::Result<Vec<Met>> {
    let all = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for (index, servers) in lanes.iter().enumerate() {
            let (all, failure, progress) = (&all, &failure, &progress);
            scope.spawn(move || {
                let prefix = prefix(&format!("n{index}"));
                if let Err(error) = lane(program, &prefix, *servers, all, progress)
                    && let Ok(mut failure) = failure.lock()
                {
                    failure.get_or_insert(error);
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_default() {
        return Err(error);
    }
    Ok(all.into_inner().unwrap_or_default())
}

fn lane(
    program: &Path,
    prefix: &str,
    servers: Servers,
    all: &Mutex<Vec<Met>>,
    progress: &impl Fn(&Met),
) -> io::Result<()> {
    let topology = Topology::new(prefix)?;
    let ip = SERVER.parse().map_err(io::Error::other)?;
    let server = Coturn::start_in(Some(&topology.server()), ip, Auth::LongTerm, &[]).map_err(io::Error::other)?;
    let certificate = server.certificate_file()?;
    for (index, a) in Nat::ALL.into_iter().enumerate() {
        for b in Nat::ALL.into_iter().skip(index) {
            topology.set_nat(Side::A, a)?;
            topology.set_nat(Side::B, b)?;
            let met = meet(program, &topology, &certificate, (a, b, servers))?;
            progress(&met);
            if let Ok(mut all) = all.lock() {
                all.push(met);
            }
        }
    }
    Ok(())
}

/// A client as a process.
struct Client {
    child: Child,
    stdin: ChildStdin,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(
    program: &Path,
    namespace: &str,
    arguments: &[&str],
    side: Side,
    lines: Sender<(Side, String)>,
) -> io::Result<Client> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if lines.send((side, line)).is_err() {
                return;
            }
        }
    });
    Ok(Client { child, stdin })
}

fn meet(
    program: &Path,
    topology: &Topology,
    certificate: &Path,
    (a, b, servers): (Nat, Nat, Servers),
) -> io::Result<Met> {
    let kind = serde_json::to_value(servers).map_err(io::Error::other)?;
    let kind = kind.as_str().unwrap_or_default().to_owned();
    let certificate = certificate.to_string_lossy().into_owned();
    let base = ["nat-peer", "--servers", &kind, "--certificate", &certificate];
    let (sender, receiver) = channel();
    let offering = [&base[..], &["--offers"]].concat();
    let mut clients = [
        client(program, &topology.client(Side::A), &offering, Side::A, sender.clone())?,
        client(program, &topology.client(Side::B), &base, Side::B, sender)?,
    ];
    let expected = expected(a, b, servers);
    let patience = if expected == Way::None { DOUBT } else { PATIENCE };
    let (ways, log) = signal(&mut clients, &receiver, patience);
    let worse = ways.iter().map(|(way, _)| *way).min().filter(|_| ways.len() == 2).unwrap_or(Way::None);
    let ms = ways.iter().filter_map(|(_, ms)| *ms).max();
    let log = if worse < expected { log } else { Vec::new() };
    Ok(Met { a, b, servers, expected, way: worse, ms, log })
}

/// Carries lines from one to the other until both have told their way.
fn signal(
    clients: &mut [Client; 2],
    lines: &Receiver<(Side, String)>,
    patience: Duration,
) -> (Vec<(Way, Option<u64>)>, Vec<String>) {
    let (mut ways, mut log) = (Vec::new(), Vec::new());
    let end = Instant::now() + patience;
    while ways.len() < 2 {
        let Ok((side, line)) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) else { break };
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(way) = value.get("way").and_then(Value::as_str) {
            let known = [Way::Relayed, Way::Reflexive, Way::Direct];
            let way = known.into_iter().find(|known| known.name() == way).unwrap_or(Way::None);
            ways.push((way, value.get("ms").and_then(Value::as_u64)));
        }
        let [first, second] = clients;
        let other = if side == Side::A { second } else { first };
        if value.get("sdp").is_some() || value.get("candidate").is_some() {
            let _ = writeln!(other.stdin, "{line}");
        }
        if value.get("sdp").is_none() {
            log.push(format!("{side:?}: {line}"));
        }
    }
    (ways, log)
}

/// The table: a row for each pair, a column for each kind of servers.
pub fn table(met: &[Met]) -> String {
    let mut out = format!("{:<20} {:<20}", "", "");
    for servers in Servers::ALL {
        let _ = write!(out, " {:<20}", servers.name());
    }
    out.push('\n');
    for (index, a) in Nat::ALL.into_iter().enumerate() {
        for b in Nat::ALL.into_iter().skip(index) {
            let _ = write!(out, "{:<20} {:<20}", a.name(), b.name());
            for servers in Servers::ALL {
                let cell = met.iter().find(|met| (met.a, met.b, met.servers) == (a, b, servers));
                let _ = write!(out, " {:<20}", cell.map_or_else(|| "not played".to_owned(), describe));
            }
            out.push('\n');
        }
    }
    out
}

fn describe(met: &Met) -> String {
    let time = met.ms.map(|ms| format!(" {ms} ms")).unwrap_or_default();
    let mark = if met.is_good() { "" } else { " WORSE" };
    format!("{}{time}{mark}", met.way.name())
}
