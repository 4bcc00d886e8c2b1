//! Stem cells for Python code: a Python that was started ahead and has imported the packages of a function, and nothing of the
//! function itself. An instance that takes one is ready as soon as its own code is loaded.
//!
//! What is imported is memory that nobody uses yet: a Python is kept for few sets of packages, those that were needed last. It is one
//! process for one instance, never forked: libraries that have threads or locks of their own do not survive that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use modelet_core::instance::MAX_HANDED_FILES;
use modelet_core::{ArtifactCard, Handler, Settings};
use modelet_scheduler::CellDemand;
use tokio::sync::Notify;

use crate::dispatch::Shared;
use crate::dispatch::cells::become_instance;
use crate::dispatch::launch::{self, ARTIFACT_TARGET, Role, Started};
use crate::store::catalog::VersionEntry;

/// A Python that was taken is replaced after this long: the instance that it became needs the processors first.
const REPLACE_AFTER: Duration = Duration::from_millis(500);
/// Code is copied into the memory of its instance: up to so much, with the files beside it.
const MAX_COPIED_BYTES: u64 = 64 << 20;
/// What nobody has needed for this long is given up.
const UNUSED: Duration = Duration::from_secs(6 * 3_600);
/// How often that is looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// What is decided when such a Python is started. Versions with the same needs can take the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// The version of Python.
    pub python: String,
    /// The digest of the packages' layer.
    pub layer: Option<String>,
    /// What is imported.
    pub imports: Vec<String>,
    /// Whether loaders of models are wrapped as their libraries are imported.
    pub wrap_loaders: bool,
    /// Variables of the manifest: libraries read them while they are imported.
    pub env: BTreeMap<String, String>,
    /// Threads that libraries compute with.
    pub threads: usize,
    /// The network, and the limits that cannot be changed later.
    pub network: bool,
    /// Size of its /tmp, MiB.
    pub tmp_mib: u64,
    /// Most processes and threads.
    pub processes_limit: u64,
    /// Most open files.
    pub open_files_limit: u64,
}

impl Needs {
    /// Those of a version that can begin so.
    fn of(card: &ArtifactCard) -> Option<Self> {
        let Handler::Python(python) = &card.handler else { return None };
        let Settings { tmp_mib, processes_limit, open_files_limit, .. } = card.settings;
        // A secret is nothing that a process has before it is known whose it is; the card is a file too.
        let can_be_handed = card.manifest.secrets.is_empty()
            && card.files.len() < MAX_HANDED_FILES
            && card.size_bytes() <= MAX_COPIED_BYTES;
        can_be_handed.then(|| Self {
            python: python.version.clone(),
            layer: python.packages.as_ref().map(|layer| layer.sha256.clone()),
            imports: python.imports.clone(),
            wrap_loaders: !python.outside.is_empty() || card.manifest.memoizes_loaders(),
            env: card.manifest.env.clone(),
            threads: card.settings.engine_threads(),
            network: card.manifest.network,
            tmp_mib,
            processes_limit,
            open_files_limit,
        })
    }
}

/// The Pythons that wait, and the task that keeps them.
pub struct Pythons {
    kept: Mutex<Kept>,
    changed: Notify,
}

struct Kept {
    by_needs: BTreeMap<Needs, Slot>,
    most: usize,
    closed: bool,
    last: u64,
}

struct Slot {
    waiting: Option<(u64, Started)>,
    used: Duration,
    demand: CellDemand,
}

impl Pythons {
    /// None yet; for `most` sets of needs at a time.
    pub fn new(most: usize) -> Self {
        let kept = Kept { by_needs: BTreeMap::new(), most, closed: false, last: 0 };
        Self { kept: Mutex::new(kept), changed: Notify::new() }
    }

    /// A version may be called soon: from now on a Python is kept for it, as long as others are not needed more.
    pub fn want(&self, card: &ArtifactCard, now: Duration) {
        if let Some(needs) = Needs::of(card) {
            self.lock().touch(needs, now);
            self.changed.notify_one();
        }
    }

    /// Nothing is started any more: those that wait end.
    pub fn close(&self) {
        let mut kept = self.lock();
        kept.closed = true;
        kept.by_needs.clear();
    }

