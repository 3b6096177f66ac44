//! Our two classes as the engine registers them.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::OnceLock;

use super::api::{
    CallError, ClassInfo, METHOD_DEFAULT, MethodInfo, Object, PropertyInfo, RawString, RawStringName, RawVariant,
    USAGE_VARIANT, Virtual, kind,
};
use super::channel::{self, ChannelInstance};
use super::engine::{Engine, Variant, engine, guard};
use super::peer::{self, PeerInstance};
use crate::peer::Peer;
use crate::value::Value;

/// The names that are compared with what the engine asks for, made once.
pub(super) struct Names {
    pub(super) peer: RawStringName,
    pub(super) peer_base: RawStringName,
    pub(super) channel: RawStringName,
    pub(super) channel_base: RawStringName,
    peer_virtuals: Vec<(RawStringName, Virtual)>,
    channel_virtuals: Vec<(RawStringName, Virtual)>,
}

static NAMES: OnceLock<Names> = OnceLock::new();

pub(super) fn names() -> Option<&'static Names> {
    NAMES.get()
}

/// Registers both classes and makes the first the default.
pub(super) fn register(engine: &Engine) {
    let virtuals = |table: &[(&CStr, Virtual)]| table.iter().map(|(name, f)| (engine.name(name), *f)).collect();
    let names = NAMES.get_or_init(|| Names {
        peer: engine.name(c"WeftPeerConnection"),
        peer_base: engine.name(c"WebRTCPeerConnectionExtension"),
        channel: engine.name(c"WeftDataChannel"),
        channel_base: engine.name(c"WebRTCDataChannelExtension"),
        peer_virtuals: virtuals(peer::VIRTUALS),
        channel_virtuals: virtuals(channel::VIRTUALS),
    });
    let peer = info(create_peer, free_peer, peer_virtual);
    let channel = info(create_channel, free_channel, channel_virtual);
    // SAFETY: names and infos live through the calls; the engine copies them.
    unsafe {
        let register = engine.interface.classdb_register_extension_class2;
        register(engine.library, &raw const names.peer, &raw const names.peer_base, &raw const peer);
        register(engine.library, &raw const names.channel, &raw const names.channel_base, &raw const channel);
    }
    for (name, method) in METHODS {
        add_method(engine, &names.peer, name, *method);
    }
    if !engine.set_default_extension(&names.peer) {
        engine.error("this engine has no WebRTCPeerConnection.set_default_extension");
    }
}

/// The library is about to be unloaded.
pub(super) fn unregister(engine: &Engine) {
    if let Some(names) = names() {
        for class in [&names.peer, &names.channel] {
            // SAFETY: registered by us, without instances left.
            unsafe { (engine.interface.classdb_unregister_extension_class)(engine.library, ptr::from_ref(class)) };
        }
    }
}

fn info(
    create_instance: unsafe extern "C" fn(*mut c_void) -> *mut Object,
    free_instance: unsafe extern "C" fn(*mut c_void, *mut c_void),
    get_virtual: unsafe extern "C" fn(*mut c_void, *const RawStringName) -> Option<Virtual>,
) -> ClassInfo {
    ClassInfo {
        is_virtual: 0,
        is_abstract: 0,
        is_exposed: 1,
        set: ptr::null(),
        get: ptr::null(),
        get_property_list: ptr::null(),
        free_property_list: ptr::null(),
        property_can_revert: ptr::null(),
        property_get_revert: ptr::null(),
        validate_property: ptr::null(),
        notification: ptr::null(),
        to_string: ptr::null(),
        reference: ptr::null(),
        unreference: ptr::null(),
        create_instance,
        free_instance,
        recreate_instance: ptr::null(),
        get_virtual,
        get_virtual_call_data: ptr::null(),
        call_virtual_with_data: ptr::null(),
        get_rid: ptr::null(),
        class_userdata: ptr::null_mut(),
    }
}

unsafe extern "C" fn create_peer(_: *mut c_void) -> *mut Object {
    guard(ptr::null_mut(), || {
        let (Some(engine), Some(names)) = (engine(), names()) else { return ptr::null_mut() };
        // SAFETY: the base class exists; the instance is freed by `free_peer`.
        unsafe {
            let object = (engine.interface.classdb_construct_object)(&raw const names.peer_base);
            let instance = PeerInstance::create(object);
            (engine.interface.object_set_instance)(object, &raw const names.peer, instance.cast());
            object
        }
    })
}

