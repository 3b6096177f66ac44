//! What is asked of the engine, in safe clothes: strings, variants, signals, objects.

use std::ffi::{CStr, CString, c_void};
use std::ptr;
use std::sync::OnceLock;

use super::api::{
    BuiltIn, CallError, Convert, Destroy, GetProcAddress, Interface, Library, MethodBind, Object, RawArray,
    RawDictionary, RawString, RawStringName, RawStrings, RawVariant, kind,
};
use crate::value::Value;

/// The engine's functions and what was looked up once.
pub(super) struct Engine {
    pub(super) interface: Interface,
    pub(super) library: *mut Library,
    from: Converters,
    to: Converters,
    destroy_string: Destroy,
    destroy_dictionary: Destroy,
    destroy_array: Destroy,
    destroy_strings: Destroy,
    array_append: BuiltIn,
    array_size: BuiltIn,
    strings_size: BuiltIn,
    dictionary_keys: BuiltIn,
    emit_signal: *mut MethodBind,
    reference_count: *mut MethodBind,
}

/// From or to variants, by type.
struct Converters {
    bool: Convert,
    int: Convert,
    float: Convert,
    string: Convert,
    string_name: Convert,
    object: Convert,
    dictionary: Convert,
    array: Convert,
    strings: Convert,
}

// SAFETY: all of it is set once and only handed back to the engine, on its main thread.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Hashes of signatures, by which the engine tells versions of a method apart.
mod hash {
    pub(super) const EMIT_SIGNAL: i64 = 4_047_867_050;
    pub(super) const GET_REFERENCE_COUNT: i64 = 3_905_245_786;
    pub(super) const SET_DEFAULT_EXTENSION: i64 = 3_304_788_590;
    pub(super) const APPEND: i64 = 3_316_032_543;
    pub(super) const SIZE: i64 = 3_173_160_232;
    pub(super) const KEYS: i64 = 4_144_163_970;
}

/// The engine, once it has loaded us.
pub(super) fn engine() -> Option<&'static Engine> {
    ENGINE.get()
}

