//! Messages and attributes as bytes.

pub(crate) mod attribute;
mod builder;
mod header;
mod message;

pub use builder::MessageBuilder;
pub use header::{Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId};
pub(crate) use message::IntegrityInput;
pub use message::{Attributes, Message, RawAttribute};
