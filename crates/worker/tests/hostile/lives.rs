//! Beginnings and ends: what an instance inherits, and that nothing of it is left.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use modelet_core::manifest::Rung;
use modelet_worker::{Bind, Exit, Launch, SpawnError, Spawner};

use crate::stage::{PATIENCE, Running, launch, on, outcome_with, program, rungs};

/// A shell script instead of the hostile program.
fn script(launch: &mut Launch, text: &str) {
    launch.program = "/bin/sh".into();
    launch.args = vec!["-c".into(), text.into()];
}

#[tokio::test]
async fn an_instance_gets_its_sockets_and_nothing_else() {
    for rung in rungs().await {
        let (control, _ours) = UnixStream::pair().unwrap();
        let spawner = on(rung).await;
        let found = outcome_with(&spawner, &[], |launch| {
            launch.control = Some(OwnedFd::from(control));
            script(
                launch,
                "for fd in 3 4 5 6 7; do readlink /proc/$$/fd/$fd | cut -d: -f1; done | tr '\\n' ' '",
            );
        });
        assert_eq!(found.await, "socket socket ", "{rung}");
    }
}

#[tokio::test]
async fn it_is_asked_to_end_and_then_it_is_made_to() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let obedient = "exec 2>/dev/null; trap 'exit 7' TERM; echo started; while true; do sleep 0.05; done";
        let deaf = "exec 2>/dev/null; trap '' TERM; sleep 1000 & echo started; while true; do wait; done";
        for (text, grace, expected) in
            [(obedient, PATIENCE, Exit::Code(7)), (deaf, Duration::from_millis(50), Exit::Signal(9))]
        {
            let mut running = Running::start_with(&spawner, &[], |launch| script(launch, text)).await;
            assert_eq!(running.line().await.as_deref(), Some("started"));
            assert_eq!(running.process.stop(grace).await.unwrap(), expected, "{rung}");
            assert_eq!(running.line().await, None, "{rung}: nobody holds the pipe any more");
        }
    }
}

#[tokio::test]
async fn a_tree_falls_as_one() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let mut tree = Running::start(&spawner, &["tree"]).await;
        assert_eq!(tree.line().await.as_deref(), Some("ready"));
        assert!(tree.confinement.usage().threads >= 2, "{rung}: the grandchild is counted");
        tree.process.kill().unwrap();
        assert_eq!(tree.wait().await, Exit::Signal(9));
        assert_eq!(tree.line().await, None, "{rung}: a grandchild in a session of its own held the pipe");
    }
}

#[tokio::test]
async fn nothing_survives_a_platform_that_is_killed() {
    let mut platform =
        Command::new(program()).arg("platform").stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(platform.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let instance = Path::new("/proc").join(line.trim());
    assert!(instance.exists(), "{line}");
    platform.kill().unwrap();
    platform.wait().unwrap();
    let is_gone = || !instance.exists() || is_dead(&instance);
    let deadline = Instant::now() + PATIENCE;
    while !is_gone() {
        assert!(Instant::now() < deadline, "{} is still there", instance.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ended, whether or not somebody has taken note.
fn is_dead(process: &Path) -> bool {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn what_cannot_be_started_is_an_error_that_names_it() {
    for rung in rungs().await {
        let spawner = on(rung).await;
        let (mut missing, _socket) = launch(&[]);
        missing.program = "/no/such/program".into();
        let SpawnError::Step { step, error } = spawner.spawn(missing).await.unwrap_err() else { panic!() };
        assert!(step.contains("/no/such/program"), "{step}");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{rung}");
        if rung <= Rung::Namespaces {
            let (mut bad, _socket) = launch(&[]);
            bad.sandbox.binds = vec![Bind { source: "/usr".into(), target: "/a/../../b".into() }];
            let error = spawner.spawn(bad).await.unwrap_err().to_string();
            assert!(error.contains("/a/../../b"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_root_may_read_and_its_instance_may_not_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    std::fs::create_dir(closed.path().join("artifact")).unwrap();
    std::fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    for rung in rungs().await {
        let spawner = on(rung).await;
        let (mut launch, _socket) = launch(&["list", "/given"]);
        let source = closed.path().join("artifact");
        launch.sandbox.binds = vec![Bind { source, target: "/given".into() }];
        let spawned = spawner.spawn(launch).await;
        if rung <= Rung::Namespaces {
            assert_eq!(spawned.unwrap().process.wait().await.unwrap(), Exit::Code(0), "{rung}");
        } else {
            let error = spawned.unwrap_err().to_string();
            assert!(error.contains("artifact as an ordinary user"), "{rung}: {error}");
        }
    }
}

#[tokio::test]
async fn a_demand_that_this_machine_cannot_meet_is_refused() {
    let spawner = on(Rung::Filter).await;
    let (mut demanding, _socket) = launch(&["hold"]);
    demanding.sandbox.weakest = Some(Rung::Namespaces);
    let error = spawner.spawn(demanding).await.unwrap_err();
    assert!(matches!(error, SpawnError::Isolation(_)), "{error}");
    assert!(error.to_string().contains("--isolation 4"), "{error}");
    assert!(Spawner::start("/bin/false".into(), Some(Rung::Filter)).await.is_err(), "it is no sandbox-init");
}
