//! The one place that carries out what the scheduler decides.
//!
//! - [`control`]: the fleet of all versions, its timer, and what becomes of its actions
//! - [`version`]: one version as the others see it: where its calls arrive and its instances report
//! - [`launch`]: how the process of an instance is started
//! - [`environment`]: the variables that it is given
//! - [`cells`]: processes that were started ahead; [`pythons`]: those of Python code
//! - [`instance`]: the life of one instance, from start to exit
//! - [`account`]: how long an instance loaded, served and idled
//! - [`place`]: a call's place in an instance, until its fate is known
//! - [`ticket`]: a call's place in line, and what becomes of it
//! - [`errors`]: what a call that is refused or fails is told

pub mod account;
pub mod cells;
mod control;
pub mod environment;
mod errors;
pub mod instance;
pub mod launch;
pub mod place;
pub mod pythons;
pub mod ticket;
pub mod version;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use modelet_core::{FunctionName, PlatformError, Target, Traffic, Version};
use modelet_scheduler::{Counts, Event, Machine};
use modelet_worker::{SocketFolder, Spawner};

use crate::clock::Clock;
use crate::config::InstanceCommand;
use crate::store::artifacts::Artifacts;
use crate::store::catalog::{Catalog, VersionEntry};
use crate::store::layers::Layers;
use crate::store::logs::Logs;
use crate::store::secrets::Secrets;

use control::Control;

pub use cells::Cells;
pub use instance::{InstanceView, Startup};
pub use place::Place;
pub use pythons::Pythons;
pub use ticket::{Seat, Ticket};
pub use version::VersionDispatch;

/// What every version's dispatch shares.
pub struct Shared {
    /// The platform's clocks.
    pub clock: Clock,
    /// Starts processes.
    pub spawner: Spawner,
    /// The sockets of instances.
    pub sockets: SocketFolder,
    /// How instances are started.
    pub command: Arc<dyn InstanceCommand>,
    /// What functions are given by name.
    pub secrets: Secrets,
    /// The stem cells.
    pub cells: Cells,
    /// Those of Python code.
    pub pythons: Pythons,
    /// Where artifacts lie.
    pub artifacts: Artifacts,
    /// Where the packages of code lie.
    pub layers: Layers,
    /// Where records go.
    pub logs: Logs,
    /// Whose limits functions have, where they are a cloud's.
    pub target: Option<Target>,
}

/// Dispatch of all versions that have had a call, or for which something is kept.
pub struct Dispatch {
    shared: Arc<Shared>,
    control: Arc<Control>,
    versions: Mutex<Versions>,
}

#[derive(Default)]
struct Versions {
    active: HashMap<(FunctionName, Version), Arc<VersionDispatch>>,
    /// Who gets the calls of each function.
    live: HashMap<FunctionName, Traffic>,
    draining: bool,
}

impl Dispatch {
    /// Nothing runs yet.
    pub fn new(shared: Shared, machine: Machine) -> Self {
        let shared = Arc::new(shared);
        let control = Arc::new(Control::new(shared.clock, machine));
        tokio::spawn(cells::keep(Arc::downgrade(&shared)));
        tokio::spawn(pythons::keep(Arc::downgrade(&shared)));
        Self { shared, control, versions: Mutex::default() }
    }

    /// What all versions share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The dispatch of a version; made when it is first needed.
    pub fn version(&self, entry: &Arc<VersionEntry>) -> Arc<VersionDispatch> {
        self.lock().version(entry, self)
    }

    /// Follows the catalog: the minimum of a function's live versions is started and their reserve kept free. Nothing is kept
    /// for former ones any more; their instances go as their idle times end.
    ///
    /// To be called for every function when the platform starts, and whenever its calls go to others. Who gets them
    /// is looked up under the lock, so that of two changes at once the last one counts.
    pub fn go_live(&self, catalog: &Catalog, name: &FunctionName) {
        self.shared.cells.want();
        let mut versions = self.lock();
        let Some(function) = catalog.get(name) else { return };
        let former = versions.live.insert(name.clone(), function.traffic);
        let retired = former.into_iter().flat_map(Traffic::versions);
        for version in retired.filter(|version| !function.traffic.reaches(*version)) {
            if let Some(former) = versions.active.get(&(name.clone(), version)) {
                former.event(Event::Retired);
            }
        }
        for entry in function.live() {
            self.shared.pythons.want(&entry.card, self.shared.clock.now());
            let settings = &entry.card.settings;
            match versions.active.get(&(name.clone(), entry.version)) {
                Some(version) => version.event(Event::Live),
                None if settings.min_instances > 0 || settings.reserved_instances > 0 => {
                    versions.version(entry, self);
                }
                // It costs nothing until its first call.
                None => {}
            }
        }
    }

