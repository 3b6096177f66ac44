//! The C interface of GDExtension as far as it is needed here, written by hand: functions by name, layouts by value.
//!
//! The engine promises that a function keeps its meaning under its name, so what is loaded here works from Godot 4.2 on.

use std::ffi::{CStr, c_char, c_void};

/// An engine object: only ever seen through a pointer.
pub(super) enum Object {}
/// A bound method: only ever seen through a pointer.
pub(super) enum MethodBind {}
/// Our library as the engine knows it.
pub(super) enum Library {}

/// `StringName`: interned, so equal names are equal values.
#[repr(C)]
#[derive(PartialEq, Eq)]
pub(super) struct RawStringName(pub(super) usize);

/// `String`; zero is the empty one.
#[repr(C)]
pub(super) struct RawString(pub(super) usize);

/// `Dictionary`.
#[repr(C)]
pub(super) struct RawDictionary(pub(super) usize);

/// `Array`.
#[repr(C)]
pub(super) struct RawArray(pub(super) usize);

/// `PackedStringArray`.
#[repr(C)]
pub(super) struct RawStrings(pub(super) [usize; 2]);

/// `Variant`, in builds with single precision; zero is nil.
#[repr(C)]
pub(super) struct RawVariant(pub(super) [u64; 3]);

/// `GDExtensionVariantType`.
pub(super) mod kind {
    pub(crate) const NIL: i32 = 0;
    pub(crate) const BOOL: i32 = 1;
    pub(crate) const INT: i32 = 2;
    pub(crate) const FLOAT: i32 = 3;
    pub(crate) const STRING: i32 = 4;
    pub(crate) const STRING_NAME: i32 = 21;
    pub(crate) const OBJECT: i32 = 24;
    pub(crate) const DICTIONARY: i32 = 27;
    pub(crate) const ARRAY: i32 = 28;
    pub(crate) const STRINGS: i32 = 34;
}

/// `GDExtensionCallError`.
#[repr(C)]
#[derive(Default)]
pub(super) struct CallError {
    pub(super) error: i32,
    pub(super) argument: i32,
    pub(super) expected: i32,
}

/// `GDExtensionInterfaceGetProcAddress`.
pub(super) type GetProcAddress = unsafe extern "C" fn(*const c_char) -> Option<unsafe extern "C" fn()>;

/// `GDExtensionInitialization`.
#[repr(C)]
pub(super) struct Initialization {
    pub(super) minimum_level: i32,
    pub(super) userdata: *mut c_void,
    pub(super) initialize: unsafe extern "C" fn(*mut c_void, i32),
    pub(super) deinitialize: unsafe extern "C" fn(*mut c_void, i32),
}

/// `GDEXTENSION_INITIALIZATION_SCENE`: the engine's classes are there.
pub(super) const LEVEL_SCENE: i32 = 2;

/// `GDExtensionVariantFromTypeConstructorFunc` and its inverse.
pub(super) type Convert = unsafe extern "C" fn(*mut c_void, *mut c_void);
/// `GDExtensionPtrConstructor`.
pub(super) type Construct = unsafe extern "C" fn(*mut c_void, *const *const c_void);
/// `GDExtensionPtrDestructor`.
pub(super) type Destroy = unsafe extern "C" fn(*mut c_void);
/// `GDExtensionPtrBuiltInMethod`.
pub(super) type BuiltIn = unsafe extern "C" fn(*mut c_void, *const *const c_void, *mut c_void, i32);
/// `GDExtensionClassCallVirtual`: instance, pointers to arguments, place for the result.
pub(super) type Virtual = unsafe extern "C" fn(*mut c_void, *const *const c_void, *mut c_void);

/// `GDExtensionClassCreationInfo2`.
#[repr(C)]
pub(super) struct ClassInfo {
    pub(super) is_virtual: u8,
    pub(super) is_abstract: u8,
    pub(super) is_exposed: u8,
    pub(super) set: *const c_void,
    pub(super) get: *const c_void,
    pub(super) get_property_list: *const c_void,
    pub(super) free_property_list: *const c_void,
    pub(super) property_can_revert: *const c_void,
    pub(super) property_get_revert: *const c_void,
    pub(super) validate_property: *const c_void,
    pub(super) notification: *const c_void,
    pub(super) to_string: *const c_void,
    pub(super) reference: *const c_void,
    pub(super) unreference: *const c_void,
    pub(super) create_instance: unsafe extern "C" fn(*mut c_void) -> *mut Object,
    pub(super) free_instance: unsafe extern "C" fn(*mut c_void, *mut c_void),
    pub(super) recreate_instance: *const c_void,
    pub(super) get_virtual: unsafe extern "C" fn(*mut c_void, *const RawStringName) -> Option<Virtual>,
    pub(super) get_virtual_call_data: *const c_void,
    pub(super) call_virtual_with_data: *const c_void,
    pub(super) get_rid: *const c_void,
    pub(super) class_userdata: *mut c_void,
}

/// `GDExtensionPropertyInfo`.
#[repr(C)]
pub(super) struct PropertyInfo {
    pub(super) kind: i32,
    pub(super) name: *mut RawStringName,
    pub(super) class_name: *mut RawStringName,
    pub(super) hint: u32,
    pub(super) hint_string: *mut RawString,
    pub(super) usage: u32,
}

