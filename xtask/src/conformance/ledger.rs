//! The ledger's files: `conformance/ledger/rfcNNNN.toml`.

use std::{fmt, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::Result;

/// Why a requirement has no test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// Will be built and tested.
    Later,
    /// Belongs to an optional feature that Weft does not offer.
    NotOffered,
    /// Binds somebody else.
    OtherRole,
    /// No test at a public interface can observe it.
    Untestable,
    /// A newer RFC replaces it.
    Superseded,
}

impl Reason {
    pub(crate) const ALL: [Self; 5] =
        [Self::Later, Self::NotOffered, Self::OtherRole, Self::Untestable, Self::Superseded];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::NotOffered => "not-offered",
            Self::OtherRole => "other-role",
            Self::Untestable => "untestable",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How strongly a sentence binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Level {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "MUST NOT")]
    MustNot,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
}

impl Level {
    /// Whether it needs a test or a reason.
    pub(crate) const fn binds(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
        }
    }
}

/// One sentence of an RFC.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) level: Level,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// One reason for a section and everything below it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionReason {
    pub(crate) section: String,
    pub(crate) reason: Reason,
    pub(crate) note: String,
}

/// One RFC.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    pub(crate) rfc: u32,
    pub(crate) title: String,
    #[serde(default, rename = "section", skip_serializing_if = "Vec::is_empty")]
    pub(crate) sections: Vec<SectionReason>,
    #[serde(default, rename = "requirement")]
    pub(crate) requirements: Vec<Requirement>,
}

/// Whether `section` is `ancestor` or lies below it.
pub(crate) fn within(section: &str, ancestor: &str) -> bool {
    section.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Ledger {
    /// The reason that holds for a requirement, and its note: its own, else that of the closest section.
    pub(crate) fn reason<'a>(&'a self, requirement: &'a Requirement) -> Option<(Reason, &'a str)> {
        if let Some(reason) = requirement.reason {
            return Some((reason, requirement.note.as_deref().unwrap_or_default()));
        }
        self.sections
            .iter()
            .filter(|s| within(&requirement.section, &s.section))
            .max_by_key(|s| s.section.len())
            .map(|s| (s.reason, s.note.as_str()))
    }

    /// What is wrong with the file itself.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let named = |what: &str| format!("rfc{}.toml: {what}", self.rfc);
        for s in &self.sections {
            if s.note.trim().is_empty() {
                faults.push(named(&format!("section {} has a reason without a note", s.section)));
            }
            if !self.requirements.iter().any(|r| within(&r.section, &s.section)) {
                faults.push(named(&format!("section {} holds no requirement", s.section)));
            }
        }
        for (i, r) in self.requirements.iter().enumerate() {
            if r.reason.is_some() && r.note.as_deref().is_none_or(|n| n.trim().is_empty()) {
                faults.push(named(&format!("{} has a reason without a note", r.id)));
            }
            if r.reason.is_none() && r.note.is_some() {
                faults.push(named(&format!("{} has a note without a reason", r.id)));
            }
            if self.requirements.iter().take(i).any(|other| other.id == r.id) {
                faults.push(named(&format!("{} occurs twice", r.id)));
            }
        }
        faults
    }

    fn path(rfc: u32) -> PathBuf {
        dir().join(format!("rfc{rfc}.toml"))
    }

    /// The ledger of an RFC, if there is one.
    pub(crate) fn load(rfc: u32) -> Result<Option<Self>> {
        let path = Self::path(rfc);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path)?;
        let ledger: Self = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if ledger.rfc != rfc {
            return Err(format!("{}: says rfc = {}", path.display(), ledger.rfc).into());
        }
        Ok(Some(ledger))
    }

    /// Every ledger, in RFC order.
    pub(crate) fn load_all() -> Result<Vec<Self>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir())? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            if let Some(number) = name.strip_prefix("rfc").and_then(|n| n.strip_suffix(".toml")) {
                numbers.push(number.parse::<u32>().map_err(|e| format!("{name}: {e}"))?);
            }
        }
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|n| Self::load(n).transpose()).collect()
    }

    /// Writes the file whole, so that a reader never sees half of it.
    pub(crate) fn save(&self) -> Result<PathBuf> {
        let path = Self::path(self.rfc);
        let staged = path.with_extension("toml.new");
        fs::write(&staged, toml::to_string_pretty(self)?)?;
        fs::rename(&staged, &path)?;
        Ok(path)
    }
}

fn dir() -> PathBuf {
    crate::root().join("conformance/ledger")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_reason_holds() {
        let ledger: Ledger = toml::from_str(
            r#"
            rfc = 1
            title = "T"
            section = [
              { section = "5", reason = "other-role", note = "five" },
              { section = "5.1", reason = "not-offered", note = "five one" },
            ]
            [[requirement]]
            id = "1-5.1.2-1"
            section = "5.1.2"
            level = "MUST"
            text = "A MUST B."
            [[requirement]]
            id = "1-5.10-1"
            section = "5.10"
            level = "MUST NOT"
            text = "C MUST NOT D."
            [[requirement]]
            id = "1-5.1-1"
            section = "5.1"
            level = "MUST"
            text = "E MUST F."
            reason = "later"
            note = "own"
            [[requirement]]
            id = "1-50-1"
            section = "50"
            level = "MUST"
            text = "G MUST H."
            reason = "later"
            "#,
        )
        .unwrap();
        let reasons: Vec<_> = ledger.requirements.iter().map(|r| ledger.reason(r)).collect();
        let expected = [
            Some((Reason::NotOffered, "five one")),
            Some((Reason::OtherRole, "five")),
            Some((Reason::Later, "own")),
            Some((Reason::Later, "")),
        ];
        assert_eq!(reasons, expected);
        assert_eq!(ledger.faults(), ["rfc1.toml: 1-50-1 has a reason without a note"]);
    }
}
