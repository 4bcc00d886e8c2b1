//! Brings the journal into the database. A step reads some of it, and writes log rows, sums and the place that it has reached
//! in one transaction: whatever ends the platform at whatever moment, no record is missing and none is doubled.

use modelet_core::usage::hour_of;
use modelet_core::{EndReason, InstanceRecord, InvocationRecord, Usage};
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::counts::Counts;
use crate::store::journal::{Entry, Journal, Place};
use crate::store::usage::{self, Sums};

/// Old rows are looked for once in this many new ones.
const PRUNE_EVERY: i64 = 4_096;
/// Why an instance ended that was there when the platform was killed. Its times are those that were last known.
const CUT_OFF: &str = "the platform ended without stopping it";

/// The place that the database has reached.
pub fn place(connection: &Connection) -> rusqlite::Result<Place> {
    connection.query_row("SELECT file, offset FROM journal", [], |row| {
        Ok(Place { file: row.get(0)?, offset: row.get(1)? })
    })
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// Where it began.
    pub from: Place,
    /// The place reached.
    pub reached: Place,
    /// What was counted on the way.
    pub counts: Counts,
}

/// Folds some more of the journal, within the caller's transaction. `rows_limit` rows of the log are kept.
pub fn step(connection: &Connection, journal: &Journal, rows_limit: u64) -> rusqlite::Result<Step> {
    let from = place(connection)?;
    let piece = journal.read(from).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    if piece.next == from {
        return Ok(Step { from, reached: from, counts: Counts::default() });
    }
    let mut fold =
        Fold { connection, rows_limit, sums: Sums::new(), counts: Counts::default(), lost: piece.damaged };
    for (entry, text) in &piece.entries {
        fold.entry(entry, text)?;
    }
    if piece.damaged > 0 {
        eprintln!("the journal has {} records that cannot be read; they are counted as lost", piece.damaged);
    }
    if let Some((entry, _)) = piece.entries.last()
        && piece.next.file != from.file
    {
        // Often enough, and seldom enough: once for each file of the journal.
        usage::prune(connection, entry.at_ms())?;
    }
    let Fold { sums, counts, lost, .. } = fold;
    usage::add(connection, sums)?;
    let Place { file, offset } = piece.next;
    let mut reach =
        connection.prepare_cached("UPDATE journal SET file = ?1, offset = ?2, lost = lost + ?3")?;
    reach.execute(params![file, offset, lost])?;
    Ok(Step { from, reached: piece.next, counts })
}

/// Adds a row to the log (JSON of a record; `receipt`: of a cold start, or of a start that failed), and now and then removes what is beyond the limit.
pub fn log(
    connection: &Connection,
    rows_limit: u64,
    function: &str,
    text: &str,
    receipt: bool,
) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO log (function, record, receipt) VALUES (?1, ?2, ?3)")?;
    if insert.insert(params![function, text, receipt])? % PRUNE_EVERY == 0 {
        prune(connection, rows_limit)?;
    }
    Ok(())
}

/// Removes the rows of the log beyond the limit.
pub fn prune(connection: &Connection, rows_limit: u64) -> rusqlite::Result<()> {
    let limit = i64::try_from(rows_limit).unwrap_or(i64::MAX);
    connection.execute("DELETE FROM log WHERE seq <= (SELECT max(seq) FROM log) - ?1", [limit]).map(drop)
}

struct Fold<'a> {
    connection: &'a Connection,
    rows_limit: u64,
    sums: Sums,
    counts: Counts,
    lost: u64,
}

impl Fold<'_> {
    fn entry(&mut self, entry: &Entry, text: &str) -> rusqlite::Result<()> {
        match entry {
            Entry::Boot { .. } => {
                self.counts = Counts::of_a_new_run();
                self.close_all()
            }
            Entry::Invocation(record) => self.invocation(record, text),
            Entry::Instance(record) => self.instance(record, text),
            Entry::Lost { records, .. } => {
                self.lost += records;
                Ok(())
            }
        }
    }

    fn invocation(&mut self, record: &InvocationRecord, text: &str) -> rusqlite::Result<()> {
        let key = (record.function.clone(), record.version, hour_of(record.arrived_at_ms));
        let usage = Usage::of(record);
        self.sums.entry(key).or_default().add(&usage);
        self.counts.invocation(record, &usage);
        log(self.connection, self.rows_limit, record.function.as_str(), text, record.is_receipt())
    }

    /// An instance's times are added by the difference to what was known of it before.
    fn instance(&mut self, record: &InstanceRecord, text: &str) -> rusqlite::Result<()> {
        let id = &record.id.0;
        let mut select = self.connection.prepare_cached("SELECT record FROM open_instances WHERE id = ?1")?;
        let before = select.query_row([id], |row| row.get::<_, String>(0)).optional()?;
        let before = before.and_then(|text| serde_json::from_str::<InstanceRecord>(&text).ok());
        // An id is used again by the next run of the platform.
        let before = before.filter(|before| before.started_at_ms == record.started_at_ms);
        let key = (record.function.clone(), record.version, hour_of(record.at_ms));
        let usage = Usage::between(before.as_ref(), record);
        self.sums.entry(key).or_default().add(&usage);
        self.counts.instance(record, &usage);
        if record.end.is_some() {
            self.connection.prepare_cached("DELETE FROM open_instances WHERE id = ?1")?.execute([id])?;
            let failed = record.failure.is_some();
            return log(self.connection, self.rows_limit, record.function.as_str(), text, failed);
        }
        let mut keep =
            self.connection.prepare_cached("REPLACE INTO open_instances (id, record) VALUES (?1, ?2)")?;
        keep.execute(params![id, text]).map(drop)
    }

    /// Closes the instances of a run that is over, with what was last known of them.
    fn close_all(&self) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached("SELECT record FROM open_instances ORDER BY id")?;
        let texts = select.query_map([], |row| row.get::<_, String>(0))?;
        for text in texts.collect::<rusqlite::Result<Vec<_>>>()? {
            let Ok(mut record) = serde_json::from_str::<InstanceRecord>(&text) else { continue };
            record.end = Some(CUT_OFF.to_owned());
            record.reason = Some(EndReason::CutOff);
            let name = record.function.clone();
            let ended = serde_json::to_string(&Entry::Instance(record)).unwrap_or_default();
            log(self.connection, self.rows_limit, name.as_str(), &ended, false)?;
        }
        self.connection.execute("DELETE FROM open_instances", []).map(drop)
    }
}

#[cfg(test)]
mod tests;
