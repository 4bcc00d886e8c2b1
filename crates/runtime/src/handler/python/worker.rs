//! The process that has the code: started, told what to load, called, and ended.

use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use landlock::{ABI, AccessFs, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, path_beneath_rules};
use modelet_core::handler::PythonCard;
use modelet_core::instance::{ENV_TRIED_IMPORTS, ENV_WATCHED};
use modelet_core::{Code, FunctionError};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};

use super::exchange::{Exchange, Exchanges, Frame, Outbox};
use super::sources::{BOOT, SOURCES};
use super::wire::{self, AnswerHead, Begun, Call, LENGTHS_BYTES, Prepared};
use crate::config::Config;
use crate::handler::child;
use crate::log::{self, Level, Pipes, Written};

/// Where code writes.
const WRITABLE: [&str; 3] = ["/tmp", "/dev", "/proc"];
/// An import is worth a word from here on, milliseconds.
const SLOW_MS: f64 = 20.0;
/// A Python that ends while it is prepared is started so often.
const PREPARATIONS: usize = 3;

/// What a Python is started with that nobody knows the code of yet.
#[derive(Debug)]
pub struct Preparation {
    /// The interpreter.
    pub python: PathBuf,
    /// The folder of packages.
    pub packages: Option<PathBuf>,
    /// What it imports.
    pub modules: Vec<String>,
    /// Whether loaders of models are wrapped as their libraries are imported.
    pub wrap_loaders: bool,
    /// How many threads libraries compute with.
    pub threads: usize,
}

/// A worker that was started ahead of its code, with packages imported.
#[derive(Debug)]
pub struct PreparedPython {
    stream: UnixStream,
    child: Child,
    /// What it prints, where that is to be written in another form.
    pipes: Option<Arc<Pipes>>,
}

/// The process, and the way to it.
pub struct Worker {
    /// The modules that its code asked for while it was loaded.
    pub imports: Vec<String>,
    child: Rc<RefCell<Child>>,
    pipes: Option<Arc<Pipes>>,
    /// What to end with, once it has ended.
    ended: watch::Sender<Option<u8>>,
    /// Until the first call.
    stream: RefCell<Option<UnixStream>>,
    /// From the first call on: made where its reactor runs.
    line: OnceCell<Line>,
}

/// Calls go in on one side and are answered on the other.
struct Line {
    outbox: Outbox,
    /// The same socket once more, to end it when nobody drives the tasks any more that read and write it.
    socket: UnixStream,
    exchanges: Rc<Exchanges>,
}

impl Worker {
    /// Starts Python, and waits until it has loaded the code.
    pub fn start(config: &Config, python: &PythonCard) -> Result<Self, FunctionError> {
        let failed = |error: io::Error| {
            FunctionError::new(Code::StartFailed, format!("Python could not be started: {error}"))
        };
        let (threads, secrets) = (config.card.settings.engine_threads(), config.secrets.as_slice());
        let fresh = || spawn(&child::python(&python.version)?, threads, secrets).map_err(failed);
        let prepared = config.prepared.take();
        let was_prepared = prepared.is_some();
        let PreparedPython { mut stream, mut child, mut pipes } = prepared.map_or_else(fresh, Ok)?;
        let mut begun = begin(&mut stream, config, python);
        if was_prepared && begun.is_err() {
            // It may have ended before it knew of any code.
            let _ = child::end(&mut child);
            let program = child::python(&python.version)?;
            PreparedPython { stream, child, pipes } =
                fenced(|| spawn(&program, threads, secrets)).map_err(failed)?;
            begun = begin(&mut stream, config, python);
        }
        if let Some(pipes) = &pipes {
            pipes.drain();
        }
        match begun {
            Ok(Begun::Ready(ready)) => {
                say_imports(&ready.imports_ms);
                let stream = RefCell::new(Some(stream));
                let child = Rc::new(RefCell::new(child));
                let ended = watch::Sender::new(None);
                Ok(Self { imports: ready.asked, child, pipes, ended, stream, line: OnceCell::new() })
            }
            Ok(Begun::Failed(failure)) => {
                let _ = child::end(&mut child);
                Err(FunctionError::new(Code::HandlerRefused, wire::words(&failure, &config.files())))
            }
            Err(error) => {
                drop(stream);
                let ending = child::ending(&mut child);
                if let Some(pipes) = pipes {
                    pipes.end();
                }
                let message = format!("Python ended while it loaded the code ({ending}): {error}");
                Err(FunctionError::new(Code::HandlerRefused, message)
                    .hint("what it printed last is in the log; a library that crashes while it is imported does this"))
            }
        }
    }