/// `PROPERTY_USAGE_DEFAULT | PROPERTY_USAGE_NIL_IS_VARIANT`: any value.
pub(super) const USAGE_VARIANT: u32 = 6 | 131_072;

/// `GDExtensionClassMethodInfo`.
#[repr(C)]
pub(super) struct MethodInfo {
    pub(super) name: *mut RawStringName,
    pub(super) userdata: *mut c_void,
    pub(super) call:
        unsafe extern "C" fn(*mut c_void, *mut c_void, *const *const RawVariant, i64, *mut RawVariant, *mut CallError),
    pub(super) ptrcall: unsafe extern "C" fn(*mut c_void, *mut c_void, *const *const c_void, *mut c_void),
    pub(super) flags: u32,
    pub(super) has_return_value: u8,
    pub(super) return_value: *mut PropertyInfo,
    pub(super) return_metadata: i32,
    pub(super) argument_count: u32,
    pub(super) arguments: *mut PropertyInfo,
    pub(super) arguments_metadata: *mut i32,
    pub(super) default_count: u32,
    pub(super) defaults: *mut *mut RawVariant,
}

/// `GDEXTENSION_METHOD_FLAGS_DEFAULT`.
pub(super) const METHOD_DEFAULT: u32 = 1;

macro_rules! interface {
    ($($field:ident: ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the engine, by their names.
        pub(super) struct Interface {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Interface {
            /// `Err` names the function that this engine does not have.
            ///
            /// # Safety
            /// `get` must be the engine's.
            pub(super) unsafe fn load(get: GetProcAddress) -> Result<Self, &'static str> {
                let find = |name: &CStr| {
                    // SAFETY: the caller's promise; the name is NUL-terminated.
                    unsafe { get(name.as_ptr()) }
                };
                Ok(Self {
                    $($field: {
                        const NAME: &CStr = match CStr::from_bytes_with_nul(
                            concat!(stringify!($field), "\0").as_bytes(),
                        ) {
                            Ok(name) => name,
                            Err(_) => c"",
                        };
                        let function = find(NAME).ok_or(stringify!($field))?;
                        // SAFETY: under this name the engine has a function of this type.
                        unsafe {
                            std::mem::transmute::<
                                unsafe extern "C" fn(),
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(function)
                        }
                    },)*
                })
            }
        }
    };
}

interface! {
    array_operator_index_const: (*const RawArray, i64) -> *mut RawVariant;
    classdb_construct_object: (*const RawStringName) -> *mut Object;
    classdb_get_method_bind: (*const RawStringName, *const RawStringName, i64) -> *mut MethodBind;
    classdb_register_extension_class2: (*mut Library, *const RawStringName, *const RawStringName, *const ClassInfo);
    classdb_register_extension_class_method: (*mut Library, *const RawStringName, *const MethodInfo);
    classdb_unregister_extension_class: (*mut Library, *const RawStringName);
    dictionary_operator_index: (*mut RawDictionary, *const RawVariant) -> *mut RawVariant;
    dictionary_operator_index_const: (*const RawDictionary, *const RawVariant) -> *mut RawVariant;
    get_variant_from_type_constructor: (i32) -> Option<Convert>;
    get_variant_to_type_constructor: (i32) -> Option<Convert>;
    object_method_bind_call: (*mut MethodBind, *mut Object, *const *const RawVariant, i64, *mut RawVariant, *mut CallError);
    object_method_bind_ptrcall: (*mut MethodBind, *mut Object, *const *const c_void, *mut c_void);
    object_set_instance: (*mut Object, *const RawStringName, *mut c_void);
    packed_string_array_operator_index_const: (*const RawStrings, i64) -> *mut RawString;
    print_error_with_message: (*const c_char, *const c_char, *const c_char, *const c_char, i32, u8);
    ref_set_object: (*mut c_void, *mut Object);
    string_name_new_with_latin1_chars: (*mut RawStringName, *const c_char, u8);
    string_new_with_utf8_chars_and_len: (*mut RawString, *const c_char, i64);
    string_to_utf8_chars: (*const RawString, *mut c_char, i64) -> i64;
    variant_destroy: (*mut RawVariant);
    variant_get_ptr_builtin_method: (i32, *const RawStringName, i64) -> Option<BuiltIn>;
    variant_get_ptr_constructor: (i32, i32) -> Option<Construct>;
    variant_get_ptr_destructor: (i32) -> Option<Destroy>;
    variant_get_type: (*const RawVariant) -> i32;
    variant_new_copy: (*mut RawVariant, *const RawVariant);
}

#[cfg(test)]
#[cfg(target_pointer_width = "64")]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn layouts_are_those_of_the_engine() {
        assert_eq!(size_of::<RawVariant>(), 24);
        assert_eq!(size_of::<RawStrings>(), 16);
        assert_eq!(offset_of!(ClassInfo, set), 8);
        assert_eq!(size_of::<ClassInfo>(), 8 + 19 * 8);
        assert_eq!(offset_of!(MethodInfo, flags), 32);
        assert_eq!(offset_of!(MethodInfo, return_value), 40);
        assert_eq!(size_of::<PropertyInfo>(), 48);
        assert_eq!(offset_of!(Initialization, initialize), 16);
    }
}