    /// Makes one into an instance of a version; or says what it is to be started from instead, and why.
    pub fn take(&self, shared: &Shared, entry: &VersionEntry) -> Result<Started, &'static str> {
        let now = shared.clock.now();
        let Some(needs) = Needs::of(&entry.card) else {
            return Err(
                "a new process: it has secrets, or too many or too large files for a Python that was started ahead",
            );
        };
        let taken = {
            let mut kept = self.lock();
            let slot = kept.touch(needs, now);
            slot.and_then(|slot| {
                slot.demand.started(now);
                slot.waiting.take()
            })
        };
        self.changed.notify_one();
        let (_, started) = taken.ok_or("a new process: no Python with its packages was ready")?;
        become_instance(started, shared, entry)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to start one for now, with its number; or when to look again.
    fn next(&self, now: Duration) -> Result<(u64, Needs), Duration> {
        let mut kept = self.lock();
        kept.by_needs.retain(|_, slot| now.saturating_sub(slot.used) < UNUSED);
        let mut again = now + LOOK_INTERVAL;
        // Whatever was needed last comes first.
        let mut empty: Vec<_> = kept.by_needs.iter().filter(|(_, slot)| slot.waiting.is_none()).collect();
        empty.sort_by_key(|(_, slot)| std::cmp::Reverse(slot.used));
        let due = empty.iter().find(|(_, slot)| {
            let start_at = slot.demand.start_at(now);
            if start_at > now {
                again = again.min(start_at);
            }
            start_at <= now
        });
        let needs = due.map(|(needs, _)| (*needs).clone()).ok_or(again)?;
        kept.last += 1;
        Ok((kept.last, needs))
    }
}

impl Kept {
    /// Notes that something is needed now; what has been needed least lately makes room.
    fn touch(&mut self, needs: Needs, now: Duration) -> Option<&mut Slot> {
        if self.closed || self.most == 0 {
            return None;
        }
        if !self.by_needs.contains_key(&needs) && self.by_needs.len() >= self.most {
            let oldest = self.by_needs.iter().min_by_key(|(_, slot)| slot.used);
            let oldest = oldest.map(|(needs, _)| needs.clone())?;
            self.by_needs.remove(&oldest);
        }
        let slot = self.by_needs.entry(needs).or_insert_with(|| Slot {
            waiting: None,
            used: now,
            demand: CellDemand::new(1),
        });
        slot.used = now;
        Some(slot)
    }
}

/// Keeps a Python for each set of needs, for as long as the platform lives.
pub async fn keep(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        match shared.pythons.next(shared.clock.now()) {
            Ok((no, needs)) => add(&shared, no, needs).await,
            Err(look_again) => {
                let again = shared.clock.instant(look_again);
                tokio::select! {
                    () = tokio::time::sleep_until(again) => {}
                    () = shared.pythons.changed.notified() => tokio::time::sleep(REPLACE_AFTER).await,
                }
            }
        }
    }
}

async fn add(shared: &Arc<Shared>, no: u64, needs: Needs) {
    // Where every other instance has it: code must not tell how it was started.
    let role = Role::Python { folder: ARTIFACT_TARGET.into(), needs: Arc::new(needs.clone()) };
    let started = launch::start(shared, &format!("python-{no}"), role).await;
    let mut kept = shared.pythons.lock();
    // It may have been given up meanwhile: then what was started ends here.
    let Some(slot) = kept.by_needs.get_mut(&needs) else { return };
    match started {
        Ok(started) => {
            tokio::spawn(watch(Arc::downgrade(shared), no, needs, started.process.clone()));
            slot.waiting = Some((no, started));
        }
        Err(error) => {
            eprintln!("a Python could not be started ahead: {error}");
            slot.demand.died(shared.clock.now());
        }
    }
}

/// Takes one that ends while it waits out of the books.
async fn watch(shared: Weak<Shared>, no: u64, needs: Needs, process: Arc<modelet_worker::Process>) {
    let exit = process.wait().await;
    let Some(shared) = shared.upgrade() else { return };
    let mut kept = shared.pythons.lock();
    let Some(slot) = kept.by_needs.get_mut(&needs) else { return };
    if slot.waiting.as_ref().is_some_and(|(waiting, _)| *waiting == no) {
        let how = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
        eprintln!("a Python that was started ahead {how} before it was used");
        slot.waiting = None;
        slot.demand.died(shared.clock.now());
        drop(kept);
        shared.pythons.changed.notify_one();
    }
}
