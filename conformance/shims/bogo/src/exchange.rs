//! One connection, from its first datagram to its end.

use std::time::Duration;

use weft_core::{Frame, Instant, Layer, Overhead, Rng, Wrap};
use weft_dtls::{AlertDescription, ClientAuthentication, Connection, Event, ProtocolVersion, Role, SessionInfo};

use crate::Stop;
use crate::flags::Flags;
use crate::settings::Settings;
use crate::transport::{Input, Transport};

/// What a shim says first if it is to speak first.
const GREETING: &[u8] = b"hello";
/// Longer than any record.
const BUFFER: usize = 1 << 15;
/// A timer later than this is the handshake's deadline, of which the runner knows nothing.
const DEADLINE: Duration = Duration::from_secs(3600);
/// Asks for new keys before every read.
const KEY_UPDATES: &str = "-key-update-before-read";
/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 8] = [0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11];

/// The alert that the shim of BoringSSL sends on demand. It has no name here, because nothing here sends it.
const DECOMPRESSION_FAILURE: AlertDescription = AlertDescription(30);

pub(crate) struct Exchange<'a> {
    flags: &'a Flags,
    settings: &'a Settings,
    connection: Connection,
    transport: Transport,
    now: Instant,
    retried: bool,
    /// We have said that we will say no more.
    closing: bool,
    peer_closed: bool,
}

