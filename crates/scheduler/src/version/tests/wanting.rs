//! Minimum, prewarmed and expected instances, rate limits.

use modelet_core::manifest::KeepAlive;

use super::*;

const MINUTE_MS: u64 = 60_000;

#[test]
fn the_minimum_is_started_without_a_call_kept_when_idle_and_replaced_when_it_dies() {
    let mut story = Story { fleet: crate::Fleet::new(AMPLE), now: ms(0) };
    story.fleet.add(Limits { min_instances: 1, ..limits() });
    assert_eq!(story.on(Event::Live), [start(1)]);
    assert_eq!(story.ready(1), []);
    assert_eq!(story.tick(60_000), [], "idle for long");
    assert_eq!(story.exited(1), [start(2)]);
    assert_eq!(story.ready(2), []);
    assert_eq!(story.on(Event::Retired), [], "a newer version is live: now the idle timeout holds");
    assert_eq!(story.tick(60_999), []);
    assert_eq!(story.tick(61_000), [stop(2, StopReason::Idle)]);
    assert_eq!(story.exited(2), []);
}

#[test]
fn a_minimum_that_cannot_start_backs_off() {
    let mut story = Story { fleet: crate::Fleet::new(AMPLE), now: ms(0) };
    story.fleet.add(Limits { min_instances: 1, ..limits() });
    assert_eq!(story.on(Event::Live), [start(1)]);
    assert_eq!(story.exited(1), []);
    assert_eq!(story.fleet.next_wake(), Some(ms(500)));
    assert_eq!(story.tick(500), [start(2)]);
    assert_eq!(story.exited(2), []);
    assert_eq!(story.tick(1_499), []);
    assert_eq!(story.tick(1_500), [start(3)], "twice as long");
}

#[test]
fn prewarmed_instances_stand_beside_the_busy_ones_while_there_are_calls() {
    let mut story =
        Story::new(Limits { concurrency: 1, max_instances: 3, prewarmed_instances: 1, ..limits() });
    assert_eq!(story.arrive(1), [start(1), start(2)], "one for the call, one for the next");
    assert_eq!(story.ready(1), [assign(1, 1)]);
    assert_eq!(story.ready(2), []);
    assert_eq!(story.arrive(2), [assign(2, 2), start(3)]);
    assert_eq!(story.ready(3), []);
    assert_eq!(story.at(500).finish(1), []);
    assert_eq!(story.tick(1_000), [stop(3, StopReason::Idle)], "one call, two instances");
    assert_eq!(story.tick(1_900), [], "one idle instance is kept as long as the call lasts");
    assert_eq!(story.finish(2), [stop(1, StopReason::Idle)], "and no longer than others");
}

#[test]
fn calls_on_the_minute_find_an_instance_that_was_started_ahead_and_stopped_between() {
    let mut story = Story::new(Limits { keep_alive: KeepAlive::Hybrid, ..limits() });
    let (mut now, period) = (0, 30 * MINUTE_MS);
    for call in 0..6 {
        story.at(now);
        let instance = call + 1;
        assert_eq!(story.arrive(call), [start(instance)], "no pattern yet");
        assert_eq!(story.at(now + 100).ready(instance), [assign(call, instance)]);
        let last = call == 5;
        let stopped = if last { vec![stop(6, StopReason::Idle)] } else { vec![] };
        assert_eq!(story.finish(call), stopped, "with a pattern an instance goes at once");
        if !last {
            assert_eq!(story.tick(now + 1_100), [stop(instance, StopReason::Idle)]);
        }
        assert_eq!(story.exited(instance), []);
        now += period;
    }
    let end = 5 * period + 100;
    let ahead = end + 29 * MINUTE_MS * 9 / 10;
    assert_eq!(
        story.sleep(),
        (ms(ahead - 100), vec![start(7)]),
        "the fifth percentile, a tenth and the load before"
    );
    assert_eq!(story.at(ahead).ready(7), []);
    assert_eq!(story.at(end + 30 * MINUTE_MS - 100).arrive(6), [assign(6, 7)], "warm");
    assert_eq!(story.finish(6), [stop(7, StopReason::Idle)]);
}

