//! Weft as the WebRTC of a Godot game.
//!
//! One library serves both generations of the engine: Godot 3.2 to 3.6 load it through GDNative (`godot3`), Godot 4
//! through GDExtension (`godot4`). What they have in common, and what has no `unsafe` in it, is in the modules beside them: the
//! classes themselves are [`weft_rtc::polled`].
//!
//! Install steps and what scripts can do are in the README.

mod channel;
mod error;
#[allow(unsafe_code)] // the engine's C interface
mod godot3;
#[allow(unsafe_code)] // the engine's C interface
mod godot4;
mod peer;
mod value;

/// Runs what an engine asked for. No panic crosses into C (it would abort the game): `otherwise` is answered.
fn guard<T>(log: fn(&str), otherwise: T, work: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        log("a defect in the WebRTC library was caught; the call has failed");
        otherwise
    })
}
