//! The life of one instance: started, loading, ready, stopping, gone.
//!
//! - [`meter`]: what it costs, told to the journal
//! - [`end`]: why it is gone, and what its calls are told
//! - [`health`]: its memory, its wear, and whether it is stuck
//! - [`output`]: what it prints, on its way to the log
//! - [`rest`]: when it begins to work, and when it rests; [`turns`]: who goes first when processors are short

mod end;
mod health;
mod meter;
mod output;
mod rest;
mod turns;

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use modelet_core::instance::Readiness;
use modelet_core::manifest::Rung;
use modelet_core::redact::Redactor;
use modelet_core::{Code, Handler, InstanceId, InvocationId, PlatformError, Version};
use modelet_scheduler::{Event, InstanceNo, StopReason};
use modelet_worker::{Confinement, Exit, Feed, FeedError, OutputLine, Process, Readers};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

use crate::dispatch::VersionDispatch;
use crate::dispatch::account::Account;
use crate::dispatch::launch::{self, Role};
use crate::dispatch::place::Places;

use end::End;
use output::{Heard, Output};
use rest::Rest;
use turns::Turn;

pub use meter::Startup;

/// Lines kept for error messages, and how much of each.
const LAST_WORDS: usize = 5;
const LAST_WORDS_CHARACTERS: usize = 200;
/// When a process has ended, its last output and its readiness answer get this long to be read: a process that it started
/// and that left its group may hold the pipes open for ever.
const LAST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(2);
/// When a process has ended, its sockets have, and the calls in it learn so at once, unless something that it started holds
/// them open.
const FATES_TIMEOUT: Duration = Duration::from_millis(500);
/// A process that was told to stop gets this long to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// An instance that runs now, as the admin API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InstanceView {
    /// Its id.
    pub id: InstanceId,
    /// The version that it serves.
    pub version: Version,
    /// Its process; absent while it is being started.
    pub pid: Option<u32>,
    /// `starting`, `ready` or `stopping`.
    pub state: String,
    /// Calls that it works on.
    pub in_flight: usize,
    /// When it was started, milliseconds since 1970.
    pub started_at_ms: i64,
    /// Memory that it holds, KiB.
    pub memory_kib: u64,
    /// The rung of isolation that it stands on; absent while it is being started.
    pub isolation: Option<Rung>,
}

/// One instance.
pub struct Instance {
    /// Its number in the scheduler's books.
    pub no: InstanceNo,
    /// Its id, for people.
    pub id: InstanceId,
    /// The version that it serves.
    version: Version,
    /// The way to it, once it is there.
    feed: OnceLock<Feed>,
    /// The calls in it.
    pub(super) places: Places,
    pid: OnceLock<u32>,
    readiness: OnceLock<Readiness>,
    started_at_ms: i64,
    stop: Notify,
    end: OnceLock<End>,
    /// Its walls, while it runs.
    confinement: Mutex<Option<Arc<Confinement>>>,
    /// A stem cell, or why not: in words.
    started_from: OnceLock<&'static str>,
    /// The secrets that it was given.
    redactor: OnceLock<Redactor>,
    /// Those who bring what it prints to the log.
    output: OnceLock<Output>,
    diary: Mutex<Diary>,
    account: Mutex<Account>,
    rest: Rest,
    turn: Turn,
}

/// Calls that are remembered when they have left.
const REMEMBERED_CALLS: usize = 16;

/// What is noted while it lives.
#[derive(Default)]
struct Diary {
    last_words: VecDeque<String>,
    calls: BTreeSet<InvocationId>,
    /// The last ones that left: what is said of them may come behind their answers.
    left: VecDeque<InvocationId>,
    stopping: Option<StopReason>,
    /// Calls that somebody listens to.
    heard: Heard,
}

impl Instance {
    /// Starts it in a task of its own, which lives as long as the instance.
    pub(super) fn start(no: InstanceNo, version: Arc<VersionDispatch>) -> Arc<Self> {
        let card = &version.entry.card;
        let instance = Arc::new(Self {
            no,
            id: InstanceId(format!("{}-{}-i{}", card.name, version.entry.version, no.0)),
            version: version.entry.version,
            feed: OnceLock::new(),
            places: Places::default(),
            pid: OnceLock::new(),
            readiness: OnceLock::new(),
            started_at_ms: version.shared.clock.unix_ms(),
            stop: Notify::new(),
            end: OnceLock::new(),
            confinement: Mutex::default(),
            started_from: OnceLock::new(),
            redactor: OnceLock::new(),
            output: OnceLock::new(),
            diary: Mutex::default(),
            rest: Rest::default(),
            turn: Turn::default(),
            account: Mutex::new(Account::open(version.shared.clock.now())),
        });
        instance.tell(&version, None);
        tokio::spawn(live(instance.clone(), version));
        instance
    }

