//! A hand case for every rule, and a seeded storm for what nobody thought of.

use super::*;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn limits() -> Limits {
    Limits {
        concurrency: 2,
        max_instances: 2,
        queue_limit: 3,
        idle_timeout: ms(1_000),
        load_timeout: ms(10_000),
        request_timeout: ms(2_000),
        drain_timeout: ms(3_000),
        backoff_first: ms(500),
        backoff_max: ms(4_000),
    }
}

/// A version in virtual time: each line of a test is one thing that happens.
struct Story {
    state: VersionState,
    now: Duration,
}

impl Story {
    fn new(limits: Limits) -> Self {
        Self { state: VersionState::new(limits), now: ms(0) }
    }

    fn at(&mut self, now_ms: u64) -> &mut Self {
        self.now = ms(now_ms);
        self
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        step(&mut self.state, event, self.now)
    }

    fn arrive(&mut self, call: u64) -> Vec<Action> {
        self.on(Event::Arrived(CallNo(call)))
    }

    /// A version with one ready instance, number 1, and no call.
    fn warm(limits: Limits) -> Self {
        let mut story = Self::new(limits);
        assert_eq!(story.arrive(0), [start(1)]);
        assert_eq!(story.on(Event::Ready(InstanceNo(1))), [assign(0, 1)]);
        assert_eq!(story.on(Event::Finished(CallNo(0))), []);
        story
    }
}

fn start(instance: u64) -> Action {
    Action::Start(InstanceNo(instance))
}

fn assign(call: u64, instance: u64) -> Action {
    Action::Assign(CallNo(call), InstanceNo(instance))
}

fn fail(call: u64, why: CallFailure) -> Action {
    Action::Fail(CallNo(call), why)
}

fn stop(instance: u64, why: StopReason) -> Action {
    Action::Stop(InstanceNo(instance), why)
}

#[test]
fn the_first_call_starts_an_instance_and_is_held_until_it_is_ready() {
    let mut story = Story::new(limits());
    assert_eq!(story.state.next_wake(story.now), None, "at zero nothing is waited for");
    assert_eq!(story.arrive(1), [start(1)]);
    assert_eq!(story.at(5_000).on(Event::Tick), [], "loading may take longer than a request");
    assert_eq!(story.on(Event::Ready(InstanceNo(1))), [assign(1, 1)]);
    assert_eq!(story.state.next_wake(story.now), Some(ms(7_000)), "the request's own time starts now");
}

#[test]
fn a_free_slot_is_taken_at_once_and_the_least_loaded_instance_first() {
    let mut story = Story::warm(limits());
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.arrive(2), [assign(2, 1)]);
    assert_eq!(story.arrive(3), [start(2)], "no slot: one more starts");
    assert_eq!(story.on(Event::Finished(CallNo(1))), [assign(3, 1)], "whichever slot is free first");
    assert_eq!(story.on(Event::Ready(InstanceNo(2))), []);
    assert_eq!(story.arrive(4), [assign(4, 2)]);
}

#[test]
fn a_burst_starts_one_wave_and_beyond_the_queue_is_refused() {
    let mut story = Story::new(limits());
    let actions: Vec<_> = (0..9).flat_map(|call| story.arrive(call)).collect();
    let starts = actions.iter().filter(|a| matches!(a, Action::Start(_))).count();
    let rejected: Vec<_> = actions.iter().filter(|a| matches!(a, Action::Reject(..))).collect();
    assert_eq!(starts, 2, "two instances, never more");
    assert_eq!(
        rejected,
        [7, 8].map(|n| Action::Reject(CallNo(n), Rejection::QueueFull)).iter().collect::<Vec<_>>(),
        "2 instances take 4 calls, 3 more may wait"
    );
}

#[test]
fn a_queue_of_zero_still_holds_what_a_starting_instance_will_take() {
    let mut story = Story::new(Limits { queue_limit: 0, max_instances: 1, ..limits() });
    assert_eq!(story.arrive(1), [start(1)]);
    assert_eq!(story.arrive(2), []);
    assert_eq!(story.arrive(3), [Action::Reject(CallNo(3), Rejection::QueueFull)]);
    assert_eq!(story.on(Event::Ready(InstanceNo(1))), [assign(1, 1), assign(2, 1)]);
}

#[test]
fn an_idle_instance_stops_after_the_timeout_and_a_busy_one_never() {
    let mut story = Story::warm(limits());
    assert_eq!(story.at(999).on(Event::Tick), []);
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.at(1_500).on(Event::Tick), [], "busy");
    assert_eq!(story.on(Event::Finished(CallNo(1))), []);
    assert_eq!(story.at(2_499).on(Event::Tick), [], "the idle clock starts at the last call's end");
    assert_eq!(story.at(2_500).on(Event::Tick), [stop(1, StopReason::Idle)]);
    assert_eq!(story.on(Event::Exited(InstanceNo(1))), []);
    assert_eq!(story.state.counts(), Counts::default(), "at zero again");
}

