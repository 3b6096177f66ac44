//! The `weft` command: see `README.md`.

mod demo;
mod doctor;
mod dtls;
mod peer;
mod serve;
mod size;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// WebRTC data channels, from the standards up.
#[derive(Debug, Parser)]
#[command(name = "weft", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connect two peers on this machine, move data both ways, and measure.
    Demo(demo::Args),
    /// Serve a page that connects a browser to a native peer.
    Serve(serve::Args),
    /// Find out what this network lets through, and what that means for connections.
    Doctor(doctor::Args),
    /// One peer connection, driven by JSON lines on standard input and output.
    Peer,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let result: Result<(), Box<dyn std::error::Error>> = match cli.command {
        Command::Demo(args) => demo::run(&args).map_err(Into::into),
        Command::Serve(args) => serve::run(&args).map_err(Into::into),
        Command::Doctor(args) => doctor::run(&args).map_err(Into::into),
        Command::Peer => peer::run().map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weft: {error}");
            ExitCode::FAILURE
        }
    }
}
