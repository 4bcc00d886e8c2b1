//! The books of one version: its scheduler state, its open calls, its instances. Everything that happens becomes an event
//! for [`modelet_scheduler::step`]; every action that comes back is carried out here and nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use modelet_core::{Code, PlatformError};
use modelet_scheduler::{
    Action, CallFailure, CallNo, Counts, Event, InstanceNo, Limits, Rejection, VersionState, step,
};
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::dispatch::Shared;
use crate::dispatch::instance::{Instance, InstanceView};
use crate::dispatch::ticket::{Seat, Ticket};
use crate::store::catalog::VersionEntry;
use crate::store::logs::LogRecord;

/// Instances that ended are remembered for their last words, this many.
const REMEMBERED: usize = 8;

/// Dispatch of one version.
pub struct VersionDispatch {
    /// What it serves.
    pub entry: Arc<VersionEntry>,
    pub(super) shared: Arc<Shared>,
    books: Mutex<Books>,
    /// Told when an earlier wake-up is due than the one the timer sleeps for.
    wake: Arc<Notify>,
    /// Told after each event while the version drains.
    changed: Notify,
}

struct Books {
    state: VersionState,
    open: HashMap<CallNo, OpenCall>,
    instances: HashMap<InstanceNo, Arc<Instance>>,
    ended: Vec<Arc<Instance>>,
    last_call: u64,
    /// When the timer task will look next; `None` when there is none.
    timer: Option<Duration>,
}

struct OpenCall {
    assigned: Option<oneshot::Sender<Arc<Instance>>>,
    failed: oneshot::Sender<PlatformError>,
}

impl VersionDispatch {
    /// A version at zero.
    pub(super) fn new(entry: Arc<VersionEntry>, shared: Arc<Shared>, draining: bool) -> Arc<Self> {
        let mut state = VersionState::new(Limits::from(&entry.card.settings));
        if draining {
            step(&mut state, Event::Drain, shared.clock.now());
        }
        let books = Books {
            state,
            open: HashMap::new(),
            instances: HashMap::new(),
            ended: Vec::new(),
            last_call: 0,
            timer: None,
        };
        Arc::new(Self {
            entry,
            shared,
            books: Mutex::new(books),
            wake: Arc::default(),
            changed: Notify::new(),
        })
    }

    /// A call comes in: it gets a place in line, or is refused at once.
    pub fn arrive(self: &Arc<Self>) -> Result<Ticket, PlatformError> {
        let (assigned, on_assigned) = oneshot::channel();
        let (failed, mut on_failed) = oneshot::channel();
        let call = {
            let mut books = self.lock();
            books.last_call += 1;
            let call = CallNo(books.last_call);
            books.open.insert(call, OpenCall { assigned: Some(assigned), failed });
            self.happen(books, Event::Arrived(call));
            call
        };
        if let Ok(refusal) = on_failed.try_recv() {
            return Err(refusal);
        }
        let seat = Seat { call, version: self.clone(), failed: on_failed, open: true };
        Ok(Ticket { seat, assigned: on_assigned })
    }

    /// How many of each there are.
    pub fn counts(&self) -> Counts {
        self.lock().state.counts()
    }

    /// The instances that run now.
    pub fn instances(&self) -> Vec<InstanceView> {
        self.lock().instances.values().map(|instance| instance.view()).collect()
    }

    /// Refuses new calls from now on, and stops instances as their calls end.
    pub fn begin_drain(self: &Arc<Self>) {
        self.event(Event::Drain);
    }

    /// True when nothing is left of a version that drains.
    pub fn is_drained(&self) -> bool {
        self.lock().state.is_drained()
    }

