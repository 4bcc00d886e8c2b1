//! A hand case for every decision between versions.

use crate::story::*;
use crate::{CallFailure, CallNo, Event, InstanceNo, Limits, Machine, Rejection, StopReason, VersionNo};

mod storm;
mod world;

/// Room for so many instances of 100 MiB.
fn room_for(instances: u64) -> Machine {
    Machine { memory_mib: instances * 100, ..AMPLE }
}

/// One call per instance, up to ten instances, calls that may wait for long.
fn single() -> Limits {
    Limits { concurrency: 1, max_instances: 10, queue_limit: 100, request_timeout: ms(60_000), ..limits() }
}

fn three() -> [Limits; 3] {
    [single(), single(), single()]
}

#[test]
fn what_does_not_fit_waits_for_memory_and_is_told_when_there_was_none_in_time() {
    let mut story = Story::on_machine(room_for(1), [single(), single()]);
    story.make_ready(1, 1, 1);
    assert_eq!(story.arrive_at(1, 2), [], "no room for a second one, so it waits");
    assert_eq!(story.arrive_at(2, 1), [], "nor for another version's");
    let failed = story.fleet.tick(ms(60_000));
    let late = CallFailure::RequestTimeout(Some(InstanceNo(1)));
    assert_eq!(failed[0], (VersionNo(1), fail(1, late)), "{failed:?}");
    let failed = story.fleet.tick(ms(70_000));
    assert_eq!(failed, [(VersionNo(2), fail(1, CallFailure::MachineFull))]);
}

#[test]
fn the_least_valuable_idle_instance_makes_room() {
    let mut story = Story::on_machine(room_for(2), three());
    for (version, load_ms) in [(1, 50), (2, 20)] {
        story.arrive_at(version, 0);
        story.now += ms(load_ms);
        story.on_of(version, Event::Ready(InstanceNo(1)));
        story.on_of(version, Event::Finished(CallNo(0)));
    }
    assert_eq!(story.arrive_at(3, 1), [(2, stop(1, StopReason::Evicted))], "the one that starts faster");
    assert_eq!(story.on_of(2, Event::Exited(InstanceNo(1))), [(3, start(1))], "when its memory is free");
}

#[test]
fn what_is_called_more_often_is_worth_more() {
    let mut story = Story::on_machine(room_for(2), three());
    for version in [1, 2] {
        story.arrive_at(version, 0);
        story.now += ms(20);
        story.on_of(version, Event::Ready(InstanceNo(1)));
        story.on_of(version, Event::Finished(CallNo(0)));
    }
    story.arrive_at(1, 1);
    story.on_of(1, Event::Finished(CallNo(1)));
    assert_eq!(story.arrive_at(3, 1), [(2, stop(1, StopReason::Evicted))]);
}

#[test]
fn neither_the_minimum_nor_a_busy_instance_is_evicted() {
    let mut story =
        Story::on_machine(room_for(2), [Limits { min_instances: 1, ..single() }, single(), single()]);
    story.on_of(1, Event::Ready(InstanceNo(1)));
    story.make_ready(2, 1, 1);
    assert_eq!(story.arrive_at(3, 1), [], "one is the minimum, one is busy: it waits");
    assert_eq!(story.on_of(2, Event::Finished(CallNo(1))), [(2, stop(1, StopReason::GivenUp))]);
}

#[test]
fn reserved_memory_is_kept_from_others_and_there_when_it_is_needed() {
    let mut story = Story::on_machine(room_for(3), [Limits { reserved_instances: 1, ..single() }, single()]);
    assert_eq!(story.arrive_at(2, 1), [(2, start(1))]);
    assert_eq!(story.arrive_at(2, 2), [(2, start(2))]);
    assert_eq!(story.arrive_at(2, 3), [], "the rest is reserved");
    assert_eq!(story.arrive_at(1, 1), [(1, start(1))], "and there");
    story.on_of(1, Event::Ready(InstanceNo(1)));
    assert_eq!(story.on_of(1, Event::Finished(CallNo(1))), [], "nor is an idle reserved one evicted");
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let huge = Limits { memory_mib: 400, expected_memory_mib: 400, ..single() };
    let mut story = Story::on_machine(room_for(3), [huge]);
    assert_eq!(story.arrive(1), [reject(1, Rejection::MachineFull)]);

    let reserved = Limits { reserved_instances: 3, ..single() };
    let mut story = Story::on_machine(room_for(3), [single(), reserved]);
    assert_eq!(story.arrive(1), [reject(1, Rejection::MachineFull)], "all is kept for the other");
}

#[test]
fn calls_that_wait_for_memory_fail_when_it_is_reserved_for_another_for_good() {
    let mut story = Story::on_machine(room_for(2), [single(), single()]);
    story.make_ready(1, 1, 1);
    story.make_ready(1, 2, 2);
    assert_eq!(story.arrive_at(2, 1), []);
    let no = story.fleet.add(Limits { reserved_instances: 2, ..single() });
    let actions = story.fleet.step(no, Event::Live, story.now);
    assert_eq!(actions, [(VersionNo(2), fail(1, CallFailure::MachineFull))]);
}

