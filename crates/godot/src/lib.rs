//! Weft as the WebRTC of a Godot game.
//!
//! One library serves both generations of the engine: Godot 3.2 to 3.6 load it through GDNative ([`godot3`]), Godot 4
//! through GDExtension. What they have in common, and what has no `unsafe` in it, is in the modules beside them: the
//! classes themselves are [`weft_rtc::polled`].
//!
//! Install steps and what scripts can do are in the README.

mod channel;
mod error;
#[allow(unsafe_code)] // the engine's C interface
pub mod godot3;
mod peer;
mod value;
