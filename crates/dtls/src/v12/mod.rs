//! The handshake of DTLS 1.2 (RFC 6347 section 4.2, RFC 5246 section 7, RFC 8422, RFC 7627).
//!
//! ```text
//! Client                                    Server
//! ClientHello             -------->                             flight 1
//!                         <-------- HelloVerifyRequest          flight 2 (a server of ours sends none)
//! ClientHello             -------->                             flight 3
//!                                   ServerHello
//!                                   Certificate
//!                                   ServerKeyExchange
//!                                   CertificateRequest*
//!                         <-------- ServerHelloDone             flight 4
//! Certificate*
//! ClientKeyExchange
//! CertificateVerify*
//! [ChangeCipherSpec]
//! Finished                -------->                             flight 5
//!                                   [ChangeCipherSpec]
//!                         <-------- Finished                    flight 6
//! ```

mod client;
mod key_schedule;
mod server;
mod suite;

pub(crate) use client::Client;
pub(crate) use server::Server;
pub(crate) use suite::{SCHEMES, schemes, suites};
