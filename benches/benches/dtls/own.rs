//! weft-dtls.

use std::sync::Arc;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{
    Certificate, CipherSuite, Config, Connection, HashAlgorithm, NamedGroup, ProtocolVersion, Role, Verifier,
};

/// What both sides need before they begin.
pub(crate) struct Ends {
    client: Arc<Config>,
    server: Arc<Config>,
}

impl Ends {
    pub(crate) fn new(version: ProtocolVersion, suite: CipherSuite, group: NamedGroup) -> Self {
        let own: Vec<_> = (0..2).map(|_| Arc::new(Certificate::generate().expect("a certificate"))).collect();
        let config = |own: &Arc<Certificate>, peer: &Arc<Certificate>| {
            let peer = Verifier::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]);
            let mut config = Config::new(own.clone(), peer);
            config.versions = vec![version];
            config.cipher_suites = vec![suite];
            config.groups = vec![group];
            if version == ProtocolVersion::DTLS_1_2 {
                // A client's groups are also the curves that it takes certificates on.
                config.groups.push(NamedGroup::SECP256R1);
            }
            Arc::new(config)
        };
        Self { client: config(&own[0], &own[1]), server: config(&own[1], &own[0]) }
    }

    pub(crate) fn connect(&self) -> Pair {
        let now = Instant::ORIGIN;
        let mut client = Connection::new(self.client.clone(), Role::Client, Rng::from_test_seed(1));
        let mut server = Connection::new(self.server.clone(), Role::Server, Rng::from_test_seed(2));
        client.start(now);
        let mut buffer = vec![0; 2048];
        let mut turns = 0;
        while !(client.is_connected() && server.is_connected()) {
            pass(&mut client, &mut server, &mut buffer);
            pass(&mut server, &mut client, &mut buffer);
            turns += 1;
            assert!(turns < 10, "no end of the handshake");
        }
        pass(&mut server, &mut client, &mut buffer);
        Pair { client, server, buffer }
    }
}

fn pass(from: &mut Connection, to: &mut Connection, buffer: &mut [u8]) {
    loop {
        let mut frame = Frame::new(buffer, Overhead::NONE);
        if from.poll_transmit(Instant::ORIGIN, &mut frame).is_none() {
            return;
        }
        to.handle_input(Instant::ORIGIN, frame.content_mut()).map(drop).expect("an honest peer");
    }
}

/// Two connections that have shaken hands.
pub(crate) struct Pair {
    client: Connection,
    server: Connection,
    buffer: Vec<u8>,
}

impl Pair {
    pub(crate) fn connected(version: ProtocolVersion, suite: CipherSuite, group: NamedGroup) -> Self {
        Ends::new(version, suite, group).connect()
    }

    #[allow(dead_code, reason = "what counts instructions has the two steps apart")]
    pub(crate) fn seal_and_open(&mut self, content: &[u8]) -> usize {
        self.record(content, seal, open)
    }

    /// Carries one record by these two steps.
    pub(crate) fn record<T>(
        &mut self,
        content: &[u8],
        seal: impl FnOnce(&mut Connection, &mut Frame<'_>),
        open: impl FnOnce(&mut Connection, &mut [u8]) -> T,
    ) -> T {
        let room = self.client.overhead().expect("keys");
        let mut frame = Frame::new(&mut self.buffer, room);
        frame.push(content).expect("room");
        seal(&mut self.client, &mut frame);
        open(&mut self.server, frame.content_mut())
    }
}

/// Makes a record of what is in the frame.
pub(crate) fn seal(client: &mut Connection, frame: &mut Frame<'_>) {
    client.wrap(frame).expect("keys");
}

/// Opens a record; how long its content is.
pub(crate) fn open(server: &mut Connection, record: &mut [u8]) -> usize {
    let mut records = server.handle_input(Instant::ORIGIN, record).expect("an honest peer");
    records.next().map_or(0, <[u8]>::len)
}
