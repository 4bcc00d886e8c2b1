//! The fleet of all versions, behind one lock and with one timer. Everything that happens becomes an event for it; every
//! action that comes back is carried out here and nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use modelet_core::PlatformError;
use modelet_scheduler::{
    Action, CallNo, Counts, Event, Fleet, InstanceNo, Limits, Machine, Overcommitted, VersionNo,
};
use tokio::sync::{Notify, futures::Notified, oneshot};

use crate::clock::Clock;
use crate::dispatch::VersionDispatch;
use crate::dispatch::errors;
use crate::dispatch::instance::Instance;
use crate::dispatch::place::Place;

/// Instances that ended are remembered for their last words, this many of each version.
const REMEMBERED: usize = 8;

/// The fleet and its books.
pub(super) struct Control {
    clock: Clock,
    machine: Machine,
    books: Mutex<Books>,
    /// Told when an earlier wake-up is due than the one the timer sleeps for.
    wake: Arc<Notify>,
    /// Told after each event.
    changed: Notify,
}

struct Books {
    fleet: Fleet,
    versions: HashMap<VersionNo, VersionBooks>,
    /// When the timer task will look next; `None` when there is none.
    timer: Option<Duration>,
}

/// What is open of one version.
struct VersionBooks {
    dispatch: Weak<VersionDispatch>,
    open: HashMap<CallNo, OpenCall>,
    instances: HashMap<InstanceNo, Arc<Instance>>,
    ended: Vec<Arc<Instance>>,
    last_call: u64,
}

/// How a waiting call is told what becomes of it.
pub(super) struct OpenCall {
    pub(super) assigned: Option<oneshot::Sender<Place>>,
    pub(super) failed: oneshot::Sender<PlatformError>,
}

impl Control {
    /// An empty fleet.
    pub(super) fn new(clock: Clock, machine: Machine) -> Self {
        let books = Books { fleet: Fleet::new(machine), versions: HashMap::new(), timer: None };
        Self { clock, machine, books: Mutex::new(books), wake: Arc::default(), changed: Notify::new() }
    }

    /// Adds a version at zero.
    pub(super) fn add(&self, limits: Limits, dispatch: Weak<VersionDispatch>) -> VersionNo {
        let mut books = self.lock();
        let no = books.fleet.add(limits);
        let version = VersionBooks {
            dispatch,
            open: HashMap::new(),
            instances: HashMap::new(),
            ended: Vec::new(),
            last_call: 0,
        };
        books.versions.insert(no, version);
        no
    }

    /// Takes out a version that is drained; false when it is not.
    pub(super) fn remove(&self, no: VersionNo) -> bool {
        let mut books = self.lock();
        let removed = books.fleet.remove(no);
        if removed {
            books.versions.remove(&no);
        }
        removed
    }

    /// A call comes in.
    pub(super) fn arrive(self: &Arc<Self>, no: VersionNo, open: OpenCall) -> CallNo {
        let mut books = self.lock();
        let Some(version) = books.versions.get_mut(&no) else { return CallNo(0) };
        version.last_call += 1;
        let call = CallNo(version.last_call);
        version.open.insert(call, open);
        self.happen(books, no, Event::Arrived(call));
        call
    }

    /// The instance of a call ended before it took the call in; who waits for it is told through another sender.
    pub(super) fn not_taken(self: &Arc<Self>, no: VersionNo, call: CallNo, assigned: oneshot::Sender<Place>) {
        let mut books = self.lock();
        if let Some(open) = books.versions.get_mut(&no).and_then(|version| version.open.get_mut(&call)) {
            open.assigned = Some(assigned);
        }
        self.happen(books, no, Event::NotTaken(call));
    }

    /// A call is over, by its answer or by its client.
    pub(super) fn close(self: &Arc<Self>, no: VersionNo, call: CallNo, event: Event) {
        let mut books = self.lock();
        if let Some(version) = books.versions.get_mut(&no) {
            version.open.remove(&call);
        }
        self.happen(books, no, event);
    }

    /// Anything else happens.
    pub(super) fn event(self: &Arc<Self>, no: VersionNo, event: Event) {
        self.happen(self.lock(), no, event);
    }

    /// How many of each a version has.
    pub(super) fn counts(&self, no: VersionNo) -> Counts {
        self.lock().fleet.counts(no)
    }

    /// Memory that all instances are charged with, and how much there is for them, MiB.
    pub(super) fn memory_mib(&self) -> (u64, u64) {
        (self.lock().fleet.memory_mib(), self.machine.memory_mib)
    }

    /// What is to be kept for a version, if there is not so much.
    pub(super) fn overcommitted(&self, no: VersionNo) -> Option<Overcommitted> {
        self.lock().fleet.overcommitted(no)
    }

