//! The one place that carries out what the scheduler decides.
//!
//! - [`version`]: the books of one version: its scheduler state, its open calls, its instances
//! - [`launch`]: how its process is started
//! - [`cells`]: processes that were started ahead
//! - [`instance`]: the life of one instance, from start to exit
//! - [`redact`]: keeps the values of secrets out of what it prints
//! - [`account`]: how long an instance loaded, served and idled
//! - [`ticket`]: a call's place in line, and what becomes of it

pub mod account;
pub mod cells;
pub mod instance;
pub mod launch;
pub mod redact;
pub mod ticket;
pub mod version;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use modelet_core::{FunctionName, Version};
use modelet_worker::{SocketFolder, Spawner};

use crate::clock::Clock;
use crate::config::InstanceCommand;
use crate::store::artifacts::Artifacts;
use crate::store::catalog::VersionEntry;
use crate::store::logs::Logs;
use crate::store::secrets::Secrets;

pub use cells::Cells;
pub use instance::{InstanceView, Startup};
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
    /// Where stem cells lay their artifacts out.
    pub cells_folder: PathBuf,
    /// Where artifacts lie.
    pub artifacts: Artifacts,
    /// Where records go.
    pub logs: Logs,
}

/// Dispatch of all versions that have had a call.
pub struct Dispatch {
    shared: Arc<Shared>,
    versions: Mutex<Versions>,
}

#[derive(Default)]
struct Versions {
    active: HashMap<(FunctionName, Version), Arc<VersionDispatch>>,
    draining: bool,
}

impl Dispatch {
    /// Nothing runs yet.
    pub fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        tokio::spawn(cells::keep(Arc::downgrade(&shared)));
        Self { shared, versions: Mutex::default() }
    }

    /// What all versions share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The dispatch of a version; made when it is first needed.
    pub fn version(&self, entry: &Arc<VersionEntry>) -> Arc<VersionDispatch> {
        let mut versions = self.lock();
        let draining = versions.draining;
        let key = (entry.card.name.clone(), entry.version);
        let make = || VersionDispatch::new(entry.clone(), self.shared.clone(), draining);
        versions.active.entry(key).or_insert_with(make).clone()
    }

    /// The instances of a function that run now.
    pub fn instances(&self, name: &FunctionName) -> Vec<InstanceView> {
        let mut views: Vec<_> = self.of(name).iter().flat_map(|version| version.instances()).collect();
        views.sort_by(|a, b| a.started_at_ms.cmp(&b.started_at_ms).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// Takes a function out of service: its calls in flight end, its instances stop. Returns when they have.
    pub async fn drain_function(&self, name: &FunctionName) {
        let versions = self.of(name);
        drain(&versions).await;
        self.lock().active.retain(|(function, _), version| function != name || !version.is_drained());
    }

    /// Takes everything out of service; calls that come later are refused.
    pub async fn drain_all(&self) {
        let versions: Vec<_> = {
            let mut versions = self.lock();
            versions.draining = true;
            self.shared.cells.close();
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

async fn drain(versions: &[Arc<VersionDispatch>]) {
    for version in versions {
        version.begin_drain();
    }
    for version in versions {
        version.drained().await;
    }
}
