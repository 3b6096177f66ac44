//! Tests at the public interface, in virtual time, from seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod alerts;
mod authentication;
mod certificates;
mod cookies;
mod fixtures;
mod flights;
mod gnutls;
mod handshake;
mod hellos;
mod hellos13;
mod idle;
mod key_updates;
mod limits;
mod link;
mod lossy;
mod openssl;
mod options;
mod pitfalls;
mod process;
mod provider;
mod records;
mod v13;
mod wire;
