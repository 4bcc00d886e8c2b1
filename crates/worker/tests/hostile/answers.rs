//! Programs that are run for their answer, and would rather do something else.

use std::time::{Duration, Instant};

use modelet_worker::isolated::{Excess, Isolated, Program, run_isolated};
use modelet_worker::{Exit, Sandbox, Spawner};

use crate::stage::{PATIENCE, on, program, rungs};

async fn run(spawner: &Spawner, args: &[&str], time: Duration, output_bytes: usize) -> Isolated {
    let sandbox = Sandbox {
        tmp_mib: 8,
        memory_mib: 64,
        processes: 32,
        open_files: 64,
        file_size_mib: 16,
        ..Sandbox::default()
    };
    let args = args.iter().map(Into::into).collect();
    let program = Program { program: program(), args, env: vec![], sandbox, time, output_bytes };
    tokio::time::timeout(2 * PATIENCE, run_isolated(spawner, program)).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_answer_is_had_with_the_rung() {
    for rung in rungs().await {
        let done = run(&on(rung).await, &["environment"], PATIENCE, 1 << 20).await;
        assert_eq!((done.exit, done.excess, done.rung), (Exit::Code(0), None, rung));
        assert_eq!(
            String::from_utf8(done.stdout).unwrap().trim(),
            "escaped: []",
            "{rung}: an empty environment"
        );
    }
}

#[tokio::test]
async fn one_that_never_ends_is_ended_in_its_time() {
    for rung in rungs().await {
        let begun = Instant::now();
        let done = run(&on(rung).await, &["tree"], Duration::from_millis(300), 1 << 20).await;
        assert_eq!((done.exit, done.excess), (Exit::Signal(9), Some(Excess::Time)), "{rung}");
        assert!(begun.elapsed() < PATIENCE, "{rung}: and with it all that it started");
    }
}

#[tokio::test]
async fn one_that_takes_memory_without_end_is_ended_by_it() {
    for rung in rungs().await {
        let done = run(&on(rung).await, &["allocate", "640"], PATIENCE, 1 << 20).await;
        assert_eq!((done.exit, done.excess), (Exit::Signal(9), Some(Excess::Memory)), "{rung}");
    }
}

#[tokio::test]
async fn one_that_talks_without_end_is_ended_by_it() {
    for rung in rungs().await {
        let done = run(&on(rung).await, &["fill-output"], PATIENCE, 1 << 20).await;
        assert_eq!(done.excess, Some(Excess::Output), "{rung}: {:?}", done.exit);
        assert_eq!(done.stdout.len(), (1 << 20) + 1);
    }
}

#[tokio::test]
async fn one_that_forks_without_end_goes_with_all_that_it_made() {
    for rung in rungs().await {
        let done = run(&on(rung).await, &["fork-bomb"], PATIENCE, 1 << 20).await;
        assert!(
            String::from_utf8_lossy(&done.stdout).starts_with("escaped: "),
            "{rung}: it counts what it made"
        );
    }
}
