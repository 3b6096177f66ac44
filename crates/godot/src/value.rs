//! The engine's `Variant` as a plain value, so that what is made of it needs no engine.

/// A value as scripts pass it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// `null`.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// Keys and values, in order.
    Dictionary(Vec<(Value, Value)>),
    /// Anything else: it means nothing here.
    Other,
}

impl Value {
    /// How deep lists and dictionaries are followed. An engine value may contain itself.
    pub(crate) const MAX_DEPTH: usize = 8;

    /// The value of a dictionary's key; `None` when this is no dictionary or does not have it.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let Self::Dictionary(entries) = self else { return None };
        entries.iter().find(|(k, _)| matches!(k, Self::Text(text) if text == key)).map(|(_, value)| value)
    }

    /// A dictionary of text keys.
    pub(crate) fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Self {
        Self::Dictionary(entries.into_iter().map(|(key, value)| (Self::Text(key.to_owned()), value)).collect())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}
