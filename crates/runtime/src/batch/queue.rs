//! Calls that wait, and which of them go together: the oldest, with those like it that came after, in the order in which they
//! came, as far as their rows fit. So no call waits for ever, and a call that does not fit lets a smaller one pass.

use std::collections::VecDeque;

use modelet_model::rows::{self, Inputs};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Computed;

/// What a call wants computed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) inputs: Inputs,
    /// The outputs wanted; `None` for all.
    pub(super) outputs: Option<Vec<String>>,
    /// Rows of its inputs; 0 when they have none, or not all as many.
    pub(super) rows: usize,
}

impl Call {
    fn goes_with(&self, other: &Self) -> bool {
        self.outputs == other.outputs && rows::alike(&self.inputs, &other.inputs)
    }
}

/// A call that waits, and where its answer goes.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: Call,
    pub(super) answer: oneshot::Sender<Computed>,
    pub(super) since: Instant,
}

/// The calls that wait, the oldest first. Bounded by the connections, each of which has one call, and by the caller in bytes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    size_bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.size_bytes += rows::size_bytes(&waiting.call.inputs);
        self.waiting.push_back(waiting);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The memory that the tensors take.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Since when the oldest call waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.since)
    }

    /// The rows that [`Queue::take`] would give.
    pub(super) fn rows_of_next(&self, max_rows: usize) -> usize {
        self.next(max_rows).iter().map(|at| self.waiting[*at].call.rows).sum()
    }

    /// Takes the oldest call and those that go with it, together at most `max_rows` rows; the oldest goes in any case.
    pub(super) fn take(&mut self, max_rows: usize) -> Vec<Waiting> {
        let next = self.next(max_rows);
        let taken = next.iter().enumerate().filter_map(|(gone, at)| self.waiting.remove(at - gone));
        let taken: Vec<_> = taken.collect();
        self.size_bytes -= taken.iter().map(|waiting| rows::size_bytes(&waiting.call.inputs)).sum::<usize>();
        taken
    }

    /// The places of the calls that go next, in order.
    fn next(&self, max_rows: usize) -> Vec<usize> {
        let Some(oldest) = self.waiting.front() else { return Vec::new() };
        let mut room = max_rows.saturating_sub(oldest.call.rows);
        let mut next = vec![0];
        for (at, waiting) in self.waiting.iter().enumerate().skip(1) {
            if room == 0 {
                break;
            }
            if waiting.call.rows <= room && waiting.call.goes_with(&oldest.call) {
                room -= waiting.call.rows;
                next.push(at);
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Tensor};

    use super::*;

    /// A queue of calls, each with rows, a width and outputs.
    fn queue(calls: &[(usize, usize, Option<&str>)]) -> Queue {
        let mut queue = Queue::default();
        for (rows, width, outputs) in calls {
            let x = Tensor::zeros(DType::F32, vec![*rows, *width]).unwrap();
            let outputs = outputs.map(|name| vec![name.to_owned()]);
            let call = Call { inputs: vec![("x".into(), x)], outputs, rows: *rows };
            queue.push(Waiting { call, answer: oneshot::channel().0, since: Instant::now() });
        }
        queue
    }

    fn taken(queue: &mut Queue, max_rows: usize) -> Vec<usize> {
        let rows = queue.rows_of_next(max_rows);
        let taken: Vec<_> = queue.take(max_rows).iter().map(|waiting| waiting.call.rows).collect();
        assert_eq!(taken.iter().sum::<usize>(), rows);
        taken
    }

    #[test]
    fn the_oldest_leads_and_the_limit_is_never_passed() {
        let mut calls = queue(&[(2, 4, None), (3, 4, None), (4, 4, None), (1, 4, None), (9, 4, None)]);
        assert_eq!(calls.size_bytes(), 19 * 16);
        assert_eq!(taken(&mut calls, 6), [2, 3, 1], "the 4 do not fit, the 1 does");
        assert_eq!(taken(&mut calls, 6), [4]);
        assert_eq!(taken(&mut calls, 6), [9], "a call's own rows go whole");
        assert_eq!(taken(&mut calls, 6), [0; 0]);
        assert_eq!((calls.len(), calls.size_bytes()), (0, 0));
    }

    #[test]
    fn calls_that_differ_wait_for_their_own_turn() {
        let mut calls = queue(&[(1, 4, None), (1, 5, None), (1, 4, Some("y")), (1, 4, None), (1, 5, None)]);
        assert_eq!(taken(&mut calls, 64), [1, 1], "width 4");
        assert_eq!(taken(&mut calls, 64), [1, 1], "width 5");
        assert_eq!(taken(&mut calls, 64), [1], "another output");
    }

    #[test]
    fn a_limit_of_one_row_puts_nothing_together() {
        let mut calls = queue(&[(1, 4, None), (1, 4, None)]);
        assert_eq!((taken(&mut calls, 1), taken(&mut calls, 1)), (vec![1], vec![1]));
    }
}
