//! A server on a bare socket: no connection, and no more than a few bytes in answer, before a client has proven its
//! address.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use weft_core::{Frame, Instant, Rng};

use crate::config::{Config, Limits};
use crate::connection::{Connection, Role};
use crate::cookie::{Cookies, Retry};
use crate::error::{Error, Fault};
use crate::event::Counters;
use crate::reassembly::Reassembly;
use crate::record::RecordLayer;
use crate::v13;
use crate::wire::{
    Alert, AlertDescription, ClientHello, ContentType, ExtensionType, Fragment, HandshakeType, HelloVerifyRequest,
    ProtocolVersion, RECORD_HEADER, RecordHeader, ServerHello, put_cookie,
};

/// Bytes out for each byte in, before an address is proven (RFC 9147 section 5.1 asks for cookies; RFC 9000 section 8 has
/// the number).
const AMPLIFICATION: usize = 3;

/// Settings of a [`Listener`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerLimits {
    /// How long a cookie proves an address.
    pub cookie_lifetime: Duration,
    /// Clients of which a part of a hello is kept. Hellos with post-quantum keys come in two datagrams or more. Of more
    /// clients the oldest are forgotten, and send theirs again.
    pub pending_hellos: usize,
    /// The longest hello of a client whose address is not proven, in bytes.
    pub hello_bytes: usize,
    /// How long a part of a hello is kept.
    pub pending_lifetime: Duration,
    /// Length of connection ids to offer to clients (RFC 9146); `None`, as by default, for no connection ids.
    pub connection_id_len: Option<u8>,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            cookie_lifetime: Duration::from_secs(60),
            pending_hellos: 256,
            hello_bytes: 8 * 1024,
            pending_lifetime: Duration::from_secs(5),
            connection_id_len: None,
        }
    }
}

/// What was counted at a [`Listener`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ListenerCounters {
    /// Requests for a cookie, and alerts, that were written.
    pub replies: u64,
    /// Connections that began.
    pub admitted: u64,
    /// Cookies that are none of ours, are too old, or were made for somebody else.
    pub bad_cookies: u64,
    /// Replies not written, for they would be longer than three times what came.
    pub amplifying: u64,
    /// Datagrams and records that hold no hello.
    pub dropped: u64,
    /// Parts of hellos that were forgotten for lack of room, or too old.
    pub forgotten: u64,
}

/// What became of a datagram.
#[derive(Debug)]
pub enum Admission {
    /// Nothing: it was dropped, or more of its hello is to come.
    None,
    /// What was written goes back to where the datagram came from.
    Reply,
    /// The client has proven its address, and its handshake has begun: further datagrams of it are for this connection,
    /// which may have something to send at once.
    Admitted(Box<Connection>),
}

/// A part of a hello.
struct Pending {
    peer: SocketAddr,
    message_seq: u16,
    since: Instant,
    bytes_in: usize,
    hello: Reassembly,
}

/// A whole hello.
struct Hello {
    message_seq: u16,
    record_sequence: u64,
    bytes_in: usize,
    body: Vec<u8>,
}

/// Where DTLS begins on a bare socket: it answers a first ClientHello with a request for a cookie (HelloVerifyRequest in
/// 1.2, HelloRetryRequest in 1.3) and makes a [`Connection`] only of a hello that brings the cookie back.
///
/// Hellos that come in one datagram leave nothing behind; of others the parts are kept within [`ListenerLimits`]. To an
/// address that is not proven never more than three times the bytes are sent that came from it.
///
/// Behind ICE there is no need for it: an authenticated check has proven the address. Make the [`Connection`] yourself
/// there.
pub struct Listener {
    config: Arc<Config>,
    limits: ListenerLimits,
    rng: Rng,
    cookies: Cookies,
    pending: VecDeque<Pending>,
    counters: ListenerCounters,
}

impl Listener {
    /// A listener for connections of this configuration. `rng` must be seeded from the operating system's entropy outside
    /// of tests: the key of the cookies comes from it, and so do the generators of connections.
    pub fn new(config: Arc<Config>, limits: ListenerLimits, mut rng: Rng) -> Self {
        let cookies = Cookies::new(&config.provider, limits.cookie_lifetime, &mut rng);
        Self { config, limits, rng, cookies, pending: VecDeque::new(), counters: ListenerCounters::default() }
    }

