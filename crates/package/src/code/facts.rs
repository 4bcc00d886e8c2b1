//! What a Python file defines, as [`SCRIPT`] says it.

use serde::Deserialize;

/// The script that reads files and runs none of them.
pub const SCRIPT: &str = include_str!("examine.py");

/// What one file defines at its top level, or why it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Its functions.
    pub functions: Vec<Function>,
    /// Objects that are applications.
    pub applications: Vec<Application>,
    /// Packages that it imports, beyond the standard library.
    pub imports: Vec<Import>,
    /// Absolute paths that loaders of models are given as they stand.
    pub paths: Vec<NamedPath>,
    /// Where it answers otherwise than whole.
    pub ways: Vec<Way>,
    /// Why it cannot be read.
    pub error: Option<Unreadable>,
}

/// A place where code answers otherwise than whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Way {
    /// How.
    pub kind: WayKind,
    /// Where, from 1.
    pub line: u32,
}

/// How code answers otherwise than whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayKind {
    /// In pieces, while the answer is made.
    Stream,
    /// By a websocket.
    Websocket,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it begins, from 1.
    pub line: u32,
    /// Its positional parameters.
    pub params: Vec<String>,
    /// How many of them have no default.
    pub required: usize,
    /// True when it takes any number.
    pub any: bool,
    /// True for `async def`.
    pub is_async: bool,
    /// Its decorators, such as `functions_framework.http`.
    pub decorators: Vec<String>,
    /// Keys that it asks its first parameter for.
    pub event_keys: Vec<String>,
}

/// An object that is an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// What made it, such as `FastAPI`.
    pub made: String,
    /// Where, from 1.
    pub line: u32,
}

/// A package that is imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// Where it is imported first, from 1.
    pub line: u32,
}

/// An absolute path that a loader is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct NamedPath {
    /// The path.
    pub path: String,
    /// Where, from 1.
    pub line: u32,
    /// The loader, as it is called.
    pub call: String,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Unreadable {
    /// Where, from 1.
    pub line: Option<u32>,
    /// What Python says.
    pub message: String,
}
