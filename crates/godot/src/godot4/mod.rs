//! Godot 4.2 and newer: the plug-in behind GDExtension.
//!
//! `weft_gdextension_init` is the entry. At the scene level our two classes are registered (`class`), each with a
//! table of virtual functions (`peer`, `channel`), and the first becomes what `WebRTCPeerConnection.new()` makes.

mod api;
mod channel;
mod class;
mod engine;
mod entry;
mod peer;
