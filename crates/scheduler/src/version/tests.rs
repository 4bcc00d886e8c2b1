//! A hand case for every rule about one version.

use crate::story::*;
use crate::{
    Action, CallFailure, CallNo, Counts, Event, InstanceNo, Limits, Rejection, StopReason, VersionNo, Wear,
};

mod recycling;
mod wanting;

#[test]
fn the_first_call_starts_an_instance_and_is_held_until_it_is_ready() {
    let mut story = Story::new(limits());
    assert_eq!(story.fleet.next_wake(), None, "at zero nothing is waited for");
    assert_eq!(story.arrive(1), [start(1)]);
    assert_eq!(story.tick(5_000), [], "loading may take longer than a request");
    assert_eq!(story.ready(1), [assign(1, 1)]);
    assert_eq!(story.fleet.next_wake(), Some(ms(7_000)), "the request's own time starts now");
}

#[test]
fn a_free_slot_is_taken_at_once_and_the_least_loaded_instance_first() {
    let mut story = Story::warm(limits());
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.arrive(2), [assign(2, 1)]);
    assert_eq!(story.arrive(3), [start(2)], "no slot: one more starts");
    assert_eq!(story.finish(1), [assign(3, 1)], "whichever slot is free first");
    assert_eq!(story.ready(2), []);
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
    assert_eq!(story.arrive(3), [reject(3, Rejection::QueueFull)]);
    assert_eq!(story.ready(1), [assign(1, 1), assign(2, 1)]);
}

#[test]
fn an_idle_instance_stops_after_the_timeout_and_a_busy_one_never() {
    let mut story = Story::warm(limits());
    assert_eq!(story.tick(999), []);
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.tick(1_500), [], "busy");
    assert_eq!(story.finish(1), []);
    assert_eq!(story.tick(2_499), [], "the idle clock starts at the last call's end");
    assert_eq!(story.tick(2_500), [stop(1, StopReason::Idle)]);
    assert_eq!(story.exited(1), []);
    assert_eq!(story.fleet.counts(VersionNo(1)), Counts::default(), "at zero again");
}

#[test]
fn loading_is_never_idle() {
    let mut story = Story::new(limits());
    story.arrive(1);
    story.on(Event::Left(CallNo(1)));
    assert_eq!(story.tick(9_000), [], "still loads, though nobody waits");
    assert_eq!(story.ready(1), []);
    assert_eq!(story.tick(9_999), []);
    assert_eq!(story.tick(10_000), [stop(1, StopReason::Idle)]);
}

#[test]
fn a_start_that_fails_fails_its_calls_and_backs_off() {
    let mut story = Story::new(limits());
    story.arrive(1);
    assert_eq!(story.exited(1), [fail(1, CallFailure::StartFailed(InstanceNo(1)))]);
    let refused = Rejection::StartBackoff { instance: InstanceNo(1), retry_in_ms: 400 };
    assert_eq!(story.at(100).arrive(2), [reject(2, refused)]);
    assert_eq!(story.at(500).arrive(3), [start(2)], "the next try is due");
    story.exited(2);
    let refused = Rejection::StartBackoff { instance: InstanceNo(2), retry_in_ms: 1_000 };
    assert_eq!(story.arrive(4), [reject(4, refused)], "twice as long");
    assert_eq!(story.at(1_500).arrive(5), [start(3)]);
    story.ready(3);
    story.exited(3);
    assert_eq!(story.arrive(6), [start(4)], "a success forgives");
}

#[test]
fn a_failed_extra_start_leaves_waiting_calls_to_the_others() {
    let mut story = Story::warm(limits());
    for call in 1..=3 {
        story.arrive(call);
    }
    assert_eq!(story.exited(2), [], "call 3 waits on for instance 1");
    assert_eq!(story.finish(1), [assign(3, 1)]);
}

#[test]
fn a_load_that_takes_too_long_is_stopped_and_named() {
    let mut story = Story::new(limits());
    story.arrive(1);
    assert_eq!(
        story.tick(10_000),
        [stop(1, StopReason::LoadTimeout), fail(1, CallFailure::LoadTimeout(InstanceNo(1)))]
    );
    assert_eq!(story.ready(1), [], "too late");
}

#[test]
fn a_call_that_takes_too_long_fails_and_its_instance_takes_no_more() {
    let mut story = Story::warm(Limits { max_instances: 1, ..limits() });
    story.arrive(1);
    assert_eq!(story.at(1_000).arrive(2), [assign(2, 1)]);
    let timeout = CallFailure::RequestTimeout(Some(InstanceNo(1)));
    assert_eq!(story.tick(2_000), [fail(1, timeout)]);
    assert_eq!(story.arrive(3), [], "not to an instance that may be stuck");
    assert_eq!(story.finish(2), [stop(1, StopReason::Condemned)], "after its last call");
    assert_eq!(story.exited(1), [start(2)], "for the call that waits");
}

#[test]
fn a_call_that_waits_too_long_fails_though_nothing_is_wrong_with_an_instance() {
    let mut story =
        Story::warm(Limits { max_instances: 1, concurrency: 1, request_timeout: ms(500), ..limits() });
    story.arrive(1);
    story.at(400).arrive(2);
    assert_eq!(
        story.tick(900),
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
    assert_eq!(story.exited(1), [fail(1, died)]);
    assert_eq!(story.arrive(2), [start(2)]);
}

#[test]
fn a_call_that_its_instance_never_took_in_goes_to_another_before_later_ones() {
    let mut story = Story::warm(Limits { max_instances: 1, concurrency: 1, ..limits() });
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.arrive(2), []);
    assert_eq!(story.on(Event::NotTaken(CallNo(1))), [stop(1, StopReason::Gone)]);
    assert_eq!(story.exited(1), [start(2)]);
    // It waits for a load now: the time of a request alone would not be enough.
    let request_timeout = limits().request_timeout;
    story.now += request_timeout;
    assert_eq!(story.on(Event::Tick), [fail(2, CallFailure::RequestTimeout(None))]);
    assert_eq!(story.ready(2), [assign(1, 2)]);
}

#[test]
fn a_call_that_was_not_taken_in_is_not_failed_with_those_that_were() {
    let mut story = Story::warm(Limits { max_instances: 2, concurrency: 2, ..limits() });
    story.arrive(1);
    story.arrive(2);
    assert_eq!(story.on(Event::NotTaken(CallNo(2))), [start(2)]);
    assert_eq!(story.exited(1), [fail(1, CallFailure::InstanceDied(InstanceNo(1)))]);
    assert_eq!(story.ready(2), [assign(2, 2)]);
    assert_eq!(story.on(Event::NotTaken(CallNo(1))), [], "it has ended");
}

#[test]
fn draining_finishes_what_was_accepted_and_refuses_the_rest() {
    let mut story = Story::warm(limits());
    story.arrive(1);
    assert_eq!(story.on(Event::Drain), []);
    assert_eq!(story.arrive(2), [reject(2, Rejection::Draining)]);
    assert_eq!(story.finish(1), [stop(1, StopReason::Draining)]);
    assert!(!story.fleet.is_drained(VersionNo(1)), "its process still runs");
    story.exited(1);
    assert!(story.fleet.is_drained(VersionNo(1)));
}

#[test]
fn draining_has_an_end_even_for_a_call_that_has_none() {
    let mut story = Story::warm(Limits { request_timeout: ms(60_000), ..limits() });
    story.arrive(1);
    story.on(Event::Drain);
    assert_eq!(story.tick(3_000), [fail(1, CallFailure::Draining), stop(1, StopReason::Draining)]);
}
