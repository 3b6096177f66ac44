//! The folder that a game drops into its project.

use std::fs;
use std::path::Path;

use crate::{Outcome, Result, root};

/// Copies the addon and the demo projects, with the library in each place it belongs to.
pub(super) fn make(library: &Path, out: &Path) -> Result<Outcome> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    let from = root().join("crates/godot");
    let addon = out.join("addons/weft");
    copy_dir(&from.join("addon"), &addon)?;
    fs::create_dir_all(addon.join("linux"))?;
    fs::copy(library, addon.join("linux/libweft_godot.so"))?;
    fs::copy(from.join("README.md"), addon.join("README.md"))?;
    for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(root().join(license), addon.join(license))?;
    }
    for entry in fs::read_dir(from.join("demo"))? {
        let demo = entry?;
        let to = out.join("demo").join(demo.file_name());
        copy_dir(&demo.path(), &to)?;
        copy_dir(&addon, &to.join("addons/weft"))?;
    }
    Ok(Outcome::new(true, format!("the plug-in is in {}", out.display())))
}

/// Copies a folder with all that is in it.
pub(super) fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
