//! The project's own chores: lint, layers, conformance, interop, benches, CI.

fn main() {}
