//! The process of a program: started with what it finds around it on AWS Lambda, and looked after until it ends.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use modelet_core::handler::{ProgramCard, names_python};
use modelet_core::{Code, FunctionError};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use crate::config::Config;
use crate::handler::{child, program::api::Begun};
use crate::log::{self, Pipes, Written};

/// A program that is told to end gets this long; then it is killed.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How often one looks whether it is ready, or has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A program that runs.
pub(super) struct Process {
    pid: Pid,
    /// How it ended.
    ended: Receiver<String>,
    /// What to end with, once it has.
    code: watch::Receiver<Option<u8>>,
    /// What it prints, where that is not written as it comes.
    pipes: Option<Arc<Pipes>>,
}

impl Process {
    /// Starts it, with some variables more than all code has.
    pub(super) fn start(
        config: &Config,
        card: &ProgramCard,
        more: &[(&str, String)],
    ) -> Result<Self, FunctionError> {
        let failed = |error: std::io::Error| {
            let message = format!("{} could not be started: {error}", card.program());
            let hint = if card.python.is_some() && !card.is_own() {
                "a program of a package is run as a module: command = [\"python3\", \"-m\", \"uvicorn\", …]"
            } else {
                "it has to be executable, and made for this machine; a script begins with #! and its interpreter"
            };
            FunctionError::new(Code::HandlerRefused, message).hint(hint)
        };
        let files = config.files();
        let python = card.python.as_deref().map(child::python).transpose()?;
        let program = match &python {
            Some(python) if names_python(card.program()) => python.clone(),
            _ if card.is_own() => files.join(card.program().strip_prefix("./").unwrap_or(card.program())),
            _ => card.program().into(),
        };
        let mut command = Command::new(program);
        let arguments = card.command[1..].iter().map(|argument| expanded(argument, more));
        command.args(arguments).current_dir(&files).stdin(Stdio::null()).env_clear();
        command.envs(child::environment(config.card.settings.engine_threads(), &config.secrets));
        command.envs(more.iter().map(|(name, value)| (*name, value)));
        command.envs(as_on_lambda(config));
        if let Some(python) = &python {
            let above = python.parent().map(Path::to_owned);
            let known = std::env::var_os("PATH").unwrap_or_default();
            let path = above.into_iter().chain(std::env::split_paths(&known));
            command.env("PATH", std::env::join_paths(path).unwrap_or(known.clone()));
            let path = [Some(files.clone()), child::packages(config)].into_iter().flatten();
            command.env("PYTHONPATH", std::env::join_paths(path).unwrap_or_default());
            command.env("PYTHONDONTWRITEBYTECODE", "1");
        }
        // What programs print goes to the host as it is, unless there may be something in it that nobody is to read.
        let (pipes, written) =
            if log::hides() { Pipes::open().map_err(failed)?.unzip() } else { (None, None) };
        if let Some(Written { stdout, stderr }) = written {
            command.stdout(stdout).stderr(stderr);
        }
        let mut child = command.spawn().map_err(failed)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(std::io::Error::other("it has no number")))?;
        let (ending, ended) = channel();
        let (coding, code) = watch::channel(None);
        let printed = pipes.clone();
        thread::spawn(move || {
            let status = child.wait();
            if let Some(printed) = printed {
                printed.end();
            }
            let how = status.as_ref().map_or_else(ToString::to_string, ToString::to_string);
            // Whoever waits for it learns how it ended; nobody may.
            let _ = ending.send(how);
            coding.send_replace(Some(child::told("the program", status)));
        });
        Ok(Self { pid, ended, code, pipes })
    }

    /// Waits until it can be called.
    pub(super) fn until(&self, mut begun: impl FnMut() -> Option<Begun>) -> Result<(), FunctionError> {
        let refused = |message: String| Err(FunctionError::new(Code::HandlerRefused, message));
        loop {
            match begun() {
                Some(Begun::Ready) => return Ok(()),
                Some(Begun::Failed(why)) => return refused(why),
                None => {}
            }
            match self.ended.recv_timeout(LOOK_EVERY) {
                Ok(how) => return refused(format!("the program ended before it was ready: {how}")),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return refused("the program was lost".to_owned()),
            }
        }
    }

    /// Tells what it has printed up to now, before its answer is told.
    pub(super) fn drain(&self) {
        if let Some(pipes) = &self.pipes {
            pipes.drain();
        }
    }

    /// When it has ended by itself: what to end with.
    pub(super) async fn ended(&self) -> u8 {
        let mut code = self.code.clone();
        match code.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(1),
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = kill_process(self.pid, Signal::TERM);
        if self.ended.recv_timeout(END_LIMIT).is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.ended.recv_timeout(END_LIMIT);
        }
    }
}

/// An argument with the values of variables that it names, as `$PORT` or `${PORT}`: no shell reads a command.
fn expanded(argument: &str, variables: &[(&str, String)]) -> String {
    variables.iter().fold(argument.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

/// The variables that AWS Lambda sets and that are true here.
fn as_on_lambda(config: &Config) -> Vec<(&'static str, OsString)> {
    let files = config.files();
    vec![
        ("LAMBDA_TASK_ROOT", files.into()),
        ("AWS_LAMBDA_FUNCTION_NAME", config.card.name.as_str().into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", config.version.to_string().into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.card.settings.memory_mib.to_string().into()),
    ]
}
