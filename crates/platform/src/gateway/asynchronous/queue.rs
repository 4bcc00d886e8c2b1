//! Which asynchronous invocations wait, and which is next. Pure: time and limits are given. What they are asked lies on the disk.

use std::collections::BTreeMap;
use std::ops::Bound;

use modelet_core::FunctionName;

use crate::gateway::asynchronous::retry::{Attempt, Pace, Progress};

/// All that were accepted and have not ended, by function.
#[derive(Debug, Default)]
pub struct Queue {
    lines: BTreeMap<FunctionName, Line>,
    /// The function that was served last: the next one is the one after it.
    last: Option<FunctionName>,
}

/// Those of one function.
#[derive(Debug, Default)]
struct Line {
    /// By the time from which they may be tried, and their place in the store.
    waiting: BTreeMap<(i64, i64), Progress>,
    /// On their way to the disk.
    arriving: usize,
    /// Worked on.
    in_flight: usize,
    /// One of those waits for its place in an instance: no other joins it, so that clients who wait are not crowded out.
    is_beginning: bool,
    pace: Pace,
}

impl Line {
    fn len(&self) -> usize {
        self.waiting.len() + self.arriving + self.in_flight
    }

    /// When there is something to take, unless all places are taken.
    fn due_ms(&self, limit: usize) -> Option<i64> {
        let ((due_ms, _), _) = self.waiting.first_key_value()?;
        let has_room = !self.is_beginning && self.in_flight < self.pace.allows(limit);
        has_room.then_some((*due_ms).max(self.pace.until_ms()))
    }
}

/// One that is worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose it is.
    pub function: FunctionName,
    /// Its place in the store.
    pub seq: i64,
    /// What it has been through.
    pub progress: Progress,
}

impl Queue {
    /// Takes a place for one that is on its way to the disk; false when the function has as many as it may.
    pub fn admit(&mut self, function: &FunctionName, limit: usize) -> bool {
        let line = self.lines.entry(function.clone()).or_default();
        let has_room = line.len() < limit;
        line.arriving += usize::from(has_room);
        self.tidy(function);
        has_room
    }

    /// It is on the disk, and waits from now on.
    pub fn arrived(&mut self, due: Due, due_at_ms: i64) {
        self.release(&due.function, |line| &mut line.arriving);
        self.wait(due, due_at_ms);
    }

    /// It did not get to the disk.
    pub fn withdrawn(&mut self, function: &FunctionName) {
        self.release(function, |line| &mut line.arriving);
        self.tidy(function);
    }

    /// One waits that an earlier run of the platform has left.
    pub fn wait(&mut self, due: Due, due_at_ms: i64) {
        let line = self.lines.entry(due.function).or_default();
        line.waiting.insert((due_at_ms, due.seq), due.progress);
    }

    /// The next one to work on: the functions take turns, each within its limit, and within a function who is due first.
    pub fn take(&mut self, now_ms: i64, limit: impl Fn(&FunctionName) -> usize) -> Option<Due> {
        let is_due = |(function, line): &(&FunctionName, &Line)| {
            line.due_ms(limit(function)).is_some_and(|due_ms| due_ms <= now_ms)
        };
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.lines.range::<FunctionName, _>((after, Bound::Unbounded));
        let function = later.chain(&self.lines).find(is_due)?.0.clone();
        let line = self.lines.get_mut(&function)?;
        let ((_, seq), progress) = line.waiting.pop_first()?;
        line.in_flight += 1;
        line.is_beginning = true;
        self.last = Some(function.clone());
        Some(Due { function, seq, progress })
    }

    /// The one that waited for its place has it, or never will.
    pub fn begun(&mut self, function: &FunctionName) {
        if let Some(line) = self.lines.get_mut(function) {
            line.is_beginning = false;
        }
    }

    /// The line takes note of how an attempt ended; gives how it goes on.
    pub fn note(&mut self, function: &FunctionName, attempt: Attempt, now_ms: i64) -> Pace {
        let line = self.lines.entry(function.clone()).or_default();
        line.pace.note(attempt, now_ms);
        line.pace
    }

    /// An attempt is over, and there is another one to come at `again_at_ms`, or none.
    pub fn over(&mut self, due: Due, again_at_ms: Option<i64>) {
        let function = due.function.clone();
        self.release(&function, |line| &mut line.in_flight);
        if let Some(due_at_ms) = again_at_ms {
            self.wait(due, due_at_ms);
        }
        self.tidy(&function);
    }

    /// When there is something to take, as far as limits allow; `None`: when something else happens.
    pub fn next_due_ms(&self, limit: impl Fn(&FunctionName) -> usize) -> Option<i64> {
        self.lines.iter().filter_map(|(function, line)| line.due_ms(limit(function))).min()
    }

    /// The function is gone, and with it what waited.
    pub fn forget(&mut self, function: &FunctionName) {
        if let Some(line) = self.lines.get_mut(function) {
            line.waiting.clear();
        }
        self.tidy(function);
    }

