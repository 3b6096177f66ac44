//! Our two script classes: how instances begin and end, and what they offer to scripts beyond the engine's classes.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use super::api::{InstanceCreate, InstanceDestroy, InstanceMethod, Method, MethodAttributes, Object, RawVariant};
use super::channel::ChannelInstance;
use super::engine::{Engine, Variant, c_string, guard};
use super::peer::PeerInstance;
use crate::value::Value;

/// The script class behind each peer connection.
pub(super) const PEER_CLASS: &str = "WeftPeerConnection";
/// The script class behind each data channel.
pub(super) const CHANNEL_CLASS: &str = "WeftDataChannel";

/// Tells the engine of our classes.
///
/// # Safety
/// In `godot_nativescript_init`, with its handle.
pub(super) unsafe fn register(engine: &Engine, handle: *mut c_void) {
    let class = |name: &str, base: &CStr, create, destroy| {
        let name = c_string(name);
        let create = InstanceCreate { create, method_data: ptr::null_mut(), free: None };
        let destroy = InstanceDestroy { destroy, method_data: ptr::null_mut(), free: None };
        // SAFETY: the caller's promise; names are copied.
        unsafe { (engine.nativescript.register_class)(handle, name.as_ptr(), base.as_ptr(), create, destroy) };
    };
    class(PEER_CLASS, c"WebRTCPeerConnectionGDNative", create_peer, destroy_peer);
    class(CHANNEL_CLASS, c"WebRTCDataChannelGDNative", create_channel, destroy_channel);

    let class = c_string(PEER_CLASS);
    for (name, method) in PEER_METHODS {
        let method = InstanceMethod { method: *method, method_data: ptr::null_mut(), free: None };
        // SAFETY: as above.
        unsafe {
            (engine.nativescript.register_method)(
                handle,
                class.as_ptr(),
                name.as_ptr(),
                MethodAttributes::default(),
                method,
            );
        }
    }
}

/// Methods beyond the engine's.
const PEER_METHODS: &[(&CStr, Method)] = &[(c"get_selected_pair", selected_pair), (c"get_stats", stats)];

unsafe extern "C" fn create_peer(object: *mut Object, _: *mut c_void) -> *mut c_void {
    guard(ptr::null_mut(), || PeerInstance::create(object).cast::<c_void>())
}

unsafe extern "C" fn destroy_peer(_: *mut Object, _: *mut c_void, instance: *mut c_void) {
    // SAFETY: what `create_peer` gave, once.
    guard((), || unsafe { PeerInstance::destroy(instance.cast::<PeerInstance>()) });
}

unsafe extern "C" fn create_channel(object: *mut Object, _: *mut c_void) -> *mut c_void {
    guard(ptr::null_mut(), || ChannelInstance::create(object).cast::<c_void>())
}

unsafe extern "C" fn destroy_channel(_: *mut Object, _: *mut c_void, instance: *mut c_void) {
    // SAFETY: what `create_channel` gave, once.
    guard((), || unsafe { ChannelInstance::destroy(instance.cast::<ChannelInstance>()) });
}

/// Answers a script's call of a peer's method.
///
/// # Safety
/// `instance` must be null or the user data of a peer.
unsafe fn answer(instance: *mut c_void, make: impl FnOnce(&PeerInstance) -> Value) -> RawVariant {
    let value = guard(Value::Nil, || {
        // SAFETY: the caller's promise; the instance lives as long as its object.
        unsafe { instance.cast::<PeerInstance>().as_ref() }.map_or(Value::Nil, make)
    });
    Variant::from_value(&value).into_raw()
}

unsafe extern "C" fn selected_pair(
    _: *mut Object,
    _: *mut c_void,
    instance: *mut c_void,
    _: c_int,
    _: *mut *mut RawVariant,
) -> RawVariant {
    // SAFETY: the engine hands in the instance of the object.
    unsafe { answer(instance, |peer| peer.with(|p| p.selected_pair()).unwrap_or(Value::Nil)) }
}

unsafe extern "C" fn stats(
    _: *mut Object,
    _: *mut c_void,
    instance: *mut c_void,
    _: c_int,
    _: *mut *mut RawVariant,
) -> RawVariant {
    // SAFETY: as above.
    unsafe { answer(instance, |peer| peer.with(|p| p.stats()).unwrap_or(Value::Nil)) }
}