impl Engine {
    /// Looks everything up. `Err` says what is missing.
    ///
    /// # Safety
    /// `get` and `library` must be those of the engine's entry call, after its classes were registered.
    pub(super) unsafe fn install(get: GetProcAddress, library: *mut Library) -> Result<(), &'static str> {
        // SAFETY: the caller's promise; the functions are called as the engine's header declares them.
        unsafe {
            let interface = Interface::load(get)?;
            let name = |text: &CStr| {
                let mut name = RawStringName(0);
                (interface.string_name_new_with_latin1_chars)(&raw mut name, text.as_ptr(), 0);
                name
            };
            let built_in = |kind: i32, method: &CStr, hash: i64| {
                let method = name(method);
                (interface.variant_get_ptr_builtin_method)(kind, &raw const method, hash)
            };
            let method = |class: &CStr, method: &CStr, hash: i64| {
                let (class, method) = (name(class), name(method));
                let bind = (interface.classdb_get_method_bind)(&raw const class, &raw const method, hash);
                (!bind.is_null()).then_some(bind)
            };
            let destroy = |kind: i32| (interface.variant_get_ptr_destructor)(kind).ok_or("a destructor");
            let engine = Self {
                from: Converters::find(interface.get_variant_from_type_constructor).ok_or("a conversion to Variant")?,
                to: Converters::find(interface.get_variant_to_type_constructor).ok_or("a conversion from Variant")?,
                destroy_string: destroy(kind::STRING)?,
                destroy_dictionary: destroy(kind::DICTIONARY)?,
                destroy_array: destroy(kind::ARRAY)?,
                destroy_strings: destroy(kind::STRINGS)?,
                array_append: built_in(kind::ARRAY, c"append", hash::APPEND).ok_or("Array.append")?,
                array_size: built_in(kind::ARRAY, c"size", hash::SIZE).ok_or("Array.size")?,
                strings_size: built_in(kind::STRINGS, c"size", hash::SIZE).ok_or("PackedStringArray.size")?,
                dictionary_keys: built_in(kind::DICTIONARY, c"keys", hash::KEYS).ok_or("Dictionary.keys")?,
                emit_signal: method(c"Object", c"emit_signal", hash::EMIT_SIGNAL).ok_or("Object.emit_signal")?,
                reference_count: method(c"RefCounted", c"get_reference_count", hash::GET_REFERENCE_COUNT)
                    .ok_or("RefCounted.get_reference_count")?,
                library,
                interface,
            };
            let _ = ENGINE.set(engine);
        }
        Ok(())
    }

    /// An interned name. Names live as long as the engine: there are few.
    pub(super) fn name(&self, text: &CStr) -> RawStringName {
        let mut name = RawStringName(0);
        // SAFETY: NUL-terminated text; the place is ours to fill.
        unsafe { (self.interface.string_name_new_with_latin1_chars)(&raw mut name, text.as_ptr(), 0) };
        name
    }

    /// Prints to the engine's error log, where the game's developer looks.
    pub(super) fn error(&self, message: &str) {
        let text = c_string(message);
        // SAFETY: NUL-terminated strings that live through the call.
        unsafe {
            (self.interface.print_error_with_message)(
                text.as_ptr(),
                text.as_ptr(),
                c"weft".as_ptr(),
                c"webrtc".as_ptr(),
                0,
                0,
            );
        }
    }

    /// Makes `class` what `WebRTCPeerConnection.new()` gives.
    pub(super) fn set_default_extension(&self, class: &RawStringName) -> bool {
        let (peer, method) = (self.name(c"WebRTCPeerConnection"), self.name(c"set_default_extension"));
        // SAFETY: a static method of one argument, without a result.
        unsafe {
            let find = self.interface.classdb_get_method_bind;
            let bind = find(&raw const peer, &raw const method, hash::SET_DEFAULT_EXTENSION);
            if bind.is_null() {
                return false;
            }
            let arguments = [ptr::from_ref(class).cast::<c_void>()];
            (self.interface.object_method_bind_ptrcall)(bind, ptr::null_mut(), arguments.as_ptr(), ptr::null_mut());
        }
        true
    }

    /// Emits a signal of an object. Handlers run inside this call and may do anything: hold no borrow, and hold a
    /// [`Variant`] of the object.
    ///
    /// # Safety
    /// `object` must be alive.
    pub(super) unsafe fn emit(&self, object: *mut Object, signal: &CStr, arguments: Vec<Variant>) {
        let name = self.name(signal);
        let mut all = vec![Variant::convert(self.from.string_name, &raw const name)];
        all.extend(arguments);
        let pointers: Vec<*const RawVariant> = all.iter().map(|a| ptr::from_ref(&a.0)).collect();
        let mut error = CallError::default();
        let mut result = Variant::nil();
        // SAFETY: the caller's promise; every object is an `Object`.
        unsafe {
            (self.interface.object_method_bind_call)(
                self.emit_signal,
                object,
                pointers.as_ptr(),
                i64::try_from(pointers.len()).unwrap_or(0),
                &raw mut result.0,
                &raw mut error,
            );
        }
    }

    /// How many references to an object there are.
    ///
    /// # Safety
    /// `object` must be alive and count its references.
    pub(super) unsafe fn reference_count(&self, object: *mut Object) -> i64 {
        let mut count = 0_i64;
        // SAFETY: the caller's promise; the result is an integer.
        unsafe {
            (self.interface.object_method_bind_ptrcall)(
                self.reference_count,
                object,
                ptr::null(),
                (&raw mut count).cast::<c_void>(),
            );
        }
        count
    }
}

impl Converters {
    /// # Safety
    /// `find` must be one of the engine's two functions for this.
    unsafe fn find(find: unsafe extern "C" fn(i32) -> Option<Convert>) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            Some(Self {
                bool: find(kind::BOOL)?,
                int: find(kind::INT)?,
                float: find(kind::FLOAT)?,
                string: find(kind::STRING)?,
                string_name: find(kind::STRING_NAME)?,
                object: find(kind::OBJECT)?,
                dictionary: find(kind::DICTIONARY)?,
                array: find(kind::ARRAY)?,
                strings: find(kind::STRINGS)?,
            })
        }
    }
}

/// Up to the first NUL: what C can say.
fn c_string(text: &str) -> CString {
    let upto = text.split('\0').next().unwrap_or_default();
    CString::new(upto).unwrap_or_default()
}

/// Says why a call was refused.
pub(super) fn log(message: &str) {
    if let Some(engine) = engine() {
        engine.error(message);
    }
}

/// Writes text to a place where the engine keeps an empty `String` for a result.
///
/// # Safety
/// `place` must be such a place.
pub(super) unsafe fn write_string(place: *mut c_void, text: &str) {
    if let Some(engine) = engine() {
        let length = i64::try_from(text.len()).unwrap_or(0);
        // SAFETY: the caller's promise; an empty `String` owns nothing that could leak.
        unsafe {
            (engine.interface.string_new_with_utf8_chars_and_len)(place.cast(), text.as_ptr().cast(), length);
        }
    }
}