    /// Sends a call, and waits for the first frame of its answer.
    pub(super) async fn call(
        &self,
        what: &Call<'_>,
        body: &[u8],
    ) -> Result<(AnswerHead, Bytes, Exchange), FunctionError> {
        let line = self.line()?;
        let failed = |error: io::Error| {
            FunctionError::new(Code::HandlerFailed, format!("the call could not be sent to Python: {error}"))
        };
        let mut exchange = line.exchanges.begin(&line.outbox, what, body).map_err(failed)?;
        match exchange.next().await {
            Some((head, body)) => {
                if let Some(pipes) = &self.pipes {
                    pipes.drain();
                }
                Ok((head, body, exchange))
            }
            // The whole instance ends now, and its host sees that.
            None => std::future::pending().await,
        }
    }

    /// Tells the code that nobody wants the rest of an answer; false where it makes no such answer.
    pub fn cancel(&self, invocation: &str) -> bool {
        self.line.get().is_some_and(|line| line.exchanges.cancel(invocation))
    }

    /// When the process has ended by itself: what to end with.
    pub async fn ended(&self) -> u8 {
        // From here on somebody listens.
        let _ = self.line();
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(1),
            Err(_) => std::future::pending().await,
        }
    }

    fn line(&self) -> Result<&Line, FunctionError> {
        if let Some(line) = self.line.get() {
            return Ok(line);
        }
        let failed = |error: io::Error| FunctionError::new(Code::Internal, error.to_string());
        let stream = self.stream.borrow_mut().take();
        let stream = stream.ok_or_else(|| failed(io::Error::other("there is no way to Python")))?;
        stream.set_nonblocking(true).map_err(failed)?;
        let socket = stream.try_clone().map_err(failed)?;
        let (read, write) = tokio::net::UnixStream::from_std(stream).map_err(failed)?.into_split();
        let exchanges = Rc::<Exchanges>::default();
        let (outbox, to_send) = mpsc::unbounded_channel();
        tokio::task::spawn_local(send(write, to_send));
        tokio::task::spawn_local(listen(
            read,
            Rc::clone(&exchanges),
            Rc::clone(&self.child),
            self.pipes.clone(),
            self.ended.clone(),
        ));
        Ok(self.line.get_or_init(|| Line { outbox, socket, exchanges }))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It learns by the end of the stream that there are no more calls.
        self.stream.borrow_mut().take();
        if let Some(line) = self.line.take() {
            // Where the process is gone already there is nothing to end.
            let _ = line.socket.shutdown(Shutdown::Write);
        }
        let _ = child::end(&mut self.child.borrow_mut());
        if let Some(pipes) = &self.pipes {
            pipes.end();
        }
    }
}

/// Sends frames, each whole, whether or not its caller is still there: half of one would be taken for the beginning of the next.
async fn send(mut write: OwnedWriteHalf, mut outbox: mpsc::UnboundedReceiver<Frame>) {
    while let Some(frame) = outbox.recv().await {
        if write.write_all(&frame.bytes).await.is_err() {
            return;
        }
    }
}

/// Takes answers to those who wait for them, until the process is gone.
async fn listen(
    mut read: OwnedReadHalf,
    exchanges: Rc<Exchanges>,
    child: Rc<RefCell<Child>>,
    pipes: Option<Arc<Pipes>>,
    ended: watch::Sender<Option<u8>>,
) {
    while let Ok((head, body)) = next(&mut read).await {
        if let Some(code) = head.ends {
            ended.send_replace(Some(code));
            // No further call is taken in before whoever waits for this one has its answer.
            tokio::task::yield_now().await;
        }
        exchanges.take(head, body);
    }
    let status = child::end(&mut child.borrow_mut());
    if let Some(pipes) = pipes {
        pipes.end();
    }
    ended.send_replace(Some(child::told("Python", status)));
}

async fn next(read: &mut OwnedReadHalf) -> io::Result<(AnswerHead, Bytes)> {
    let mut lengths = [0; LENGTHS_BYTES];
    read.read_exact(&mut lengths).await?;
    let (header, body) = wire::lengths(lengths)?;
    let mut bytes = vec![0; header + body];
    read.read_exact(&mut bytes).await?;
    let bytes = Bytes::from(bytes);
    let head = AnswerHead::read(&bytes[..header])?;
    Ok((head, bytes.slice(header..)))
}

impl AsFd for PreparedPython {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Preparation {
    /// Starts a Python, and imports what some code will ask for; again, when it ends meanwhile. The error says what could not be
    /// done.
    pub fn start(&self) -> io::Result<PreparedPython> {
        let mut tries = 1;
        loop {
            match self.try_start() {
                Err(error) if tries < PREPARATIONS => {
                    log::say(Level::Warning, &format!("Python could not be prepared: {error}; once more"));
                }
                done => return done,
            }
            tries += 1;
        }
    }