    /// The instances of a version that have not ended.
    pub(super) fn instances(&self, no: VersionNo) -> Vec<Arc<Instance>> {
        let books = self.lock();
        books
            .versions
            .get(&no)
            .map(|version| version.instances.values().cloned().collect())
            .unwrap_or_default()
    }

    /// True when nothing is left of a version that drains.
    pub(super) fn is_drained(&self, no: VersionNo) -> bool {
        self.lock().fleet.is_drained(no)
    }

    /// Completes after the next event.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happen(self: &Arc<Self>, mut books: MutexGuard<'_, Books>, no: VersionNo, event: Event) {
        let now = self.clock.now();
        let actions = books.fleet.step(no, event, now);
        self.carry_out(&mut books, actions);
        if let Event::Exited(instance) = event
            && let Some(version) = books.versions.get_mut(&no)
        {
            version.bury(instance);
        }
        self.set_timer(&mut books);
        drop(books);
        self.changed.notify_waiters();
    }

    fn carry_out(&self, books: &mut Books, actions: Vec<(VersionNo, Action)>) {
        for (no, action) in actions {
            if let Some(version) = books.versions.get_mut(&no) {
                version.carry_out(action, &self.machine);
            }
        }
    }

    /// Sees to it that the fleet is told when time is up. There is a timer only while there is something to wait for.
    fn set_timer(self: &Arc<Self>, books: &mut Books) {
        let Some(due) = books.fleet.next_wake() else { return };
        match books.timer {
            None => {
                books.timer = Some(due);
                tokio::spawn(run_timer(Arc::downgrade(self), self.wake.clone(), self.clock, due));
            }
            Some(set) if due < set => {
                books.timer = Some(due);
                self.wake.notify_one();
            }
            Some(_) => {}
        }
    }

    /// The timer is due: tells the fleet. Gives the next time; `None` ends the timer.
    fn tick(&self) -> Option<Duration> {
        let mut books = self.lock();
        let actions = books.fleet.tick(self.clock.now());
        self.carry_out(&mut books, actions);
        books.timer = books.fleet.next_wake();
        let next = books.timer;
        drop(books);
        self.changed.notify_waiters();
        next
    }

    fn next_tick(&self) -> Option<Duration> {
        let mut books = self.lock();
        books.timer = books.fleet.next_wake();
        books.timer
    }
}

/// Sleeps until the next wake-up, over and over. A platform that nobody else holds is not kept by its timer.
async fn run_timer(control: Weak<Control>, wake: Arc<Notify>, clock: Clock, mut due: Duration) {
    loop {
        let next = tokio::select! {
            () = tokio::time::sleep_until(clock.instant(due)) => control.upgrade().and_then(|c| c.tick()),
            () = wake.notified() => control.upgrade().and_then(|c| c.next_tick()),
        };
        match next {
            Some(next) => due = next,
            None => return,
        }
    }
}

impl VersionBooks {
    fn carry_out(&mut self, action: Action, machine: &Machine) {
        match action {
            Action::Start(no) => {
                // The version lives at least as long as it may start instances.
                if let Some(dispatch) = self.dispatch.upgrade() {
                    self.instances.insert(no, Instance::start(no, dispatch));
                }
            }
            Action::Assign(call, no) => {
                let sender = self.open.get_mut(&call).and_then(|open| open.assigned.take());
                if let (Some(sender), Some(instance)) = (sender, self.instances.get(&no)) {
                    // The receiver is gone only when the client left, which is an event of its own.
                    let _ = sender.send(Place::new(instance.clone()));
                }
            }
            Action::Reject(call, why) => {
                self.fail(call, |version, books| {
                    errors::rejection(version, why, machine, |no| books.instance(no))
                });
            }
            Action::Fail(call, why) => {
                self.fail(call, |version, books| {
                    errors::failure(version, why, machine, |no| books.instance(no))
                });
            }
            Action::Stop(no, why) => {
                if let Some(instance) = self.instances.get(&no) {
                    instance.stop(why);
                }
            }
        }
    }

    fn fail(&mut self, call: CallNo, error: impl FnOnce(&VersionDispatch, &Self) -> PlatformError) {
        if let (Some(open), Some(version)) = (self.open.remove(&call), self.dispatch.upgrade()) {
            // The receiver is gone only when the client left.
            let _ = open.failed.send(error(&version, self));
        }
    }

    fn bury(&mut self, no: InstanceNo) {
        if let Some(instance) = self.instances.remove(&no) {
            self.ended.push(instance);
            let surplus = self.ended.len().saturating_sub(REMEMBERED);
            self.ended.drain(..surplus);
        }
    }

    fn instance(&self, no: InstanceNo) -> Option<&Instance> {
        let ended = || self.ended.iter().find(|instance| instance.no == no);
        self.instances.get(&no).or_else(ended).map(Arc::as_ref)
    }
}
