//! Variables and the little arithmetic of scripts: `$tsn+1`, `17`, `0x11`, `-`.

use std::collections::BTreeMap;

/// What scripts have named so far.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// What `text` stands for: numbers come out in decimal, modulo 2^32 where something was added.
    pub(crate) fn resolve(&self, text: &str) -> Result<String, String> {
        let Some(rest) = text.strip_prefix('$') else {
            return Ok(number(text).map_or_else(|| text.to_owned(), |n| n.to_string()));
        };
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let (name, offset) = rest.split_at(end);
        let value = self.0.get(name).ok_or_else(|| format!("${name} is not set"))?;
        if offset.is_empty() {
            return Ok(value.clone());
        }
        let base = number(value).ok_or_else(|| format!("${name} is no number: {value}"))?;
        let by = number(&offset[1..]).ok_or_else(|| format!("`{offset}` is no number"))?;
        let sum = if offset.starts_with('+') { base.wrapping_add(by) } else { base.wrapping_sub(by) };
        Ok((sum as u32).to_string())
    }

    /// As a number.
    pub(crate) fn number(&self, text: &str) -> Result<u64, String> {
        number(&self.resolve(text)?).ok_or_else(|| format!("`{text}` is no number"))
    }

    /// Holds `actual` against what a script expects; a name not yet set takes the value.
    pub(crate) fn matches(&mut self, expected: &str, actual: &str) -> Result<(), String> {
        if expected == "*" {
            return Ok(());
        }
        if let Some(name) = expected.strip_prefix('$')
            && !name.contains(['+', '-'])
            && !self.0.contains_key(name)
        {
            self.set(name, actual.to_owned());
            return Ok(());
        }
        if expected == actual {
            return Ok(());
        }
        let expected = self.resolve(expected)?;
        if expected == actual { Ok(()) } else { Err(format!("is {actual}, not {expected}")) }
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
