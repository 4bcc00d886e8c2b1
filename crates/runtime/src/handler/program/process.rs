//! The process of a program: started with what it finds around it on AWS Lambda, and looked after until it ends.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use modelet_core::handler::ProgramCard;
use modelet_core::{Code, FunctionError};
use rustix::process::{Pid, Signal, kill_process};

use crate::config::Config;
use crate::handler::{child, program::api::Begun};

/// A program that is told to end gets this long; then it is killed.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How often one looks whether it is ready, or has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A program that runs.
pub(super) struct Process {
    pid: Pid,
    /// It has been told to end, so that its end is no failure.
    stopping: Arc<AtomicBool>,
    /// How it ended.
    ended: Receiver<String>,
    /// It is ready: from here on nothing runs without it.
    serving: Arc<AtomicBool>,
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
            FunctionError::new(Code::HandlerRefused, message)
                .hint("it has to be executable, and made for this machine; a script begins with #! and its interpreter")
        };
        let files = config.files();
        let program = match &card.python {
            Some(version) => child::python(version)?,
            None if card.is_own() => files.join(card.program().strip_prefix("./").unwrap_or(card.program())),
            None => card.program().into(),
        };
        let mut command = Command::new(program);
        command.args(&card.command[1..]).current_dir(&files).stdin(Stdio::null()).env_clear();
        command.envs(child::environment(config.card.settings.engine_threads()));
        command.envs(more.iter().map(|(name, value)| (*name, value)));
        command.envs(as_on_lambda(config));
        if card.python.is_some() {
            let path = [Some(files.clone()), child::packages()].into_iter().flatten();
            command.env("PYTHONPATH", std::env::join_paths(path).unwrap_or_default());
            command.env("PYTHONDONTWRITEBYTECODE", "1");
        }
        let mut child = command.spawn().map_err(failed)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(std::io::Error::other("it has no number")))?;
        let (stopping, serving) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ending, ended) = channel();
        let (is_stopping, is_serving) = (Arc::clone(&stopping), Arc::clone(&serving));
        thread::spawn(move || {
            let status = child.wait();
            if is_serving.load(Ordering::SeqCst) && !is_stopping.load(Ordering::SeqCst) {
                // There is nobody left to answer.
                child::end_as(&mut child, "the program");
            }
            // Whoever waits for it learns how it ended; nobody may.
            let _ = ending.send(status.map_or_else(|error| error.to_string(), |status| status.to_string()));
        });
        Ok(Self { pid, stopping, ended, serving })
    }

    /// Waits until it says that it can be called.
    pub(super) fn until(&self, begun: &Receiver<Begun>) -> Result<(), FunctionError> {
        let refused = |message: String| Err(FunctionError::new(Code::HandlerRefused, message));
        loop {
            match begun.recv_timeout(LOOK_EVERY) {
                Ok(Begun::Ready) => {
                    self.serving.store(true, Ordering::SeqCst);
                    return Ok(());
                }
                Ok(Begun::Failed(why)) => return refused(why),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK_EVERY),
            }
            if let Ok(how) = self.ended.try_recv() {
                return refused(format!("the program ended before it was ready: {how}"));
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let began = Instant::now();
        // It may have ended already.
        let _ = kill_process(self.pid, Signal::TERM);
        if self.ended.recv_timeout(END_LIMIT.saturating_sub(began.elapsed())).is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.ended.recv_timeout(END_LIMIT);
        }
    }
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