    /// Waits until nothing is left.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_drained() {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn finished(self: &Arc<Self>, call: CallNo) {
        self.lock().open.remove(&call);
        self.event(Event::Finished(call));
    }

    pub(super) fn left(self: &Arc<Self>, call: CallNo) {
        self.lock().open.remove(&call);
        self.event(Event::Left(call));
    }

    pub(super) fn event(self: &Arc<Self>, event: Event) {
        let books = self.lock();
        self.happen(books, event);
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

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happen(self: &Arc<Self>, mut books: MutexGuard<'_, Books>, event: Event) {
        let now = self.shared.clock.now();
        let actions = step(&mut books.state, event, now);
        for action in actions {
            self.carry_out(&mut books, action);
        }
        if let Event::Exited(no) = event
            && let Some(instance) = books.instances.remove(&no)
        {
            books.ended.push(instance);
            let surplus = books.ended.len().saturating_sub(REMEMBERED);
            books.ended.drain(..surplus);
        }
        self.set_timer(&mut books, now);
        drop(books);
        self.changed.notify_waiters();
    }

    fn carry_out(self: &Arc<Self>, books: &mut Books, action: Action) {
        match action {
            Action::Start(no) => {
                let instance = Instance::start(no, self.clone());
                books.instances.insert(no, instance);
            }
            Action::Assign(call, no) => {
                let sender = books.open.get_mut(&call).and_then(|open| open.assigned.take());
                if let (Some(sender), Some(instance)) = (sender, books.instances.get(&no)) {
                    // The receiver is gone only when the client left, which is an event of its own.
                    let _ = sender.send(instance.clone());
                }
            }
            Action::Reject(call, why) => {
                let error = self.rejection(books, why);
                books.fail(call, error);
            }
            Action::Fail(call, why) => {
                let error = self.failure(books, why);
                books.fail(call, error);
            }
            Action::Stop(no, why) => {
                if let Some(instance) = books.instances.get(&no) {
                    instance.stop(why);
                }
            }
        }
    }

    /// Sees to it that `Tick` comes when it is due. There is a timer only while there is something to wait for.
    fn set_timer(self: &Arc<Self>, books: &mut Books, now: Duration) {
        let Some(due) = books.state.next_wake(now) else { return };
        match books.timer {
            None => {
                books.timer = Some(due);
                tokio::spawn(run_timer(Arc::downgrade(self), self.wake.clone(), self.shared.clock, due));
            }
            Some(set) if due < set => {
                books.timer = Some(due);
                self.wake.notify_one();
            }
            Some(_) => {}
        }
    }

    /// The timer is due: tells the scheduler. Gives the next time; `None` ends the timer.
    fn tick(self: &Arc<Self>) -> Option<Duration> {
        let mut books = self.lock();
        // Marked as due at once, so that `happen` leaves the next wake-up to us.
        books.timer = Some(Duration::ZERO);
        self.happen(books, Event::Tick);
        self.next_tick()
    }

    fn next_tick(&self) -> Option<Duration> {
        let mut books = self.lock();
        books.timer = books.state.next_wake(self.shared.clock.now());
        books.timer
    }

    fn rejection(&self, books: &Books, why: Rejection) -> PlatformError {
        let name = &self.entry.card.name;
        match why {
            Rejection::QueueFull => {
                let limit = self.entry.card.settings.queue_limit;
                let message = format!("{name} has as many calls waiting as queue_limit = {limit} allows");
                PlatformError::new(Code::QueueFull, message)
                    .hint("try again later, or raise max_instances, concurrency or queue_limit")
                    .retry_after_s(1)
            }
            Rejection::StartBackoff { instance, retry_in_ms } => {
                let mut error = self.start_failure(books, instance);
                error.message.push_str(&format!("; the next try is due in {retry_in_ms} ms"));
                error.retry_after_s(retry_in_ms.div_ceil(1_000))
            }
            Rejection::Draining => {
                PlatformError::new(Code::ShuttingDown, format!("{name} is being taken out of service"))
                    .retry_after_s(5)
            }
        }
    }

    fn failure(&self, books: &Books, why: CallFailure) -> PlatformError {
        let settings = &self.entry.card.settings;
        let name = &self.entry.card.name;
        match why {
            CallFailure::StartFailed(no) => self.start_failure(books, no),
            CallFailure::LoadTimeout(no) => {
                let limit = settings.load_timeout_ms;
                let last = books.instance(no).map(|i| i.last_words()).unwrap_or_default();
                let message =
                    format!("an instance of {name} was not ready within load_timeout_ms = {limit}{last}");
                PlatformError::new(Code::LoadTimeout, message)
                    .hint("raise load_timeout_ms, or make the model smaller")
            }
            CallFailure::RequestTimeout(no) => {
                let limit = settings.request_timeout_ms;
                let place = no.and_then(|no| books.instance(no)).map_or_else(
                    || "while it waited for a free instance".to_owned(),
                    |instance| format!("while instance {} worked on it", instance.id),
                );
                let message =
                    format!("{name} did not answer within request_timeout_ms = {limit}: time was up {place}");
                PlatformError::new(Code::RequestTimeout, message)
                    .hint("raise request_timeout_ms, or send less in one call")
            }
            CallFailure::InstanceDied(no) => books.instance(no).map_or_else(
                || {
                    PlatformError::new(
                        Code::InstanceDied,
                        format!("the instance of {name} that had the call ended"),
                    )
                },
                |instance| instance.death(settings.memory_mib),
            ),
            CallFailure::Draining => {
                let limit = settings.drain_timeout_ms;
                let message =
                    format!("{name} is being taken out of service, and drain_timeout_ms = {limit} is over");
                PlatformError::new(Code::ShuttingDown, message)
            }
        }
    }

    fn start_failure(&self, books: &Books, no: InstanceNo) -> PlatformError {
        let name = &self.entry.card.name;
        books.instance(no).map_or_else(
            || PlatformError::new(Code::StartFailed, format!("no instance of {name} could be started")),
            |instance| instance.start_failure(),
        )
    }
}

/// Sleeps until the next wake-up, over and over. A version that nobody else holds is not kept by its timer.
async fn run_timer(version: Weak<VersionDispatch>, wake: Arc<Notify>, clock: Clock, mut due: Duration) {
    loop {
        let next = tokio::select! {
            () = tokio::time::sleep_until(clock.instant(due)) => version.upgrade().and_then(|v| v.tick()),
            () = wake.notified() => version.upgrade().and_then(|v| v.next_tick()),
        };
        match next {
            Some(next) => due = next,
            None => return,
        }
    }
}

impl Books {
    fn fail(&mut self, call: CallNo, error: PlatformError) {
        if let Some(open) = self.open.remove(&call) {
            // The receiver is gone only when the client left.
            let _ = open.failed.send(error);
        }
    }

    fn instance(&self, no: InstanceNo) -> Option<&Arc<Instance>> {
        self.instances.get(&no).or_else(|| self.ended.iter().find(|instance| instance.no == no))
    }
}
