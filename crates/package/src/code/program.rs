//! The program that answers: what the manifest says, else an executable file that is called as AWS Lambda calls it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use modelet_core::handler::{Event, Speaks, names_python};
use modelet_core::manifest::ProgramNotes;
use modelet_core::{Code, FunctionError};

/// What AWS Lambda runs of a folder without a language.
const BOOTSTRAP: &str = "bootstrap";

/// The program of a manifest.
///
/// # Errors
/// `bad-manifest` when it names none; `handler-refused` when its file is not there.
pub fn checked(notes: &ProgramNotes, files: &[String]) -> Result<ProgramNotes, FunctionError> {
    let Some(program) = notes.command.first().filter(|program| !program.is_empty()) else {
        let message = "modelet.toml: [program] command is empty";
        return Err(FunctionError::new(Code::BadManifest, message).hint("command = [\"./bootstrap\"]"));
    };
    let own = program.strip_prefix("./").unwrap_or(program);
    if program.contains('/') && !files.iter().any(|file| file == own) {
        let message = format!("modelet.toml: [program] command: there is no {own} in the folder");
        return Err(FunctionError::new(Code::HandlerRefused, message)
            .hint("programs of the machine are named without a path: command = [\"node\", \"server.js\"]"));
    }
    Ok(notes.clone())
}

/// The program of a folder that has one as AWS Lambda wants it.
pub fn bootstrap(folder: &Path, files: &[String]) -> Option<ProgramNotes> {
    let is_executable = || {
        let metadata = fs::metadata(folder.join(BOOTSTRAP));
        metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let is_there = files.iter().any(|file| file == BOOTSTRAP) && is_executable();
    is_there.then(|| ProgramNotes {
        command: vec![format!("./{BOOTSTRAP}")],
        speaks: Speaks::RuntimeApi,
        event: Event::Body,
    })
}

/// Whether a command is run by the function's own Python.
pub fn is_python(command: &[String]) -> bool {
    command.first().is_some_and(|program| names_python(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_to_be_there_and_to_be_one() {
        let notes = |command: &[&str]| ProgramNotes {
            command: command.iter().map(ToString::to_string).collect(),
            speaks: Speaks::Http,
            event: Event::Body,
        };
        let files = ["server".to_owned()];
        assert!(checked(&notes(&["./server", "-v"]), &files).is_ok());
        assert!(checked(&notes(&["node", "x.js"]), &files).is_ok());
        assert_eq!(checked(&notes(&[]), &files).unwrap_err().code, Code::BadManifest);
        assert!(
            checked(&notes(&["./serve"]), &files).unwrap_err().message.contains("no serve in the folder")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BOOTSTRAP);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        let files = [BOOTSTRAP.to_owned()];
        assert_eq!(bootstrap(folder.path(), &files), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(bootstrap(folder.path(), &files).unwrap().command, ["./bootstrap"]);
        assert!(is_python(&["python3".to_owned()]) && !is_python(&["./python3".to_owned()]));
    }
}