    /// The way to it; there from the moment it is ready.
    pub fn feed(&self) -> Option<&Feed> {
        self.feed.get()
    }

    /// Notes that a call is in it, so that what it prints can be told apart. True for its first call.
    pub fn enter(&self, call: InvocationId, now: Duration) -> bool {
        let rested = {
            let calls = &mut self.diary().calls;
            calls.insert(call);
            calls.len() == 1
        };
        if rested {
            self.turn.books().begin(now);
            self.rest.end();
        }
        self.account().entered(now)
    }

    /// Notes that a call has left it.
    pub fn leave(&self, call: &InvocationId, now: Duration) {
        let rests = {
            let mut diary = self.diary();
            if let Some(call) = diary.calls.take(call) {
                if diary.left.len() == REMEMBERED_CALLS {
                    diary.left.pop_front();
                }
                diary.left.push_back(call);
            }
            diary.calls.is_empty()
        };
        self.account().left(now);
        self.turn.books().ended();
        if rests {
            self.end_turn();
            self.rest.come(|| self.confinement().map_or(0, |walls| walls.memory_kib()));
        }
    }

    /// As the admin API shows it.
    pub fn view(&self) -> InstanceView {
        let diary = self.diary();
        let state = match (diary.stopping, self.readiness.get()) {
            (Some(_), _) => "stopping",
            (None, None) => "starting",
            (None, Some(_)) => "ready",
        };
        let pid = self.pid.get().copied();
        let walls = self.confinement();
        InstanceView {
            id: self.id.clone(),
            version: self.version,
            pid,
            state: state.to_owned(),
            in_flight: diary.calls.len(),
            started_at_ms: self.started_at_ms,
            memory_kib: walls.as_ref().map_or(0, |walls| walls.memory_kib()),
            isolation: walls.map(|walls| walls.rung()),
        }
    }

    pub(super) fn stop(&self, why: StopReason) {
        self.diary().stopping = Some(why);
        self.stop.notify_one();
    }

    /// Its last lines, as the end of a sentence; empty when it said nothing.
    pub(super) fn last_words(&self) -> String {
        let diary = self.diary();
        if diary.last_words.is_empty() {
            return String::new();
        }
        let lines: Vec<_> = diary.last_words.iter().map(String::as_str).collect();
        format!("; its last lines: {}", lines.join(" | "))
    }

    fn walls(&self) -> std::sync::MutexGuard<'_, Option<Arc<Confinement>>> {
        self.confinement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its walls, while it runs.
    fn confinement(&self) -> Option<Arc<Confinement>> {
        self.walls().clone()
    }

    fn diary(&self) -> std::sync::MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a line, and says which call it belongs to: the one that it names, if the instance has it or had it lately; else
    /// the only one that the instance has.
    fn note(&self, text: &str, named: Option<InvocationId>) -> Option<InvocationId> {
        let mut diary = self.diary();
        if diary.last_words.len() == LAST_WORDS {
            diary.last_words.pop_front();
        }
        diary.last_words.push_back(text.chars().take(LAST_WORDS_CHARACTERS).collect());
        let named = named.filter(|named| diary.calls.contains(named) || diary.left.contains(named));
        named.or_else(|| (diary.calls.len() == 1).then(|| diary.calls.first().cloned()).flatten())
    }

    fn ended(&self, end: End) {
        // The first reason is the cause, what follows its effect.
        let _ = self.end.set(end);
    }
}

/// From start to exit; tells the version what happens.
async fn live(instance: Arc<Instance>, version: Arc<VersionDispatch>) {
    match launch(&instance, &version).await {
        Ok((process, lines, readers)) => {
            let (output, asked) = Output::of(readers);
            let _ = instance.output.set(output);
            let output = tokio::spawn(output::keep(instance.clone(), version.clone(), lines, asked));
            let readiness = tokio::spawn(await_readiness(instance.clone(), version.clone()));
            let exit = watch(&instance, &version, &process).await;
            // Everything that it said is kept before its end is told, so that its reasons are there.
            let last_output = futures_util::future::join(output, readiness);
            let _ = tokio::time::timeout(LAST_OUTPUT_TIMEOUT, last_output).await;
            if let Some(walls) = instance.confinement().filter(|walls| walls.oom_killed()) {
                // The kernel was faster than our own look.
                let peak_kib = walls.peak_memory_kib();
                instance.account().seen(0, peak_kib);
                instance.ended(End::OutOfMemory(peak_kib >> 10));
            }
            let end = exit.map_or_else(
                |error| End::NotStarted(PlatformError::new(Code::StartFailed, error.to_string())),
                End::Exited,
            );
            if let End::Exited(exit) = &end {
                version.log_event(&instance, exit.to_string()).await;
            }
            instance.ended(end);
        }
        Err(error) => {
            version.log_event(&instance, format!("could not be started: {error}")).await;
            instance.ended(End::NotStarted(error));
        }
    }
    // The last thing that is waited for: a call that it never took in goes back into line before the others are failed.
    let _ = tokio::time::timeout(FATES_TIMEOUT, instance.places.settled()).await;
    instance.close(&version);
    // The control group goes with it.
    drop(instance.walls().take());
    version.event(Event::Exited(instance.no));
}

