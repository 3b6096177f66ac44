//! Godot 3.2 to 3.6: the plug-in behind GDNative.
//!
//! `entry` holds the symbols that the engine looks up. It asks us for peer connections by handing over an empty
//! `WebRTCPeerConnectionGDNative`; we attach one of our script classes to it (`script`), whose create function binds
//! the table of functions (`peer`, `channel`) and whose destroy function is the only word of the object's death.

mod api;
mod channel;
mod engine;
mod entry;
mod peer;
mod script;
