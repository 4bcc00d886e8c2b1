//! Which Python some code gets: the version that is said for it, and an interpreter of that version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use modelet_package::code::CodeSource;

use super::interpreter::Interpreter;
use super::uv::Uv;
use crate::engines::find_program;

/// Versions that code gets which asks for none, the first that this machine has.
const USUAL: [&str; 5] = ["3.12", "3.13", "3.11", "3.14", "3.10"];

/// The version that the code asks for, as `3.11`, and who says so.
pub fn asked(source: &CodeSource) -> Result<Option<(String, &'static str)>, String> {
    let notes = source.bundle.manifest.python.as_ref();
    if let Some(version) = notes.and_then(|notes| notes.version.as_deref()) {
        return minor(version).map(|version| Some((version, "modelet.toml"))).ok_or_else(|| {
            format!("modelet.toml: [python] version = {version:?} is not one such as \"3.11\"")
        });
    }
    let said = fs::read_to_string(source.folder.join(".python-version")).unwrap_or_default();
    Ok(said.lines().find_map(minor).map(|version| (version, ".python-version")))
}

/// All that decides which Python some code gets, as a text: the same text, the same Python.
pub fn asked_of(source: &CodeSource) -> String {
    format!("{:?} {:?}", asked(source), requires(&source.folder))
}

/// `3.11` of `3.11.4`, `cpython-3.11` and the like.
fn minor(text: &str) -> Option<String> {
    let at = text.find("3.")?;
    let digits: String = text[at + 2..].chars().take_while(char::is_ascii_digit).collect();
    (1..=2).contains(&digits.len()).then(|| format!("3.{digits}"))
}

/// An interpreter of a version: on the PATH, else one that `uv` knows of, else one that it brings.
pub async fn of(version: &str) -> Result<Interpreter, String> {
    if let Some(found) = here(version).await {
        return Ok(found);
    }
    let uv = Uv::find_here()
        .ok_or_else(|| format!("there is no python{version} on the PATH, and no uv that would bring it"))?;
    fitting(&uv.bring(version).await?, version).await.ok_or_else(|| format!("uv brought no Python {version}"))
}

/// An interpreter of a version that is on this machine already.
pub async fn here(version: &str) -> Option<Interpreter> {
    if let Some(program) = find_program(&format!("python{version}"))
        && let Some(found) = fitting(&program, version).await
    {
        return Some(found);
    }
    fitting(&Uv::find_here()?.find(version).await.ok()?, version).await
}

/// The Python that code gets which asks for none: the active environment's, else the first of the usual ones.
pub async fn usual(source: Option<&CodeSource>) -> Result<Interpreter, String> {
    if let Some(active) = env::var_os("VIRTUAL_ENV")
        && let Ok(found) = Interpreter::ask(&PathBuf::from(active).join("bin/python")).await
    {
        return Ok(found);
    }
    let bounds = source.and_then(|source| requires(&source.folder));
    let usual =
        || USUAL.into_iter().filter(|version| bounds.as_deref().is_none_or(|text| allows(text, version)));
    for version in usual() {
        if let Some(found) = here(version).await {
            return Ok(found);
        }
    }
    let version = usual().next().ok_or_else(|| {
        format!(
            "pyproject.toml: requires-python = {:?} allows none of {}",
            bounds.unwrap_or_default(),
            USUAL.join(", ")
        )
    })?;
    of(version).await
}

/// Any Python that reads files: the active environment's, one on the PATH, else a usual one.
pub async fn any() -> Result<Interpreter, String> {
    for name in ["python3", "python"] {
        if let Some(program) = find_program(name)
            && let Ok(found) = Interpreter::ask(&program).await
        {
            return Ok(found);
        }
    }
    usual(None).await
}

async fn fitting(program: &Path, version: &str) -> Option<Interpreter> {
    Interpreter::ask(program).await.ok().filter(|found| found.version == version)
}

/// What a project says of Python.
fn requires(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("pyproject.toml")).ok()?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("requires-python"))?;
    Some(line.trim_start_matches([' ', '=']).trim_matches(['"', '\'']).to_owned())
}

/// Whether bounds such as `>=3.10,<3.13` allow a version; what is not understood allows it, and `uv` has the last word.
fn allows(bounds: &str, version: &str) -> bool {
    let number = |text: &str| minor(text).and_then(|minor| minor[2..].parse::<u32>().ok());
    let Some(own) = number(version) else { return false };
    bounds.split(',').map(str::trim).all(|bound| {
        let Some(other) = number(bound) else { return true };
        // Bounds within a minor version are left to uv.
        match bound.trim_end_matches(|c: char| c.is_ascii_digit() || ".* ".contains(c)) {
            ">=" | "~=" | ">" => own >= other,
            "<" => own < other || bound.matches('.').count() > 1 && own == other,
            "<=" => own <= other,
            "==" => own == other,
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_however_it_is_written() {
        for (text, version) in
            [("3.11", "3.11"), ("3.9.18", "3.9"), ("cpython-3.12.1-linux", "3.12"), ("pypy3.10", "3.10")]
        {
            assert_eq!(minor(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!((minor("2.7"), minor(""), minor("3.")), (None, None, None));
    }

    #[test]
    fn bounds_of_a_project_are_kept() {
        for (bounds, version, wanted) in [
            (">=3.10", "3.11", true),
            (">=3.12", "3.11", false),
            (">=3.9,<3.12", "3.12", false),
            (">=3.9, <3.12", "3.11", true),
            ("==3.11.*", "3.11", true),
            ("==3.11.*", "3.12", false),
            ("<3.12.4", "3.12", true),
            ("~=3.10", "3.13", true),
            ("anything", "3.13", true),
        ] {
            assert_eq!(allows(bounds, version), wanted, "{bounds} {version}");
        }
    }
}
