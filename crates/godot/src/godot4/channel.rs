//! A data channel behind an engine object: its virtual functions.

use std::cell::RefCell;
use std::ffi::{CStr, c_void};

use bytes::Bytes;

use super::api::{Object, Virtual};
use super::class::names;
use super::engine::{Engine, guard, write_string};
use crate::channel::{Channel, STATE_CLOSED, UNSET, WRITE_MODE_BINARY};
use crate::error;

/// What stands behind one object.
pub(super) struct ChannelInstance {
    /// None for an object that a script made by itself.
    channel: Option<RefCell<Channel>>,
    /// The packet that the script reads: it must stay until the next one is asked for.
    packet: RefCell<Bytes>,
}

impl ChannelInstance {
    /// An engine object for a channel, with its first reference not taken yet.
    pub(super) fn make(engine: &Engine, channel: Option<Channel>) -> *mut Object {
        let Some(names) = names() else { return std::ptr::null_mut() };
        let instance = Box::new(Self { channel: channel.map(RefCell::new), packet: RefCell::new(Bytes::new()) });
        // SAFETY: the base class exists; the engine frees the instance with the object.
        unsafe {
            let object = (engine.interface.classdb_construct_object)(&raw const names.channel_base);
            (engine.interface.object_set_instance)(object, &raw const names.channel, Box::into_raw(instance).cast());
            object
        }
    }
}

/// The virtual functions of `WebRTCDataChannelExtension`.
pub(super) const VIRTUALS: &[(&CStr, Virtual)] = &[
    (c"_get_packet", get_packet),
    (c"_put_packet", put_packet),
    (c"_get_available_packet_count", get_available_packet_count),
    (c"_get_max_packet_size", get_max_packet_size),
    (c"_poll", poll),
    (c"_close", close),
    (c"_set_write_mode", set_write_mode),
    (c"_get_write_mode", get_write_mode),
    (c"_was_string_packet", was_string_packet),
    (c"_get_ready_state", get_ready_state),
    (c"_get_label", get_label),
    (c"_is_ordered", is_ordered),
    (c"_get_id", get_id),
    (c"_get_max_packet_life_time", get_max_packet_life_time),
    (c"_get_max_retransmits", get_max_retransmits),
    (c"_get_protocol", get_protocol),
    (c"_is_negotiated", is_negotiated),
    (c"_get_buffered_amount", get_buffered_amount),
];

/// Runs a call of the engine against the channel.
fn enter<T>(instance: *mut c_void, otherwise: T, work: impl FnOnce(&ChannelInstance, &mut Channel) -> T) -> T
where
    T: Clone,
{
    guard(otherwise.clone(), || {
        // SAFETY: the pointer of `make`, valid as long as its object.
        let Some(instance) = (unsafe { instance.cast::<ChannelInstance>().as_ref() }) else { return otherwise };
        match instance.channel.as_ref().map(RefCell::try_borrow_mut) {
            Some(Ok(mut channel)) => work(instance, &mut channel),
            _ => otherwise,
        }
    })
}

/// Answers with a number.
///
/// # Safety
/// `result` must be the engine's place for a number.
unsafe fn number(instance: *mut c_void, result: *mut c_void, otherwise: i32, work: impl FnOnce(&mut Channel) -> i32) {
    let answer = enter(instance, otherwise, |_, channel| work(channel));
    // SAFETY: the caller's promise; numbers of every size travel as 64 bits.
    unsafe { result.cast::<i64>().write(answer.into()) };
}

/// Answers with a truth value.
///
/// # Safety
/// `result` must be the engine's place for one.
unsafe fn flag(instance: *mut c_void, result: *mut c_void, work: impl FnOnce(&mut Channel) -> bool) {
    let answer = enter(instance, false, |_, channel| work(channel));
    // SAFETY: the caller's promise.
    unsafe { result.cast::<u8>().write(answer.into()) };
}

