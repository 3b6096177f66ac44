//! Datagrams over TCP and TLS.

mod connection;
mod io;
mod listener;
mod socket;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tokio")]
mod with_tokio;

pub use listener::StreamListener;
pub use socket::{Framing, StreamConfig, StreamSocket, StreamStats};
#[cfg(feature = "tls")]
pub use tls::{Roots, TlsConfig, TlsError, load_system_roots, system_roots_are_loaded};
#[cfg(feature = "tokio")]
pub use with_tokio::{AsyncStreamListener, AsyncStreamSocket};