#[test]
fn an_instance_is_charged_with_what_it_holds_and_the_next_with_what_the_last_held_at_most() {
    let mut story = Story::on_machine(room_for(2), [single()]);
    story.make_ready(1, 1, 1);
    assert_eq!(story.fleet.memory_mib(), 100, "the estimate");
    story.on(Event::Measured(InstanceNo(1), 60));
    story.on(Event::Measured(InstanceNo(1), 40));
    assert_eq!(story.fleet.memory_mib(), 40);
    assert_eq!(story.arrive(2), [start(2)]);
    assert_eq!(story.fleet.memory_mib(), 100, "40 and 60");
    assert_eq!(story.arrive(3), [start(3)], "a third one fits");
    story.on(Event::Measured(InstanceNo(1), 5_000));
    assert_eq!(story.fleet.memory_mib(), 220, "never more than memory_mib");
}

#[test]
fn idle_instances_go_when_others_grow_beyond_the_budget() {
    let small = Limits { memory_mib: 300, ..single() };
    let mut story = Story::on_machine(room_for(3), [small, single()]);
    story.warm_all(1..=2);
    story.arrive_at(1, 1);
    assert_eq!(story.on_of(1, Event::Measured(InstanceNo(1), 190)), []);
    assert_eq!(story.on_of(1, Event::Measured(InstanceNo(1), 210)), [(2, stop(1, StopReason::Evicted))]);
}

#[test]
fn the_version_that_holds_the_least_starts_first() {
    let mut story = Story::on_machine(Machine { max_starting: 1, ..AMPLE }, three());
    assert_eq!(story.arrive_at(1, 1), [(1, start(1))]);
    assert_eq!(story.arrive_at(1, 2), []);
    assert_eq!(story.arrive_at(2, 1), []);
    assert_eq!(story.on_of(1, Event::Ready(InstanceNo(1))), [(1, assign(1, 1)), (2, start(1))]);
    assert_eq!(story.on_of(2, Event::Ready(InstanceNo(1))), [(2, assign(1, 1)), (1, start(2))]);
}

#[test]
fn a_thousand_versions_woken_at_once_start_a_few_at_a_time() {
    let machine = Machine { max_starting: 4, ..AMPLE };
    let mut story = Story::on_machine(machine, (0..1_000).map(|_| single()));
    let mut starts: Vec<_> = (1..=1_000).flat_map(|version| story.arrive_at(version, 1)).collect();
    let mut started = 0;
    while let Some((version, _)) = starts.first().copied() {
        assert!(starts.len() <= 4, "{} load at once", starts.len());
        started += 1;
        starts.remove(0);
        let actions = story.on_of(version, Event::Ready(InstanceNo(1)));
        assert_eq!(actions[0], (version, assign(1, 1)));
        starts.extend(actions.into_iter().skip(1));
    }
    assert_eq!(started, 1_000);
}

#[test]
fn a_burst_that_holds_all_memory_gives_up_one_instance_for_a_trickle() {
    let mut story = Story::on_machine(room_for(3), [single(), single()]);
    for call in 1..=3 {
        story.make_ready(1, call, call);
    }
    assert_eq!(story.arrive_at(1, 4), [], "the burst goes on");
    assert_eq!(story.arrive_at(2, 1), [], "the trickle waits with nothing");
    assert_eq!(story.on_of(1, Event::Finished(CallNo(1))), [(1, assign(4, 1))], "not this one");
    let given_up = story.on_of(1, Event::Finished(CallNo(3)));
    assert_eq!(given_up, [(1, stop(3, StopReason::GivenUp))], "it takes no new call");
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(3))), [(2, start(1))]);
    assert_eq!(story.on_of(2, Event::Ready(InstanceNo(1))), [(2, assign(1, 1))]);
}

#[test]
fn two_versions_share_room_for_one_in_turn() {
    let mut story = Story::on_machine(room_for(1), [single(), single()]);
    story.make_ready(1, 1, 1);
    assert_eq!(story.arrive_at(1, 2), []);
    assert_eq!(story.arrive_at(2, 1), []);
    assert_eq!(story.arrive_at(2, 2), []);
    let give_up = |version, instance| [(version, stop(instance, StopReason::GivenUp))];
    assert_eq!(story.on_of(1, Event::Finished(CallNo(1))), give_up(1, 1));
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(1))), [(2, start(1))]);
    assert_eq!(story.on_of(2, Event::Ready(InstanceNo(1))), [(2, assign(1, 1))]);
    assert_eq!(story.on_of(2, Event::Finished(CallNo(1))), give_up(2, 1), "its turn is over");
    assert_eq!(story.on_of(2, Event::Exited(InstanceNo(1))), [(1, start(2))]);
    assert_eq!(story.on_of(1, Event::Ready(InstanceNo(2))), [(1, assign(2, 2))]);
}

