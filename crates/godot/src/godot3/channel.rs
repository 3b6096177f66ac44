//! A data channel behind an engine object.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use bytes::Bytes;

use super::api::{ChannelInterface, ChannelInterface2, NET_VERSION, Object};
use super::engine::{Engine, c_string, engine, guard};
use super::script::CHANNEL_CLASS;
use crate::channel::Channel;
use crate::error;

/// What stands behind one object; `data` of its interface points here.
pub(super) struct ChannelInstance {
    object: *mut Object,
    channel: RefCell<Channel>,
    /// The packet that the script reads: it must stay until the next one is asked for.
    packet: RefCell<Bytes>,
    label: CString,
    protocol: CString,
    interface: ChannelInterface,
}

/// Behind `ChannelInterface::next`, the same for all.
static INTERFACE_2: ChannelInterface2 = ChannelInterface2 { get_buffered_amount, next: ptr::null_mut() };

// SAFETY: it is never written.
unsafe impl Sync for ChannelInterface2 {}

thread_local! {
    /// The channel that the next instance is for: a create function is told nothing but its object.
    static NEXT: RefCell<Option<Channel>> = const { RefCell::new(None) };
}

impl ChannelInstance {
    /// An engine object for a channel. Its first reference is the caller's.
    pub(super) fn make(engine: &Engine, channel: Channel) -> Option<*mut Object> {
        let object = engine.construct(c"WebRTCDataChannelGDNative")?;
        NEXT.with(|next| next.replace(Some(channel)));
        // SAFETY: just made. It cannot fail once peers could be attached; the empty object is given back then.
        let attached = unsafe { engine.attach(object, CHANNEL_CLASS) };
        NEXT.with(RefCell::take);
        if !attached {
            engine.error("the engine has refused the script class of data channels");
        }
        Some(object)
    }

    /// The instance for a new object, bound to it. Null for an object that a script made out of our class by itself.
    pub(super) fn create(object: *mut Object) -> *mut Self {
        let (Some(engine), Some(channel)) = (engine(), NEXT.with(RefCell::take)) else { return ptr::null_mut() };
        let instance = Box::into_raw(Box::new(Self {
            object,
            packet: RefCell::new(Bytes::new()),
            label: c_string(channel.label()),
            protocol: c_string(channel.protocol()),
            channel: RefCell::new(channel),
            interface: interface(),
        }));
        // SAFETY: just made; the engine keeps the interface until it is unbound in `destroy`.
        unsafe {
            (*instance).interface.data = instance.cast::<c_void>();
            (engine.net.bind_webrtc_data_channel)(object, &raw const (*instance).interface);
        }
        instance
    }

    /// The object dies, or has been given another script: the channel closes.
    ///
    /// # Safety
    /// `instance` must come from [`create`](Self::create), and not be used again.
    pub(super) unsafe fn destroy(instance: *mut Self) {
        if instance.is_null() {
            return;
        }
        // SAFETY: the caller's promise. Unbinding only writes a field of the object, whose memory still stands.
        unsafe {
            let instance = Box::from_raw(instance);
            if let Some(engine) = engine() {
                (engine.net.bind_webrtc_data_channel)(instance.object, ptr::null());
            }
        }
    }
}

fn interface() -> ChannelInterface {
    ChannelInterface {
        version: NET_VERSION,
        data: ptr::null_mut(),
        get_packet,
        put_packet,
        get_available_packet_count,
        get_max_packet_size,
        set_write_mode,
        get_write_mode,
        was_string_packet,
        get_ready_state,
        get_label,
        is_ordered,
        get_id,
        get_max_packet_life_time,
        get_max_retransmits,
        get_protocol,
        is_negotiated,
        poll,
        close,
        next: &raw const INTERFACE_2,
    }
}

/// Runs a call of the engine against the instance.
fn enter<T: Copy>(data: *const c_void, otherwise: T, work: impl FnOnce(&ChannelInstance) -> T) -> T {
    // SAFETY: `data` is the pointer of `create`, valid while bound.
    guard(otherwise, || unsafe { data.cast::<ChannelInstance>().as_ref() }.map_or(otherwise, work))
}