    /// What was counted so far.
    pub fn counters(&self) -> ListenerCounters {
        self.counters
    }

    /// Clients of which a part of a hello is kept.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Handles a datagram of a client that has no connection yet, and writes the reply, if any, into `reply`.
    pub fn handle_input(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        datagram: &[u8],
        reply: &mut Frame<'_>,
    ) -> Admission {
        while self.pending.front().is_some_and(|oldest| now - oldest.since > self.limits.pending_lifetime) {
            self.pending.pop_front();
            self.counters.forgotten += 1;
        }
        let Some(hello) = self.hello(now, peer, datagram) else { return Admission::None };
        let before = reply.len();
        match self.judge(now, peer, &hello, reply) {
            Ok(Some(connection)) => {
                self.counters.admitted += 1;
                Admission::Admitted(Box::new(connection))
            }
            Ok(None) if reply.len() > before => {
                if reply.len() - before > hello.bytes_in.saturating_mul(AMPLIFICATION) {
                    reply.truncate(before);
                    self.counters.amplifying += 1;
                    return Admission::None;
                }
                self.counters.replies += 1;
                Admission::Reply
            }
            Ok(None) => Admission::None,
            Err(()) => {
                self.counters.dropped += 1;
                Admission::None
            }
        }
    }

    /// The hello that the datagram holds, or completes.
    fn hello(&mut self, now: Instant, peer: SocketAddr, datagram: &[u8]) -> Option<Hello> {
        let mut rest = datagram;
        let mut first = true;
        while !rest.is_empty() {
            let header = RecordHeader::parse(rest).ok();
            let end = header.and_then(|header| RECORD_HEADER.checked_add(header.length.into()));
            let content = end.and_then(|end| rest.get(RECORD_HEADER..end));
            let (Some(header), Some(end), Some(content)) = (header, end, content) else {
                self.counters.dropped += 1;
                return None;
            };
            rest = rest.get(end..).unwrap_or_default();
            let fragment = Fragment::parse(content).ok().map(|(fragment, _)| fragment).filter(|fragment| {
                header.content_type == ContentType::HANDSHAKE
                    && header.epoch == 0
                    && fragment.message_type == HandshakeType::CLIENT_HELLO
                    && fragment.length <= self.limits.hello_bytes
                    // A first hello, or one that answers a request.
                    && fragment.message_seq < 2
            });
            let Some(fragment) = fragment else {
                self.counters.dropped += 1;
                continue;
            };
            let bytes_in = if first { datagram.len() } else { 0 };
            first = false;
            if let Some(hello) = self.fragment(now, peer, &fragment, header.sequence_number, bytes_in) {
                return Some(hello);
            }
        }
        None
    }

    fn fragment(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        fragment: &Fragment<'_>,
        record_sequence: u64,
        bytes_in: usize,
    ) -> Option<Hello> {
        let message_seq = fragment.message_seq;
        if fragment.body.len() == fragment.length {
            return Some(Hello { message_seq, record_sequence, bytes_in, body: fragment.body.to_vec() });
        }
        let known = self.pending.iter().position(|one| one.peer == peer && one.message_seq == message_seq);
        let at = known.unwrap_or_else(|| {
            if self.pending.len() >= self.limits.pending_hellos.max(1) {
                self.pending.pop_front();
                self.counters.forgotten += 1;
            }
            let limits =
                Limits { reassembly_bytes: self.limits.hello_bytes, reassembly_messages: 1, ..Limits::default() };
            let hello = Reassembly::starting_at(message_seq, &limits);
            self.pending.push_back(Pending { peer, message_seq, since: now, bytes_in: 0, hello });
            self.pending.len() - 1
        });
        let pending = self.pending.get_mut(at)?;
        pending.bytes_in = pending.bytes_in.saturating_add(bytes_in);
        pending.hello.insert(fragment, 0, &mut Counters::default());
        let bytes_in = pending.bytes_in;
        let message = pending.hello.take()?;
        self.pending.remove(at);
        Some(Hello { message_seq, record_sequence, bytes_in, body: message.body })
    }

