//! Virtual time, seeded links and drivers for testing Weft layers.
