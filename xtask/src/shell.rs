//! Running other programs from the top of the workspace.

use std::process::{Command, Stdio};

use crate::{Result, root};

/// Cargo itself, or the one that runs this program.
pub(crate) fn cargo() -> Command {
    // `cargo xtask` sets CARGO to the toolchain's own binary, which ignores `+nightly`: the proxy is wanted.
    Command::new("cargo")
}

/// Shows the command, runs it, says whether it succeeded. Its standard output goes to ours, or to standard error
/// when ours is kept for JSON.
pub(crate) fn run(command: &mut Command, quiet: bool) -> Result<bool> {
    command.current_dir(root()).stdin(Stdio::null());
    eprintln!("$ {}", shown(command));
    if quiet {
        command.stdout(std::io::stderr());
    }
    let status = command.status().map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    Ok(status.success())
}

/// The standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.current_dir(root()).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let out = out.map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if !out.status.success() {
        return Err(format!("{} failed", shown(command)).into());
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// Whether a command exists and succeeds; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}
