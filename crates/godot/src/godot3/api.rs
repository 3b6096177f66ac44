//! The C interface of GDNative as far as it is needed here: layouts and function tables, written by hand.
//!
//! Every number below is a place in a table that the engine hands over, which Godot 3 never changed from 3.1 to 3.6.
//! Sizes are those of 64-bit and 32-bit builds alike: opaque values are one pointer, a `Variant` is 24 bytes.

use std::ffi::{c_char, c_int, c_void};

/// `godot_object`: only ever seen through a pointer.
pub(super) enum Object {}

/// `godot_method_bind`: only ever seen through a pointer.
pub(super) enum MethodBind {}

/// A function of a table before it is given its type.
pub(super) type RawFunction = unsafe extern "C" fn();

/// `godot_class_constructor`.
pub(super) type Constructor = unsafe extern "C" fn() -> *mut Object;

/// `godot_string`.
#[repr(C)]
pub(super) struct RawString(pub(super) usize);

/// `godot_char_string`.
#[repr(C)]
pub(super) struct RawCharString(pub(super) usize);

/// `godot_dictionary`.
#[repr(C)]
pub(super) struct RawDictionary(pub(super) usize);

/// `godot_array`.
#[repr(C)]
pub(super) struct RawArray(pub(super) usize);

/// `godot_variant`.
#[repr(C)]
pub(super) struct RawVariant(pub(super) [u64; 3]);

/// `godot_variant_call_error`.
#[repr(C)]
#[derive(Default)]
pub(super) struct CallError {
    pub(super) error: c_int,
    pub(super) argument: c_int,
    pub(super) expected: c_int,
}

/// `godot_gdnative_api_version`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// What every table begins with.
#[repr(C)]
pub(super) struct TableHead {
    pub(super) kind: u32,
    pub(super) version: Version,
    pub(super) next: *const TableHead,
}

/// The table of core functions; the functions follow.
#[repr(C)]
pub(super) struct CoreTable {
    pub(super) head: TableHead,
    pub(super) extension_count: u32,
    pub(super) extensions: *const *const TableHead,
}

/// `kind` of the nativescript table.
pub(super) const KIND_NATIVESCRIPT: u32 = 1;
/// `kind` of the net table.
pub(super) const KIND_NET: u32 = 6;

/// `godot_gdnative_init_options`.
#[repr(C)]
pub(super) struct InitOptions {
    pub(super) in_editor: bool,
    pub(super) api_hashes: [u64; 3],
    pub(super) report_version_mismatch: RawFunction,
    pub(super) report_loading_error: Option<unsafe extern "C" fn(*const Object, *const c_char)>,
    pub(super) library: *mut Object,
    pub(super) core: *const CoreTable,
    pub(super) library_path: *const RawString,
}

/// Declares a struct of function pointers, each with its place in the engine's table, and how to load it.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($index:literal $field:ident: ($($argument:ty),*) $(-> $result:ty)?;)* }) => {
        $(#[$doc])*
        pub(super) struct $name {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl $name {
            /// # Safety
            /// `functions` must be the first function of the engine's table of this name.
            pub(super) unsafe fn load(functions: *const RawFunction) -> Self {
                // SAFETY: the caller's promise; each place holds the function of the type written beside it.
                unsafe {
                    Self {
                        $($field: std::mem::transmute::<
                            RawFunction,
                            unsafe extern "C" fn($($argument),*) $(-> $result)?,
                        >(*functions.add($index)),)*
                    }
                }
            }
        }
    };
}

