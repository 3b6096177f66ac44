//! Where the engines come from.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::suite::Engine;
use crate::{Result, root, shell};

/// Godot 3 without a display.
pub(super) fn three() -> Result<Engine> {
    Engine::probe(vec!["godot3-server".into()], "godot3").ok_or_else(|| {
        "godot3-server is missing: `apt-get install godot3-server` installs it (Godot 3.2.3 in Debian 12)".into()
    })
}

/// Whether Godot 4 can be had.
pub(super) enum Four {
    /// It can.
    Runs(Engine),
    /// It is not on this machine and cannot be fetched from here: why.
    Absent(String),
}

/// Godot 4: that of the machine, or Debian's unpacked into a folder of its own, downloaded once. One that is there and
/// does not start is an error.
pub(super) fn four(quiet: bool) -> Result<Four> {
    let installed = ["godot4", "godot"].into_iter().find_map(|program| probe_four(vec![program.into()]));
    if let Some(engine) = installed {
        return Ok(Four::Runs(engine));
    }
    let dir = root().join("target/godot/engine4");
    let loader = loader(&dir);
    if !loader.exists()
        && let Err(reason) = fetch(&dir, quiet)
    {
        return Ok(Four::Absent(format!("Godot 4 is not installed and was not fetched: {reason}")));
    }
    let libraries = dir.join("root/usr/lib/x86_64-linux-gnu");
    let path = format!("{0}:{0}/pulseaudio", libraries.display());
    let program = dir.join("root/usr/bin/godot");
    probe_four(vec![loader.into(), "--library-path".into(), path.into(), program.into()])
        .map(Four::Runs)
        .ok_or_else(|| format!("the engine in {} does not start", dir.display()).into())
}

fn probe_four(mut command: Vec<OsString>) -> Option<Engine> {
    command.push("--headless".into());
    Engine::probe(command, "godot4").filter(|engine| engine.name.starts_with("Godot 4."))
}

/// The loader of the unpacked system: its C library is newer than the machine's.
fn loader(dir: &Path) -> PathBuf {
    dir.join("root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
}

/// Downloads the package `godot` of Debian's unstable suite with all it depends on, from the archive that the machine
/// uses, and unpacks it. Nothing is installed.
fn fetch(dir: &Path, quiet: bool) -> Result<()> {
    let uri = shell::output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))
        .map_err(|_| "Godot 4 is not installed, and only Debian's apt-get could fetch it")?;
    let uri = uri.lines().find(|uri| !uri.contains("security")).ok_or("apt-get knows no archive")?.to_owned();
    let apt = dir.join("apt");
    for part in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(apt.join(part))?;
    }
    fs::write(apt.join("status"), "")?;
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    fs::write(apt.join("sources.list"), format!("deb [signed-by={keys}] {uri} sid main\n"))?;
    let apt_get = |arguments: &[&str]| {
        let mut run = Command::new("apt-get");
        for (key, value) in [
            ("Dir::Etc::sourcelist", apt.join("sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::State::lists", apt.join("lists")),
            ("Dir::State::status", apt.join("status")),
            ("Dir::Cache::archives", apt.join("archives")),
            ("Dir::Cache::pkgcache", "".into()),
            ("Dir::Cache::srcpkgcache", "".into()),
            ("APT::Install-Recommends", "false".into()),
            ("Debug::NoLocking", "true".into()),
            ("APT::Sandbox::User", "root".into()),
        ] {
            run.arg("-o").arg(format!("{key}={}", value.display()));
        }
        shell::run(run.arg("-qq").args(arguments), quiet)
    };
    if !apt_get(&["update"])? || !apt_get(&["-y", "--download-only", "install", "godot"])? {
        return Err("Debian's archive did not give Godot 4".into());
    }
    let to = dir.join("root");
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(apt.join("archives"))? {
        let package = entry?.path();
        if package.extension().is_some_and(|e| e == "deb") {
            let unpacked = Command::new("dpkg-deb").arg("-x").arg(&package).arg(&to).status()?;
            if !unpacked.success() {
                return Err(format!("{} cannot be unpacked", package.display()).into());
            }
        }
    }
    fs::remove_dir_all(apt)?;
    Ok(())
}
