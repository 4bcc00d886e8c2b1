//! One version as the others see it: where its calls arrive, and where its instances report.

use std::sync::Arc;

use modelet_core::PlatformError;
use modelet_scheduler::{CallNo, Counts, Event, Limits, Overcommitted, VersionNo};
use tokio::sync::oneshot;

use crate::dispatch::Shared;
use crate::dispatch::control::{Control, OpenCall};
use crate::dispatch::instance::{Instance, InstanceView};
use crate::dispatch::place::Place;
use crate::dispatch::ticket::{Seat, Ticket};
use crate::store::catalog::VersionEntry;
use crate::store::logs::LogRecord;

/// What the process of an instance is taken to need beside its model before one has been measured, MiB.
const PROCESS_MIB: u64 = 48;
/// A model is read from its file and unfolded into what the engine computes with.
const MODEL_COPIES: u64 = 2;

/// Dispatch of one version.
pub struct VersionDispatch {
    /// What it serves.
    pub entry: Arc<VersionEntry>,
    pub(super) shared: Arc<Shared>,
    control: Arc<Control>,
    no: VersionNo,
}

impl VersionDispatch {
    /// A version at zero.
    pub(super) fn new(entry: Arc<VersionEntry>, shared: Arc<Shared>, control: Arc<Control>) -> Arc<Self> {
        let card = &entry.card;
        let expected_mib = PROCESS_MIB + MODEL_COPIES * card.size_bytes().div_ceil(1 << 20);
        let limits = Limits::new(&card.settings, card.manifest.keep_alive, expected_mib);
        Arc::new_cyclic(|this| {
            let no = control.add(limits, this.clone());
            Self { entry, shared, control, no }
        })
    }

    /// A call comes in: it gets a place in line, or is refused at once.
    pub fn arrive(self: &Arc<Self>) -> Result<Ticket, PlatformError> {
        let (assigned, on_assigned) = oneshot::channel();
        let (failed, mut on_failed) = oneshot::channel();
        let call = self.control.arrive(self.no, OpenCall { assigned: Some(assigned), failed });
        if let Ok(refusal) = on_failed.try_recv() {
            return Err(refusal);
        }
        let seat = Seat { call, version: self.clone(), failed: on_failed, open: true };
        Ok(Ticket { seat, assigned: on_assigned })
    }

    /// How many of each there are.
    pub fn counts(&self) -> Counts {
        self.control.counts(self.no)
    }

    /// What a deploy has to say when more is to be kept for the version than the machine has.
    pub fn warning(&self) -> Option<String> {
        let Overcommitted { asked_mib, others_mib, budget_mib } = self.control.overcommitted(self.no)?;
        let settings = &self.entry.card.settings;
        let instances = settings.min_instances.max(settings.reserved_instances).min(settings.max_instances);
        Some(format!(
            "min_instances and reserved_instances ask for {instances} instances, about {asked_mib} MiB, but of \
             --memory-mib = {budget_mib} MiB {others_mib} are kept for other functions: not all will run. \
             Lower them, here or there, or raise --memory-mib of modelet up"
        ))
    }

    /// The instances that run now.
    pub fn instances(&self) -> Vec<InstanceView> {
        self.control.instances(self.no).iter().map(|instance| instance.view()).collect()
    }

    /// Waits until nothing is left of a version that drains.
    pub async fn drained(&self) {
        loop {
            let changed = self.control.changed();
            if self.control.is_drained(self.no) {
                return;
            }
            changed.await;
        }
    }

    /// Leaves the fleet, when nothing is left of it; false when something is.
    pub(super) fn remove(&self) -> bool {
        self.control.remove(self.no)
    }

    pub(super) fn finished(&self, call: CallNo) {
        self.control.close(self.no, call, Event::Finished(call));
    }

    pub(super) fn not_taken(&self, call: CallNo, assigned: oneshot::Sender<Place>) {
        self.control.not_taken(self.no, call, assigned);
    }

    pub(super) fn left(&self, call: CallNo) {
        self.control.close(self.no, call, Event::Left(call));
    }

    /// Tells the scheduler what has happened, and carries out what follows.
    pub(super) fn event(&self, event: Event) {
        self.control.event(self.no, event);
    }

    /// Notes something in the life of an instance.
    pub(super) async fn log_event(&self, instance: &Instance, text: String) {
        let record = LogRecord::Event {
            at_ms: self.shared.clock.unix_ms(),
            version: self.entry.version,
            instance: instance.id.clone(),
            text,
        };
        self.shared.logs.write(&self.entry.card.name, record).await;
    }
}
