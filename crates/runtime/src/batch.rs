//! Calls that wait in an instance are computed together.
//!
//! While one call is computed, others pile up unread in their sockets. The first that is read next does not go at once: the
//! reactor is let run until it brings no more, and what has come goes as one. Without load that is one look at the sockets,
//! a microsecond. `batch_max_wait_ms` makes the first wait longer, for more.
//!
//! - `queue`: which calls go together
//! - `compute`: one computation for many calls, and what happens when that fails
//!
//! Calls that cannot go with others (no axis of rows, more rows than the limit, no rows, very large) are computed at once,
//! each alone. A client's own rows are never split.

mod compute;
mod queue;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use modelet_core::{Settings, Signature};
use modelet_model::Model;
use modelet_model::rows::{self, Inputs};
use tokio::sync::{Notify, oneshot};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, timeout_at};

use crate::count::Counted;
use crate::log::{self, Level};
use queue::{Call, Queue, Waiting};

pub use compute::Computed;

/// The reactor is let run at most this often for one computation, while it brings calls or parts of bodies.
const LOOKS_LIMIT: usize = 32;
/// Tensors of calls that wait take at most this much memory; a call beyond it is computed at once, alone.
const WAITING_LIMIT_BYTES: usize = 32 << 20;

/// A model, and the calls that wait for it. Everything is on one thread, inside a `LocalSet`.
pub struct Batcher {
    shared: Rc<Shared>,
}

struct Shared {
    model: RefCell<Box<dyn Model>>,
    queue: RefCell<Queue>,
    /// Rows of one computation of several calls; 1 when calls are not put together.
    max_rows: Cell<usize>,
    /// As many calls as the host sends at once: when they are all here, none is worth waiting for.
    max_calls: usize,
    max_wait: Duration,
    /// Calls whose bodies are being read.
    arriving: Cell<usize>,
    arrived: Notify,
    /// True while a task takes from the queue.
    working: Cell<bool>,
}

impl Batcher {
    /// For a loaded model. Calls are put together when the settings allow more than one row and the signature has an axis of
    /// rows.
    pub fn new(model: Box<dyn Model>, signature: &Signature, settings: &Settings) -> Self {
        let has_rows = rows::check_batch_axis(signature).is_ok();
        let size = |setting: u64| usize::try_from(setting).unwrap_or(usize::MAX);
        let shared = Shared {
            model: RefCell::new(model),
            queue: RefCell::default(),
            max_rows: Cell::new(if has_rows { size(settings.batch_max_rows) } else { 1 }),
            max_calls: size(settings.concurrency),
            max_wait: Duration::from_millis(settings.batch_max_wait_ms),
            arriving: Cell::new(0),
            arrived: Notify::new(),
            working: Cell::new(false),
        };
        Self { shared: Rc::new(shared) }
    }

    /// Reads a body, and lets those that wait know that another call is coming.
    pub async fn arrive<T>(&self, body: impl Future<Output = T>) -> T {
        let _counted = Counted::new(&self.shared.arriving);
        body.await
    }

    /// Computes one call, alone or with others. What fails is as [`Model::predict`] says, or `prediction-failed` when the
    /// engine met a defect.
    pub async fn compute(&self, inputs: Inputs, outputs: Option<Vec<String>>) -> Computed {
        let shared = &self.shared;
        let call = Call { rows: rows::count(&inputs).unwrap_or(0), inputs, outputs };
        if !shared.may_wait(&call) {
            return compute::alone(&mut **shared.model.borrow_mut(), call);
        }
        let (answer, answered) = oneshot::channel();
        shared.queue.borrow_mut().push(Waiting { call, answer, since: Instant::now() });
        shared.arrived.notify_one();
        if !shared.working.replace(true) {
            spawn_local(shared.clone().work());
        }
        answered.await.expect("work() answers every call that it takes, and ends when none is left")
    }
}

impl Shared {
    fn may_wait(&self, call: &Call) -> bool {
        self.max_rows.get() > 1
            && (1..=self.max_rows.get()).contains(&call.rows)
            && self.queue.borrow().size_bytes() + rows::size_bytes(&call.inputs) <= WAITING_LIMIT_BYTES
    }

    /// Computes until nothing waits. Lives as long: a connection that breaks takes its own call along, no other's.
    async fn work(self: Rc<Self>) {
        while !self.queue.borrow().is_empty() {
            self.gather().await;
            let group = self.queue.borrow_mut().take(self.max_rows.get());
            if let Err(why) = compute::together(&mut **self.model.borrow_mut(), group) {
                log::say(Level::Warning, &format!("calls are no longer computed together: {why}"));
                self.max_rows.set(1);
            }
        }
        self.working.set(false);
    }

    /// Lets calls come in: those that are in the sockets already, then, where the settings say so, later ones.
    async fn gather(&self) {
        for _ in 0..LOOKS_LIMIT {
            let before = self.queue.borrow().len();
            // The answers of the last computation are written meanwhile, too.
            yield_now().await;
            if self.is_full() || (self.queue.borrow().len() == before && self.arriving.get() == 0) {
                break;
            }
        }
        let Some(deadline) = self.queue.borrow().oldest().map(|since| since + self.max_wait) else { return };
        // Ends by the clock, or by one of the limits: every round brings a call.
        while !self.max_wait.is_zero() && !self.is_full() {
            if timeout_at(deadline, self.arrived.notified()).await.is_err() {
                break;
            }
        }
    }

    fn is_full(&self) -> bool {
        let (queue, max_rows) = (self.queue.borrow(), self.max_rows.get());
        queue.len() >= self.max_calls || queue.rows_of_next(max_rows) >= max_rows
    }
}
