//! All of it once more as an ordinary user, where root runs the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::stage::{ENV_PROGRAM, on, outcome_with, program, rungs};

/// Where a user finds what its instances are.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn an_ordinary_user_is_as_safe() {
    if !rustix::process::geteuid().is_root() || std::env::var_os(ENV_PROGRAM).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let (tests, hostile) = (folder.path().join("tests"), folder.path().join("hostile"));
    copy(&std::env::current_exe().unwrap(), &tests);
    copy(&program(), &hostile);
    let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"];
    let output =
        Command::new("setpriv").args(user).arg(&tests).env(ENV_PROGRAM, &hostile).current_dir("/").output();
    let output = output.expect("setpriv of util-linux is needed to become an ordinary user");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(" 0 failed"), "{text}");
}

#[tokio::test]
async fn a_program_below_a_closed_folder_runs() {
    let folder = tempfile::tempdir().unwrap();
    let hidden = folder.path().join("program");
    copy(&program(), &hidden);
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    for rung in rungs().await {
        let spawner = on(rung).await;
        let outcome = outcome_with(&spawner, &["environment"], |launch| launch.program = hidden.clone());
        assert_eq!(outcome.await, "escaped: []", "{rung}");
    }
}