unsafe extern "C" fn get_packet(instance: *mut c_void, arguments: *const *const c_void, result: *mut c_void) {
    let answer = enter(instance, error::UNCONFIGURED, |instance, channel| {
        let (bytes, answer) = channel.get_packet().map_or_else(|e| (Bytes::new(), e), |bytes| (bytes, error::OK));
        if let Ok(mut kept) = instance.packet.try_borrow_mut() {
            *kept = bytes;
            // SAFETY: two arguments: where the pointer goes, and where the length goes.
            unsafe {
                (*arguments).cast::<*mut *const u8>().read().write(kept.as_ptr());
                let length = i32::try_from(kept.len()).unwrap_or(0);
                (*arguments.add(1)).cast::<*mut i32>().read().write(length);
            }
        }
        answer
    });
    // SAFETY: a virtual function that answers a number.
    unsafe { result.cast::<i64>().write(answer.into()) };
}

unsafe extern "C" fn put_packet(instance: *mut c_void, arguments: *const *const c_void, result: *mut c_void) {
    // SAFETY: two arguments, a pointer to bytes and their number; a virtual function that answers a number.
    unsafe {
        let bytes = (*arguments).cast::<*const u8>().read();
        let length = usize::try_from((*arguments.add(1)).cast::<i64>().read()).unwrap_or(0);
        let bytes = if bytes.is_null() { &[] } else { std::slice::from_raw_parts(bytes, length) };
        number(instance, result, error::UNCONFIGURED, |channel| channel.put_packet(bytes));
    }
}

unsafe extern "C" fn get_available_packet_count(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { number(instance, result, 0, |channel| channel.available_packets()) };
}

unsafe extern "C" fn get_max_packet_size(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { number(instance, result, 0, |channel| channel.max_packet_size()) };
}

/// Reserved by the engine: packets come with the peer connection's `poll`.
unsafe extern "C" fn poll(_: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { result.cast::<i64>().write(error::OK.into()) };
}

unsafe extern "C" fn close(instance: *mut c_void, _: *const *const c_void, _: *mut c_void) {
    enter(instance, (), |_, channel| channel.close());
}

unsafe extern "C" fn set_write_mode(instance: *mut c_void, arguments: *const *const c_void, _: *mut c_void) {
    // SAFETY: one argument, a number.
    let mode = unsafe { (*arguments).cast::<i64>().read() };
    enter(instance, (), |_, channel| channel.set_write_mode(i32::try_from(mode).unwrap_or(WRITE_MODE_BINARY)));
}

unsafe extern "C" fn get_write_mode(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { number(instance, result, WRITE_MODE_BINARY, |channel| channel.write_mode()) };
}

unsafe extern "C" fn was_string_packet(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a truth value.
    unsafe { flag(instance, result, |channel| channel.was_string_packet()) };
}

unsafe extern "C" fn get_ready_state(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { number(instance, result, STATE_CLOSED, |channel| channel.ready_state()) };
}

unsafe extern "C" fn get_label(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    let label = enter(instance, String::new(), |_, channel| channel.label().to_owned());
    // SAFETY: a virtual function that answers text.
    unsafe { write_string(result, &label) };
}

unsafe extern "C" fn is_ordered(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a truth value.
    unsafe { flag(instance, result, |channel| channel.is_ordered()) };
}

unsafe extern "C" fn get_id(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { number(instance, result, UNSET, |channel| channel.id()) };
}

unsafe extern "C" fn get_max_packet_life_time(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { number(instance, result, UNSET, |channel| channel.max_packet_life_time()) };
}

unsafe extern "C" fn get_max_retransmits(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { number(instance, result, UNSET, |channel| channel.max_retransmits()) };
}

unsafe extern "C" fn get_protocol(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    let protocol = enter(instance, String::new(), |_, channel| channel.protocol().to_owned());
    // SAFETY: a virtual function that answers text.
    unsafe { write_string(result, &protocol) };
}

unsafe extern "C" fn is_negotiated(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a truth value.
    unsafe { flag(instance, result, |channel| channel.is_negotiated()) };
}

unsafe extern "C" fn get_buffered_amount(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { number(instance, result, 0, |channel| channel.buffered_amount()) };
}
