//! Commands of the peer protocol.

use std::fmt;

use serde_json::{Map, Value};

/// One command: its name and its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    name: &'static str,
    fields: Map<String, Value>,
}

impl Command {
    /// The command of this name, without fields.
    pub fn new(name: &'static str) -> Self {
        Self { name, fields: Map::new() }
    }

    /// The same with one field more.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The same with those fields of an event that it has.
    #[must_use]
    pub(super) fn with_fields_of(mut self, event: &Value, fields: &[&str]) -> Self {
        for field in fields {
            if let Some(value) = event.get(*field).filter(|value| !value.is_null()) {
                self.fields.insert((*field).to_owned(), value.clone());
            }
        }
        self
    }

    /// A field that holds text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The line that says it, without the line feed.
    pub(super) fn line(self, id: u64) -> String {
        let Self { name, mut fields } = self;
        fields.insert("do".to_owned(), name.into());
        fields.insert("id".to_owned(), id.into());
        Value::Object(fields).to_string()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
