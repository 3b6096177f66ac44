//! Benchmarks of the layers and of the whole stack.
