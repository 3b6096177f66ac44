//! Interfaces that come and go: sockets and candidates follow.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::task::Context;

use weft_core::Instant;
use weft_net::{AsyncInterfaceWatcher, AsyncStreamListener, AsyncUdpSocket, Interface};

use super::driver::Driver;
use super::outlet::Outlet;
use crate::config::Config;
use crate::io;

/// What the endpoint was bound with, and the watch on the interfaces.
#[derive(Debug)]
pub(super) struct Follow {
    config: Config,
    watcher: Option<AsyncInterfaceWatcher>,
    /// The sockets are not those that the endpoint began with.
    moved: bool,
}

impl Follow {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let watcher = io::watch(config, now, AsyncInterfaceWatcher::new);
        Self { config: config.clone(), watcher, moved: false }
    }

    /// The interfaces there are.
    pub(super) fn interfaces(&self) -> std::io::Result<Cow<'_, [Interface]>> {
        io::interfaces(self.watcher.as_ref().map(AsyncInterfaceWatcher::interfaces))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.watcher.as_ref().and_then(AsyncInterfaceWatcher::poll_timeout)
    }
}

impl Driver {
    /// Looks whether interfaces have changed, and changes the sockets with them.
    pub(super) fn follow(&mut self, now: Instant) {
        let Some(watcher) = &mut self.follow.watcher else { return };
        match watcher.poll(now, &mut Context::from_waker(self.bell.waker())) {
            Ok(changes) if changes.is_empty() => return,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "interfaces are not followed");
                self.follow.watcher = None;
                return;
            }
        }
        let wanted = io::addresses(&self.follow.config, watcher.interfaces());
        self.move_to(now, &wanted);
    }

    fn move_to(&mut self, now: Instant, wanted: &[IpAddr]) {
        self.names.refresh();
        // Names may have other sockets.
        self.bell.ring();
        let stays = |address: SocketAddr| wanted.contains(&address.ip());
        let gone: Vec<SocketAddr> = self.outlets.iter().map(|outlet| outlet.socket.local_addr()).collect();
        let gone: Vec<SocketAddr> = gone.into_iter().filter(|address| !stays(*address)).collect();
        for key in self.connections.keys() {
            self.connections.set_outlet(key, None);
        }
        for outlet in self.outlets.extract_if(.., |outlet| !stays(outlet.socket.local_addr())) {
            outlet.abandon(&self.hub, &mut self.connections);
        }
        self.listeners.retain(stays);
        let appeared = self.bind_missing(now, wanted);
        if gone.is_empty() && !appeared {
            return;
        }
        self.follow.moved = true;
        let addresses = {
            let mut addresses = self.hub.addresses();
            addresses.udp.retain(|address| stays(*address));
            addresses.listeners.retain(|address| stays(*address));
            for (_, name) in addresses.names.extract_if(.., |(ip, _)| !wanted.contains(ip)) {
                self.names.unhide(&name);
            }
            addresses.clone()
        };
        for key in self.connections.keys() {
            self.connections.act(key, |core| {
                for address in &gone {
                    core.remove_host_address(now, *address);
                }
                addresses.announce(now, core);
            });
        }
    }

    /// Sockets for addresses that have none. Whether there is a new one.
    fn bind_missing(&mut self, now: Instant, wanted: &[IpAddr]) -> bool {
        let config = &self.follow.config;
        let mut appeared = false;
        for ip in wanted {
            if self.outlets.iter().any(|outlet| outlet.socket.local_addr().ip() == *ip) {
                continue;
            }
            let socket = match io::bind_one(config, *ip).and_then(AsyncUdpSocket::new) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::debug!(%ip, %error, "address not bound");
                    continue;
                }
            };
            appeared = true;
            let name = self.names.hide_if(config, now, *ip);
            let listener = io::listen(config, *ip).and_then(|listener| AsyncStreamListener::new(listener).ok());
            let mut addresses = self.hub.addresses();
            addresses.udp.push(socket.local_addr());
            addresses.listeners.extend(listener.as_ref().map(AsyncStreamListener::local_addr));
            if !addresses.names.iter().any(|(known, _)| known == ip) {
                addresses.names.extend(name.map(|name| (*ip, name)));
            }
            drop(addresses);
            self.outlets.push(Outlet::new(socket));
            if let Some(listener) = listener {
                self.listeners.push(listener);
            }
        }
        appeared
    }

    /// A connection that was made while the sockets changed may know of others.
    pub(super) fn catch_up(&mut self, key: u64) {
        if !self.follow.moved {
            return;
        }
        let now = self.hub.clock.now();
        let addresses = self.hub.addresses().clone();
        self.connections.act(key, |core| {
            for stale in
                core.host_addresses().iter().filter(|known| !addresses.udp.contains(known)).copied().collect::<Vec<_>>()
            {
                core.remove_host_address(now, stale);
            }
            addresses.announce(now, core);
        });
    }
}
