//! The calls that a version holds: which wait, which an instance has, and until when.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::event::{CallNo, InstanceNo};

/// Room for this many calls is kept when the last one has ended; what a burst needed beyond is given back.
const KEPT_CAPACITY: usize = 32;

/// Accepted calls that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Calls without an instance, oldest first.
    queue: VecDeque<CallNo>,
    open: HashMap<CallNo, Call>,
    deadlines: BTreeSet<(Duration, CallNo)>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    instance: Option<InstanceNo>,
    /// While the call waits for a first instance this leaves room for its load.
    deadline: Duration,
}

impl Calls {
    /// Calls that wait and calls in flight.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Calls without an instance.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Puts a call at the end of the queue.
    pub(crate) fn hold(&mut self, call: CallNo, deadline: Duration) {
        self.deadlines.insert((deadline, call));
        self.open.insert(call, Call { instance: None, deadline });
        self.queue.push_back(call);
    }

    /// Gives the first of the queue to an instance.
    pub(crate) fn assign_first(&mut self, no: InstanceNo) -> Option<CallNo> {
        let call = self.queue.pop_front()?;
        if let Some(state) = self.open.get_mut(&call) {
            state.instance = Some(no);
        }
        Some(call)
    }

    /// Takes a call back from its instance, which it gives: the call waits again, before those that came later. `None`: no instance has it.
    pub(crate) fn take_back(&mut self, call: CallNo) -> Option<InstanceNo> {
        let no = self.open.get_mut(&call)?.instance.take()?;
        let place = self.queue.partition_point(|waiting| *waiting < call);
        self.queue.insert(place, call);
        Some(no)
    }

    /// Gives a call more time.
    pub(crate) fn extend(&mut self, call: CallNo, by: Duration) {
        if let Some(state) = self.open.get_mut(&call) {
            self.deadlines.remove(&(state.deadline, call));
            state.deadline += by;
            self.deadlines.insert((state.deadline, call));
        }
    }

    /// Ends a call wherever it is; the instance that had it, if one had. `None`: it has already ended.
    pub(crate) fn end(&mut self, call: CallNo) -> Option<Option<InstanceNo>> {
        let state = self.open.remove(&call)?;
        self.deadlines.remove(&(state.deadline, call));
        if state.instance.is_none() {
            self.unqueue(call);
        }
        if self.open.is_empty() {
            self.give_back();
        }
        Some(state.instance)
    }

    /// A call whose time is up.
    pub(crate) fn overdue(&self, now: Duration) -> Option<CallNo> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, call)| *call)
    }

    /// When the next call's time is up.
    pub(crate) fn first_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// No waiting call waits beyond this time.
    pub(crate) fn wait_until(&mut self, deadline: Duration) {
        for call in &self.queue {
            if let Some(state) = self.open.get_mut(call).filter(|state| state.deadline > deadline) {
                self.deadlines.remove(&(state.deadline, *call));
                self.deadlines.insert((deadline, *call));
                state.deadline = deadline;
            }
        }
    }

    /// The first of the queue.
    pub(crate) fn first_waiting(&self) -> Option<CallNo> {
        self.queue.front().copied()
    }

    /// The calls of an instance, or all, in order.
    pub(crate) fn list(&self, no: Option<InstanceNo>) -> Vec<CallNo> {
        let wanted = self.open.iter().filter(|(_, call)| no.is_none() || call.instance == no);
        let mut calls: Vec<_> = wanted.map(|(call, _)| *call).collect();
        calls.sort_unstable();
        calls
    }

    /// Takes a call out of the queue. Calls mostly time out in the order in which they came: then it is the first.
    fn unqueue(&mut self, call: CallNo) {
        if self.queue.front() == Some(&call) {
            self.queue.pop_front();
        } else {
            self.queue.retain(|waiting| *waiting != call);
        }
    }

    fn give_back(&mut self) {
        if self.open.capacity() > KEPT_CAPACITY * 2 {
            self.open.shrink_to(KEPT_CAPACITY);
        }
        if self.queue.capacity() > KEPT_CAPACITY * 2 {
            self.queue.shrink_to(KEPT_CAPACITY);
        }
    }
}
