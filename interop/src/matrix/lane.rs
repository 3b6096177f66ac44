//! What one pair after the other is played on: a network, two containers, a TURN server.

use std::path::PathBuf;

use base64::Engine as _;
use tempfile::TempDir;
use weft_netlab::coturn::{Auth, Coturn};

use crate::docker::{Container, Network};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::pair::Role;
use crate::peer::{Direction, Transcript};
use crate::stacks::Stack;

/// One of several that work side by side.
#[derive(Debug)]
pub struct Lane {
    number: usize,
    network: Network,
    folder: TempDir,
    coturn: Option<Coturn>,
    seats: [Option<Seat>; 2],
    started: usize,
}

/// A container and what was started in it.
#[derive(Debug)]
struct Seat {
    stack: &'static Stack,
    hidden: bool,
    container: Container,
}

impl Lane {
    /// An empty one.
    pub async fn new(number: usize) -> Outcome<Self> {
        let network = Network::create(number).await?;
        let folder = tempfile::Builder::new().prefix("weft-interop-").tempdir()?;
        Ok(Self { number, network, folder, coturn: None, seats: [None, None], started: 0 })
    }

    /// Its network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A file for a packet capture.
    pub fn capture_file(&self) -> PathBuf {
        self.folder.path().join("capture.pcap")
    }

    /// The TURN server, which is started when it is not there yet. Containers know its certificate, so it has to be asked for
    /// before they are started.
    pub fn coturn(&mut self) -> Outcome<&Coturn> {
        if self.coturn.is_none() {
            let coturn = Coturn::start(self.network.gateway.into(), Auth::LongTerm, &[]).doing("the TURN server")?;
            self.seats = [None, None];
            self.coturn = Some(coturn);
        }
        self.coturn.as_ref().ok_or_else(|| Failure::new("there is no TURN server"))
    }

    fn index(role: Role) -> usize {
        match role {
            Role::Offerer => 0,
            Role::Answerer => 1,
        }
    }

    /// Changes the containers' seats where that spares starting others: the second half of a pair follows the first.
    pub fn arrange(&mut self, offerer: &Stack, answerer: &Stack) {
        let sits = |seat: &Option<Seat>, stack: &Stack| seat.as_ref().is_some_and(|seat| seat.stack == stack);
        let [first, second] = &self.seats;
        if offerer != answerer && (sits(first, answerer) || sits(second, offerer)) {
            self.seats.swap(0, 1);
        }
    }

    /// Sees that a container of this stack is in a seat. One that is there is kept: peers in it are processes, or pages, of their own.
    /// `hidden`: a browser's addresses are behind mDNS names.
    pub async fn container(
        &mut self,
        role: Role,
        stack: &'static Stack,
        hidden: bool,
        transcript: &Transcript,
    ) -> Outcome {
        let hidden = hidden && stack.browser;
        let fits = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| seat.stack == stack && seat.hidden == hidden);
        let at = Self::index(role);
        if !self.seats.get(at).is_some_and(fits) {
            self.started += 1;
            let name = format!("{}-{}-{}", self.number, self.started, stack.name);
            let environment = self.environment(hidden)?;
            let container = Container::start(stack.name, &name, &self.network, &environment, transcript).await?;
            transcript.add(Direction::Note, &format!("container {name} is up"));
            if let Some(seat) = self.seats.get_mut(at) {
                *seat = Some(Seat { stack, hidden, container });
            }
        }
        Ok(())
    }

    /// The container that sits in a seat.
    pub fn at(&self, role: Role) -> Outcome<&Container> {
        let seat = self.seats.get(Self::index(role)).and_then(Option::as_ref);
        seat.map(|seat| &seat.container).ok_or_else(|| Failure::new("there is no container"))
    }

    fn environment(&self, hidden: bool) -> Outcome<Vec<(String, String)>> {
        let mut environment = vec![("MDNS".to_owned(), if hidden { "1" } else { "0" }.to_owned())];
        if let Some(coturn) = &self.coturn {
            let der = base64::engine::general_purpose::STANDARD.encode(std::fs::read(coturn.certificate_file()?)?);
            environment.push(("TURN_CERTIFICATE".to_owned(), der));
        }
        Ok(environment)
    }

    /// Kills the container in a seat, as a power cut would.
    pub async fn kill(&mut self, role: Role) {
        if let Some(seat) = self.seats.get_mut(Self::index(role)).and_then(Option::take) {
            seat.container.kill().await;
        }
    }

    /// Ends both containers: the next case gets new ones.
    pub async fn clear(&mut self) {
        for role in [Role::Offerer, Role::Answerer] {
            self.kill(role).await;
        }
    }
}
