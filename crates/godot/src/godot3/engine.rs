//! What is asked of the engine, in safe clothes: strings, variants, signals, objects.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::sync::OnceLock;

use super::api::{
    CallError, Core, CoreTable, KIND_NATIVESCRIPT, KIND_NET, NET_VERSION, NativeScript, Net, Object, RawArray,
    RawCharString, RawDictionary, RawFunction, RawString, RawVariant, TableHead,
};
use crate::value::Value;

/// The engine's tables and our own library object. Filled once, in `godot_gdnative_init`.
pub(super) struct Engine {
    pub(super) core: Core,
    pub(super) nativescript: NativeScript,
    pub(super) net: Net,
    /// The `GDNativeLibrary` that loaded us. It outlives us.
    pub(super) library: *mut Object,
}

// SAFETY: the tables are functions and never change; `library` is only handed back to the engine, on its main thread.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// The engine, once it has loaded us.
pub(super) fn engine() -> Option<&'static Engine> {
    ENGINE.get()
}

impl Engine {
    /// Takes the tables that the engine offers. `Err` says which is missing.
    ///
    /// # Safety
    /// `core` must be the table of the engine's init options, and `library` its library object.
    pub(super) unsafe fn install(core: *const CoreTable, library: *mut Object) -> Result<(), &'static CStr> {
        // SAFETY: the caller's promise; extension tables live as long as the engine.
        unsafe {
            let nativescript = find(core, KIND_NATIVESCRIPT, |_| true).ok_or(c"this engine has no NativeScript")?;
            let net = find(core, KIND_NET, |table| (*table).version == NET_VERSION)
                .ok_or(c"this engine has no WebRTC interface for libraries (Godot 3.2 or newer is needed)")?;
            let engine = Self {
                core: Core::load(core.add(1).cast::<RawFunction>()),
                nativescript: NativeScript::load(nativescript.add(1).cast::<RawFunction>()),
                net: Net::load(net.add(1).cast::<RawFunction>()),
                library,
            };
            // A second load of the same library finds the same tables.
            let _ = ENGINE.set(engine);
        }
        Ok(())
    }

    /// Prints to the engine's error log, where the game's developer looks.
    pub(super) fn error(&self, message: &str) {
        let text = c_string(message);
        // SAFETY: NUL-terminated strings that live through the call.
        unsafe { (self.core.print_error)(text.as_ptr(), c"weft".as_ptr(), c"webrtc".as_ptr(), 0) };
    }

    /// A new object of an engine class; `None` before the engine has registered it.
    pub(super) fn construct(&self, class: &CStr) -> Option<*mut Object> {
        // SAFETY: the constructor takes nothing and gives a new object.
        let object = unsafe { (self.core.get_class_constructor)(class.as_ptr())?() };
        (!object.is_null()).then_some(object)
    }

    /// Calls a method of an engine class. `false` when there is no such method or it refused the arguments.
    ///
    /// # Safety
    /// `object` must be alive and of that class.
    pub(super) unsafe fn call(&self, class: &CStr, method: &CStr, object: *mut Object, arguments: &[Variant]) -> bool {
        // SAFETY: NUL-terminated names; the caller's promise for the object; variants are repr(transparent).
        unsafe {
            let bind = (self.core.method_bind_get_method)(class.as_ptr(), method.as_ptr());
            if bind.is_null() {
                return false;
            }
            let pointers: Vec<*const RawVariant> = arguments.iter().map(|a| ptr::from_ref(&a.0)).collect();
            let mut error = CallError::default();
            let count = c_int::try_from(pointers.len()).unwrap_or(0);
            let result = (self.core.method_bind_call)(bind, object, pointers.as_ptr(), count, &raw mut error);
            drop(Variant(result));
            error.error == 0
        }
    }

    /// Emits a signal of an object. Handlers run inside this call and may do anything, freeing the object included:
    /// hold no borrow, and hold a [`Variant`] of the object.
    ///
    /// # Safety
    /// `object` must be alive.
    pub(super) unsafe fn emit(&self, object: *mut Object, signal: &str, arguments: Vec<Variant>) {
        let mut all = vec![Variant::text(signal)];
        all.extend(arguments);
        // SAFETY: the caller's promise; every object is an `Object`.
        unsafe { self.call(c"Object", c"emit_signal", object, &all) };
    }

    /// Makes `object` an instance of one of our script classes: its create function runs now, its destroy function
    /// when the object dies. No other way tells a library that an object died.
    ///
    /// # Safety
    /// `object` must be alive and of the class that the script class extends.
    pub(super) unsafe fn attach(&self, object: *mut Object, class: &str) -> bool {
        let Some(script) = self.construct(c"NativeScript") else { return false };
        // SAFETY: both objects are alive; the variant holds the script's first reference until the object has its own.
        unsafe {
            let holder = Variant::object(script);
            self.call(c"NativeScript", c"set_library", script, &[Variant::object(self.library)])
                && self.call(c"NativeScript", c"set_class_name", script, &[Variant::text(class)])
                && self.call(c"Object", c"set_script", object, &[holder])
        }
    }
}

