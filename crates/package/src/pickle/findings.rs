//! What was found in a file: its imports, which of them are called, and what nobody can name.

use std::collections::HashMap;

use serde::Serialize;

use crate::pickle::known;
use crate::pickle::limits::{MAX_IMPORTS, MAX_SHOWN_CHARS, MAX_UNRESOLVED};

/// A name that Python would import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The module.
    pub module: String,
    /// The name in it, with dots when it is reached through attributes.
    pub name: String,
    /// True when it is called, false when it is only mentioned.
    pub called: bool,
    /// True when it is known to be harmless whatever it is called with.
    pub known: bool,
}

impl Import {
    /// The full name for people: short enough, and with nothing that moves a terminal's cursor.
    pub fn shown(&self) -> String {
        shown(&format!("{}.{}", self.module, self.name))
    }
}

/// Text of a file as it may stand in a message.
pub fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    plain.take(MAX_SHOWN_CHARS).collect()
}

/// Something whose effect cannot be told by reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// What.
    pub what: String,
    /// Where, in bytes of the unpacked stream.
    pub offset: u64,
}

/// Imports and what is unresolved, in the order in which they were met.
#[derive(Debug, Default)]
pub struct Findings {
    imports: Vec<Import>,
    places: HashMap<(String, String), u32>,
    unresolved: Vec<Unresolved>,
}

impl Findings {
    /// Notes an import and returns its place; `None` when there are too many.
    pub fn import(&mut self, module: &str, name: &str) -> Option<u32> {
        let key = (module.to_owned(), name.to_owned());
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        if self.imports.len() == MAX_IMPORTS {
            return None;
        }
        let place = self.imports.len() as u32;
        let known = known::is_known(module, name);
        self.imports.push(Import { module: key.0.clone(), name: key.1.clone(), called: false, known });
        self.places.insert(key, place);
        Some(place)
    }

    /// The import at a place.
    pub fn at(&self, place: u32) -> Option<&Import> {
        self.imports.get(place as usize)
    }

    /// Notes that the import at a place is called.
    pub fn called(&mut self, place: u32) {
        if let Some(import) = self.imports.get_mut(place as usize) {
            import.called = true;
        }
    }

    /// Notes something that cannot be told by reading.
    pub fn unresolved(&mut self, offset: u64, what: impl Into<String>) {
        if self.unresolved.len() < MAX_UNRESOLVED {
            self.unresolved.push(Unresolved { what: what.into(), offset });
        }
    }

    /// All of it.
    pub fn into_parts(self) -> (Vec<Import>, Vec<Unresolved>) {
        (self.imports, self.unresolved)
    }

    /// True when something was called before the end.
    pub fn calls_anything(&self) -> bool {
        !self.unresolved.is_empty() || self.imports.iter().any(|import| import.called)
    }

    /// The names that are not known, as people write them.
    pub fn unknown(&self) -> Vec<String> {
        let unknown = self.imports.iter().filter(|import| !import.known);
        unknown.map(Import::shown).collect()
    }
}