#[test]
fn loading_is_never_idle() {
    let mut story = Story::new(limits());
    story.arrive(1);
    story.on(Event::Left(CallNo(1)));
    assert_eq!(story.at(9_000).on(Event::Tick), [], "still loads, though nobody waits");
    assert_eq!(story.on(Event::Ready(InstanceNo(1))), []);
    assert_eq!(story.at(9_999).on(Event::Tick), []);
    assert_eq!(story.at(10_000).on(Event::Tick), [stop(1, StopReason::Idle)]);
}

#[test]
fn a_start_that_fails_fails_its_calls_and_backs_off() {
    let mut story = Story::new(limits());
    story.arrive(1);
    assert_eq!(story.on(Event::Exited(InstanceNo(1))), [fail(1, CallFailure::StartFailed(InstanceNo(1)))]);
    let refused = Rejection::StartBackoff { instance: InstanceNo(1), retry_in_ms: 400 };
    assert_eq!(story.at(100).arrive(2), [Action::Reject(CallNo(2), refused)]);
    assert_eq!(story.at(500).arrive(3), [start(2)], "the next try is due");
    story.on(Event::Exited(InstanceNo(2)));
    let refused = Rejection::StartBackoff { instance: InstanceNo(2), retry_in_ms: 1_000 };
    assert_eq!(story.arrive(4), [Action::Reject(CallNo(4), refused)], "twice as long");
    assert_eq!(story.at(1_500).arrive(5), [start(3)]);
    story.on(Event::Ready(InstanceNo(3)));
    story.on(Event::Exited(InstanceNo(3)));
    assert_eq!(story.arrive(6), [start(4)], "a success forgives");
}

#[test]
fn a_failed_extra_start_leaves_waiting_calls_to_the_others() {
    let mut story = Story::warm(limits());
    for call in 1..=3 {
        story.arrive(call);
    }
    assert_eq!(story.on(Event::Exited(InstanceNo(2))), [], "call 3 waits on for instance 1");
    assert_eq!(story.on(Event::Finished(CallNo(1))), [assign(3, 1)]);
}

#[test]
fn a_load_that_takes_too_long_is_stopped_and_named() {
    let mut story = Story::new(limits());
    story.arrive(1);
    assert_eq!(
        story.at(10_000).on(Event::Tick),
        [stop(1, StopReason::LoadTimeout), fail(1, CallFailure::LoadTimeout(InstanceNo(1)))]
    );
    assert_eq!(story.on(Event::Ready(InstanceNo(1))), [], "too late");
}

#[test]
fn a_call_that_takes_too_long_fails_and_its_instance_takes_no_more() {
    let mut story = Story::warm(Limits { max_instances: 1, ..limits() });
    story.arrive(1);
    assert_eq!(story.at(1_000).arrive(2), [assign(2, 1)]);
    let timeout = CallFailure::RequestTimeout(Some(InstanceNo(1)));
    assert_eq!(story.at(2_000).on(Event::Tick), [fail(1, timeout)]);
    assert_eq!(story.arrive(3), [], "not to an instance that may be stuck");
    assert_eq!(story.on(Event::Finished(CallNo(2))), [stop(1, StopReason::Condemned)], "after its last call");
    assert_eq!(story.on(Event::Exited(InstanceNo(1))), [start(2)], "for the call that waits");
}

#[test]
fn a_call_that_waits_too_long_fails_though_nothing_is_wrong_with_an_instance() {
    let mut story =
        Story::warm(Limits { max_instances: 1, concurrency: 1, request_timeout: ms(500), ..limits() });
    story.arrive(1);
    story.at(400).arrive(2);
    assert_eq!(
        story.at(900).on(Event::Tick),
        [
            fail(1, CallFailure::RequestTimeout(Some(InstanceNo(1)))),
            fail(2, CallFailure::RequestTimeout(None)),
            stop(1, StopReason::Condemned)
        ]
    );
}

#[test]
fn the_death_of_an_instance_fails_its_calls_at_once_and_the_next_is_fine() {
    let mut story = Story::warm(limits());
    story.arrive(1);
    let died = CallFailure::InstanceDied(InstanceNo(1));
    assert_eq!(story.on(Event::Exited(InstanceNo(1))), [fail(1, died)]);
    assert_eq!(story.arrive(2), [start(2)]);
}

#[test]
fn draining_finishes_what_was_accepted_and_refuses_the_rest() {
    let mut story = Story::warm(limits());
    story.arrive(1);
    assert_eq!(story.on(Event::Drain), []);
    assert_eq!(story.arrive(2), [Action::Reject(CallNo(2), Rejection::Draining)]);
    assert_eq!(story.on(Event::Finished(CallNo(1))), [stop(1, StopReason::Draining)]);
    assert!(!story.state.is_drained(), "its process still runs");
    story.on(Event::Exited(InstanceNo(1)));
    assert!(story.state.is_drained());
}

#[test]
fn draining_has_an_end_even_for_a_call_that_has_none() {
    let mut story = Story::warm(Limits { request_timeout: ms(60_000), ..limits() });
    story.arrive(1);
    story.on(Event::Drain);
    assert_eq!(
        story.at(3_000).on(Event::Tick),
        [fail(1, CallFailure::Draining), stop(1, StopReason::Draining)]
    );
}

mod storm;