#[test]
fn an_expected_call_that_does_not_come_is_not_waited_for_beyond_the_tail() {
    let mut story = Story::new(Limits { keep_alive: KeepAlive::Hybrid, ..limits() });
    let mut end = 0;
    for call in 0..6 {
        story.at(call * 30 * MINUTE_MS).arrive(call);
        story.ready(call + 1);
        story.finish(call);
        story.on(Event::Tick);
        end = call * 30 * MINUTE_MS;
        story.exited(call + 1);
    }
    assert_eq!(story.tick(end + 27 * MINUTE_MS), [start(7)]);
    assert_eq!(story.ready(7), []);
    let tail = end + 31 * MINUTE_MS * 11 / 10;
    assert_eq!(story.tick(tail - 1), []);
    assert_eq!(story.tick(tail), [stop(7, StopReason::Idle)]);
    assert_eq!(story.exited(7), []);
    assert_eq!(story.fleet.next_wake(), None, "until somebody calls");
}

#[test]
fn the_load_wants_a_second_instance_before_the_first_is_full() {
    let mut story =
        Story::new(Limits { concurrency: 10, max_instances: 4, request_timeout: ms(60_000), ..limits() });
    assert_eq!(story.arrive(0), [start(1)]);
    story.ready(1);
    for call in 1..8 {
        assert_eq!(story.arrive(call), [assign(call, 1)]);
    }
    assert_eq!(story.at(2_100).finish(0), [start(2)], "8 calls on average, 7 are the target of one instance");
    story.ready(2);
    (1..8).for_each(|call| assert_eq!(story.finish(call), []));
    assert_eq!(story.at(2_900).arrive(9), [assign(9, 1)]);
    assert_eq!(story.tick(3_500), [], "instance 2 is idle for longer than it may, but the load wants it");
    assert_eq!(story.at(3_600).finish(9), []);
    let (at, stopped) = story.sleep();
    assert_eq!(
        (at, stopped),
        (ms(4_600), vec![stop(2, StopReason::Idle), stop(1, StopReason::Idle)]),
        "out of use"
    );
}

#[test]
fn what_the_load_no_longer_wants_goes_while_other_calls_go_on() {
    let steady = Limits { concurrency: 10, max_instances: 4, request_timeout: ms(300_000), ..limits() };
    let mut story = Story::new(steady);
    assert_eq!(story.arrive(0), [start(1)]);
    story.ready(1);
    (1..9).for_each(|call| assert_eq!(story.arrive(call), [assign(call, 1)]));
    assert_eq!(story.at(2_100).finish(0), [start(2)]);
    story.ready(2);
    (2..9).for_each(|call| assert_eq!(story.finish(call), []));
    let (at, stopped) = story.sleep();
    assert_eq!(stopped, [stop(2, StopReason::Idle)], "one call is left");
    assert!((ms(62_000)..ms(65_000)).contains(&at), "a doubling is a panic, it lasts a window: {at:?}");
}

#[test]
fn more_calls_per_second_than_the_limit_are_throttled_and_cost_nothing() {
    let mut story = Story::new(Limits { rate_limit_per_s: 10, rate_burst: 2, queue_limit: 100, ..limits() });
    assert_eq!(story.arrive(1), [start(1)]);
    assert_eq!(story.arrive(2), []);
    assert_eq!(story.arrive(3), [reject(3, Rejection::Throttled { retry_in_ms: 100 })]);
    assert_eq!(story.at(40).arrive(4), [reject(4, Rejection::Throttled { retry_in_ms: 60 })]);
    assert_eq!(story.at(100).arrive(5), [start(2)]);
    assert_eq!(story.fleet.calls(), 3);
}

#[test]
fn a_version_that_is_not_live_serves_calls_and_keeps_nothing() {
    let mut story = Story { fleet: crate::Fleet::new(AMPLE), now: ms(0) };
    story.fleet.add(Limits { min_instances: 2, prewarmed_instances: 1, ..limits() });
    assert_eq!(story.on(Event::Tick), []);
    assert_eq!(story.arrive(1), [start(1)], "one for the call, no more");
}
