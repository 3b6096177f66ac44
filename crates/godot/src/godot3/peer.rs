//! A peer connection behind an engine object.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use super::api::{NET_VERSION, Object, PeerInterface, RawDictionary};
use super::channel::ChannelInstance;
use super::engine::{self, Engine, Variant, dictionary_value, engine, guard, text_from_c};
use crate::error;
use crate::peer::{Peer, Signal};
use crate::value::Value;

/// What stands behind one object; `data` of its interface points here.
///
/// The engine calls in on its main thread, and handlers of our signals call in again while [`poll`] runs: the cell is
/// never borrowed while the engine is called.
pub(super) struct PeerInstance {
    object: *mut Object,
    peer: RefCell<Peer>,
    interface: PeerInterface,
}

impl PeerInstance {
    /// The instance for a new object, bound to it.
    pub(super) fn create(object: *mut Object) -> *mut Self {
        let Some(engine) = engine() else { return ptr::null_mut() };
        let instance = Box::into_raw(Box::new(Self {
            object,
            peer: RefCell::new(Peer::new(engine::log)),
            interface: PeerInterface {
                version: NET_VERSION,
                data: ptr::null_mut(),
                get_connection_state,
                initialize,
                create_data_channel,
                create_offer,
                create_answer,
                set_remote_description,
                set_local_description,
                add_ice_candidate,
                poll,
                close,
                next: ptr::null_mut(),
            },
        }));
        // SAFETY: just made; the engine keeps the interface until it is unbound in `destroy`.
        unsafe {
            (*instance).interface.data = instance.cast::<c_void>();
            (engine.net.bind_webrtc_peer_connection)(object, &raw const (*instance).interface);
        }
        instance
    }

    /// The object dies, or has been given another script.
    ///
    /// # Safety
    /// `instance` must come from [`create`](Self::create), and not be used again.
    pub(super) unsafe fn destroy(instance: *mut Self) {
        if instance.is_null() {
            return;
        }
        // SAFETY: the caller's promise. Unbinding only writes a field of the object, whose memory still stands.
        unsafe {
            let instance = Box::from_raw(instance);
            if let Some(engine) = engine() {
                (engine.net.bind_webrtc_peer_connection)(instance.object, ptr::null());
            }
        }
    }

    /// Works with the peer; `None` when it is at work already, which no order of calls leads to.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        self.peer.try_borrow_mut().ok().map(|mut peer| work(&mut peer))
    }
}

/// Runs a call of the engine against the instance.
fn enter<T: Copy>(data: *const c_void, otherwise: T, work: impl FnOnce(&PeerInstance, &Engine) -> T) -> T {
    guard(otherwise, || {
        // SAFETY: `data` is the pointer of `create`, valid while bound.
        let instance = unsafe { data.cast::<PeerInstance>().as_ref() };
        instance.zip(engine()).map_or(otherwise, |(instance, engine)| work(instance, engine))
    })
}

/// As [`enter`], for what is answered by the peer alone.
fn ask(data: *const c_void, work: impl FnOnce(&mut Peer) -> i32) -> c_int {
    enter(data, error::BUG, |instance, _| instance.with(work).unwrap_or(error::BUG))
}

unsafe extern "C" fn get_connection_state(data: *const c_void) -> c_int {
    ask(data, |peer| peer.connection_state())
}

unsafe extern "C" fn initialize(data: *mut c_void, configuration: *const RawDictionary) -> c_int {
    // SAFETY: the engine lends its dictionary.
    ask(data, |peer| peer.initialize(&unsafe { dictionary_value(configuration) }))
}

unsafe extern "C" fn create_data_channel(
    data: *mut c_void,
    label: *const c_char,
    options: *const RawDictionary,
) -> *mut Object {
    enter(data, ptr::null_mut(), |instance, engine| {
        // SAFETY: the engine lends its strings and dictionary.
        let (label, options) = unsafe { (text_from_c(label), dictionary_value(options)) };
        let channel = instance.with(|peer| peer.create_data_channel(&label, &options)).flatten();
        // The first reference goes to the caller.
        channel.and_then(|channel| ChannelInstance::make(engine, channel)).unwrap_or(ptr::null_mut())
    })
}

unsafe extern "C" fn create_offer(data: *mut c_void) -> c_int {
    ask(data, Peer::create_offer)
}

/// Never called by the engine: answers are made when the offer is set.
unsafe extern "C" fn create_answer(_: *mut c_void) -> c_int {
    error::UNAVAILABLE
}

unsafe extern "C" fn set_remote_description(data: *mut c_void, kind: *const c_char, sdp: *const c_char) -> c_int {
    // SAFETY: the engine lends its strings.
    ask(data, |peer| unsafe { peer.set_remote_description(&text_from_c(kind), &text_from_c(sdp)) })
}

unsafe extern "C" fn set_local_description(data: *mut c_void, kind: *const c_char, sdp: *const c_char) -> c_int {
    // SAFETY: as above.
    ask(data, |peer| unsafe { peer.set_local_description(&text_from_c(kind), &text_from_c(sdp)) })
}

unsafe extern "C" fn add_ice_candidate(
    data: *mut c_void,
    media: *const c_char,
    index: c_int,
    name: *const c_char,
) -> c_int {
    // SAFETY: as above.
    ask(data, |peer| unsafe { peer.add_ice_candidate(&text_from_c(media), index, &text_from_c(name)) })
}

unsafe extern "C" fn poll(data: *mut c_void) -> c_int {
    enter(data, error::BUG, |instance, engine| {
        // A handler may drop the last reference; this one keeps the object, and so the instance, until the end.
        // SAFETY: the engine polls a living object.
        let _keep = unsafe { Variant::object(instance.object) };
        let polled = instance.with(Peer::poll).unwrap_or(error::BUG);
        while let Some(signal) = instance.with(Peer::next_signal).flatten() {
            emit(engine, instance.object, signal);
        }
        polled
    })
}

fn emit(engine: &Engine, object: *mut Object, signal: Signal) {
    let (name, arguments) = match signal {
        Signal::SessionDescriptionCreated { kind, sdp } => {
            ("session_description_created", vec![Variant::text(&kind), Variant::text(&sdp)])
        }
        Signal::IceCandidateCreated { media, index, name } => (
            "ice_candidate_created",
            vec![Variant::text(&media), Variant::from_value(&Value::Int(index.into())), Variant::text(&name)],
        ),
        Signal::DataChannelReceived(channel) => {
            let Some(channel) = ChannelInstance::make(engine, channel) else { return };
            // SAFETY: just made; the variant takes over its first reference.
            ("data_channel_received", vec![unsafe { Variant::object(channel) }])
        }
    };
    // SAFETY: `poll` keeps the object alive.
    unsafe { engine.emit(object, name, arguments) };
}

unsafe extern "C" fn close(data: *mut c_void) {
    enter(data, (), |instance, _| {
        instance.with(Peer::close);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_answer_is_not_offered() {
        // SAFETY: it looks at nothing.
        assert_eq!(unsafe { create_answer(ptr::null_mut()) }, 2);
    }
}
