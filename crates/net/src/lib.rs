//! The only sockets of Weft: UDP with segmentation offload, datagrams over TCP and TLS, the clock, entropy, and the
//! host's addresses.
//!
//! Protocol layers are values that see bytes and time; a driver joins them to the world with what is here. Sending takes
//! a [`Run`](weft_core::Run) of a [`Batch`](weft_core::Batch) in one call (GSO); receiving fills a [`RecvBuffer`] with
//! many datagrams in one call (`recvmmsg`, GRO) and lends them one by one to be opened in place. Nothing is allocated
//! for a packet.
//!
//! ```
//! use weft_core::{Batch, Overhead, Path};
//! use weft_net::{RecvBuffer, UdpSocket};
//!
//! # fn main() -> std::io::Result<()> {
//! let a = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
//! let b = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
//!
//! // Out: frames are built in one buffer; what shares a length and a route leaves in one call.
//! let mut batch = Batch::new(65_536, a.limits());
//! for _ in 0..10 {
//!     let mut frame = batch.frame(1_200, Overhead::NONE).unwrap();
//!     frame.push(&[7; 1_200]).unwrap();
//!     let frame = frame.finish();
//!     batch.commit(frame, Path::udp(a.local_addr(), b.local_addr()));
//! }
//! while let Some((run, bytes)) = batch.front() {
//!     a.try_send(run, bytes)?; // `WouldBlock`: keep the batch, try again later
//!     batch.sent();
//! }
//!
//! // In: one buffer for all sockets.
//! let mut buffer = RecvBuffer::new();
//! let mut datagrams = 0;
//! while datagrams < 10 {
//!     match b.try_recv(&mut buffer) {
//!         Ok(_) => {
//!             while let Some(datagram) = buffer.next_datagram() {
//!                 assert_eq!(datagram.path, Path::udp(b.local_addr(), a.local_addr()));
//!                 assert_eq!(datagram.payload, [7; 1_200]);
//!                 datagrams += 1;
//!             }
//!         }
//!         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
//!         Err(error) => return Err(error),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! * `tokio`: `AsyncUdpSocket`, `AsyncStreamSocket` and `AsyncStreamListener`, the same sockets with readiness through tokio;
//!   `Readiness` and `AsyncInterfaceWatcher` for the others.
//! * `tls`: `TlsConfig`, TLS (rustls) on streams.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod clock;
mod dns;
pub mod framing;
mod interfaces;
mod mdns;
#[cfg(feature = "tokio")]
mod readiness;
mod stream;
mod udp;
mod watcher;

pub use clock::{Clock, entropy_seed};
pub use dns::{Dns, DnsConfig, DnsError, DnsEvent, DnsTransmit, Hosts, LookupId, Resolver};
pub use interfaces::{Interface, host_addresses, host_addresses_among, host_addresses_of, interfaces};
pub use mdns::{GROUP_V4, Mdns, MdnsError, MdnsEvent, MdnsSocket, MdnsStats, Outlet};
#[cfg(feature = "tokio")]
pub use readiness::{AsyncInterfaceWatcher, Readiness};
#[cfg(feature = "tokio")]
pub use stream::{AsyncStreamListener, AsyncStreamSocket};
pub use stream::{Framing, StreamConfig, StreamListener, StreamSocket, StreamStats};
#[cfg(feature = "tls")]
pub use stream::{Roots, TlsConfig, TlsError, load_system_roots, system_roots_are_loaded};
#[cfg(feature = "tokio")]
pub use udp::AsyncUdpSocket;
pub use udp::{RecvBuffer, UdpConfig, UdpSocket, UdpStats};
pub use watcher::{Changes, InterfaceWatcher};
