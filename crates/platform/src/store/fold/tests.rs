use modelet_core::{EndReason, FunctionName, InstanceId, InvocationId, Outcome, Phases, Version};

use super::*;
use crate::store::usage::{Period, Question};
use crate::store::{schema, usage, writer};

fn call(id: u64) -> Entry {
    Entry::Invocation(InvocationRecord {
        id: InvocationId(format!("{id:026}")),
        function: name(),
        version: Version(1),
        instance: None,
        arrived_at_ms: 3_600_000 * (id as i64 % 3),
        protocol: "fn".into(),
        method: None,
        path: None,
        status: 200,
        outcome: Outcome::Ok,
        code: None,
        attempt: None,
        cold_start: id == 1,
        started_from: None,
        phases: Phases::default(),
        billed_ms: id,
        memory_mib: 64,
        cpu_ms: 0.5,
        request_bytes: 1,
        response_bytes: 2,
    })
}

fn instance(started_at_ms: i64, serving_ms: u64, end: Option<&str>) -> Entry {
    Entry::Instance(InstanceRecord {
        id: InstanceId("iris-1-i1".into()),
        function: name(),
        version: Version(1),
        memory_mib: 64,
        started_at_ms,
        at_ms: started_at_ms,
        loading_ms: 0,
        serving_ms,
        idle_ms: 0,
        cpu_ms: 0,
        peak_memory_kib: 0,
        calls: 0,
        end: end.map(str::to_owned),
        reason: end.map(|_| EndReason::Idle),
        failure: None,
    })
}

fn name() -> FunctionName {
    "iris".parse().unwrap()
}

/// A data folder whose platform can be ended at any moment.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// What a start of the platform opens.
    fn open(&self) -> (Connection, Journal) {
        let path = self.folder.path().join("logs.db");
        let mut connection = writer::open(&path, writer::Durability::Normal).unwrap();
        schema::migrate(&mut connection, schema::LOGS).unwrap();
        let journal = Journal::open(&self.folder.path().join("journal"), place(&connection).unwrap());
        (connection, journal.unwrap())
    }

    fn ids(&self) -> Vec<String> {
        let (connection, _) = self.open();
        let mut select = connection.prepare("SELECT record ->> 'id' FROM log ORDER BY seq").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    fn usage(&self) -> (Usage, u64) {
        let question = Question { function: None, from_ms: 0, period: Period::All };
        let (rows, lost) = usage::read(&self.folder.path().join("logs.db"), &question).unwrap();
        (rows.first().map_or_else(Usage::default, |row| row.usage), lost)
    }
}

fn fold_all(connection: &mut Connection, journal: &Journal) {
    while place(connection).unwrap() < journal.end() {
        let transaction = connection.transaction().unwrap();
        let reached = step(&transaction, journal, 1_000).unwrap().reached;
        transaction.commit().unwrap();
        journal.folded(reached);
    }
}

/// Where the platform is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    BeforeTheFold,
    BeforeTheCommit,
    BeforeTheFilesAreDeleted,
    AtTheEnd,
}

#[test]
fn no_record_is_missing_or_doubled_wherever_the_platform_is_killed() {
    let home = Home::new();
    let mut last = 0;
    for round in 0..40 {
        let kill =
            [Kill::BeforeTheFold, Kill::BeforeTheCommit, Kill::BeforeTheFilesAreDeleted, Kill::AtTheEnd]
                [round * 7 % 4];
        let (mut connection, journal) = home.open();
        for _ in 0..=round % 3 {
            last += 1;
            journal.append(&call(last));
        }
        match kill {
            Kill::BeforeTheFold => {}
            Kill::BeforeTheCommit => {
                let transaction = connection.transaction().unwrap();
                step(&transaction, &journal, 1_000).unwrap();
            }
            Kill::BeforeTheFilesAreDeleted => {
                let transaction = connection.transaction().unwrap();
                step(&transaction, &journal, 1_000).unwrap();
                transaction.commit().unwrap();
            }
            Kill::AtTheEnd => fold_all(&mut connection, &journal),
        }
    }
    let (mut connection, journal) = home.open();
    fold_all(&mut connection, &journal);
    fold_all(&mut connection, &journal);
    assert_eq!(home.ids(), (1..=last).map(|id| format!("{id:026}")).collect::<Vec<_>>());
    let (usage, lost) = home.usage();
    assert_eq!((usage.invocations, usage.cold_starts, lost), (last, 1, 0));
    assert_eq!(usage.billed_ms, last * (last + 1) / 2);
    assert_eq!(usage.billed_mib_ms, usage.billed_ms * 64);
    let hours: u64 = connection.query_row("SELECT count(*) FROM usage_hour", [], |row| row.get(0)).unwrap();
    assert_eq!(hours, 3);
}

#[test]
fn times_of_an_instance_are_added_once_also_when_it_was_cut_off() {
    let home = Home::new();
    let (mut connection, journal) = home.open();
    for entry in [instance(1, 0, None), instance(1, 40, None), instance(1, 70, Some("stopped: idle"))] {
        journal.append(&entry);
        fold_all(&mut connection, &journal);
    }
    // The next one is still there when the platform is killed; the run after that uses its id again.
    for entry in [instance(2, 0, None), instance(2, 5, None), Entry::Boot { at_ms: 9 }, instance(9, 1, None)]
    {
        journal.append(&entry);
    }
    fold_all(&mut connection, &journal);
    assert_eq!((home.usage().0.instances, home.usage().0.serving_ms), (3, 76));
    let mut select = connection.prepare("SELECT record ->> 'end' FROM log ORDER BY seq").unwrap();
    let ends: Vec<String> = select.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(ends, ["stopped: idle", CUT_OFF]);
    let open: u64 =
        connection.query_row("SELECT count(*) FROM open_instances", [], |row| row.get(0)).unwrap();
    assert_eq!(open, 1);
}

#[test]
fn damaged_records_are_counted_and_the_others_kept() {
    let home = Home::new();
    let (connection, journal) = home.open();
    journal.append(&call(1));
    journal.append(&call(2));
    drop((connection, journal));
    let file = home.folder.path().join("journal/000001.jsonl");
    let text = std::fs::read_to_string(&file).unwrap().replacen("200", "500", 1);
    std::fs::write(&file, text).unwrap();
    let (mut connection, journal) = home.open();
    journal.append(&Entry::Lost { at_ms: 1, records: 4 });
    fold_all(&mut connection, &journal);
    assert_eq!(home.usage().0.invocations, 1);
    assert_eq!(home.usage().1, 5);
}

#[test]
fn the_log_keeps_its_limit() {
    let home = Home::new();
    let (connection, _journal) = home.open();
    for _ in 0..PRUNE_EVERY {
        log(&connection, 10, "iris", "{}", false).unwrap();
    }
    let rows: u64 = connection.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 10);
}