    fn try_start(&self) -> io::Result<PreparedPython> {
        let mut prepared = fenced(|| spawn(&self.python, self.threads, &[]))?;
        let packages: Vec<&PathBuf> = self.packages.iter().collect();
        let wanted = json!({ "prepare": {
            "packages": packages,
            "modules": self.modules,
            "wrap_loaders": self.wrap_loaders,
        } });
        prepared.stream.write_all(&wire::frame(&wanted, &[])?)?;
        let Prepared { done } = wire::receive(&mut prepared.stream)?;
        if !done.missing.is_empty() {
            log::say(Level::Info, &format!("could not be imported ahead: {}", done.missing.join(", ")));
        }
        if done.took_ms >= SLOW_MS {
            let (modules, took_ms) = (self.modules.len(), done.took_ms);
            log::say(Level::Info, &format!("imported {modules} modules ahead in {took_ms:.0} ms"));
        }
        Ok(prepared)
    }
}

/// Starts a process that writes below /tmp alone, however its files came to be where they are: what a mount that is read-only does
/// for others. The fence is the thread's that starts it, and so the process', and nobody else's.
fn fenced<T: Send>(start: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let work = || {
        let writing = AccessFs::from_write(ABI::V1);
        let fence = Ruleset::default()
            .handle_access(writing)
            .and_then(Ruleset::create)
            .and_then(|fence| fence.add_rules(path_beneath_rules(WRITABLE, writing)))
            .and_then(RulesetCreated::restrict_self);
        fence.map_err(io::Error::other)?;
        start()
    };
    thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(io::Error::other("the start failed")))
}

/// Starts the interpreter with one end of a pair of sockets, and gives it what it runs.
fn spawn(program: &Path, threads: usize, secrets: &[(OsString, OsString)]) -> io::Result<PreparedPython> {
    let pair = || socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None);
    let (ours, theirs): (OwnedFd, OwnedFd) = pair()?;
    rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC)?;
    let (pipes, written) = Pipes::open()?.unzip();
    let (stdout, stderr) = written.map_or_else(
        || (Stdio::inherit(), Stdio::inherit()),
        |Written { stdout, stderr }| (stdout.into(), stderr.into()),
    );
    let child = Command::new(program)
        // Isolated, without `site`, writing no bytecode: the worker says itself where code is.
        .args(["-I", "-S", "-B", "-c", BOOT])
        .arg(theirs.as_raw_fd().to_string())
        .env_clear()
        .envs(child::environment(threads, secrets))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    let mut stream = UnixStream::from(ours);
    let sources: serde_json::Map<String, Value> =
        SOURCES.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())).collect();
    stream.write_all(&wire::frame(&json!({ "sources": sources }), &[])?)?;
    Ok(PreparedPython { stream, child, pipes })
}

/// Tells a worker who it is, and what to load.
fn begin(stream: &mut UnixStream, config: &Config, python: &PythonCard) -> io::Result<Begun> {
    stream.write_all(&wire::frame(&json!({ "start": start(config, python) }), &[])?)?;
    wire::receive(stream)
}

fn start(config: &Config, python: &PythonCard) -> Value {
    let card = &config.card;
    let notes = card.manifest.python.clone().unwrap_or_default();
    let outside: serde_json::Map<String, Value> = python
        .outside
        .iter()
        .map(|(path, inner)| (path.clone(), config.files().join(inner).to_string_lossy().into()))
        .collect();
    let told = |name| std::env::var(name).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    json!({
        "kind": python.interface,
        "tried_imports": told(ENV_TRIED_IMPORTS).unwrap_or_else(|| json!([])),
        "watched": told(ENV_WATCHED),
        "folder": config.files(),
        "packages": child::packages(config).into_iter().collect::<Vec<_>>(),
        "module": python.module,
        "function": python.function,
        "signature_type": python.signature_type,
        "threads": card.settings.concurrency,
        "options": {
            "memoize_loaders": card.manifest.memoizes_loaders(),
            "strict": notes.strict,
            "non_finite": card.manifest.non_finite,
        },
        "name": card.name,
        "version": config.version.to_string(),
        "memory_mib": card.settings.memory_mib,
        "arn": child::arn(config),
        "outside": outside,
    })
}

/// The packages that took the longest to import: one line of the log.
fn say_imports(imports_ms: &serde_json::Map<String, Value>) {
    let slow =
        imports_ms.iter().filter_map(|(name, ms)| Some((name, ms.as_f64().filter(|ms| *ms >= SLOW_MS)?)));
    let mut slow: Vec<_> = slow.collect();
    slow.sort_by(|a, b| b.1.total_cmp(&a.1));
    if !slow.is_empty() {
        let parts: Vec<String> = slow.iter().map(|(name, ms)| format!("{name} {ms:.0} ms")).collect();
        log::say(Level::Info, &format!("imported {}", parts.join(", ")));
    }
}