    /// Admits the client of this hello, or replies.
    fn judge(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello,
        reply: &mut Frame<'_>,
    ) -> Result<Option<Connection>, ()> {
        let parsed = ClientHello::parse(&hello.body).map_err(drop)?;
        let v13 = parsed.offers_v13().map_err(drop)? && self.config.speaks(ProtocolVersion::DTLS_1_3);
        if v13 {
            self.judge_v13(now, peer, hello, &parsed, reply)
        } else {
            Ok(self.judge_v12(now, peer, hello, &parsed, reply))
        }
    }

    fn judge_v12(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello,
        parsed: &ClientHello<'_>,
        reply: &mut Frame<'_>,
    ) -> Option<Connection> {
        if self.cookies.is_valid_v12(now, peer, parsed) {
            let mut connection = self.connection();
            connection.admit(now, hello.message_seq, hello.record_sequence, &hello.body, None);
            return Some(connection);
        }
        // A wrong cookie is like none (RFC 6347 section 4.2.1).
        self.counters.bad_cookies += u64::from(!parsed.cookie.is_empty());
        let body = HelloVerifyRequest::write(&self.cookies.make_v12(now, peer, parsed));
        self.write(reply, hello, HandshakeType::HELLO_VERIFY_REQUEST, &body);
        None
    }

    fn judge_v13(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Hello,
        parsed: &ClientHello<'_>,
        reply: &mut Frame<'_>,
    ) -> Result<Option<Connection>, ()> {
        if let Some(data) = parsed.extensions.get(ExtensionType::COOKIE) {
            let Some(retry) = v13::cookie(data).ok().and_then(|cookie| self.cookies.open_v13(now, peer, cookie)) else {
                self.counters.bad_cookies += 1;
                let alert = Alert::fatal(AlertDescription::ILLEGAL_PARAMETER).to_bytes();
                self.write_record(reply, hello, ContentType::ALERT, &[&alert]);
                return Ok(None);
            };
            let request = ServerHello::write_retry(retry.suite, retry.group, Some(data));
            let mut connection = self.connection();
            let retried = v13::Retried { retry, request };
            connection.admit(now, hello.message_seq, hello.record_sequence, &hello.body, Some(retried));
            return Ok(Some(connection));
        }
        let choice = match v13::choose(&self.config, parsed) {
            Ok(choice) => choice,
            Err(Fault::Fatal(Error::Refused { alert, .. })) => {
                let alert = Alert::fatal(alert).to_bytes();
                self.write_record(reply, hello, ContentType::ALERT, &[&alert]);
                return Ok(None);
            }
            Err(_) => return Err(()),
        };
        let hello_hash = choice.hello_hash(&self.config.provider, &hello.body);
        let retry = Retry { suite: choice.suite(), group: choice.group_to_ask_for(), hello_hash };
        let cookie = put_cookie(&self.cookies.make_v13(now, peer, &retry));
        let body = ServerHello::write_retry(retry.suite, retry.group, Some(&cookie));
        self.write(reply, hello, HandshakeType::SERVER_HELLO, &body);
        Ok(None)
    }

    fn connection(&mut self) -> Connection {
        let mut connection = Connection::new(self.config.clone(), Role::Server, self.rng.fork());
        if let Some(len) = self.limits.connection_id_len {
            let mut id = vec![0; len.into()];
            self.rng.fill(&mut id);
            // It cannot be too long or too late.
            let _ = connection.use_connection_id(&id);
        }
        connection
    }

    /// Writes a message of ours: the first, whatever came before.
    fn write(&self, reply: &mut Frame<'_>, hello: &Hello, message_type: HandshakeType, body: &[u8]) {
        let whole = Fragment { message_type, length: body.len(), message_seq: 0, offset: 0, body };
        self.write_record(reply, hello, ContentType::HANDSHAKE, &[&whole.header(), body]);
    }

    /// The number of the record that is answered is repeated, for there is nobody who could count (RFC 6347
    /// section 4.2.1). What does not fit is not sent.
    fn write_record(&self, reply: &mut Frame<'_>, hello: &Hello, content_type: ContentType, parts: &[&[u8]]) {
        let mut records = RecordLayer::new(&self.config.limits);
        records.continue_plaintext(hello.record_sequence);
        let _ = records.append(reply, 0, content_type, parts);
    }
}

impl core::fmt::Debug for Listener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Listener")
            .field("pending", &self.pending.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