table! {
    /// Functions of core 1.0.
    Core {
        323 array_new: (*mut RawArray);
        333 array_get: (*const RawArray, c_int) -> RawVariant;
        336 array_append: (*mut RawArray, *const RawVariant);
        356 array_size: (*const RawArray) -> c_int;
        361 array_destroy: (*mut RawArray);
        362 dictionary_new: (*mut RawDictionary);
        364 dictionary_destroy: (*mut RawDictionary);
        372 dictionary_keys: (*const RawDictionary) -> RawArray;
        374 dictionary_get: (*const RawDictionary, *const RawVariant) -> RawVariant;
        375 dictionary_set: (*mut RawDictionary, *const RawVariant, *const RawVariant);
        507 variant_get_type: (*const RawVariant) -> c_int;
        510 variant_new_bool: (*mut RawVariant, bool);
        512 variant_new_int: (*mut RawVariant, i64);
        513 variant_new_real: (*mut RawVariant, f64);
        514 variant_new_string: (*mut RawVariant, *const RawString);
        527 variant_new_object: (*mut RawVariant, *const Object);
        528 variant_new_dictionary: (*mut RawVariant, *const RawDictionary);
        529 variant_new_array: (*mut RawVariant, *const RawArray);
        537 variant_as_bool: (*const RawVariant) -> bool;
        539 variant_as_int: (*const RawVariant) -> i64;
        540 variant_as_real: (*const RawVariant) -> f64;
        541 variant_as_string: (*const RawVariant) -> RawString;
        555 variant_as_dictionary: (*const RawVariant) -> RawDictionary;
        556 variant_as_array: (*const RawVariant) -> RawArray;
        570 variant_destroy: (*mut RawVariant);
        571 char_string_length: (*const RawCharString) -> c_int;
        572 char_string_get_data: (*const RawCharString) -> *const c_char;
        573 char_string_destroy: (*mut RawCharString);
        678 string_utf8: (*const RawString) -> RawCharString;
        682 string_chars_to_utf8_with_len: (*const c_char, c_int) -> RawString;
        721 string_destroy: (*mut RawString);
        732 method_bind_get_method: (*const c_char, *const c_char) -> *mut MethodBind;
        734 method_bind_call: (*mut MethodBind, *mut Object, *const *const RawVariant, c_int, *mut CallError) -> RawVariant;
        735 get_class_constructor: (*const c_char) -> Option<Constructor>;
        741 print_error: (*const c_char, *const c_char, *const c_char, c_int);
    }
}

