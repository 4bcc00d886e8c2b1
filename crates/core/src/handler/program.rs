//! A program as a handler, in whatever language.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Event, Layer};

/// A program: what is run, how it is spoken to, and what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProgramCard {
    /// The program and its arguments. What is no name alone lies in the artifact: `./bootstrap`.
    pub command: Vec<String>,
    /// How it gets its calls.
    pub speaks: Speaks,
    /// What becomes its event, where a client sends it an HTTP request.
    #[serde(default)]
    pub event: Event,
    /// The version of Python that it runs in, such as `3.11`; absent when it is none of Python's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The packages that it needs; absent when it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Layer>,
}

/// How a program gets its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// It fetches events from AWS Lambda's Runtime API, which the runtime serves it.
    #[default]
    RuntimeApi,
    /// It answers HTTP requests on the port that the variable `PORT` names.
    Http,
}

impl Speaks {
    /// In words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::RuntimeApi => "a client of Lambda's Runtime API",
            Self::Http => "a server on $PORT",
        }
    }
}

impl fmt::Display for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// Whether a program is the Python of the function, by the names that people call it.
pub fn names_python(program: &str) -> bool {
    ["python", "python3"].contains(&program)
}

impl ProgramCard {
    /// The program that is run.
    pub fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// True where that lies in the artifact.
    pub fn is_own(&self) -> bool {
        self.program().contains('/')
    }

    /// Refuses a card that no runtime serves. One sentence that says what.
    pub(crate) fn check(&self, has: impl Fn(&str) -> bool) -> Result<(), String> {
        let program = self.program();
        if program.is_empty() || self.command.iter().any(|word| word.contains('\0')) {
            return Err("its command is none".to_owned());
        }
        let own = program.strip_prefix("./").unwrap_or(program);
        if self.is_own() && !has(own) {
            return Err(format!("its program {program:?} is not among its files"));
        }
        super::check_needs(self.python.as_deref(), self.packages.as_ref())
    }
}
