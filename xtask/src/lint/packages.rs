//! What every published crate carries: the licences' texts, examples in its README that compile, documentation of all
//! features.

use std::fs;

use super::Findings;
use crate::{Result, cargo, root};

const LICENSES: &[&str] = &["LICENSE-MIT", "LICENSE-APACHE"];

pub(super) fn check(found: &mut Findings) -> Result<()> {
    let texts = LICENSES.iter().map(|name| Ok((*name, fs::read_to_string(root().join(name))?)));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    for package in cargo::PUBLISHED {
        let directory = format!("crates/{}", package.strip_prefix("weft-").unwrap_or(package));
        let read = |name: &str| fs::read_to_string(root().join(&directory).join(name)).unwrap_or_default();
        for (name, text) in &texts {
            if read(name) != *text {
                found.faults.push(format!("{directory}/{name}: is not the workspace's"));
            }
        }
        found.faults.extend(
            faults(&read("Cargo.toml"), &read("README.md"), &read("src/lib.rs"))
                .map(|fault| format!("{directory}/{fault}")),
        );
    }
    Ok(())
}

fn faults(manifest: &str, readme: &str, library: &str) -> impl Iterator<Item = &'static str> {
    let examples = readme.contains("```rust\n") && !library.contains("include_str!(\"../README.md\")");
    let features = manifest.contains("\n[features]\n")
        && !manifest.contains("\n[package.metadata.docs.rs]\nall-features = true\n");
    let examples = examples.then_some("README.md: its code is not compiled: src/lib.rs includes it as `cfg(doctest)`");
    let features = features.then_some("Cargo.toml: docs.rs shows some features alone: `[package.metadata.docs.rs]`");
    examples.into_iter().chain(features)
}

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn code_is_compiled_and_features_are_shown() {
        let (features, shown) = (
            "[package]\n\n[features]\n",
            "[package]\n\n[features]\n\n[package.metadata.docs.rs]\nall-features = true\n",
        );
        let (code, included) = ("```rust\nx();\n```", "#[doc = include_str!(\"../README.md\")]");
        assert_eq!(faults(features, code, "").count(), 2);
        assert_eq!(faults(shown, code, included).count(), 0);
        assert_eq!(faults("[package]\n", "```text\n```", "").count(), 0);
    }
}
