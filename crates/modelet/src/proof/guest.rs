//! A script of ours runs in the Python of an original, in a sandbox without network, within limits: it answers for a proof, or
//! converts.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_package::certificate::original::{Loader, Original};
use modelet_worker::isolated::{Excess, Isolated, Program, run_isolated};
use modelet_worker::{Bind, Exit, Sandbox, Spawner};

use super::environment::Python;
use crate::cli::proof::ProofOptions;

/// Processes and threads of an original: TensorFlow starts some more with each row that it refuses, and dies where it may not.
const PROCESSES: u64 = 512;
/// Its scratch folder, MiB.
const TMP_MIB: u64 = 64;
/// Files that an original may have open: a framework opens many libraries.
const OPEN_FILES: u64 = 1_024;
/// The whole environment: one thread, so that sums are the same each time.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
    ("TF_NUM_INTRAOP_THREADS", "1"),
    ("TF_NUM_INTEROP_THREADS", "1"),
];
/// Most of what it said is left out of a reason.
const MAX_SAID_CHARS: usize = 300;
/// What lies beside a SavedModel's own file and belongs to it.
const OF_SAVED_MODEL: [&str; 2] = ["variables", "assets"];

/// What a script is asked to do.
pub struct Errand {
    /// What does not do it, in a reason: "the original did not answer".
    pub who: &'static str,
    /// The script.
    pub script: PathBuf,
    /// Its arguments; behind them come the folders with packages.
    pub args: Vec<OsString>,
    /// What it is shown beside the script and Python.
    pub shown: Vec<PathBuf>,
    /// Largest answer, in bytes.
    pub answer_bytes: usize,
}

/// Runs a script to its end. The error is the reason why there is no answer.
pub async fn run(
    spawner: &Spawner,
    python: &Python,
    options: &ProofOptions,
    errand: Errand,
) -> Result<Isolated, String> {
    let who = errand.who;
    let answer_bytes = errand.answer_bytes;
    let done = run_isolated(spawner, program(python, options, errand)?).await;
    let done = done.map_err(|error| format!("{who} cannot be isolated: {error}"))?;
    check(&done, options, who, answer_bytes)?;
    Ok(done)
}

fn program(python: &Python, options: &ProofOptions, errand: Errand) -> Result<Program, String> {
    let paths = serde_json::to_string(&python.packages).map_err(|error| error.to_string())?;
    let mut args: Vec<OsString> = ["-I", "-S", "-B"].map(Into::into).into();
    args.push(errand.script.clone().into());
    args.extend(errand.args);
    args.push(paths.into());
    let shown = errand.shown.iter().chain([&errand.script, &python.interpreter.prefix]);
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    Ok(Program {
        program: python.interpreter.program.clone(),
        args,
        env: ENVIRONMENT.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        sandbox: Sandbox {
            weakest: None,
            binds: binds(shown.chain(&python.packages)),
            network: false,
            loopback: false,
            bare: false,
            scratch: None,
            tmp_mib: TMP_MIB,
            memory_mib: options.proof_memory_mib,
            cpu_millis: processors * 1_000,
            processes: PROCESSES,
            open_files: OPEN_FILES,
            file_size_mib: TMP_MIB,
        },
        time: Duration::from_secs(options.proof_timeout_s),
        output_bytes: errand.answer_bytes,
    })
}

/// Writes what a script reads, or the script itself.
pub fn write(path: PathBuf, content: &[u8]) -> io::Result<PathBuf> {
    fs::write(&path, content)?;
    readable(&path)?;
    Ok(path)
}

/// Copies an original, for the ordinary user that the script runs as.
pub fn copy(original: &Original, work: &Path) -> io::Result<PathBuf> {
    let target = work.join(format!("model{}", original.loader.ending()));
    if original.loader != Loader::SavedModel {
        fs::copy(&original.file, &target)?;
        readable(&target)?;
        return Ok(target);
    }
    make_folder(&target)?;
    let folder = original.file.parent().unwrap_or(Path::new("."));
    copy_file(&original.file, &target)?;
    for beside in OF_SAVED_MODEL.map(|name| folder.join(name)).iter().filter(|folder| folder.exists()) {
        own(beside, fs::FileType::is_dir)?;
        let below = target.join(beside.file_name().unwrap_or_default());
        make_folder(&below)?;
        for entry in fs::read_dir(beside)? {
            let file = entry?.path();
            own(&file, fs::FileType::is_file)?;
            copy_file(&file, &below)?;
        }
    }
    Ok(target)
}

/// Refuses what is not in the folder itself: a link would lead to anything that the user may read.
fn own(path: &Path, is_wanted: impl Fn(&fs::FileType) -> bool) -> io::Result<()> {
    if is_wanted(&fs::symlink_metadata(path)?.file_type()) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{} is a link, or no file: give a folder with files of its own",
        path.display()
    )))
}

fn copy_file(file: &Path, folder: &Path) -> io::Result<()> {
    let target = folder.join(file.file_name().unwrap_or_default());
    fs::copy(file, &target)?;
    readable(&target)
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn readable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

/// What it may read, none below another.
fn binds<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<Bind> {
    let mut kept: Vec<&PathBuf> = Vec::new();
    let mut sorted: Vec<&PathBuf> = paths.collect();
    sorted.sort();
    for path in sorted {
        // The system's own folder is there anyway.
        if !path.starts_with("/usr") && !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    kept.into_iter().map(Bind::same).collect()
}

/// Refuses what did not end well, with the limit that it met.
fn check(done: &Isolated, options: &ProofOptions, who: &str, answer_bytes: usize) -> Result<(), String> {
    let (seconds, memory_mib) = (options.proof_timeout_s, options.proof_memory_mib);
    let said: String = last_words(&done.stderr).chars().take(MAX_SAID_CHARS).collect();
    match (done.excess, done.exit) {
        (Some(Excess::Time), _) => {
            Err(format!("{who} did not answer within {seconds} s (--proof-timeout-s)"))
        }
        (Some(Excess::Memory), _) => {
            Err(format!("{who} took more than {memory_mib} MiB of memory (--proof-memory-mib)"))
        }
        (Some(Excess::Output), _) => Err(format!("{who} answered more than {answer_bytes} bytes")),
        (None, Exit::Code(0)) => Ok(()),
        (None, exit) => Err(format!("{who} {exit}; it said: {said}")),
    }
}

/// The last line that says something: none of a traceback's own, since a process beside the one that ended may have begun
/// another one after it.
fn last_words(stderr: &str) -> &str {
    let within = |line: &str| line.starts_with(char::is_whitespace) || line.starts_with("Traceback (");
    stderr.lines().rfind(|line| !line.trim().is_empty() && !within(line)).unwrap_or("nothing").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceback_that_only_began_does_not_hide_what_was_said_before() {
        let one = "Traceback (most recent call last):\n  File \"a.py\", line 1\n    fork()\nBlockingIOError: no more\n";
        let begun = format!("{one}Traceback (most recent call last):\n  File \"a.py\", line 1\n\n");
        assert_eq!(
            (last_words(one), last_words(&begun)),
            ("BlockingIOError: no more", "BlockingIOError: no more")
        );
        assert_eq!(last_words("  \n"), "nothing");
    }

    #[test]
    fn what_lies_below_another_is_shown_once() {
        let paths = ["/opt/py/lib/site", "/opt/py", "/usr/lib/python3", "/opt/pyx"].map(PathBuf::from);
        let shown: Vec<_> = binds(paths.iter()).into_iter().map(|bind| bind.source).collect();
        assert_eq!(shown, [PathBuf::from("/opt/py"), "/opt/pyx".into()]);
    }
}