/// As [`enter`], for what the channel alone answers.
fn ask<T: Copy>(data: *const c_void, otherwise: T, work: impl FnOnce(&mut Channel) -> T) -> T {
    enter(data, otherwise, |instance| {
        instance.channel.try_borrow_mut().map_or(otherwise, |mut channel| work(&mut channel))
    })
}

unsafe extern "C" fn get_packet(data: *mut c_void, packet: *mut *const u8, length: *mut c_int) -> c_int {
    enter(data, error::BUG, |instance| {
        let Ok(received) = instance.channel.try_borrow_mut().map(|mut channel| channel.get_packet()) else {
            return error::BUG;
        };
        let (bytes, answer) = received.map_or_else(|error| (Bytes::new(), error), |bytes| (bytes, error::OK));
        if let Ok(mut kept) = instance.packet.try_borrow_mut() {
            *kept = bytes;
            // SAFETY: the engine's places for the result.
            unsafe {
                packet.write(kept.as_ptr());
                length.write(c_int::try_from(kept.len()).unwrap_or(0));
            }
        }
        answer
    })
}

unsafe extern "C" fn put_packet(data: *mut c_void, packet: *const u8, length: c_int) -> c_int {
    ask(data, error::BUG, |channel| {
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: the engine lends that many bytes.
        let bytes = if packet.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(packet, length) } };
        channel.put_packet(bytes)
    })
}

unsafe extern "C" fn get_available_packet_count(data: *const c_void) -> c_int {
    ask(data, 0, |channel| channel.available_packets())
}

unsafe extern "C" fn get_max_packet_size(data: *const c_void) -> c_int {
    ask(data, 0, |channel| channel.max_packet_size())
}

unsafe extern "C" fn set_write_mode(data: *mut c_void, mode: c_int) {
    ask(data, (), |channel| channel.set_write_mode(mode));
}

unsafe extern "C" fn get_write_mode(data: *const c_void) -> c_int {
    ask(data, crate::channel::WRITE_MODE_BINARY, |channel| channel.write_mode())
}

unsafe extern "C" fn was_string_packet(data: *const c_void) -> bool {
    ask(data, false, |channel| channel.was_string_packet())
}

unsafe extern "C" fn get_ready_state(data: *const c_void) -> c_int {
    ask(data, crate::channel::STATE_CLOSED, |channel| channel.ready_state())
}

unsafe extern "C" fn get_label(data: *const c_void) -> *const c_char {
    enter(data, c"".as_ptr(), |instance| instance.label.as_ptr())
}

unsafe extern "C" fn is_ordered(data: *const c_void) -> bool {
    ask(data, false, |channel| channel.is_ordered())
}

unsafe extern "C" fn get_id(data: *const c_void) -> c_int {
    ask(data, crate::channel::UNSET, |channel| channel.id())
}

unsafe extern "C" fn get_max_packet_life_time(data: *const c_void) -> c_int {
    ask(data, crate::channel::UNSET, |channel| channel.max_packet_life_time())
}

unsafe extern "C" fn get_max_retransmits(data: *const c_void) -> c_int {
    ask(data, crate::channel::UNSET, |channel| channel.max_retransmits())
}

unsafe extern "C" fn get_protocol(data: *const c_void) -> *const c_char {
    enter(data, c"".as_ptr(), |instance| instance.protocol.as_ptr())
}

unsafe extern "C" fn is_negotiated(data: *const c_void) -> bool {
    ask(data, false, |channel| channel.is_negotiated())
}

/// Reserved by the engine: packets come with the peer connection's `poll`.
unsafe extern "C" fn poll(_: *mut c_void) -> c_int {
    error::OK
}

unsafe extern "C" fn close(data: *mut c_void) {
    ask(data, (), Channel::close);
}

unsafe extern "C" fn get_buffered_amount(data: *const c_void) -> c_int {
    ask(data, 0, |channel| channel.buffered_amount())
}
