//! Limits: what an instance can take of the machine.

use std::time::{Duration, Instant};

use modelet_core::manifest::Rung;
use modelet_worker::Exit;

use crate::stage::{PATIENCE, Running, on, outcome, outcome_with, rungs};

/// The number after `escaped: `.
fn number(outcome: &str) -> u64 {
    outcome
        .strip_prefix("escaped: ")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{outcome}"))
}

#[tokio::test]
async fn a_fork_bomb_ends_at_its_limit_and_goes_with_its_instance() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let mut bomb = Running::start(&spawner, &["fork-bomb"]).await;
        let made = number(&bomb.line().await.unwrap());
        // Below namespaces the processes of the same user count too, so there is room for as many threads as the machine has.
        let most = if rung <= Rung::Namespaces { 32 } else { 32 + 4_096 };
        assert!((8..=most).contains(&made), "{rung}: {made}");
        bomb.wait().await;
        assert_eq!(bomb.line().await, None, "{rung}: the end of the pipe, which all of them held");
    }
}

#[tokio::test]
async fn ten_times_its_memory_is_not_to_be_had() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let glutton = Running::start(&spawner, &["allocate", "640"]).await;
        if rung == Rung::NamespacesAndCgroups {
            assert_eq!(glutton.wait().await, Exit::Signal(9));
            assert!(glutton.confinement.oom_killed());
            let peak = glutton.confinement.peak_memory_kib();
            assert!((32 << 10..=65 << 10).contains(&peak), "{peak} KiB");
            continue;
        }
        // What the platform does on these rungs: look, and end it.
        let deadline = Instant::now() + PATIENCE;
        while glutton.confinement.memory_kib() <= 64 << 10 {
            assert!(Instant::now() < deadline, "{rung}: {} KiB", glutton.confinement.memory_kib());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        glutton.process.kill().unwrap();
        assert_eq!(glutton.wait().await, Exit::Signal(9), "{rung}");
        assert!(glutton.confinement.peak_memory_kib() > 64 << 10);
        assert!(!glutton.confinement.oom_killed());
    }
}

#[tokio::test]
async fn files_end_at_the_size_of_tmp_or_of_files() {
    for rung in rungs().await.into_iter().filter(|rung| *rung <= Rung::Namespaces) {
        let spawner = on(rung).await;
        assert_eq!(number(&outcome(&spawner, &["fill-file", "/tmp/full"]).await), 8, "{rung}: tmp_mib");
        let written = outcome_with(&spawner, &["fill-file", "/tmp/full"], |launch| {
            launch.sandbox.file_size_mib = 3;
        });
        assert_eq!(number(&written.await), 3, "{rung}: file_size_mib");
        let shared = outcome(&spawner, &["fill-file", "/dev/shm/full"]).await;
        assert_eq!(number(&shared), 8, "{rung}: shared memory is limited with it");
    }
}

#[tokio::test]
async fn open_files_end_at_their_limit() {
    for rung in rungs().await {
        let open = number(&outcome(&on(rung).await, &["open-files", "100000"]).await);
        assert!((40..64).contains(&open), "{rung}: {open}");
    }
}

#[tokio::test]
async fn output_that_nobody_reads_stops_the_instance_and_nobody_else() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let talker = Running::start(&spawner, &["fill-output"]).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(talker.confinement.memory_kib() < 32 << 10, "{rung}");
        let stopped = tokio::time::timeout(PATIENCE, talker.process.stop(Duration::ZERO)).await;
        assert!(matches!(stopped.unwrap().unwrap(), Exit::Signal(9 | 15)), "{rung}");
    }
}

#[tokio::test]
async fn a_share_of_the_processor_is_all_it_gets_and_is_counted() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let running = Running::start_with(&spawner, &["burn"], |launch| launch.sandbox.cpu_millis = 200);
        let mut running = running.await;
        let took_ms = number(&running.line().await.unwrap());
        if rung == Rung::NamespacesAndCgroups {
            assert!(took_ms >= 1_000, "300 ms at a fifth of a processor: {took_ms}");
            let used = running.confinement.usage().cpu_ms;
            assert!((290..1_000).contains(&used), "{used}");
        }
    }
}

#[tokio::test]
async fn what_an_instance_uses_is_seen_and_its_limits_can_change() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let mut holder = Running::start(&spawner, &["allocate", "32"]).await;
        assert_eq!(holder.line().await.as_deref(), Some("allocated"));
        let held = holder.confinement.memory_kib();
        assert!((32 << 10..48 << 10).contains(&held), "{rung}: {held} KiB");
        assert_eq!(holder.confinement.usage().threads, 1, "{rung}");
        assert_eq!(holder.confinement.rung(), rung);
        holder.confinement.set_limits(128, 2_000).unwrap();
        assert!(holder.confinement.peak_memory_kib() >= held, "{rung}");
    }
}
