//! ONNX Runtime in a process of its own: it opens no socket, writes no file, and keeps to its threads.

use std::path::Path;
use std::process::Command;

use modelet_core::{EngineName, Tensor};

use crate::build::{F32, model, node, tensor};

const CHILD: &str = "MODELET_TEST_CHILD";

#[test]
fn the_library_opens_no_socket_and_writes_no_file() {
    let home = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "isolation::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("MODELET_ONNXRUNTIME", crate::library())
        .env_remove("ORT_DISABLE_TELEMETRY")
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .env("TMPDIR", temporary.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("SOCKETS 0 WRITABLE 0 THREADS 0"), "{text}");
    for folder in [&home, &temporary] {
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Runs in the child alone: loads, predicts, waits for a slow starter, and says what is new in this process.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let before = (count(is_socket), count(is_writable_file), threads());
    let built = model(
        vec![node("Neg", &["x"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![tensor("y", F32, &["n"])],
    );
    let mut loaded = crate::load(EngineName::Onnxruntime, &built).unwrap();
    loaded.predict(vec![("x".into(), Tensor::vector(vec![1.0_f32]))], None).unwrap();
    let (_never, wait) = std::sync::mpsc::channel::<()>();
    let _ = wait.recv_timeout(std::time::Duration::from_secs(2));
    let after = (count(is_socket), count(is_writable_file), threads());
    println!("SOCKETS {} WRITABLE {} THREADS {}", after.0 - before.0, after.1 - before.1, after.2 - before.2);
}

fn count(matches: impl Fn(&Path, &str) -> bool) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter(|file| {
            std::fs::read_link(file.path()).is_ok_and(|to| matches(&file.path(), &to.to_string_lossy()))
        })
        .count()
}

fn is_socket(_: &Path, target: &str) -> bool {
    target.starts_with("socket:")
}

fn is_writable_file(file: &Path, target: &str) -> bool {
    let number = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("0");
    let writable = u32::from_str_radix(flags.trim(), 8).unwrap_or_default() & 0o3 != 0;
    writable && target.starts_with('/') && !target.starts_with("/dev/")
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