/// The text of a `String` that the engine lends.
///
/// # Safety
/// `string` must be the engine's.
pub(super) unsafe fn read_string(string: *const RawString) -> String {
    let Some(engine) = engine() else { return String::new() };
    // SAFETY: the caller's promise; the first call only measures.
    unsafe {
        let length = (engine.interface.string_to_utf8_chars)(string, ptr::null_mut(), 0);
        let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or(0)];
        (engine.interface.string_to_utf8_chars)(string, bytes.as_mut_ptr().cast(), length);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A value that the engine understands. Destroyed when dropped.
#[repr(transparent)]
pub(super) struct Variant(RawVariant);

impl Variant {
    /// Null.
    pub(super) const fn nil() -> Self {
        Self(RawVariant([0; 3]))
    }

    fn convert<T>(convert: Convert, value: *const T) -> Self {
        let mut raw = RawVariant([0; 3]);
        // SAFETY: `value` is of the type that `convert` is for; it is copied.
        unsafe { convert((&raw mut raw).cast(), value.cast_mut().cast()) };
        Self(raw)
    }

    /// Text.
    pub(super) fn text(text: &str) -> Self {
        let Some(engine) = engine() else { return Self::nil() };
        let mut string = RawString(0);
        // SAFETY: the string is made, copied into the variant, and destroyed.
        unsafe {
            write_string((&raw mut string).cast(), text);
            let variant = Self::convert(engine.from.string, &raw const string);
            (engine.destroy_string)((&raw mut string).cast());
            variant
        }
    }

    /// An object; the variant holds a reference if the object counts them.
    ///
    /// # Safety
    /// `object` must be alive.
    pub(super) unsafe fn object(object: *mut Object) -> Self {
        engine().map_or(Self::nil(), |engine| Self::convert(engine.from.object, &raw const object))
    }

    /// The engine's form of a plain value.
    pub(super) fn from_value(value: &Value) -> Self {
        let Some(engine) = engine() else { return Self::nil() };
        match value {
            Value::Nil | Value::Other => Self::nil(),
            Value::Text(text) => Self::text(text),
            Value::Bool(value) => Self::convert(engine.from.bool, &raw const *value),
            Value::Int(value) => Self::convert(engine.from.int, &raw const *value),
            Value::Real(value) => Self::convert(engine.from.float, &raw const *value),
            Value::Array(items) => {
                let mut array = RawArray(0);
                // SAFETY: the array is made, filled, copied into the variant, and destroyed.
                unsafe {
                    let Some(make) = (engine.interface.variant_get_ptr_constructor)(kind::ARRAY, 0) else {
                        return Self::nil();
                    };
                    make((&raw mut array).cast(), ptr::null());
                    for item in items {
                        let item = Self::from_value(item);
                        let arguments = [(&raw const item.0).cast::<c_void>()];
                        (engine.array_append)((&raw mut array).cast(), arguments.as_ptr(), ptr::null_mut(), 1);
                    }
                    let variant = Self::convert(engine.from.array, &raw const array);
                    (engine.destroy_array)((&raw mut array).cast());
                    variant
                }
            }
            Value::Dictionary(entries) => {
                let mut dictionary = RawDictionary(0);
                // SAFETY: the dictionary is made, filled, copied into the variant, and destroyed.
                unsafe {
                    let Some(make) = (engine.interface.variant_get_ptr_constructor)(kind::DICTIONARY, 0) else {
                        return Self::nil();
                    };
                    make((&raw mut dictionary).cast(), ptr::null());
                    for (key, value) in entries {
                        let (key, value) = (Self::from_value(key), Self::from_value(value));
                        let place = (engine.interface.dictionary_operator_index)(&raw mut dictionary, &raw const key.0);
                        (engine.interface.variant_destroy)(place);
                        (engine.interface.variant_new_copy)(place, &raw const value.0);
                    }
                    let variant = Self::convert(engine.from.dictionary, &raw const dictionary);
                    (engine.destroy_dictionary)((&raw mut dictionary).cast());
                    variant
                }
            }
        }
    }

    /// Writes it to a place where the engine keeps nil for a result.
    ///
    /// # Safety
    /// `place` must be such a place.
    pub(super) unsafe fn write(self, place: *mut RawVariant) {
        // SAFETY: the caller's promise; nil owns nothing that could leak.
        unsafe { place.write(RawVariant(self.0.0)) };
        std::mem::forget(self);
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        if let Some(engine) = engine() {
            // SAFETY: a variant that the engine made, or nil.
            unsafe { (engine.interface.variant_destroy)(&raw mut self.0) };
        }
    }
}

/// The plain value of a `Dictionary` that the engine lends.
///
/// # Safety
/// `dictionary` must be the engine's.
pub(super) unsafe fn dictionary_value(dictionary: *const RawDictionary) -> Value {
    // SAFETY: the caller's promise.
    engine().map_or(Value::Nil, |engine| unsafe { read_dictionary(engine, dictionary, 0) })
}

/// Takes a value of type `T` out of a variant, reads it, and destroys it.
unsafe fn take<T, R>(
    convert: Convert,
    empty: T,
    variant: *const RawVariant,
    destroy: Option<Destroy>,
    read: impl FnOnce(*const T) -> R,
) -> R {
    let mut value = empty;
    // SAFETY: the caller hands in the conversion to `T`, and the destructor if `T` has one.
    unsafe {
        convert((&raw mut value).cast(), variant.cast_mut().cast());
        let result = read(&raw const value);
        if let Some(destroy) = destroy {
            destroy((&raw mut value).cast());
        }
        result
    }
}

unsafe fn read_variant(engine: &Engine, variant: *const RawVariant, depth: usize) -> Value {
    if depth > Value::MAX_DEPTH {
        return Value::Other;
    }
    let to = &engine.to;
    // SAFETY: the caller's promise; each conversion is the one for the variant's type.
    unsafe {
        match (engine.interface.variant_get_type)(variant) {
            kind::NIL => Value::Nil,
            kind::BOOL => Value::Bool(take(to.bool, 0_u8, variant, None, |value| *value != 0)),
            kind::INT => Value::Int(take(to.int, 0_i64, variant, None, |value| *value)),
            kind::FLOAT => Value::Real(take(to.float, 0_f64, variant, None, |value| *value)),
            // The conversion to text also reads names.
            kind::STRING | kind::STRING_NAME => {
                let destroy = Some(engine.destroy_string);
                Value::Text(take(to.string, RawString(0), variant, destroy, |value| read_string(value)))
            }
            kind::DICTIONARY => {
                let destroy = Some(engine.destroy_dictionary);
                take(to.dictionary, RawDictionary(0), variant, destroy, |value| read_dictionary(engine, value, depth))
            }
            kind::ARRAY => {
                let destroy = Some(engine.destroy_array);
                take(to.array, RawArray(0), variant, destroy, |value| {
                    Value::Array(read_array(engine, value, |item| read_variant(engine, item, depth + 1)))
                })
            }
            kind::STRINGS => {
                let destroy = Some(engine.destroy_strings);
                take(to.strings, RawStrings([0; 2]), variant, destroy, |value| {
                    let text =
                        |index| read_string((engine.interface.packed_string_array_operator_index_const)(value, index));
                    let count = size(engine.strings_size, value.cast());
                    Value::Array((0..count).map(|index| Value::Text(text(index))).collect())
                })
            }
            _ => Value::Other,
        }
    }
}

unsafe fn size(method: BuiltIn, of: *const c_void) -> i64 {
    let mut size = 0_i64;
    // SAFETY: the caller hands in the `size` of the type that `of` points to.
    unsafe { method(of.cast_mut(), ptr::null(), (&raw mut size).cast(), 0) };
    size
}

unsafe fn read_array<T>(engine: &Engine, array: *const RawArray, read: impl Fn(*const RawVariant) -> T) -> Vec<T> {
    // SAFETY: the caller's promise; indices below the size.
    unsafe {
        let count = size(engine.array_size, array.cast());
        (0..count).map(|index| read((engine.interface.array_operator_index_const)(array, index))).collect()
    }
}

unsafe fn read_dictionary(engine: &Engine, dictionary: *const RawDictionary, depth: usize) -> Value {
    // SAFETY: the caller's promise; keys come from the dictionary itself. The result of `keys` is made over an empty
    // array and destroyed.
    unsafe {
        let mut keys = RawArray(0);
        let Some(make) = (engine.interface.variant_get_ptr_constructor)(kind::ARRAY, 0) else { return Value::Nil };
        make((&raw mut keys).cast(), ptr::null());
        (engine.dictionary_keys)(dictionary.cast_mut().cast(), ptr::null(), (&raw mut keys).cast(), 0);
        let entries = read_array(engine, &raw const keys, |key| {
            let value = (engine.interface.dictionary_operator_index_const)(dictionary, key);
            (read_variant(engine, key, depth + 1), read_variant(engine, value, depth + 1))
        });
        (engine.destroy_array)((&raw mut keys).cast());
        Value::Dictionary(entries)
    }
}

/// Runs what the engine asked for. No panic crosses into C (it would abort the game): `otherwise` is answered.
pub(super) fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    crate::guard(log, otherwise, work)
}
