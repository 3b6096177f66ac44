//! A peer connection behind an engine object: its virtual functions.

use std::cell::RefCell;
use std::ffi::{CStr, c_void};

use super::api::{Object, Virtual};
use super::channel::ChannelInstance;
use super::engine::{self, Engine, Variant, dictionary_value, engine, guard, read_string};
use crate::error;
use crate::peer::{Peer, Signal};
use crate::value::Value;

/// What stands behind one object.
///
/// The engine calls in on its main thread, and handlers of our signals call in again while [`poll`] runs: the cell is
/// never borrowed while the engine is called.
pub(super) struct PeerInstance {
    object: *mut Object,
    peer: RefCell<Peer>,
}

impl PeerInstance {
    /// The instance for a new object; the engine frees it with the object.
    pub(super) fn create(object: *mut Object) -> *mut Self {
        Box::into_raw(Box::new(Self { object, peer: RefCell::new(Peer::new(engine::log)) }))
    }

    /// Works with the peer; `None` when it is at work already, which no order of calls leads to.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Peer) -> T) -> Option<T> {
        self.peer.try_borrow_mut().ok().map(|mut peer| work(&mut peer))
    }
}

/// The virtual functions of `WebRTCPeerConnectionExtension`.
pub(super) const VIRTUALS: &[(&CStr, Virtual)] = &[
    (c"_get_connection_state", get_connection_state),
    (c"_get_gathering_state", get_gathering_state),
    (c"_get_signaling_state", get_signaling_state),
    (c"_initialize", initialize),
    (c"_create_data_channel", create_data_channel),
    (c"_create_offer", create_offer),
    (c"_set_remote_description", set_remote_description),
    (c"_set_local_description", set_local_description),
    (c"_add_ice_candidate", add_ice_candidate),
    (c"_poll", poll),
    (c"_close", close),
];

thread_local! {
    /// Objects whose last reference fell while they emitted: they live until the engine is out of their functions.
    static KEPT: RefCell<Vec<Variant>> = const { RefCell::new(Vec::new()) };
}

/// Lets go of objects that were kept alive.
pub(super) fn forget_kept() {
    let kept = KEPT.with(RefCell::take);
    drop(kept);
}

/// Runs a call of the engine against the instance.
fn enter<T: Copy>(instance: *mut c_void, otherwise: T, work: impl FnOnce(&PeerInstance, &Engine) -> T) -> T {
    guard(otherwise, || {
        // SAFETY: the pointer of `create`, valid as long as its object.
        let instance = unsafe { instance.cast::<PeerInstance>().as_ref() };
        instance.zip(engine()).map_or(otherwise, |(instance, engine)| work(instance, engine))
    })
}

/// Answers with a number what the peer alone answers.
///
/// # Safety
/// `result` must be the engine's place for a number.
unsafe fn ask(instance: *mut c_void, result: *mut c_void, work: impl FnOnce(&mut Peer) -> i32) {
    let answer = enter(instance, error::BUG, |instance, _| instance.with(work).unwrap_or(error::BUG));
    // SAFETY: the caller's promise; numbers of every size travel as 64 bits.
    unsafe { result.cast::<i64>().write(answer.into()) };
}

/// The text behind an argument.
///
/// # Safety
/// `arguments` must have a `String` at `index`.
unsafe fn text(arguments: *const *const c_void, index: usize) -> String {
    // SAFETY: the caller's promise.
    unsafe { read_string((*arguments.add(index)).cast()) }
}

unsafe extern "C" fn get_connection_state(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { ask(instance, result, |peer| peer.connection_state()) };
}

unsafe extern "C" fn get_gathering_state(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { ask(instance, result, |peer| peer.gathering_state()) };
}

unsafe extern "C" fn get_signaling_state(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: as above.
    unsafe { ask(instance, result, |peer| peer.signaling_state()) };
}

unsafe extern "C" fn initialize(instance: *mut c_void, arguments: *const *const c_void, result: *mut c_void) {
    // SAFETY: one argument, a dictionary.
    unsafe {
        let configuration = dictionary_value((*arguments).cast());
        ask(instance, result, |peer| peer.initialize(&configuration));
    }
}

