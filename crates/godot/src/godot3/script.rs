//! Our two script classes: how instances begin and end, and what they offer to scripts beyond the engine's classes.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use super::api::{InstanceCreate, InstanceDestroy, InstanceMethod, MethodAttributes, Object, RawVariant};
use super::channel::ChannelInstance;
use super::engine::{Engine, Variant, c_string, guard};
use super::peer::PeerInstance;
use crate::peer::Peer;
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
        let method = InstanceMethod { method: call, method_data: *method as *mut c_void, free: None };
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

/// What a script's call of one of our methods gives.
type Answer = fn(&PeerInstance) -> Value;

/// Methods beyond the engine's.
const PEER_METHODS: &[(&CStr, Answer)] = &[
    (c"get_selected_pair", |peer| peer.with(|p| p.selected_pair()).unwrap_or(Value::Nil)),
    (c"get_stats", |peer| peer.with(|p| p.stats()).unwrap_or(Value::Nil)),
    (c"get_ice_errors", |peer| peer.with(|p| p.ice_errors()).unwrap_or(Value::Nil)),
    (c"restart_ice", |peer| peer.with(Peer::restart_ice).map_or(Value::Nil, |code| Value::Int(code.into()))),
];

/// Any of [`PEER_METHODS`]: the method's data is what answers.
unsafe extern "C" fn call(
    _: *mut Object,
    method: *mut c_void,
    instance: *mut c_void,
    _: c_int,
    _: *mut *mut RawVariant,
) -> RawVariant {
    let value = guard(Value::Nil, || {
        // SAFETY: `method` is the function of `register`, `instance` the user data of a peer.
        unsafe {
            let method = std::mem::transmute::<*mut c_void, Answer>(method);
            instance.cast::<PeerInstance>().as_ref().map_or(Value::Nil, method)
        }
    });
    Variant::from_value(&value).into_raw()
}
