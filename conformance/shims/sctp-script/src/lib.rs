//! One SCTP association on a virtual clock, driven by JSON lines: the contract is in README.md.
//!
//! [`Driver::command`] takes a line and gives the answer; the program `sctp-script` puts it behind standard input and
//! output.

mod answer;
mod command;
mod endpoint;
mod hex;
mod settings;

pub use answer::{Answer, state_name};
pub use command::{Command, Role, Settings};
pub use endpoint::Endpoint;
pub use hex::{decode, encode};

/// The endpoint of a script, if there is one yet.
#[derive(Debug, Default)]
pub struct Driver {
    endpoint: Option<Endpoint>,
}

impl Driver {
    /// Nothing yet: a script begins with `new`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out the command in `line` and gives the answer, one JSON object without a line break.
    pub fn command(&mut self, line: &str) -> String {
        let answer = match serde_json::from_str(line) {
            Ok(command) => self.carry_out(&command),
            Err(error) => self.refuse(format!("not a command: {error}")),
        };
        serde_json::to_string(&answer).unwrap_or_else(|error| format!(r#"{{"error":"{error}"}}"#))
    }

    /// Carries out `command`.
    pub fn carry_out(&mut self, command: &Command) -> Answer {
        if let Command::New { role, config } = command {
            if let Err(why) = config.check() {
                return self.refuse(why);
            }
            let mut endpoint = Endpoint::new(*role, config);
            let answer = endpoint.answer(None);
            self.endpoint = Some(endpoint);
            return answer;
        }
        match &mut self.endpoint {
            Some(endpoint) => endpoint.carry_out(command),
            None => self.refuse("there is no endpoint: begin with `new`".to_owned()),
        }
    }

    fn refuse(&mut self, why: String) -> Answer {
        match &mut self.endpoint {
            Some(endpoint) => endpoint.answer(Some(why)),
            None => Answer { error: Some(why), ..Answer::default() },
        }
    }
}