unsafe extern "C" fn create_data_channel(instance: *mut c_void, arguments: *const *const c_void, result: *mut c_void) {
    // SAFETY: two arguments, text and a dictionary.
    let (label, options) = unsafe { (text(arguments, 0), dictionary_value((*arguments.add(1)).cast())) };
    enter(instance, (), |instance, engine| {
        let made = instance.with(|peer| peer.create_data_channel(&label, &options)).flatten();
        if let Some(channel) = made {
            let object = ChannelInstance::make(engine, Some(channel));
            // SAFETY: the result is an empty reference, which takes over the object's first.
            unsafe { (engine.interface.ref_set_object)(result, object) };
        }
    });
}

unsafe extern "C" fn create_offer(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    // SAFETY: a virtual function that answers a number.
    unsafe { ask(instance, result, Peer::create_offer) };
}

unsafe extern "C" fn set_remote_description(
    instance: *mut c_void,
    arguments: *const *const c_void,
    result: *mut c_void,
) {
    // SAFETY: two arguments, both text.
    unsafe {
        let (kind, sdp) = (text(arguments, 0), text(arguments, 1));
        ask(instance, result, |peer| peer.set_remote_description(&kind, &sdp));
    }
}

unsafe extern "C" fn set_local_description(
    instance: *mut c_void,
    arguments: *const *const c_void,
    result: *mut c_void,
) {
    // SAFETY: as above.
    unsafe {
        let (kind, sdp) = (text(arguments, 0), text(arguments, 1));
        ask(instance, result, |peer| peer.set_local_description(&kind, &sdp));
    }
}

unsafe extern "C" fn add_ice_candidate(instance: *mut c_void, arguments: *const *const c_void, result: *mut c_void) {
    // SAFETY: three arguments: text, number, text.
    unsafe {
        let (media, name) = (text(arguments, 0), text(arguments, 2));
        let index = i32::try_from((*arguments.add(1)).cast::<i64>().read()).unwrap_or(-1);
        ask(instance, result, |peer| peer.add_ice_candidate(&media, index, &name));
    }
}

unsafe extern "C" fn poll(instance: *mut c_void, _: *const *const c_void, result: *mut c_void) {
    let polled = enter(instance, error::BUG, |instance, engine| {
        forget_kept();
        let object = instance.object;
        // A handler may drop the last reference.
        // SAFETY: the engine polls a living object.
        let keep = unsafe { Variant::object(object) };
        let polled = instance.with(Peer::poll).unwrap_or(error::BUG);
        while let Some(signal) = instance.with(Peer::next_signal).flatten() {
            emit(engine, object, signal);
        }
        // SAFETY: `keep` keeps it alive.
        if unsafe { engine.reference_count(object) } == 1 {
            // For everybody else it is gone now.
            instance.with(Peer::close);
            KEPT.with(|kept| kept.borrow_mut().push(keep));
        }
        polled
    });
    // SAFETY: a virtual function that answers a number.
    unsafe { result.cast::<i64>().write(polled.into()) };
}

fn emit(engine: &Engine, object: *mut Object, signal: Signal) {
    let (name, arguments) = match signal {
        Signal::SessionDescriptionCreated { kind, sdp } => {
            (c"session_description_created", vec![Variant::text(&kind), Variant::text(&sdp)])
        }
        Signal::IceCandidateCreated { media, index, name } => (
            c"ice_candidate_created",
            vec![Variant::text(&media), Variant::from_value(&Value::Int(index.into())), Variant::text(&name)],
        ),
        Signal::DataChannelReceived(channel) => {
            let channel = ChannelInstance::make(engine, Some(channel));
            // SAFETY: just made; the variant takes over its first reference.
            (c"data_channel_received", vec![unsafe { Variant::object(channel) }])
        }
    };
    // SAFETY: `poll` keeps the object alive.
    unsafe { engine.emit(object, name, arguments) };
}

unsafe extern "C" fn close(instance: *mut c_void, _: *const *const c_void, _: *mut c_void) {
    enter(instance, (), |instance, _| {
        instance.with(Peer::close);
    });
}