fn failed(reason: impl core::fmt::Display) -> Stop {
    Stop::Failed(reason.to_string())
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(flags: &'a Flags, settings: &'a Settings, transport: Transport) -> Result<Self, Stop> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(failed)?;
        let connection = Connection::new(settings.config.clone(), settings.role, Rng::from_seed(seed));
        Ok(Self {
            flags,
            settings,
            connection,
            transport,
            now: Instant::ORIGIN,
            retried: false,
            closing: false,
            peer_closed: false,
        })
    }

    /// Until the peer has closed, or the connection failed.
    pub(crate) fn run(mut self) -> Result<(), Stop> {
        let outcome = self.exchange();
        // The alert, or close_notify.
        let _ = self.transmit();
        self.transport.finish();
        outcome
    }

    fn exchange(&mut self) -> Result<(), Stop> {
        self.connection.start(self.now);
        let mut hold = false;
        loop {
            if !hold {
                self.transmit()?;
            }
            self.events()?;
            if !hold {
                self.transmit()?;
            }
            let done = self.closing && !self.flags.has("-check-close-notify");
            if done || self.peer_closed {
                return Ok(());
            }
            match self.transport.receive().map_err(failed)? {
                Input::Datagram(mut datagram) => {
                    // The runner expects what acknowledges a message after the handshake to come a while later.
                    hold = self.connection.is_connected() && !self.flags.has(KEY_UPDATES);
                    self.datagram(&mut datagram)?;
                }
                Input::Elapsed(elapsed) => {
                    hold = false;
                    self.now += elapsed;
                    self.connection.handle_timeout(self.now).map_err(failed)?;
                }
                Input::Mtu(mtu) => self.connection.set_mtu(mtu as usize),
                Input::ExpectTimeout(expected) => self.check_timer(expected)?,
                Input::InitialTimeout(timeout) => self.connection.set_initial_rto(timeout),
                Input::End => return self.end(),
            }
        }
    }

    fn events(&mut self) -> Result<(), Stop> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected(info) => self.connected(&info)?,
                Event::PeerClosed => self.peer_closed = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends what is due.
    fn transmit(&mut self) -> Result<(), Stop> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut frame = Frame::new(&mut buffer, Overhead::NONE);
            if self.connection.poll_transmit(self.now, &mut frame).is_none() {
                return Ok(());
            }
            self.retried |= holds_retry(frame.content());
            self.transport.send(frame.content()).map_err(failed)?;
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Stop> {
        let mut buffer = vec![0; BUFFER];
        let room = self.connection.overhead().ok_or_else(|| failed("closed"))?;
        let mut frame = Frame::new(&mut buffer, room);
        frame.push(data).map_err(failed)?;
        self.connection.wrap(&mut frame).map_err(failed)?;
        self.transport.send(frame.content()).map_err(failed)
    }

    /// Hands a datagram in, and echoes the data it held.
    fn datagram(&mut self, datagram: &mut [u8]) -> Result<(), Stop> {
        self.retried |= holds_retry(datagram);
        let mut received = Vec::new();
        let mut records = self.connection.handle_input(self.now, datagram).map_err(failed)?;
        while let Some(record) = records.next() {
            received.push(record.iter().map(|byte| byte ^ 0xFF).collect::<Vec<u8>>());
        }
        drop(records);
        for data in received {
            self.events()?;
            if !self.closing && !self.peer_closed {
                self.write(&data)?;
                self.update_keys()?;
            }
        }
        Ok(())
    }

    fn update_keys(&mut self) -> Result<(), Stop> {
        if self.flags.has(KEY_UPDATES) { self.connection.update_keys(false).map_err(failed) } else { Ok(()) }
    }

    /// The handshake has ended: is all as expected, and what is to be said first?
    fn connected(&mut self, info: &SessionInfo) -> Result<(), Stop> {
        self.check(info)?;
        self.transmit()?;
        if let Some(length) = self.flags.number::<usize>("-export-keying-material")?.filter(|length| *length > 0) {
            let mut material = vec![0; length];
            let label = self.flags.value("-export-label").unwrap_or_default();
            let context = self.flags.value("-export-context").unwrap_or_default().as_bytes();
            let context = self.flags.has("-use-export-context").then_some(context);
            self.connection.export_keying_material(label, context, &mut material).map_err(failed)?;
            self.write(&material)?;
        }
        if self.flags.has("-send-alert") {
            self.connection.abort(self.now, DECOMPRESSION_FAILURE);
            self.closing = true;
            return Ok(());
        }
        if self.flags.has("-shim-writes-first") {
            self.write(GREETING)?;
        }
        if self.flags.has("-shim-shuts-down") {
            self.connection.close(self.now);
            self.closing = true;
            return Ok(());
        }
        self.update_keys()
    }

    fn check(&self, info: &SessionInfo) -> Result<(), Stop> {
        let differs = |what: &str, found: u16, expected: Option<u16>| match expected {
            Some(expected) if expected != found => Err(failed(format!("{what} {found:#x}, not {expected:#x}"))),
            _ => Ok(()),
        };
        differs("version", info.version.0, self.flags.number("-expect-version")?)?;
        differs("group", info.group.0, self.flags.number("-expect-curve-id")?)?;
        differs("cipher suite", info.cipher_suite.0, self.flags.number("-expect-cipher")?)?;
        let wanted = match self.settings.role {
            Role::Client => ClientAuthentication::Required,
            Role::Server => self.settings.config.client_authentication,
        };
        let (known, unknown) = (info.peer_certificate.is_some(), self.flags.has("-expect-no-peer-cert"));
        let as_expected = match wanted {
            ClientAuthentication::None => !known,
            ClientAuthentication::Optional => !(known && unknown),
            ClientAuthentication::Required => known != unknown,
        };
        if !as_expected {
            return Err(failed("a certificate of the peer that is missing, or should be"));
        }
        if self.settings.verdict.was_asked_for() != known {
            return Err(failed("a certificate that was not verified"));
        }
        let name = info.server_name.as_deref().unwrap_or_default();
        if self.flags.value("-expect-server-name").is_some_and(|expected| expected != name) {
            return Err(failed(format!("server name {name:?}")));
        }
        let protocol = info.application_protocol.as_deref().unwrap_or_default();
        if self.flags.value("-expect-alpn").is_some_and(|expected| expected.as_bytes() != protocol) {
            return Err(failed("another application protocol than expected"));
        }
        if info.version == ProtocolVersion::DTLS_1_2
            && self.flags.has("-expect-extended-master-secret")
            && !info.extended_master_secret
        {
            return Err(failed("no extended master secret"));
        }
        if self.flags.has("-expect-hrr") && !self.retried || self.flags.has("-expect-no-hrr") && self.retried {
            return Err(failed("a HelloRetryRequest that is missing, or should be"));
        }
        Ok(())
    }

    /// The runner wants to know when the next timer is due.
    fn check_timer(&self, expected: Option<Duration>) -> Result<(), Stop> {
        let due = self.connection.poll_timeout().map(|due| due.saturating_duration_since(self.now));
        let due = due.filter(|due| *due < DEADLINE);
        if due == expected {
            Ok(())
        } else {
            Err(failed(format!("the next timer is due in {due:?}, not {expected:?}")))
        }
    }

    /// The runner is gone. A connection that was made is over then. A handshake goes on waiting, as it would on a dead
    /// path: its time passes, and it says of what it dies. What it dropped and counted on the way is the other thing
    /// that may explain why it did not go on.
    fn end(&mut self) -> Result<(), Stop> {
        if self.connection.is_connected() {
            return Ok(());
        }
        while let Some(due) = self.connection.poll_timeout() {
            self.now = self.now.max(due);
            if let Err(error) = self.connection.handle_timeout(self.now) {
                return Err(failed(format!("{error}; {}", self.dropped())));
            }
            self.discard();
        }
        Err(failed(format!("the peer is gone; {}", self.dropped())))
    }

    /// Nobody is there to send it to.
    fn discard(&mut self) {
        let mut buffer = vec![0; BUFFER];
        while self.connection.poll_transmit(self.now, &mut Frame::new(&mut buffer, Overhead::NONE)).is_some() {}
    }

    fn dropped(&self) -> String {
        let c = self.connection.counters();
        let all = [
            ("malformed records", c.malformed_records),
            ("unexpected records", c.unexpected_records),
            ("forged records", c.forged_records),
            ("bad fragments", c.bad_fragments),
            ("bad messages", c.bad_messages),
            ("plaintext data", c.plaintext_application_data),
        ];
        let seen = all.iter().filter(|(_, count)| *count > 0).map(|(what, _)| format!("dropped: {what}"));
        seen.collect::<Vec<_>>().join(", ")
    }
}

fn holds_retry(datagram: &[u8]) -> bool {
    datagram.windows(RETRY.len()).any(|window| window == RETRY)
}
