//! The symbols that the engine looks up in the library.

use std::ffi::{c_int, c_void};

use super::api::{InitOptions, NET_VERSION, Object, WebRtcLibrary};
use super::engine::{Engine, engine, guard};
use super::script;
use crate::error;

/// The table the engine keeps.
static LIBRARY: WebRtcLibrary =
    WebRtcLibrary { version: NET_VERSION, unregistered, create_peer_connection, next: std::ptr::null_mut() };

// SAFETY: it is never written.
unsafe impl Sync for WebRtcLibrary {}

/// Another library has become the default.
unsafe extern "C" fn unregistered() {}

/// `WebRTCPeerConnection.new()` in a script: make the engine's empty object one of ours.
unsafe extern "C" fn create_peer_connection(object: *mut Object) -> c_int {
    guard(error::BUG, || {
        let Some(engine) = engine().filter(|_| !object.is_null()) else { return error::UNCONFIGURED };
        // SAFETY: the engine has just made the object.
        let attached = unsafe { engine.attach(object, script::PEER_CLASS) };
        if attached { error::OK } else { error::FAILED }
    })
}

/// Called once when the library is loaded.
///
/// # Safety
/// For the engine, with its options.
#[unsafe(no_mangle)]
unsafe extern "C" fn godot_gdnative_init(options: *const InitOptions) {
    guard((), || {
        if options.is_null() {
            return;
        }
        // SAFETY: the engine's options live through this call, its tables and the library object longer.
        unsafe {
            let options = &*options;
            if let Err(missing) = Engine::install(options.core, options.library)
                && let Some(report) = options.report_loading_error
            {
                report(options.library, missing.as_ptr());
            }
        }
    });
}

/// Called right after, for libraries listed as singletons. The engine's WebRTC classes do not exist yet.
///
/// # Safety
/// For the engine.
#[unsafe(no_mangle)]
unsafe extern "C" fn godot_gdnative_singleton() {
    guard((), || {
        if let Some(engine) = engine() {
            // SAFETY: the table is static.
            unsafe { (engine.net.set_webrtc_library)(&raw const LIBRARY) };
        }
    });
}

/// Called when the first of our script classes is about to be used.
///
/// # Safety
/// For the engine, with its handle.
#[unsafe(no_mangle)]
unsafe extern "C" fn godot_nativescript_init(handle: *mut c_void) {
    guard((), || {
        if let Some(engine) = engine() {
            // SAFETY: the engine's handle, in the call it was given for.
            unsafe { script::register(engine, handle) };
        }
    });
}

/// Called before the library is unloaded. No thread of ours runs, and the engine has destroyed our instances or will
/// not call them again.
///
/// # Safety
/// For the engine.
#[unsafe(no_mangle)]
unsafe extern "C" fn godot_gdnative_terminate(_options: *mut c_void) {
    guard((), || {
        if let Some(engine) = engine() {
            // SAFETY: null unsets.
            unsafe { (engine.net.set_webrtc_library)(std::ptr::null()) };
        }
    });
}
