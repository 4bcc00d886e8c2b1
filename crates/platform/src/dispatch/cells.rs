//! The stem cells: processes that were started ahead of any demand and have done all that does not depend on the model.
//! An instance that takes one is ready as soon as its model is loaded.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use modelet_core::instance::Assignment;
use modelet_core::{ArtifactCard, EngineName, Handler, Settings};
use modelet_scheduler::CellDemand;
use tokio::sync::Notify;

use crate::dispatch::Shared;
use crate::dispatch::launch::{self, Role, Started};
use crate::store::catalog::VersionEntry;

/// A cell that was taken is replaced after this long: the instance that it became needs the processors first.
const REPLACE_AFTER: Duration = Duration::from_millis(50);
/// Where a cell lays its artifact out.
const CELL_FOLDER: &str = "/tmp/.artifact";
/// How often it is looked at whether there are more cells than needed.
const SHRINK_INTERVAL: Duration = Duration::from_secs(60);

/// The cells that wait, and the task that keeps them.
pub struct Cells {
    kept: Mutex<Kept>,
    changed: Notify,
}

struct Kept {
    waiting: VecDeque<Cell>,
    demand: CellDemand,
    most: usize,
    /// False until there is a function that could need one.
    wanted: bool,
    last: u64,
}

struct Cell {
    no: u64,
    started: Started,
}

impl Cells {
    /// No cell yet; `most` at a time.
    pub fn new(most: usize) -> Self {
        let demand = CellDemand::new(most);
        let kept = Kept { waiting: VecDeque::new(), demand, most, wanted: false, last: 0 };
        Self { kept: Mutex::new(kept), changed: Notify::new() }
    }

    /// There is a function: from now on cells are kept.
    pub fn want(&self) {
        self.lock().wanted = true;
        self.changed.notify_one();
    }

    /// Nothing is started any more: the cells that wait end.
    pub fn close(&self) {
        let mut kept = self.lock();
        kept.wanted = false;
        kept.waiting.clear();
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Makes a cell into an instance of a version; or says what it is to be started from instead, and why.
    pub fn take(&self, shared: &Shared, entry: &VersionEntry) -> Result<Started, &'static str> {
        if !fits(&entry.card) {
            return Err(match entry.card.handler {
                Handler::Model(_) => "a new process: its manifest asks for what a stem cell does not have",
                Handler::Python(_) | Handler::Program(_) => "a new process",
            });
        }
        become_instance(self.take_any(shared.clock.now())?.started, shared, entry)
    }

    fn take_any(&self, now: Duration) -> Result<Cell, &'static str> {
        let mut kept = self.lock();
        kept.demand.started(now);
        self.changed.notify_one();
        kept.waiting.pop_front().ok_or(match kept.most {
            0 => "a new process: there are no stem cells (--cells 0)",
            _ => "a new process: no stem cell was free",
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cell to start now, or when to look again. Surplus cells end here.
    fn next(&self, now: Duration) -> Result<u64, Duration> {
        let mut kept = self.lock();
        let wanted = if kept.wanted { kept.demand.wanted(now) } else { 0 };
        while kept.waiting.len() > wanted {
            kept.waiting.pop_back();
        }
        let start_at = kept.demand.start_at(now);
        if kept.waiting.len() == wanted {
            return Err(now + SHRINK_INTERVAL);
        }
        if start_at > now {
            return Err(start_at);
        }
        kept.last += 1;
        Ok(kept.last)
    }
}

/// Makes what was started ahead into an instance of a version.
pub(super) fn become_instance(
    mut started: Started,
    shared: &Shared,
    entry: &VersionEntry,
) -> Result<Started, &'static str> {
    let rung = started.confinement.rung();
    if entry.card.manifest.isolation.is_some_and(|weakest| rung > weakest) {
        return Err("a new process: its manifest asks for a stronger isolation than stem cells have");
    }
    let settings = &entry.card.settings;
    let control = started.control.take().ok_or("a new process")?;
    let limited = started.confinement.set_limits(settings.memory_mib, settings.cpu_share_millis());
    if limited.is_err() {
        return Err("a new process: the stem cell did not take its limits");
    }
    assign(shared, entry, control).map_err(|error| {
        // The instance is started without a cell, and says what is wrong with the artifact if something is.
        eprintln!("a stem cell could not become {}: {error}", entry.card.name);
        "a new process: the stem cell did not take the artifact"
    })?;
    Ok(started)
}

/// Keeps as many cells as are wanted, for as long as the platform lives.
pub async fn keep(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        match shared.cells.next(shared.clock.now()) {
            Ok(no) => add(&shared, no).await,
            Err(look_again) => {
                let again = shared.clock.instant(look_again);
                tokio::select! {
                    () = tokio::time::sleep_until(again) => {}
                    () = shared.cells.changed.notified() => tokio::time::sleep(REPLACE_AFTER).await,
                }
            }
        }
    }
}

async fn add(shared: &Arc<Shared>, no: u64) {
    // In its own /tmp; where it has none, rungs 3 and 4, this cannot be, and there are no cells.
    let folder = PathBuf::from(CELL_FOLDER);
    match launch::start(shared, &format!("cell-{no}"), Role::Cell { folder }).await {
        Ok(started) => {
            tokio::spawn(watch(Arc::downgrade(shared), no, started.process.clone()));
            shared.cells.lock().waiting.push_back(Cell { no, started });
        }
        Err(error) => {
            eprintln!("a stem cell could not be started: {error}");
            shared.cells.lock().demand.died(shared.clock.now());
        }
    }
}

/// Takes a cell that ends while it waits out of the books.
async fn watch(shared: Weak<Shared>, no: u64, process: Arc<modelet_worker::Process>) {
    let exit = process.wait().await;
    let Some(shared) = shared.upgrade() else { return };
    let mut kept = shared.cells.lock();
    let before = kept.waiting.len();
    kept.waiting.retain(|cell| cell.no != no);
    if kept.waiting.len() < before {
        let how = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
        eprintln!("a stem cell {how} before it was used");
        kept.demand.died(shared.clock.now());
        drop(kept);
        shared.cells.changed.notify_one();
    }
}

/// True when a version needs nothing that was decided when the cell was started.
fn fits(card: &ArtifactCard) -> bool {
    let manifest = &card.manifest;
    let plain = Settings::default();
    let settings = &card.settings;
    // Weights beside a model are found by its real path, which a descriptor does not have behind walls; rten wants that path for
    // every model, and starts in a few milliseconds anyway. tabular reads one file, by whatever path.
    card.files.len() == 1
        && card
            .model()
            .is_some_and(|model| matches!(model.engine, EngineName::Onnxruntime | EngineName::Tabular))
        && manifest.env.is_empty()
        && manifest.secrets.is_empty()
        && !manifest.network
        && settings.tmp_mib == plain.tmp_mib
        && settings.processes_limit == plain.processes_limit
        && settings.open_files_limit == plain.open_files_limit
}

/// Opens the files of an artifact and hands them over.
fn assign(shared: &Shared, entry: &VersionEntry, control: modelet_worker::Control) -> io::Result<()> {
    let folder = shared.artifacts.folder(&entry.sha256);
    let below_files = entry.card.files.iter().map(|file| format!("files/{}", file.path));
    let paths: Vec<_> = [ArtifactCard::FILE_NAME.to_owned()].into_iter().chain(below_files).collect();
    let open = |path: &String| File::open(folder.join(path)).map(OwnedFd::from);
    let files = paths.iter().map(open).collect::<io::Result<Vec<_>>>()?;
    control.assign(&Assignment { version: entry.version, files: paths }, &files)
}