    /// Starts an instance of a version that nobody knows yet, and waits until it is ready: its first call will find it. Nothing is
    /// left of a version whose instance fails.
    ///
    /// # Errors
    /// What a call that waited for the instance would be told.
    pub async fn make_ready(&self, entry: &Arc<VersionEntry>) -> Result<(), PlatformError> {
        let version = self.version(entry);
        let ready = match version.arrive() {
            Ok(ticket) => ticket.wait().await,
            Err(refused) => Err(refused),
        };
        match ready {
            Ok((seat, _place)) => {
                seat.finish();
                Ok(())
            }
            Err(failure) => {
                self.end(&version).await;
                Err(failure)
            }
        }
    }

    /// Takes a version out of service: its calls in flight end, its instances stop. Returns when they have.
    pub async fn drain_version(&self, name: &FunctionName, version: Version) {
        let active = self.lock().active.get(&(name.clone(), version)).cloned();
        if let Some(version) = active {
            self.end(&version).await;
        }
    }

    async fn end(&self, version: &Arc<VersionDispatch>) {
        drain(std::slice::from_ref(version)).await;
        self.lock().active.retain(|_, known| !Arc::ptr_eq(known, version) || !known.remove());
    }

    /// The instances of a function that run now.
    pub fn instances(&self, name: &FunctionName) -> Vec<InstanceView> {
        let mut views: Vec<_> = self.of(name).iter().flat_map(|version| version.instances()).collect();
        views.sort_by(|a, b| a.started_at_ms.cmp(&b.started_at_ms).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// What a deploy has to say of a version, if it is in use.
    pub fn warning(&self, entry: &VersionEntry) -> Option<String> {
        let key = (entry.card.name.clone(), entry.version);
        let version = self.lock().active.get(&key).cloned();
        version.and_then(|version| version.warning())
    }

    /// How many calls and instances each function has, all its versions together.
    pub fn standings(&self) -> BTreeMap<FunctionName, Counts> {
        let versions: Vec<_> = self.lock().active.values().cloned().collect();
        let mut standings = BTreeMap::<_, Counts>::new();
        for version in versions {
            *standings.entry(version.entry.card.name.clone()).or_default() += version.counts();
        }
        standings
    }

    /// How many calls of a function wait for an instance.
    pub fn waiting(&self, name: &FunctionName) -> usize {
        self.of(name).iter().map(|version| version.counts().waiting).sum()
    }

    /// Memory that all instances are charged with, and how much there is for them, MiB.
    pub fn memory_mib(&self) -> (u64, u64) {
        self.control.memory_mib()
    }

    /// Takes a function out of service: its calls in flight end, its instances stop. Returns when they have.
    pub async fn drain_function(&self, name: &FunctionName) {
        self.lock().live.remove(name);
        let versions = self.of(name);
        drain(&versions).await;
        self.lock().active.retain(|(function, _), version| function != name || !version.remove());
    }

    /// Takes everything out of service; calls that come later are refused.
    pub async fn drain_all(&self) {
        let versions: Vec<_> = {
            let mut versions = self.lock();
            versions.draining = true;
            self.shared.cells.close();
            self.shared.pythons.close();
            versions.active.values().cloned().collect()
        };
        drain(&versions).await;
    }

    fn of(&self, name: &FunctionName) -> Vec<Arc<VersionDispatch>> {
        self.lock()
            .active
            .iter()
            .filter(|((function, _), _)| function == name)
            .map(|(_, v)| v.clone())
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Versions {
    fn version(&mut self, entry: &Arc<VersionEntry>, dispatch: &Dispatch) -> Arc<VersionDispatch> {
        let key = (entry.card.name.clone(), entry.version);
        if let Some(version) = self.active.get(&key) {
            return version.clone();
        }
        let version = VersionDispatch::new(entry.clone(), dispatch.shared.clone(), dispatch.control.clone());
        if self.draining {
            version.event(Event::Drain);
        } else if self.live.get(&entry.card.name).is_some_and(|traffic| traffic.reaches(entry.version)) {
            version.event(Event::Live);
        }
        self.active.insert(key, version.clone());
        version
    }
}

async fn drain(versions: &[Arc<VersionDispatch>]) {
    for version in versions {
        version.event(Event::Drain);
    }
    for version in versions {
        version.drained().await;
    }
}
