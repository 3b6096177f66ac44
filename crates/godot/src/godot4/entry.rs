//! The symbol that the engine looks up in the library.

use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::api::{GetProcAddress, Initialization, LEVEL_SCENE, Library};
use super::class;
use super::engine::{Engine, engine, guard};
use super::peer::forget_kept;

/// What the entry call brought, until the scene level comes.
static GET: AtomicUsize = AtomicUsize::new(0);
static LIBRARY: AtomicPtr<Library> = AtomicPtr::new(std::ptr::null_mut());

/// The entry that `weft.gdextension` names.
///
/// # Safety
/// For the engine.
#[unsafe(no_mangle)]
unsafe extern "C" fn weft_gdextension_init(
    get: GetProcAddress,
    library: *mut c_void,
    initialization: *mut Initialization,
) -> u8 {
    GET.store(get as usize, Ordering::Relaxed);
    LIBRARY.store(library.cast(), Ordering::Relaxed);
    if initialization.is_null() {
        return 0;
    }
    // SAFETY: the engine's place to fill.
    unsafe {
        initialization.write(Initialization {
            minimum_level: LEVEL_SCENE,
            userdata: std::ptr::null_mut(),
            initialize,
            deinitialize,
        });
    }
    1
}

unsafe extern "C" fn initialize(_: *mut c_void, level: i32) {
    let get = GET.load(Ordering::Relaxed);
    if level != LEVEL_SCENE || get == 0 {
        return;
    }
    guard((), || {
        // SAFETY: what `weft_gdextension_init` was given.
        let installed = unsafe {
            let get = std::mem::transmute::<usize, GetProcAddress>(get);
            Engine::install(get, LIBRARY.load(Ordering::Relaxed))
        };
        match (installed, engine()) {
            (Ok(()), Some(engine)) => class::register(engine),
            (Err(missing), _) => eprintln!("weft: this engine lacks {missing}; Godot 4.2 or newer is needed"),
            (Ok(()), None) => {}
        }
    });
}

unsafe extern "C" fn deinitialize(_: *mut c_void, level: i32) {
    if level == LEVEL_SCENE {
        guard((), || {
            forget_kept();
            if let Some(engine) = engine() {
                class::unregister(engine);
            }
        });
    }
}
