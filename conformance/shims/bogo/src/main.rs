//! The shim that BoringSSL's test runner starts once a test: it makes one connection with `weft-dtls`, over the runner's
//! TCP socket, as the flags say. See the README beside `Cargo.toml`.

mod exchange;
mod flags;
mod names;
mod settings;
mod transport;

use std::io::Write as _;
use std::process::ExitCode;

use exchange::Exchange;
use flags::{Flags, Parsed};
use settings::Settings;
use transport::Transport;

/// Tells the runner that the test asks for what is not here.
const UNIMPLEMENTED: u8 = 89;

/// Names a file to which a line with the reason is added for every test that is unimplemented.
const REASONS: &str = "WEFT_BOGO_REASONS";

/// If set, no test is taken, so that the runner tells the name of each.
const NAMES: &str = "WEFT_BOGO_NAMES";

/// How the shim's work can end short of success.
pub(crate) enum Stop {
    /// The test asks for what `weft-dtls`, or this shim, does not have.
    Unimplemented(String),
    /// The connection failed, or was not as the flags expect.
    Failed(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Unimplemented(reason)) => {
            note(&reason);
            ExitCode::from(UNIMPLEMENTED)
        }
        Err(Stop::Failed(reason)) => {
            eprintln!("{reason}");
            for name in names::of(&reason) {
                eprintln!("{name}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Stop> {
    let flags = match Flags::parse(std::env::args().skip(1))? {
        Parsed::Flags(flags) => flags,
        Parsed::Question => {
            println!("No");
            return Ok(());
        }
    };
    if std::env::var_os(NAMES).is_some() {
        return Err(Stop::Unimplemented("nothing but names are asked for".to_owned()));
    }
    let settings = Settings::new(&flags)?;
    for _ in 0..=flags.resume_count {
        let transport = Transport::connect(&flags).map_err(|error| Stop::Failed(format!("connect: {error}")))?;
        Exchange::new(&flags, &settings, transport)?.run()?;
    }
    Ok(())
}

/// Without the file nobody wants to know.
fn note(reason: &str) {
    let Some(path) = std::env::var_os(REASONS) else { return };
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path) {
        let _ = file.write_all(format!("{reason}\n").as_bytes());
    }
}
