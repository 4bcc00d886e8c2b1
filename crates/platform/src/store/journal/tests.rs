use super::*;

fn lost(records: u64) -> Entry {
    Entry::Lost { at_ms: 1, records }
}

/// Reads from a place to the end.
fn read_all(journal: &Journal, mut from: Place) -> (Vec<u64>, Place) {
    let mut found = Vec::new();
    loop {
        let piece = journal.read(from).unwrap();
        assert_eq!(piece.damaged, 0);
        for (entry, _) in &piece.entries {
            let Entry::Lost { records, .. } = entry else { panic!("{entry:?}") };
            found.push(*records);
        }
        if piece.next == from {
            return (found, from);
        }
        from = piece.next;
    }
}

#[test]
fn what_was_written_is_read_back_by_this_run_and_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let first = Journal::open(folder.path(), Place::default()).unwrap();
    first.append(&lost(1));
    first.append(&lost(2));
    let (found, middle) = read_all(&first, Place::default());
    assert_eq!((found, middle), (vec![1, 2], first.end()));
    first.append(&lost(3));
    drop(first);
    let second = Journal::open(folder.path(), middle).unwrap();
    second.append(&lost(4));
    assert_eq!(read_all(&second, middle).0, [3, 4]);
    assert_eq!(read_all(&second, Place::default()).0, [1, 2, 3, 4]);
}

#[test]
fn a_record_that_was_cut_off_anywhere_takes_no_other_along() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Journal::open(folder.path(), Place::default()).unwrap();
    whole.append(&lost(1));
    let first = whole.end().offset;
    whole.append(&lost(2));
    let path = path(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    for length in first..bytes.len() as u64 {
        for later in 2..=whole.end().file + 1 {
            let _ = fs::remove_file(super::path(folder.path(), later));
        }
        fs::write(&path, &bytes[..length as usize]).unwrap();
        let next = Journal::open(folder.path(), Place::default()).unwrap();
        next.append(&lost(3));
        assert_eq!(read_all(&next, Place::default()).0, [1, 3], "cut at {length}");
    }
}

#[test]
fn long_files_are_followed_by_others_and_deleted_when_they_are_folded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Place::default()).unwrap();
    let mut count = 0;
    while journal.end().file < 3 {
        count += 1;
        journal.append(&lost(count));
    }
    assert!(journal.unfolded_bytes() >= 2 * FILE_BYTES);
    let (found, end) = read_all(&journal, Place::default());
    assert_eq!(found, (1..=count).collect::<Vec<_>>());
    journal.folded(end);
    journal.folded(Place { file: 2, offset: 5 });
    assert_eq!(journal.unfolded_bytes(), 0, "what is told late takes nothing back");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    drop(journal);
    // After a power cut the database may know of a file that the disk does not have.
    let journal = Journal::open(folder.path(), Place { file: 9, offset: 70 }).unwrap();
    journal.append(&lost(1));
    assert_eq!(journal.end().file, 10);
}

#[test]
fn what_cannot_be_written_is_counted_and_told_with_the_next_record() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("journal");
    let journal = Journal::open(&inside, Place::default()).unwrap();
    fs::remove_dir(&inside).unwrap();
    journal.append(&lost(7));
    journal.append(&lost(8));
    assert_eq!(journal.untold(), 2);
    fs::create_dir(&inside).unwrap();
    journal.append(&lost(9));
    assert_eq!(journal.untold(), 0);
    assert_eq!(read_all(&journal, Place::default()).0, [2, 9]);
}

#[test]
fn a_full_disk_leaves_nothing_of_the_record_that_did_not_fit() {
    let mut state = State {
        // Every write to it fails as on a full disk (full(4)).
        open: Some(OpenOptions::new().write(true).open("/dev/full").unwrap()),
        number: 1,
        lengths: BTreeMap::from([(1, 0)]),
        folded: Place::default(),
        lost: 0,
        untold: 0,
    };
    let folder = tempfile::tempdir().unwrap();
    let error = state.write(folder.path(), b"x\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(state.lengths[&1], 0);
    // It cannot be cut to its length either, and so another file follows.
    state.write(folder.path(), b"x\n").unwrap();
    assert_eq!((state.number, state.lengths[&2]), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_room_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Place::default()).unwrap();
    assert!(journal.room().await);
    journal.unfolded.send_replace(UNFOLDED_LIMIT_BYTES + 1);
    assert!(!journal.room().await);
    let freed = async {
        tokio::time::sleep(ROOM_TIMEOUT / 2).await;
        journal.folded(Place::default());
    };
    assert!(tokio::join!(journal.room(), freed).0);
}
