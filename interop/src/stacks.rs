//! The stacks there are: one folder in `interop/images` each.

use std::path::{Path, PathBuf};

use crate::failure::{Doing as _, Outcome};
use crate::native::build;

/// One stack.
#[derive(Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its name, and that of its folder.
    pub name: &'static str,
    /// The program of its image that is built on this machine.
    pub program: Option<Program>,
    /// Whether it is a browser, which hides its addresses behind mDNS names unless it is told not to.
    pub browser: bool,
    /// Whether it is in the `--quick` run.
    pub quick: bool,
}

/// A program that cargo builds on this machine and that is copied into the image.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// What to give `cargo build`: a package of the workspace, or a manifest outside it.
    pub arguments: &'static [&'static str],
    /// The binary.
    pub binary: &'static str,
}

const SCRIPT: Stack = Stack { name: "", program: None, browser: false, quick: false };

/// All of them. To add one, see `interop/README.md`.
pub const STACKS: &[Stack] = &[
    Stack {
        name: "weft",
        program: Some(Program { arguments: &["--package", "weft-cli"], binary: "weft" }),
        browser: false,
        quick: true,
    },
    Stack { name: "chromium", browser: true, quick: true, ..SCRIPT },
    Stack { name: "firefox", browser: true, ..SCRIPT },
    Stack { name: "libwebrtc", quick: true, ..SCRIPT },
    Stack { name: "libdatachannel", ..SCRIPT },
    Stack { name: "pion", ..SCRIPT },
    Stack { name: "aiortc", ..SCRIPT },
    Stack {
        name: "str0m",
        program: Some(Program {
            arguments: &["--manifest-path", "interop/images/str0m/Cargo.toml", "--target-dir", "target/interop"],
            binary: "interop-str0m",
        }),
        ..SCRIPT
    },
    Stack {
        name: "webrtc-rs",
        program: Some(Program {
            arguments: &["--manifest-path", "interop/images/webrtc-rs/Cargo.toml", "--target-dir", "target/interop"],
            binary: "interop-webrtc-rs",
        }),
        ..SCRIPT
    },
];

/// The stack of this name.
pub fn find(name: &str) -> Option<&'static Stack> {
    STACKS.iter().find(|stack| stack.name == name)
}

impl Stack {
    /// Whether it is Weft.
    pub fn is_weft(&self) -> bool {
        self.name == "weft"
    }

    /// Builds its program (Weft's only when none is given), if it has one, and puts it where its Dockerfile finds it. The files its image takes besides those
    /// of its folder.
    pub async fn program(&self, workspace: &Path, images: &Path, weft: Option<&Path>) -> Outcome<Vec<PathBuf>> {
        let Some(program) = &self.program else { return Ok(Vec::new()) };
        let built = match weft.filter(|_| self.is_weft()) {
            Some(given) => given.to_owned(),
            None => build(workspace, program.arguments, program.binary).await?,
        };
        let folder = images.join("bin");
        std::fs::create_dir_all(&folder)?;
        let copy = folder.join(program.binary);
        let (new, old) = (std::fs::read(&built)?, std::fs::read(&copy).unwrap_or_default());
        if new != old {
            // It may run: a new file takes its place.
            if !old.is_empty() {
                std::fs::remove_file(&copy)?;
            }
            std::fs::copy(&built, &copy).doing(format_args!("{}", copy.display()))?;
        }
        Ok(vec![copy])
    }
}
