//! The agent through its public interface: two of them over a virtual link, and one against scripted messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod it {
    mod candidates;
    mod client;
    mod connect;
    mod consent;
    mod demux;
    mod gather;
    mod hostile;
    mod moves;
    mod pitfalls;
    mod reconfigure;
    mod relay;
    mod restart;
    mod roles;
    mod server;
    mod support;
    mod tcp;
    mod trickle;
    mod world;
}