unsafe extern "C" fn free_peer(_: *mut c_void, instance: *mut c_void) {
    if !instance.is_null() {
        // SAFETY: what `create_peer` gave, once.
        guard((), || unsafe { drop(Box::from_raw(instance.cast::<PeerInstance>())) });
    }
}

unsafe extern "C" fn create_channel(_: *mut c_void) -> *mut Object {
    // `WeftDataChannel.new()` in a script: a channel of nothing, closed for ever.
    guard(ptr::null_mut(), || engine().map_or(ptr::null_mut(), |engine| ChannelInstance::make(engine, None)))
}

unsafe extern "C" fn free_channel(_: *mut c_void, instance: *mut c_void) {
    if !instance.is_null() {
        // SAFETY: what `ChannelInstance::make` gave, once.
        guard((), || unsafe { drop(Box::from_raw(instance.cast::<ChannelInstance>())) });
    }
}

unsafe extern "C" fn peer_virtual(_: *mut c_void, name: *const RawStringName) -> Option<Virtual> {
    names().and_then(|names| find(&names.peer_virtuals, name))
}

unsafe extern "C" fn channel_virtual(_: *mut c_void, name: *const RawStringName) -> Option<Virtual> {
    names().and_then(|names| find(&names.channel_virtuals, name))
}

fn find(table: &[(RawStringName, Virtual)], name: *const RawStringName) -> Option<Virtual> {
    // SAFETY: the engine lends a name.
    let name = unsafe { name.as_ref() }?;
    table.iter().find(|(known, _)| known == name).map(|(_, function)| *function)
}

/// What a script's call of one of our methods gives.
type Answer = fn(&PeerInstance) -> Value;

/// Methods beyond the engine's.
const METHODS: &[(&CStr, Answer)] = &[
    (c"get_selected_pair", |peer| peer.with(|p| p.selected_pair()).unwrap_or(Value::Nil)),
    (c"get_stats", |peer| peer.with(|p| p.stats()).unwrap_or(Value::Nil)),
    (c"get_ice_errors", |peer| peer.with(|p| p.ice_errors()).unwrap_or(Value::Nil)),
    (c"restart_ice", |peer| peer.with(Peer::restart_ice).map_or(Value::Nil, |code| Value::Int(code.into()))),
];

fn add_method(engine: &Engine, class: &RawStringName, name: &CStr, answer: Answer) {
    let (mut name, mut none, mut no_hint) = (engine.name(name), engine.name(c""), RawString(0));
    let (mut result_name, usage) = (engine.name(c""), USAGE_VARIANT);
    let mut result = PropertyInfo {
        kind: kind::NIL,
        name: &raw mut result_name,
        class_name: &raw mut none,
        hint: 0,
        hint_string: &raw mut no_hint,
        usage,
    };
    let method = MethodInfo {
        name: &raw mut name,
        userdata: answer as *mut c_void,
        call,
        ptrcall,
        flags: METHOD_DEFAULT,
        has_return_value: 1,
        return_value: &raw mut result,
        return_metadata: 0,
        argument_count: 0,
        arguments: ptr::null_mut(),
        arguments_metadata: ptr::null_mut(),
        default_count: 0,
        defaults: ptr::null_mut(),
    };
    // SAFETY: all of it lives through the call; the engine copies it.
    unsafe {
        (engine.interface.classdb_register_extension_class_method)(
            engine.library,
            ptr::from_ref(class),
            &raw const method,
        );
    }
}

unsafe fn answer(method: *mut c_void, instance: *mut c_void, place: *mut RawVariant) {
    let value = guard(Value::Nil, || {
        // SAFETY: `method` is the function of `add_method`, `instance` the user data of a peer.
        unsafe {
            let method = std::mem::transmute::<*mut c_void, Answer>(method);
            instance.cast::<PeerInstance>().as_ref().map_or(Value::Nil, method)
        }
    });
    // SAFETY: the engine's place for the result.
    unsafe { Variant::from_value(&value).write(place) };
}

unsafe extern "C" fn call(
    method: *mut c_void,
    instance: *mut c_void,
    _: *const *const RawVariant,
    _: i64,
    place: *mut RawVariant,
    _: *mut CallError,
) {
    // SAFETY: the engine's call of a method of ours.
    unsafe { answer(method, instance, place) };
}

unsafe extern "C" fn ptrcall(method: *mut c_void, instance: *mut c_void, _: *const *const c_void, place: *mut c_void) {
    // SAFETY: as above.
    unsafe { answer(method, instance, place.cast()) };
}
