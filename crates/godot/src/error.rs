//! The engine's `Error` values, the same in Godot 3 and 4.

/// `OK`.
pub(crate) const OK: i32 = 0;
/// `FAILED`.
pub(crate) const FAILED: i32 = 1;
/// `ERR_UNAVAILABLE`.
pub(crate) const UNAVAILABLE: i32 = 2;
/// `ERR_UNCONFIGURED`.
pub(crate) const UNCONFIGURED: i32 = 3;
/// `ERR_BUG`.
pub(crate) const BUG: i32 = 47;