/// `godot_instance_create_func`.
#[repr(C)]
pub(super) struct InstanceCreate {
    pub(super) create: unsafe extern "C" fn(*mut Object, *mut c_void) -> *mut c_void,
    pub(super) method_data: *mut c_void,
    pub(super) free: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// `godot_instance_destroy_func`.
#[repr(C)]
pub(super) struct InstanceDestroy {
    pub(super) destroy: unsafe extern "C" fn(*mut Object, *mut c_void, *mut c_void),
    pub(super) method_data: *mut c_void,
    pub(super) free: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// `godot_instance_method`: instance, method data, user data, argument count, arguments.
pub(super) type Method =
    unsafe extern "C" fn(*mut Object, *mut c_void, *mut c_void, c_int, *mut *mut RawVariant) -> RawVariant;

/// `godot_instance_method` with its data.
#[repr(C)]
pub(super) struct InstanceMethod {
    pub(super) method: Method,
    pub(super) method_data: *mut c_void,
    pub(super) free: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// `godot_method_attributes`: remote procedure calls are disabled (0).
#[repr(C)]
#[derive(Default)]
pub(super) struct MethodAttributes {
    pub(super) rpc_type: c_int,
}

table! {
    /// Functions of nativescript 1.0.
    NativeScript {
        0 register_class: (*mut c_void, *const c_char, *const c_char, InstanceCreate, InstanceDestroy);
        2 register_method: (*mut c_void, *const c_char, *const c_char, MethodAttributes, InstanceMethod);
    }
}

table! {
    /// Functions of net 3.2.
    Net {
        0 set_webrtc_library: (*const WebRtcLibrary) -> c_int;
        1 bind_webrtc_peer_connection: (*mut Object, *const PeerInterface);
        2 bind_webrtc_data_channel: (*mut Object, *const ChannelInterface);
    }
}

/// The version that `Net` and the three interfaces below have.
pub(super) const NET_VERSION: Version = Version { major: 3, minor: 2 };

/// `godot_net_webrtc_library`.
#[repr(C)]
pub(super) struct WebRtcLibrary {
    pub(super) version: Version,
    pub(super) unregistered: unsafe extern "C" fn(),
    pub(super) create_peer_connection: unsafe extern "C" fn(*mut Object) -> c_int,
    pub(super) next: *mut c_void,
}

/// `godot_net_webrtc_peer_connection`.
#[repr(C)]
pub(super) struct PeerInterface {
    pub(super) version: Version,
    pub(super) data: *mut c_void,
    pub(super) get_connection_state: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) initialize: unsafe extern "C" fn(*mut c_void, *const RawDictionary) -> c_int,
    pub(super) create_data_channel:
        unsafe extern "C" fn(*mut c_void, *const c_char, *const RawDictionary) -> *mut Object,
    pub(super) create_offer: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(super) create_answer: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(super) set_remote_description: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    pub(super) set_local_description: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    pub(super) add_ice_candidate: unsafe extern "C" fn(*mut c_void, *const c_char, c_int, *const c_char) -> c_int,
    pub(super) poll: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(super) close: unsafe extern "C" fn(*mut c_void),
    pub(super) next: *mut c_void,
}

/// `godot_net_webrtc_data_channel`.
#[repr(C)]
pub(super) struct ChannelInterface {
    pub(super) version: Version,
    pub(super) data: *mut c_void,
    pub(super) get_packet: unsafe extern "C" fn(*mut c_void, *mut *const u8, *mut c_int) -> c_int,
    pub(super) put_packet: unsafe extern "C" fn(*mut c_void, *const u8, c_int) -> c_int,
    pub(super) get_available_packet_count: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) get_max_packet_size: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) set_write_mode: unsafe extern "C" fn(*mut c_void, c_int),
    pub(super) get_write_mode: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) was_string_packet: unsafe extern "C" fn(*const c_void) -> bool,
    pub(super) get_ready_state: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) get_label: unsafe extern "C" fn(*const c_void) -> *const c_char,
    pub(super) is_ordered: unsafe extern "C" fn(*const c_void) -> bool,
    pub(super) get_id: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) get_max_packet_life_time: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) get_max_retransmits: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) get_protocol: unsafe extern "C" fn(*const c_void) -> *const c_char,
    pub(super) is_negotiated: unsafe extern "C" fn(*const c_void) -> bool,
    pub(super) poll: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(super) close: unsafe extern "C" fn(*mut c_void),
    pub(super) next: *const ChannelInterface2,
}

/// What later engines of the 3.x line read behind `next`; 3.2 ignores it.
#[repr(C)]
pub(super) struct ChannelInterface2 {
    pub(super) get_buffered_amount: unsafe extern "C" fn(*const c_void) -> c_int,
    pub(super) next: *mut c_void,
}

#[cfg(test)]
#[cfg(target_pointer_width = "64")]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn layouts_are_those_of_the_engine() {
        assert_eq!(size_of::<RawVariant>(), 24);
        assert_eq!(size_of::<RawString>(), 8);
        assert_eq!(offset_of!(TableHead, version), 4);
        assert_eq!(offset_of!(TableHead, next), 16);
        assert_eq!(size_of::<TableHead>(), 24);
        assert_eq!(offset_of!(CoreTable, extension_count), 24);
        assert_eq!(offset_of!(CoreTable, extensions), 32);
        assert_eq!(size_of::<CoreTable>(), 40);
        assert_eq!(offset_of!(InitOptions, api_hashes), 8);
        assert_eq!(offset_of!(InitOptions, report_version_mismatch), 32);
        assert_eq!(offset_of!(InitOptions, report_loading_error), 40);
        assert_eq!(offset_of!(InitOptions, library), 48);
        assert_eq!(offset_of!(InitOptions, core), 56);
        assert_eq!(offset_of!(InitOptions, library_path), 64);
    }
}
