//! Names of hosts, resolved without waiting and without a thread.

mod config;
mod hosts;
mod message;
mod resolver;
mod socket;

pub use config::DnsConfig;
pub use hosts::Hosts;
pub use resolver::{DnsError, DnsEvent, DnsTransmit, LookupId, Resolver};
pub use socket::Dns;
