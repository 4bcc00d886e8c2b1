//! Instances that are worn or stuck.

use super::*;

#[test]
fn a_worn_instance_ends_its_calls_while_its_replacement_starts() {
    let mut story = Story::warm(limits());
    assert_eq!(story.arrive(1), [assign(1, 1)]);
    assert_eq!(story.on(Event::Worn(InstanceNo(1), Wear::Memory)), []);
    assert_eq!(story.arrive(2), [start(2)], "it takes no new call, though it has a slot");
    assert_eq!(story.ready(2), [assign(2, 2)]);
    assert_eq!(story.finish(1), [stop(1, StopReason::Worn(Wear::Memory))], "after its last call");
}

#[test]
fn a_worn_instance_of_the_minimum_is_replaced_first() {
    let mut story = Story::new(Limits { min_instances: 1, ..limits() });
    story.ready(1);
    story.arrive(1);
    assert_eq!(story.on(Event::Worn(InstanceNo(1), Wear::Threads)), [start(2)], "while it has a call");
    assert_eq!(story.finish(1), [stop(1, StopReason::Worn(Wear::Threads))]);
}

#[test]
fn at_the_most_instances_the_worn_one_goes_first_and_only_without_calls() {
    let mut story = Story::warm(Limits { max_instances: 1, ..limits() });
    story.arrive(1);
    assert_eq!(story.on(Event::Worn(InstanceNo(1), Wear::Memory)), []);
    assert_eq!(story.arrive(2), [], "there is no place for a second one");
    assert_eq!(story.finish(1), [stop(1, StopReason::Worn(Wear::Memory))]);
    assert_eq!(story.exited(1), [start(2)]);
    assert_eq!(story.ready(2), [assign(2, 2)], "the call has waited");
}

#[test]
fn a_worn_instance_without_calls_goes_at_once_and_nobody_replaces_it() {
    let mut story = Story::warm(limits());
    let worn = StopReason::Worn(Wear::Memory);
    assert_eq!(story.on(Event::Worn(InstanceNo(1), Wear::Memory)), [stop(1, worn)]);
    assert_eq!(story.on(Event::Worn(InstanceNo(1), Wear::Memory)), [], "once");
    assert_eq!(story.exited(1), []);
}

#[test]
fn an_instance_that_has_had_its_calls_is_worn() {
    let mut story = Story::new(Limits { recycle_calls: 3, ..limits() });
    story.arrive(1);
    assert_eq!(story.ready(1), [assign(1, 1)]);
    assert_eq!(story.arrive(2), [assign(2, 1)]);
    assert_eq!(story.finish(1), []);
    assert_eq!(story.arrive(3), [assign(3, 1)], "its last");
    assert_eq!(story.finish(2), []);
    assert_eq!(story.arrive(4), [start(2)]);
    assert_eq!(story.finish(3), [stop(1, StopReason::Worn(Wear::Calls))]);
}

#[test]
fn a_stuck_instance_fails_its_calls_and_is_stopped_at_once() {
    let mut story = Story::warm(limits());
    story.arrive(1);
    story.arrive(2);
    assert_eq!(story.arrive(3), [start(2)]);
    let stuck = CallFailure::Stuck(InstanceNo(1));
    assert_eq!(
        story.on(Event::Stuck(InstanceNo(1))),
        [fail(1, stuck), fail(2, stuck), stop(1, StopReason::Stuck)]
    );
    assert_eq!(story.finish(1), [], "the answer comes too late");
    assert_eq!(story.ready(2), [assign(3, 2)], "others are served by another");
    assert_eq!(story.exited(1), []);
}

#[test]
fn what_looked_stuck_and_has_answered_is_left_alone() {
    let mut story = Story::warm(limits());
    assert_eq!(story.on(Event::Stuck(InstanceNo(1))), [], "between calls");
    assert_eq!(story.arrive(1), [assign(1, 1)]);
}

#[test]
fn a_worn_instance_with_a_late_call_is_given_no_time_for_a_last_word() {
    let mut story = Story::warm(limits());
    story.arrive(1);
    story.on(Event::Worn(InstanceNo(1), Wear::Memory));
    let late = CallFailure::RequestTimeout(Some(InstanceNo(1)));
    assert_eq!(story.tick(2_000), [fail(1, late), stop(1, StopReason::Condemned)]);
}
