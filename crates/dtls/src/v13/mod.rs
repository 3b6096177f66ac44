//! The handshake of DTLS 1.3 (RFC 9147 section 5, RFC 8446 section 4).
//!
//! ```text
//! Client                                    Server
//! ClientHello             -------->                             epoch 0
//!                         <-------- HelloRetryRequest           epoch 0, if no share of the client's will do
//! ClientHello             -------->                             epoch 0
//!                                   ServerHello                 epoch 0
//!                                   EncryptedExtensions         epoch 2
//!                                   CertificateRequest*
//!                                   Certificate
//!                                   CertificateVerify
//!                         <-------- Finished
//! Certificate*                                                  epoch 2
//! CertificateVerify*
//! Finished                -------->
//!                         <-------- [ACK]                       epoch 3
//! ```

mod choice;
mod client;
mod key_schedule;
mod proof;
mod server;
mod session;
mod suite;

pub(crate) use choice::{Retried, choose, cookie};
pub(crate) use client::Client;
pub(crate) use key_schedule::{APPLICATION_EPOCH, HANDSHAKE_EPOCH};
pub(crate) use server::Server;
pub(crate) use session::Session;