/// The table of a kind, in the version that pleases.
unsafe fn find(
    core: *const CoreTable,
    kind: u32,
    pleases: impl Fn(*const TableHead) -> bool,
) -> Option<*const TableHead> {
    // SAFETY: the caller hands in the engine's table; it counts its extensions, and chains end with null.
    unsafe {
        for index in 0..(*core).extension_count as usize {
            let mut table = *(*core).extensions.add(index);
            while !table.is_null() {
                if (*table).kind == kind && pleases(table) {
                    return Some(table);
                }
                table = (*table).next;
            }
        }
    }
    None
}

/// Says why a call was refused.
pub(super) fn log(message: &str) {
    if let Some(engine) = engine() {
        engine.error(message);
    }
}

/// Up to the first NUL: what C can say.
pub(super) fn c_string(text: &str) -> CString {
    let upto = text.split('\0').next().unwrap_or_default();
    CString::new(upto).unwrap_or_default()
}

/// Text from C; replaced where it is no UTF-8, empty for null.
///
/// # Safety
/// `text` must be null or NUL-terminated.
pub(super) unsafe fn text_from_c(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A value that the engine understands. Destroyed when dropped.
#[repr(transparent)]
pub(super) struct Variant(RawVariant);

impl Variant {
    fn make(fill: impl FnOnce(&Core, *mut RawVariant)) -> Self {
        let mut raw = RawVariant([0; 3]); // all zero is the engine's nil
        if let Some(engine) = engine() {
            fill(&engine.core, &raw mut raw);
        }
        Self(raw)
    }

    /// Text.
    pub(super) fn text(text: &str) -> Self {
        Self::make(|core, raw| {
            let length = c_int::try_from(text.len()).unwrap_or(0);
            // SAFETY: the string is copied and destroyed; `raw` is ours to fill.
            unsafe {
                let mut string = (core.string_chars_to_utf8_with_len)(text.as_ptr().cast::<c_char>(), length);
                (core.variant_new_string)(raw, &raw const string);
                (core.string_destroy)(&raw mut string);
            }
        })
    }

    /// An object; the variant holds a reference if the object counts them.
    ///
    /// # Safety
    /// `object` must be alive.
    pub(super) unsafe fn object(object: *mut Object) -> Self {
        // SAFETY: the caller's promise.
        Self::make(|core, raw| unsafe { (core.variant_new_object)(raw, object) })
    }

    /// The engine's form of a plain value.
    pub(super) fn from_value(value: &Value) -> Self {
        match value {
            Value::Nil | Value::Other => Self(RawVariant([0; 3])),
            Value::Text(text) => Self::text(text),
            // SAFETY: `raw` is ours to fill.
            Value::Bool(value) => Self::make(|core, raw| unsafe { (core.variant_new_bool)(raw, *value) }),
            // SAFETY: as above.
            Value::Int(value) => Self::make(|core, raw| unsafe { (core.variant_new_int)(raw, *value) }),
            // SAFETY: as above.
            Value::Real(value) => Self::make(|core, raw| unsafe { (core.variant_new_real)(raw, *value) }),
            Value::Array(items) => Self::make(|core, raw| {
                let mut array = RawArray(0);
                // SAFETY: the array is made, copied into the variant, and destroyed.
                unsafe {
                    (core.array_new)(&raw mut array);
                    for item in items {
                        let item = Self::from_value(item);
                        (core.array_append)(&raw mut array, &raw const item.0);
                    }
                    (core.variant_new_array)(raw, &raw const array);
                    (core.array_destroy)(&raw mut array);
                }
            }),
            Value::Dictionary(entries) => Self::make(|core, raw| {
                let mut dictionary = RawDictionary(0);
                // SAFETY: as for the array.
                unsafe {
                    (core.dictionary_new)(&raw mut dictionary);
                    for (key, value) in entries {
                        let (key, value) = (Self::from_value(key), Self::from_value(value));
                        (core.dictionary_set)(&raw mut dictionary, &raw const key.0, &raw const value.0);
                    }
                    (core.variant_new_dictionary)(raw, &raw const dictionary);
                    (core.dictionary_destroy)(&raw mut dictionary);
                }
            }),
        }
    }

    /// Gives it to the engine, which destroys it.
    pub(super) fn into_raw(self) -> RawVariant {
        let raw = RawVariant(self.0.0);
        std::mem::forget(self);
        raw
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        if let Some(engine) = engine() {
            // SAFETY: a variant that the engine made, or nil.
            unsafe { (engine.core.variant_destroy)(&raw mut self.0) };
        }
    }
}

/// The plain value of a dictionary that the engine lends.
///
/// # Safety
/// `dictionary` must be null or the engine's.
pub(super) unsafe fn dictionary_value(dictionary: *const RawDictionary) -> Value {
    let Some(engine) = engine().filter(|_| !dictionary.is_null()) else { return Value::Dictionary(Vec::new()) };
    // SAFETY: the caller's promise.
    unsafe { read_dictionary(&engine.core, dictionary, 0) }
}

/// `godot_variant_type`, as far as it means something here.
mod kind {
    pub(super) const NIL: i32 = 0;
    pub(super) const BOOL: i32 = 1;
    pub(super) const INT: i32 = 2;
    pub(super) const REAL: i32 = 3;
    pub(super) const STRING: i32 = 4;
    pub(super) const DICTIONARY: i32 = 18;
    pub(super) const ARRAY: i32 = 19;
    /// A `PoolStringArray`, which the engine also reads as an array.
    pub(super) const STRINGS: i32 = 23;
}

unsafe fn read_variant(core: &Core, variant: *const RawVariant, depth: usize) -> Value {
    if depth > Value::MAX_DEPTH {
        return Value::Other;
    }
    // SAFETY: the caller's promise; whatever comes by value is destroyed after it was read.
    unsafe {
        match (core.variant_get_type)(variant) {
            kind::NIL => Value::Nil,
            kind::BOOL => Value::Bool((core.variant_as_bool)(variant)),
            kind::INT => Value::Int((core.variant_as_int)(variant)),
            kind::REAL => Value::Real((core.variant_as_real)(variant)),
            kind::STRING => {
                let mut string = (core.variant_as_string)(variant);
                let text = read_string(core, &raw const string);
                (core.string_destroy)(&raw mut string);
                Value::Text(text)
            }
            kind::DICTIONARY => {
                let mut dictionary = (core.variant_as_dictionary)(variant);
                let value = read_dictionary(core, &raw const dictionary, depth);
                (core.dictionary_destroy)(&raw mut dictionary);
                value
            }
            kind::ARRAY | kind::STRINGS => {
                let mut array = (core.variant_as_array)(variant);
                let items = read_array(core, &raw const array, depth);
                (core.array_destroy)(&raw mut array);
                Value::Array(items)
            }
            _ => Value::Other,
        }
    }
}

unsafe fn read_string(core: &Core, string: *const RawString) -> String {
    // SAFETY: the caller's promise; the bytes are copied before their holder is destroyed.
    unsafe {
        let mut utf8: RawCharString = (core.string_utf8)(string);
        let length = usize::try_from((core.char_string_length)(&raw const utf8)).unwrap_or(0);
        let data = (core.char_string_get_data)(&raw const utf8);
        let bytes = if data.is_null() { &[] } else { std::slice::from_raw_parts(data.cast::<u8>(), length) };
        let text = String::from_utf8_lossy(bytes).into_owned();
        (core.char_string_destroy)(&raw mut utf8);
        text
    }
}

unsafe fn read_array(core: &Core, array: *const RawArray, depth: usize) -> Vec<Value> {
    // SAFETY: the caller's promise; indices below the size.
    unsafe {
        (0..(core.array_size)(array))
            .map(|index| {
                let item = Variant((core.array_get)(array, index));
                read_variant(core, &raw const item.0, depth + 1)
            })
            .collect()
    }
}

unsafe fn read_dictionary(core: &Core, dictionary: *const RawDictionary, depth: usize) -> Value {
    // SAFETY: the caller's promise; keys come from the dictionary itself.
    unsafe {
        let mut keys = (core.dictionary_keys)(dictionary);
        let entries = (0..(core.array_size)(&raw const keys))
            .map(|index| {
                let key = Variant((core.array_get)(&raw const keys, index));
                let value = Variant((core.dictionary_get)(dictionary, &raw const key.0));
                (read_variant(core, &raw const key.0, depth + 1), read_variant(core, &raw const value.0, depth + 1))
            })
            .collect();
        (core.array_destroy)(&raw mut keys);
        Value::Dictionary(entries)
    }
}

/// Runs what the engine asked for. No panic crosses into C (it would abort the game): `otherwise` is answered.
pub(super) fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    crate::guard(log, otherwise, work)
}