    /// How many of each function have not ended.
    pub fn lengths(&self) -> Vec<(FunctionName, usize)> {
        self.lines.iter().map(|(function, line)| (function.clone(), line.len())).collect()
    }

    fn release(&mut self, function: &FunctionName, place: impl Fn(&mut Line) -> &mut usize) {
        if let Some(line) = self.lines.get_mut(function) {
            let count = place(line);
            *count = count.saturating_sub(1);
        }
    }

    fn tidy(&mut self, function: &FunctionName) {
        if self.lines.get(function).is_some_and(|line| line.len() == 0) {
            self.lines.remove(function);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(function: &str, seq: i64) -> Due {
        let progress = Progress { accepted_at_ms: 0, attempts: 0, refusals: 0 };
        Due { function: function.parse().unwrap(), seq, progress }
    }

    fn taken(queue: &mut Queue, now_ms: i64, limit: usize) -> Vec<i64> {
        let next = || {
            let due = queue.take(now_ms, |_| limit)?;
            queue.begun(&due.function);
            Some(due.seq)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn functions_take_turns_and_a_long_line_holds_up_no_other() {
        let mut queue = Queue::default();
        for seq in 0..4 {
            queue.wait(due("a", seq), 0);
        }
        queue.wait(due("b", 10), 0);
        queue.wait(due("c", 20), 0);
        queue.wait(due("c", 21), 99);
        assert_eq!(taken(&mut queue, 5, 3), [0, 10, 20, 1, 2], "a has three in flight, c is not due");
        assert_eq!(queue.next_due_ms(|_| 3), Some(99));
        queue.over(due("a", 0), None);
        assert_eq!(taken(&mut queue, 5, 3), [3]);
    }

    #[test]
    fn places_are_counted_from_admission_to_the_end() {
        let mut queue = Queue::default();
        let a: FunctionName = "a".parse().unwrap();
        assert!(queue.admit(&a, 2) && queue.admit(&a, 2) && !queue.admit(&a, 2));
        queue.withdrawn(&a);
        assert!(queue.admit(&a, 2) && !queue.admit(&a, 2));
        queue.arrived(due("a", 1), 0);
        queue.arrived(due("a", 2), 0);
        assert!(!queue.admit(&a, 2));
        assert_eq!(taken(&mut queue, 0, 9), [1, 2]);
        assert!(!queue.admit(&a, 2), "what is worked on has not ended");
        queue.over(due("a", 1), Some(50));
        assert!(!queue.admit(&a, 2), "nor what is tried again");
        queue.over(due("a", 2), None);
        assert!(queue.admit(&a, 2));
        queue.withdrawn(&a);
        assert_eq!(taken(&mut queue, 49, 9), [0; 0]);
        assert_eq!(taken(&mut queue, 50, 9), [1]);
        queue.over(due("a", 1), None);
        assert!(queue.lengths().is_empty() && !queue.admit(&a, 0));
        assert!(queue.lengths().is_empty(), "nothing is left of a function without any");
    }

    #[test]
    fn a_line_that_was_refused_pauses_and_then_tries_with_one() {
        let mut queue = Queue::default();
        let a: FunctionName = "a".parse().unwrap();
        for seq in 0..4 {
            queue.wait(due("a", seq), 0);
        }
        assert_eq!(taken(&mut queue, 1_000, 2), [0, 1]);
        for seq in [0, 1] {
            let until_ms = queue.note(&a, Attempt::Refused, 1_000).until_ms();
            queue.over(due("a", seq), Some(until_ms));
        }
        assert_eq!((taken(&mut queue, 1_000, 2), queue.next_due_ms(|_| 2)), (vec![], Some(1_100)));
        assert_eq!(taken(&mut queue, 1_100, 2), [2], "another one tries");
        queue.note(&a, Attempt::Answered, 1_101);
        queue.over(due("a", 2), None);
        assert_eq!(taken(&mut queue, 1_101, 2), [3, 0]);
    }

    #[test]
    fn one_at_a_time_waits_for_its_place() {
        let mut queue = Queue::default();
        for seq in 0..3 {
            queue.wait(due("a", seq), 0);
        }
        assert_eq!(queue.take(0, |_| 9).unwrap().seq, 0);
        assert_eq!((queue.take(0, |_| 9), queue.next_due_ms(|_| 9)), (None, None));
        queue.begun(&"a".parse().unwrap());
        assert_eq!(queue.take(0, |_| 9).unwrap().seq, 1);
    }

    #[test]
    fn a_deleted_function_leaves_only_what_is_worked_on() {
        let mut queue = Queue::default();
        queue.wait(due("a", 1), 0);
        queue.wait(due("a", 2), 0);
        assert!(queue.take(0, |_| 1).is_some());
        queue.forget(&"a".parse().unwrap());
        assert_eq!(queue.lengths(), [("a".parse().unwrap(), 1)]);
        queue.over(due("a", 1), None);
        assert!(queue.lengths().is_empty());
    }
}
