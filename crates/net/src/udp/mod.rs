//! UDP sockets.

mod fragment;
mod noise;
mod plain;
mod recv;
mod send;
mod socket;
#[cfg(feature = "tokio")]
mod with_tokio;

pub use recv::RecvBuffer;
pub use socket::{UdpConfig, UdpSocket, UdpStats};
#[cfg(feature = "tokio")]
pub use with_tokio::AsyncUdpSocket;
