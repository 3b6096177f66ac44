//! What went over a bridge while a case was played.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Packets kept: those of connecting, and then some.
const PACKETS: &str = "3000";
/// How long tcpdump may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running tcpdump.
#[derive(Debug)]
pub struct Capture {
    child: Child,
    path: PathBuf,
}

impl Capture {
    /// Begins to write what goes over `bridge` to `path`. None where tcpdump is missing or may not.
    pub async fn start(bridge: &str, path: &Path) -> Option<Self> {
        let mut child = Command::new("tcpdump")
            // At once: the kernel hands packets over in blocks else, up to a second later.
            .args(["-i", bridge, "-n", "--immediate-mode", "-U", "-c", PACKETS, "-w"])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stderr.take()?).lines();
        let listens = timeout(PATIENCE, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("listening on") {
                    return true;
                }
            }
            false
        });
        if !listens.await.unwrap_or(false) {
            return None;
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { child, path: path.to_owned() })
    }

    /// Ends it; what it wrote, when that is wanted.
    pub async fn finish(mut self, wanted: bool) -> Option<Vec<u8>> {
        if wanted {
            // Packets reach it a little later than their receivers.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
        let bytes = if wanted { tokio::fs::read(&self.path).await.ok() } else { None };
        let _ = tokio::fs::remove_file(&self.path).await;
        bytes
    }
}
