//! The driver process with its browser: found, started, and gone without a trace.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{Doing, Failure, Outcome};

/// The programs that this needs.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The browser.
    pub chromium: PathBuf,
    /// Its WebDriver server.
    pub chromedriver: PathBuf,
}

/// Looks for both programs, in `CHROMIUM` and `CHROMEDRIVER`, then on the path. The error says what to install.
pub fn find_tools() -> Outcome<Tools> {
    let chromium = find("CHROMIUM", &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]);
    let chromedriver = find("CHROMEDRIVER", &["chromedriver", "chromium.chromedriver"]);
    match (chromium, chromedriver) {
        (Some(chromium), Some(chromedriver)) => Ok(Tools { chromium, chromedriver }),
        (chromium, chromedriver) => {
            let missing: Vec<&str> = [("chromium", chromium.is_none()), ("chromedriver", chromedriver.is_none())]
                .into_iter()
                .filter_map(|(name, missing)| missing.then_some(name))
                .collect();
            Err(Failure::new(format!(
                "not found: {}\n\
                 Install both, of one version:\n  \
                 Debian, Ubuntu: apt-get install chromium chromium-driver\n  \
                 Fedora:         dnf install chromium chromedriver\n  \
                 Arch:           pacman -S chromium\n  \
                 macOS:          brew install --cask chromium chromedriver\n\
                 or point CHROMIUM and CHROMEDRIVER at them.",
                missing.join(" and ")
            )))
        }
    }
}

fn find(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(variable) {
        return Some(PathBuf::from(given)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// A running chromedriver, leader of a process group that its browser belongs to. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    group: Option<Pid>,
    port: u16,
    /// Everything that either of them writes: a killed one does not clear up.
    folder: TempDir,
    profile: PathBuf,
}

impl Driver {
    pub(super) async fn start(tools: &Tools, limit: Duration) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("weft-interop-").tempdir()?;
        let [profile, temporary] = ["profile", "tmp"].map(|name| folder.path().join(name));
        std::fs::create_dir(&temporary)?;
        let mut child = Command::new(&tools.chromedriver)
            .arg("--port=0")
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .doing(format_args!("{} does not start", tools.chromedriver.display()))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let stdout = child.stdout.take();
        let mut driver = Self { child, group, port: 0, folder, profile };
        let stdout = stdout.ok_or_else(|| Failure::new("chromedriver has no standard output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let port = timeout(limit, async {
            while let Some(line) = lines.next_line().await? {
                let port = line
                    .split_once("successfully on port ")
                    .and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
                if let Some(port) = port {
                    return Ok(port);
                }
            }
            Err(Failure::new("chromedriver ended before it was ready"))
        })
        .await
        .doing(format_args!("chromedriver was not ready within {} s", limit.as_secs()))??;
        driver.port = port;
        // Read on, or it blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(driver)
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn profile(&self) -> &Path {
        &self.profile
    }

    /// Kills driver and browser at once.
    pub(super) fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // An error means that nothing is left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Kills what is left, and waits until it is gone.
    pub(super) async fn stop(&mut self) {
        self.kill();
        let _ = self.child.wait().await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.kill();
        // A dying browser still writes into its folder, which is removed again when the field is dropped.
        for _ in 0..20 {
            if std::fs::remove_dir_all(self.folder.path()).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
