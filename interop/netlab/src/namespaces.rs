//! Names of network namespaces that say which process made them, so that those of runs that died can be removed.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// How the names of one topology of this process begin; `kind` tells them apart.
pub(crate) fn prefix(kind: &str) -> String {
    format!("weft-{}-{kind}-", std::process::id())
}

/// The process that made the namespace of this name, if it is one of ours.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix("weft-")?.split_once('-')?.0.parse().ok()
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Removes the namespaces that this process made and what runs in them, or, of `dead` runs, those of processes that are no
/// more.
pub fn sweep(dead: bool) {
    let ours = |maker: u32| {
        if dead { !Path::new("/proc").join(maker.to_string()).exists() } else { maker == std::process::id() }
    };
    for line in ip(&["netns", "list"]).lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if !maker(name).is_some_and(ours) {
            continue;
        }
        for pid in ip(&["netns", "pids", name]).lines().filter_map(|pid| Pid::from_raw(pid.trim().parse().ok()?)) {
            // An error means that it has ended.
            let _ = kill_process(pid, Signal::KILL);
        }
        ip(&["netns", "del", name]);
    }
}

#[cfg(test)]
mod tests {
    use super::{maker, prefix};

    #[test]
    fn a_name_says_who_made_it() {
        assert_eq!(maker(&format!("{}c1", prefix("n0"))), Some(std::process::id()));
        assert_eq!(maker("wm123r"), None);
        assert_eq!(maker("weft-x-m-r"), None);
    }
}
