//! Holds the house: which room may use which, and where `unsafe` may stand. Change the table when you mean to change the
//! house, together with ARCHITECTURE.md.

#![expect(clippy::unwrap_used, reason = "a test reads its own repository; what is not there fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("protocol", &["core"]),
    ("model", &["core"]),
    ("scheduler", &["core"]),
    ("socket", &[]),
    ("worker", &["core", "socket"]),
    ("package", &["core", "model"]),
    ("aws", &["core"]),
    ("cloud", &["aws", "core", "package"]),
    ("runtime", &["aws", "core", "model", "protocol", "socket"]),
    ("platform", &["core", "protocol", "scheduler", "worker"]),
    (
        "modelet",
        &["cloud", "core", "model", "package", "platform", "protocol", "runtime", "scheduler", "worker"],
    ),
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn used_rooms(manifest: &Path) -> BTreeSet<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    dependencies.keys().filter_map(|name| name.strip_prefix("modelet-")).map(str::to_owned).collect()
}

#[test]
fn arrows_point_down_only() {
    let allowed: BTreeMap<_, BTreeSet<_>> =
        ARROWS.iter().map(|(room, uses)| (*room, uses.iter().map(|u| (*u).to_owned()).collect())).collect();
    let mut rooms = BTreeSet::new();
    for entry in fs::read_dir(crates()).unwrap() {
        let room = entry.unwrap().file_name().into_string().unwrap();
        let used = used_rooms(&crates().join(&room).join("Cargo.toml"));
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in the table"));
        assert!(used.is_subset(may), "{room} uses {used:?}, it may use {may:?}");
        rooms.insert(room);
    }
    assert_eq!(rooms.len(), ARROWS.len(), "a room of the table is gone");
}

#[test]
fn unsafe_stands_in_worker_only() {
    let mut files = Vec::new();
    for (room, _) in ARROWS {
        sources(&crates().join(room).join("src"), &mut files);
    }
    let allows = |path: &&PathBuf| fs::read_to_string(path).unwrap().contains("(unsafe_code)");
    let outside: Vec<_> =
        files.iter().filter(|path| !path.starts_with(crates().join("worker"))).filter(allows).collect();
    assert_eq!(outside, Vec::<&PathBuf>::new());
    assert!(files.len() > 50, "{} files looked at", files.len());
}

#[test]
fn the_scheduler_and_the_nouns_know_no_clock_and_no_io() {
    let mut files = Vec::new();
    sources(&crates().join("scheduler/src"), &mut files);
    sources(&crates().join("core/src"), &mut files);
    for path in files.iter().filter(|path| !path.to_string_lossy().contains("tests")) {
        let text = fs::read_to_string(path).unwrap();
        for banned in
            ["std::fs", "std::net", "std::time::Instant", "SystemTime", "tokio", "std::thread", "async fn"]
        {
            assert!(!text.contains(banned), "{}: {banned}", path.display());
        }
    }
}
