//! Messages and attributes as bytes.

pub(crate) mod attribute;
mod builder;
mod channel_data;
mod header;
mod message;

pub use builder::MessageBuilder;
pub use channel_data::{ChannelData, NotTurn, stream_message_len};
pub(crate) use header::message_type;
pub use header::{Class, HEADER_LEN, MAGIC_COOKIE, Method, TransactionId};
pub(crate) use message::IntegrityInput;
pub use message::{Attributes, Message, RawAttribute};
