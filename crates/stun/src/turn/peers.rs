//! Permissions and channels: [RFC 8656 sections 9 and 12](https://www.rfc-editor.org/rfc/rfc8656#section-9).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use weft_core::Instant;

use crate::wire::ChannelData;

/// A permission lasts 5 minutes (RFC 8656 section 9); it is renewed a minute before.
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
const PERMISSION_REFRESH: Duration = Duration::from_secs(240);
/// A channel lasts 10 minutes (RFC 8656 section 12); it is renewed a minute before.
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
const CHANNEL_REFRESH: Duration = Duration::from_secs(540);
/// So long after its end, neither number nor peer may be in another channel (RFC 8656 section 12).
const CHANNEL_REST: Duration = Duration::from_secs(300);

/// Peers' addresses in one CreatePermission request.
pub(super) const PERMISSIONS_A_REQUEST: usize = 8;

/// How far a permission has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Grant {
    /// It is to be asked for.
    Wanted,
    /// It was asked for, or the request is about to leave.
    Asked,
    /// The server has confirmed it.
    Granted,
}

/// A peer's IP address that may send to us.
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) ip: IpAddr,
    pub(super) grant: Grant,
    /// Whether a request has left, so that what follows it finds the permission there.
    pub(super) sent: bool,
    /// It was refused in a way that may mean that the allocation is gone.
    pub(super) doubted: bool,
    /// When it is to be asked for (again).
    pub(super) due: Instant,
    pub(super) expires: Instant,
}

/// A channel to a peer.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) number: u16,
    pub(super) peer: SocketAddr,
    /// It is kept up.
    pub(super) wanted: bool,
    /// A request was sent, so that data may come on it.
    pub(super) asked: bool,
    /// The server has confirmed it.
    pub(super) bound: bool,
    /// It was refused in a way that may mean that the allocation is gone.
    pub(super) doubted: bool,
    pub(super) due: Instant,
    pub(super) expires: Instant,
}

/// All of an allocation. Channels are in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) permissions: Vec<Permission>,
    pub(super) channels: Vec<Channel>,
    /// How many channel numbers were given away.
    numbers: u16,
}

impl Peers {
    pub(super) fn permission(&mut self, ip: IpAddr) -> Option<&mut Permission> {
        self.permissions.iter_mut().find(|permission| permission.ip == ip)
    }

    /// Whether what is sent to `ip` now will pass.
    pub(super) fn is_open(&self, ip: IpAddr) -> bool {
        self.permissions.iter().any(|permission| permission.ip == ip && permission.sent)
    }

    pub(super) fn channel_of(&self, peer: SocketAddr) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.peer == peer)
    }

    pub(super) fn channel_mut(&mut self, peer: SocketAddr) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.peer == peer)
    }

    pub(super) fn channel(&self, number: u16) -> Option<&Channel> {
        let at = self.channels.binary_search_by_key(&number, |channel| channel.number).ok()?;
        self.channels.get(at).filter(|channel| channel.asked)
    }

    pub(super) fn add_permission(&mut self, now: Instant, ip: IpAddr) {
        self.permissions.push(Permission {
            ip,
            grant: Grant::Wanted,
            sent: false,
            doubted: false,
            due: now,
            expires: Instant::FAR_FUTURE,
        });
    }

    /// Adds a channel with a number that was never used in this allocation; false if there is none left.
    pub(super) fn add_channel(&mut self, now: Instant, peer: SocketAddr) -> bool {
        let Some(number) = ChannelData::NUMBERS.start().checked_add(self.numbers) else { return false };
        if !ChannelData::NUMBERS.contains(&number) {
            return false;
        }
        self.numbers += 1;
        let expires = Instant::FAR_FUTURE;
        self.channels.push(Channel {
            number,
            peer,
            wanted: true,
            asked: false,
            bound: false,
            doubted: false,
            due: now,
            expires,
        });
        true
    }

    pub(super) fn granted(&mut self, now: Instant, ip: IpAddr) -> bool {
        let Some(permission) = self.permission(ip) else { return false };
        let new = permission.expires == Instant::FAR_FUTURE;
        permission.grant = Grant::Granted;
        permission.sent = true;
        permission.doubted = false;
        permission.due = now + PERMISSION_REFRESH;
        permission.expires = now + PERMISSION_LIFETIME;
        new
    }

    /// True if it was not bound before.
    pub(super) fn bound(&mut self, now: Instant, peer: SocketAddr) -> bool {
        let Some(channel) = self.channel_mut(peer) else { return false };
        let new = !channel.bound;
        channel.bound = true;
        channel.doubted = false;
        channel.due = now + CHANNEL_REFRESH;
        channel.expires = now + CHANNEL_LIFETIME;
        new
    }

    /// Requests under way are dropped: what they were to bring is due again.
    pub(super) fn ask_again(&mut self, now: Instant) {
        for permission in self.permissions.iter_mut().filter(|permission| permission.grant == Grant::Asked) {
            (permission.grant, permission.due) = (Grant::Wanted, now);
        }
        for channel in self.channels.iter_mut().filter(|channel| channel.wanted && channel.due == Instant::FAR_FUTURE) {
            channel.due = now;
        }
    }

    /// The allocation is gone: what is wanted is to be asked for again, from the next one.
    pub(super) fn reset(&mut self, now: Instant) {
        for permission in &mut self.permissions {
            *permission = Permission {
                ip: permission.ip,
                grant: Grant::Wanted,
                sent: false,
                doubted: false,
                due: now,
                expires: Instant::FAR_FUTURE,
            };
        }
        let wanted: Vec<_> = self.channels.drain(..).filter(|channel| channel.wanted).map(|c| c.peer).collect();
        self.numbers = 0;
        for peer in wanted {
            self.add_channel(now, peer);
        }
    }

    /// Lets go of what has run out.
    pub(super) fn expire(&mut self, now: Instant) {
        for permission in &mut self.permissions {
            if permission.expires <= now {
                (permission.sent, permission.expires) = (false, Instant::FAR_FUTURE);
            }
        }
        for channel in &mut self.channels {
            if channel.expires <= now {
                channel.bound = false;
            }
        }
        self.channels.retain(|channel| channel.wanted || channel.expires + CHANNEL_REST > now);
    }

    /// When something is to be asked for or runs out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.permissions.iter().filter(|p| p.grant != Grant::Asked).map(|permission| permission.due);
        let wanted = self.channels.iter().filter(|channel| channel.wanted).map(|channel| channel.due);
        let resting = self.channels.iter().filter(|channel| !channel.wanted);
        let expiry = self.permissions.iter().map(|permission| permission.expires);
        let channel_expiry = self.channels.iter().filter(|channel| channel.bound).map(|channel| channel.expires);
        let resting = resting.map(|channel| channel.expires + CHANNEL_REST);
        due.chain(wanted).chain(expiry).chain(channel_expiry).chain(resting).min()
    }
}
