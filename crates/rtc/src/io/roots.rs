//! The system's authorities are read by a thread for what blocks, while all else goes on.

use std::sync::atomic::{AtomicBool, Ordering};

static BEING_READ: AtomicBool = AtomicBool::new(false);

/// Held by who reads them: a runtime that ends may never have begun.
struct Reading;

impl Drop for Reading {
    fn drop(&mut self) {
        BEING_READ.store(false, Ordering::Release);
    }
}

/// Whether they were read. If not they are from now on; it takes a tokio runtime.
pub(super) fn are_loaded() -> bool {
    if weft_net::system_roots_are_loaded() {
        return true;
    }
    if !BEING_READ.swap(true, Ordering::AcqRel) {
        let reading = Reading;
        tokio::task::spawn_blocking(move || {
            let _reading = reading;
            weft_net::load_system_roots();
        });
    }
    false
}
