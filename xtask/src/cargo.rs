//! `cargo xtask docs`, `deny`, `browser`, and the formatting and clippy steps of `ci`: cargo does the work.

use crate::{Outcome, Result, shell};

/// Formatting of the workspace and of the fuzz package, which is a workspace of its own.
pub(crate) fn fmt(quiet: bool) -> Result<Outcome> {
    let all = shell::run(shell::cargo().args(["fmt", "--all", "--check"]), quiet)?;
    let fuzz = ["fmt", "--manifest-path", "conformance/fuzz/Cargo.toml", "--check"];
    let fuzz = shell::run(shell::cargo().args(fuzz), quiet)?;
    Ok(Outcome::new(all && fuzz, "rustfmt".to_owned()))
}

/// Clippy over everything, warnings as errors.
pub(crate) fn clippy(quiet: bool) -> Result<Outcome> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    // What compares us with others is behind features, and would rot unseen.
    let peers = [
        ["weft-benches", "dtls-peers,peers,ice-peers,stack-peers"],
        ["weft-conformance", "peers,dtls-peers,sdp-differential"],
    ];
    let mut ok = shell::run(shell::cargo().args(args), quiet)?;
    // Each feature alone, as who leaves out the rest builds it; with `tokio` goes `net`.
    for feature in ["", "net", "metrics"] {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--package", "weft-rtc", "--no-default-features", "--features", feature]);
        ok = ok && shell::run(clippy.args(["--", "-D", "warnings"]), quiet)?;
    }
    for [package, features] in peers {
        let mut clippy = shell::cargo();
        clippy.args(["clippy", "--package", package, "--all-targets", "--features", features, "--", "-D", "warnings"]);
        ok = ok && shell::run(&mut clippy, quiet)?;
    }
    Ok(Outcome::new(ok, "clippy, all targets, no warnings".to_owned()))
}

/// The tests of what is not built by default: the interop suite and the network lab themselves.
pub(crate) fn suites(quiet: bool) -> Result<Outcome> {
    let args = ["test", "--quiet", "--package", "weft-interop", "--package", "weft-netlab"];
    let ok = shell::run(shell::cargo().args(args), quiet)?;
    Ok(Outcome::new(ok, "weft-interop and weft-netlab".to_owned()))
}

/// The documentation, warnings as errors.
pub(crate) fn docs(quiet: bool) -> Result<Outcome> {
    // As docs.rs shows them, those that are published; the others' features compare us with other stacks.
    let (mut published, mut others) = (shell::cargo(), shell::cargo());
    published.args(["doc", "--no-deps", "--all-features"]);
    others.args(["doc", "--no-deps", "--workspace"]);
    for name in PUBLISHED {
        published.args(["--package", name]);
        others.args(["--exclude", name]);
    }
    let mut ok = true;
    for doc in [&mut published, &mut others] {
        ok = ok && shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"), quiet)?;
    }
    Ok(Outcome::new(ok, "documentation, no warnings".to_owned()))
}

/// Crates that are published, in the order in which they would be.
pub(crate) const PUBLISHED: &[&str] =
    &["weft-core", "weft-sdp", "weft-stun", "weft-ice", "weft-dtls", "weft-sctp", "weft-net", "weft-rtc", "weft-cli"];

/// Packages what would be published, as far as that is possible before anything is: another `weft-core` is in the public
/// registry, and cargo would build the packages against that one.
pub(crate) fn package(quiet: bool) -> Result<Outcome> {
    let mut package = shell::cargo();
    // Versions come from the workspace: packages that depend on each other are made together.
    package.args(["package", "--quiet", "--allow-dirty", "--no-verify"]);
    for name in PUBLISHED {
        package.args(["--package", name]);
    }
    let ok = shell::run(&mut package, quiet)?;
    Ok(Outcome::new(ok, format!("{} crates packaged", PUBLISHED.len())))
}

/// Licenses, banned crates and sources, by deny.toml. Advisories need a database from the network and are left out.
pub(crate) fn deny(quiet: bool) -> Result<Outcome> {
    if !shell::succeeds(shell::cargo().args(["deny", "--version"])) {
        return Err("cargo-deny is missing: `cargo install cargo-deny --locked` installs it".into());
    }
    let ok = shell::run(shell::cargo().args(["deny", "check", "licenses", "bans", "sources"]), quiet)?;
    Ok(Outcome::new(ok, "licenses, bans, sources".to_owned()))
}

/// The browser tests of `interop`.
pub(crate) fn browser(args: &[String], quiet: bool) -> Result<Outcome> {
    let mut run = shell::cargo();
    run.args(["run", "--package", "weft-interop", "--", "browser"]).args(args);
    let ok = shell::run(&mut run, quiet)?;
    Ok(Outcome::new(ok, "browser tests".to_owned()))
}

/// Every stack with every other, in containers.
pub(crate) fn interop(args: &[String], quiet: bool) -> Result<Outcome> {
    let mut run = shell::cargo();
    run.args(["run", "--package", "weft-interop", "--", "matrix"]).args(args);
    let ok = shell::run(&mut run, quiet)?;
    Ok(Outcome::new(ok, "interop matrix".to_owned()))
}

/// A command of `interop/netlab`.
pub(crate) fn netlab(command: &str, args: &[String], quiet: bool) -> Result<Outcome> {
    let mut run = shell::cargo();
    run.args(["run", "--package", "weft-netlab", "--", command]).args(args);
    let ok = shell::run(&mut run, quiet)?;
    Ok(Outcome::new(ok, format!("netlab {command}")))
}

/// `weft doctor` behind NATs.
pub(crate) fn doctor(args: &[String], quiet: bool) -> Result<Outcome> {
    if !shell::run(shell::cargo().args(["build", "--package", "weft-cli"]), quiet)? {
        return Ok(Outcome::new(false, "weft does not build".to_owned()));
    }
    netlab("doctor", args, quiet)
}

/// Every committed corpus through its fuzz target, as ordinary tests.
pub(crate) fn replay(quiet: bool) -> Result<Outcome> {
    let ok = shell::run(shell::cargo().args(["test", "--test", "corpora"]), quiet)?;
    Ok(Outcome::new(ok, "fuzz corpora replayed".to_owned()))
}

/// Figures for the crate `metrics`, which nothing else asks for.
pub(crate) fn metrics(quiet: bool) -> Result<Outcome> {
    let mut test = shell::cargo();
    test.args(["test", "--package", "weft-rtc", "--features", "metrics", "--test", "metrics"]);
    let ok = shell::run(&mut test, quiet)?;
    Ok(Outcome::new(ok, "figures as a recorder sees them".to_owned()))
}

/// Against other stacks: those that are crates, in one process, and usrsctp's programs.
pub(crate) fn peers(quiet: bool) -> Result<Outcome> {
    let mut test = shell::cargo();
    test.args(["test", "--package", "weft-conformance", "--features", "peers,dtls-peers,sdp-differential"]);
    test.args(["--test", "peers", "--test", "usrsctp", "--test", "dtls_peers", "--test", "sdp_differential"]);
    let ok = shell::run(&mut test, quiet)?;
    Ok(Outcome::new(ok, "dcsctp, sctp-proto, rtc-sctp, usrsctp; dimpl, webrtc-dtls; sdp, webrtc-sdp".to_owned()))
}