#[test]
fn small_ones_do_not_starve_a_large_one_that_needs_more_than_its_share() {
    let large = Limits { memory_mib: 250, expected_memory_mib: 250, ..single() };
    let mut story = Story::on_machine(room_for(3), [single(), single(), large]);
    story.make_ready(1, 1, 1);
    story.make_ready(2, 1, 1);
    assert_eq!(story.arrive_at(3, 1), [], "each of the others holds a third");
    assert_eq!(story.arrive_at(1, 2), []);
    assert_eq!(story.on_of(1, Event::Finished(CallNo(1))), [(1, stop(1, StopReason::GivenUp))]);
    assert_eq!(story.on_of(2, Event::Finished(CallNo(1))), [(2, stop(1, StopReason::GivenUp))]);
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(1))), [], "the large one is first in line");
    assert_eq!(story.on_of(2, Event::Exited(InstanceNo(1))), [(3, start(1))]);
    assert_eq!(story.on_of(3, Event::Ready(InstanceNo(1))), [(3, assign(1, 1))]);
    assert_eq!(
        story.on_of(3, Event::Finished(CallNo(1))),
        [(3, stop(1, StopReason::GivenUp))],
        "and then not"
    );
    assert_eq!(story.on_of(3, Event::Exited(InstanceNo(1))), [(1, start(2))]);
}

#[test]
fn memory_that_comes_free_is_for_the_one_that_has_nothing_though_others_need_less() {
    let large = Limits { memory_mib: 200, expected_memory_mib: 200, ..single() };
    let mut story = Story::on_machine(room_for(3), [single(), large, single()]);
    story.make_ready(1, 1, 1);
    story.make_ready(1, 2, 2);
    assert_eq!(story.arrive_at(2, 1), [], "room for one small one is left");
    assert_eq!(story.arrive_at(1, 3), [], "it is not taken by who has something");
    assert_eq!(story.on_of(1, Event::Left(CallNo(3))), []);
    let freed = story.on_of(1, Event::Finished(CallNo(2)));
    assert_eq!(freed, [(1, stop(2, StopReason::GivenUp))]);
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(2))), [(2, start(1))]);
}

#[test]
fn one_that_has_nothing_gets_the_last_calls_that_the_machine_may_hold() {
    let many = Limits { queue_limit: 1_000, ..single() };
    let machine = Machine { max_calls: 20, ..AMPLE };
    let mut story = Story::on_machine(machine, [many.clone(), many]);
    let actions: Vec<_> = (0..30).flat_map(|call| story.arrive_at(1, call)).collect();
    let refusals = actions.iter().filter(|(_, action)| matches!(action, crate::Action::Reject(..))).count();
    assert_eq!(refusals, 12, "a tenth is kept");
    assert_eq!(story.arrive_at(2, 0).len(), 1, "for others");
    assert_eq!(story.arrive_at(2, 1).len(), 1);
    assert_eq!(story.arrive_at(2, 2), [(2, reject(2, Rejection::TooManyCalls))], "a limit is a limit");
    story.on_of(1, Event::Left(CallNo(17)));
    assert_eq!(story.arrive_at(1, 30), [(1, reject(30, Rejection::TooManyCalls))]);
    assert_eq!(story.arrive_at(2, 3), [(2, start(3))], "it has less than its share");
}

#[test]
fn a_drained_version_is_taken_out_and_its_memory_is_free() {
    let mut story = Story::on_machine(room_for(1), [Limits { min_instances: 1, ..single() }, single()]);
    story.on_of(1, Event::Ready(InstanceNo(1)));
    assert_eq!(story.arrive_at(2, 1), [(2, reject(1, Rejection::MachineFull))]);
    assert_eq!(story.on_of(1, Event::Drain), [(1, stop(1, StopReason::Draining))]);
    assert!(!story.fleet.remove(VersionNo(1)), "its process still runs");
    assert_eq!(story.arrive_at(2, 2), []);
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(1))), [(2, start(1))]);
    assert!(story.fleet.remove(VersionNo(1)));
    assert_eq!(story.arrive_at(1, 1), [(1, reject(1, Rejection::Draining))], "it is not known any more");
}

#[test]
fn a_start_ahead_of_its_calls_takes_only_what_is_free() {
    let eager = Limits { prewarmed_instances: 1, ..single() };
    let mut story = Story::on_machine(room_for(2), [single(), eager]);
    story.warm_all(1..=1);
    assert_eq!(story.arrive_at(2, 1), [(2, start(1))], "the idle one of the other stays");
    story.on_of(2, Event::Ready(InstanceNo(1)));
    assert_eq!(story.on_of(1, Event::Exited(InstanceNo(1))), [(2, start(2))], "now there is room");
}

#[test]
fn an_empty_version_costs_less_than_a_kibibyte() {
    let entry = size_of::<super::Member>() + size_of::<VersionNo>();
    assert!(entry + 16 < 1_024, "{entry} bytes and a box for its policy");
}
