//! `sctp-script`: JSON commands on standard input, one JSON answer each on standard output (see README.md).

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use weft_sctp_script::Driver;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever drove us has gone.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sctp-script: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut driver = Driver::new();
    let mut output = io::stdout().lock();
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            writeln!(output, "{}", driver.command(&text))?;
            output.flush()?;
        }
        line.clear();
    }
    Ok(())
}
