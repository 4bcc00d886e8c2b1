//! An original answers: in its own framework, in a sandbox without network, within limits.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_package::certificate::original::Original;
use modelet_package::certificate::wire::{Answers, Message};
use modelet_package::certificate::{SCRIPT, Testimony};
use modelet_worker::isolated::{Excess, Isolated, Program, run_isolated};
use modelet_worker::{Bind, Exit, Sandbox, Spawner};

use super::environment::Python;
use crate::cli::proof::ProofOptions;

/// Processes and threads of an original.
const PROCESSES: u64 = 64;
/// Its scratch folder, MiB.
const TMP_MIB: u64 = 64;
/// Largest answer, in bytes.
const OUTPUT_BYTES: usize = 1 << 30;
/// Files that an original may have open: a framework opens many libraries.
const OPEN_FILES: u64 = 1_024;
/// The whole environment: one thread, so that sums are the same each time.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("MKL_NUM_THREADS", "1"),
];
/// Most of what it said is left out of a reason.
const MAX_SAID_CHARS: usize = 300;

/// Asks an original. The error is the reason why it cannot be asked. `work` gets what the sandbox shows it.
pub async fn ask(
    spawner: &Spawner,
    python: &Python,
    options: &ProofOptions,
    original: &Original,
    request: Message,
    work: &Path,
) -> Result<Testimony, String> {
    let laid_out = Layout::make(original, request, work);
    let layout = laid_out.map_err(|error| format!("the original could not be laid out: {error}"))?;
    let program = program(python, options, original, &layout)?;
    let done = run_isolated(spawner, program).await;
    let done = done.map_err(|error| format!("the original cannot be isolated: {error}"))?;
    check(&done, options)?;
    let answers = Answers::read_whole(&done.stdout)
        .map_err(|why| format!("what the original answers makes no sense: {why}"))?;
    Ok(Testimony { answers, rung: done.rung })
}

/// Copies that everybody may read, as the ordinary user must that an original runs as.
struct Layout {
    script: PathBuf,
    model: PathBuf,
    rows: PathBuf,
}

impl Layout {
    fn make(original: &Original, request: Message, work: &Path) -> io::Result<Self> {
        let layout =
            Self { script: work.join("answer.py"), model: work.join("model"), rows: work.join("rows") };
        fs::write(&layout.script, SCRIPT)?;
        fs::copy(&original.file, &layout.model)?;
        fs::write(&layout.rows, request.into_bytes())?;
        for path in [&layout.script, &layout.model, &layout.rows] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
        }
        Ok(layout)
    }
}

fn program(
    python: &Python,
    options: &ProofOptions,
    original: &Original,
    layout: &Layout,
) -> Result<Program, String> {
    let paths = serde_json::to_string(&python.packages).map_err(|error| error.to_string())?;
    let mut args: Vec<OsString> = ["-I", "-S", "-B"].map(Into::into).into();
    args.extend([layout.script.clone().into(), original.loader.as_str().into()]);
    args.extend([layout.model.clone().into(), layout.rows.clone().into(), paths.into()]);
    let shown = [&layout.script, &layout.model, &layout.rows, &python.interpreter.prefix];
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    Ok(Program {
        program: python.interpreter.program.clone(),
        args,
        env: ENVIRONMENT.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        sandbox: Sandbox {
            weakest: None,
            binds: binds(shown.into_iter().chain(&python.packages)),
            network: false,
            tmp_mib: TMP_MIB,
            memory_mib: options.proof_memory_mib,
            cpu_millis: processors * 1_000,
            processes: PROCESSES,
            open_files: OPEN_FILES,
            file_size_mib: TMP_MIB,
        },
        time: Duration::from_secs(options.proof_timeout_s),
        output_bytes: OUTPUT_BYTES,
    })
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
fn check(done: &Isolated, options: &ProofOptions) -> Result<(), String> {
    let (seconds, memory_mib) = (options.proof_timeout_s, options.proof_memory_mib);
    let said: String = last_words(&done.stderr).chars().take(MAX_SAID_CHARS).collect();
    match (done.excess, done.exit) {
        (Some(Excess::Time), _) => {
            Err(format!("the original did not answer within {seconds} s (--proof-timeout-s)"))
        }
        (Some(Excess::Memory), _) => {
            Err(format!("the original took more than {memory_mib} MiB of memory (--proof-memory-mib)"))
        }
        (Some(Excess::Output), _) => Err(format!("the original answered more than {OUTPUT_BYTES} bytes")),
        (None, Exit::Code(0)) => Ok(()),
        (None, exit) => Err(format!("the original {exit}; it said: {said}")),
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