/// Takes a stem cell, or starts a process.
async fn launch(
    instance: &Arc<Instance>,
    version: &VersionDispatch,
) -> Result<(Arc<Process>, mpsc::Receiver<OutputLine>, Readers), PlatformError> {
    let (shared, entry) = (&version.shared, &version.entry);
    let variables = variables(instance, version)?;
    let taken = match entry.card.handler {
        Handler::Python(_) => shared.pythons.take(shared, entry),
        Handler::Model(_) | Handler::Program(_) => shared.cells.take(shared, entry),
    };
    let (started, from) = match taken {
        Ok(started) => (started, "a stem cell"),
        Err(no_cell) => {
            let artifact = shared.artifacts.folder(&entry.sha256);
            let role =
                Role::Instance { artifact, version: entry.version, variables, card: entry.card.clone() };
            let started = launch::start(shared, &instance.id.0, role).await;
            (started?, no_cell)
        }
    };
    let pid = started.process.id();
    let _ = instance.pid.set(pid);
    let _ = instance.started_from.set(from);
    let _ = instance.feed.set(started.feed);
    let rung = started.confinement.rung();
    *instance.walls() = Some(started.confinement);
    version
        .log_event(instance, format!("started from {from}, process {pid}, isolation {}", u8::from(rung)))
        .await;
    Ok((started.process, started.lines, started.readers))
}

/// What the manifest says of the environment, secrets with their values.
fn variables(
    instance: &Instance,
    version: &VersionDispatch,
) -> Result<Vec<(OsString, OsString)>, PlatformError> {
    let manifest = &version.entry.card.manifest;
    let mut variables: Vec<(OsString, OsString)> =
        manifest.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut redactor = Redactor::default();
    for (name, secret) in &manifest.secrets {
        let value = version.shared.secrets.get(secret)?;
        redactor.add(secret, &value);
        variables.push((name.into(), OsString::from_vec(value)));
    }
    let _ = instance.redactor.set(redactor);
    Ok(variables)
}

/// Waits for the end, and brings it about when it is due.
async fn watch(instance: &Instance, version: &VersionDispatch, process: &Process) -> io::Result<Exit> {
    tokio::select! {
        exit = process.wait() => exit,
        () = instance.stop.notified() => {
            instance.look();
            // One that is stuck would only use up its time for a last word.
            let stuck = instance.diary().stopping.is_some_and(StopReason::is_at_once);
            process.stop(if stuck { Duration::ZERO } else { STOP_GRACE }).await
        }
        never = instance.keep_telling(version) => match never {},
        held_kib = health::watch(instance, version) => {
            instance.ended(End::OutOfMemory(held_kib >> 10));
            version.log_event(instance, format!("grew to {} MiB, beyond memory_mib; stopped", held_kib >> 10)).await;
            process.kill()?;
            process.wait().await
        }
    }
}

async fn await_readiness(instance: Arc<Instance>, version: Arc<VersionDispatch>) {
    let Some(feed) = instance.feed.get() else { return };
    let clock = version.shared.clock;
    instance.turn.books().begin(clock.now());
    let readiness = tokio::select! {
        readiness = feed.readiness() => readiness,
        never = instance.take_turns(clock) => match never {},
    };
    instance.end_turn();
    let readiness = match readiness {
        Ok(readiness) => readiness,
        // The end of the process follows, and tells more.
        Err(FeedError::Broken(_) | FeedError::Connect(_) | FeedError::NotTaken(_)) => return,
        Err(error) => return version.log_event(&instance, error.to_string()).await,
    };
    if let Some((code, why)) = readiness.failure {
        // It ends by itself, now that it has told us.
        return instance.ended(End::Failed(code, why));
    }
    let load_ms = readiness.load_ms;
    let _ = instance.readiness.set(readiness);
    instance.account().ready(version.shared.clock.now());
    instance.tell(&version, None);
    version.event(Event::Ready(instance.no));
    version.log_event(&instance, format!("ready, loaded in {load_ms:.1} ms")).await;
}
