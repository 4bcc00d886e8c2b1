//! The log: one structured record for every invocation, every line an instance prints, and every event in its life. Records
//! that are billed go through the journal, the others straight to the writer.
//!
//! - `filter`: which records somebody wants to see

mod filter;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use modelet_core::{
    Code, FunctionName, InstanceId, InstanceRecord, InvocationId, InvocationRecord, PlatformError, Version,
};
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::store::counts::{Counts, Tally};
use crate::store::journal::{Entry, Journal};
use crate::store::usage::{self, Question, UsageRow};
use crate::store::writer::{self, Durability, WriteError, Writer};
use crate::store::{fold, schema, store_failed};

pub use filter::Filter;

/// Records that come this close together share a commit.
const LINGER: Duration = Duration::from_millis(20);
/// When the journal could not be folded, it is tried again after this long.
const FOLD_RETRY: Duration = Duration::from_secs(1);
/// Most rows in one answer.
pub const MAX_ROWS: usize = 10_000;

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogRecord {
    /// A call and how it ended.
    Invocation(InvocationRecord),
    /// A line that an instance printed.
    Line {
        /// When it was read, milliseconds since 1970.
        at_ms: i64,
        /// The version of the instance.
        version: Version,
        /// The instance.
        instance: InstanceId,
        /// The call that the instance worked on, when it was exactly one.
        invocation: Option<InvocationId>,
        /// `stdout` or `stderr`.
        stream: String,
        /// How much it matters, where the instance says so: `INFO`, `ERROR` and so on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<String>,
        /// Its text.
        text: String,
    },
    /// What an instance did in all, when it has ended.
    Instance(InstanceRecord),
    /// Something in the life of an instance.
    Event {
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// The version of the instance.
        version: Version,
        /// The instance.
        instance: InstanceId,
        /// What happened.
        text: String,
    },
}

/// A record with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogRow {
    /// Grows with every record; pass the last one seen to get what came after.
    pub seq: i64,
    /// The record.
    #[serde(flatten)]
    pub record: LogRecord,
}

/// The log of all functions.
#[derive(Clone)]
pub struct Logs {
    store: Store,
    /// Changes when records were handed in, for those who follow and for the one who folds.
    news: watch::Sender<()>,
}

/// Where the log is kept.
#[derive(Clone)]
struct Store {
    writer: Writer,
    journal: Arc<Journal>,
    path: PathBuf,
    rows_limit: u64,
    tally: Arc<Tally>,
}

impl Logs {
    /// Opens `logs.db` and the journal in the data folder; `rows_limit` records are kept. Must be called within an async
    /// runtime, where a task folds the journal from now on.
    pub fn open(data: &Path, rows_limit: u64) -> Result<Self, PlatformError> {
        let path = data.join("logs.db");
        let failed = |error: rusqlite::Error| store_failed("open logs.db", error);
        let mut connection = writer::open(&path, Durability::Normal).map_err(failed)?;
        schema::migrate(&mut connection, schema::LOGS).map_err(|e| store_failed("open logs.db", e))?;
        // The limit may have been lowered.
        fold::prune(&connection, rows_limit).map_err(failed)?;
        let place = fold::place(&connection).map_err(failed)?;
        let journal = Journal::open(&data.join("journal"), place)
            .map_err(|error| store_failed("open the journal", error))?;
        let writer = Writer::start("logs", connection, LINGER)
            .map_err(|e| store_failed("start the log's writer", e))?;
        let (news, told) = watch::channel(());
        let store = Store { writer, journal: Arc::new(journal), path, rows_limit, tally: Arc::default() };
        tokio::spawn(store.clone().keep_folding(told));
        Ok(Self { store, news })
    }

    /// Records something that is billed. When this returns, the end of the platform cannot take it back.
    pub fn record(&self, entry: &Entry) {
        self.store.journal.append(entry);
        self.news.send_replace(());
    }

    /// Waits until there is room for the records of new calls; refused when the database does not keep up.
    pub async fn room(&self) -> Result<(), PlatformError> {
        if self.store.journal.room().await {
            return Ok(());
        }
        let mib = self.store.journal.unfolded_bytes() >> 20;
        let message = format!(
            "{mib} MiB of usage records wait to be written to logs.db, and no call may go unrecorded"
        );
        Err(PlatformError::new(Code::Overloaded, message)
            .hint("check the disk: modelet doctor")
            .retry_after_s(5))
    }

    /// Hands a record in. Waits when the writer is far behind.
    pub async fn write(&self, function: &FunctionName, record: LogRecord) {
        let (name, limit, news) = (function.to_string(), self.store.rows_limit, self.news.clone());
        let insertion = move |connection: &Connection| {
            let text = serde_json::to_string(&record)
                .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
            fold::log(connection, limit, &name, &text, false)?;
            news.send_replace(());
            Ok(())
        };
        self.store.writer.hand_in(insertion).await;
    }

    /// Removes all records of a function from the log. Its usage stays: a bill outlives its function.
    pub async fn forget(&self, function: &FunctionName) {
        self.flush().await;
        self.store.tally.forget(function);
        let function = function.to_string();
        let delete = move |connection: &Connection| {
            connection.execute("DELETE FROM log WHERE function = ?1", [function]).map(drop)
        };
        self.store.writer.hand_in(delete).await;
    }

    /// Waits until everything handed in so far is written.
    pub async fn flush(&self) {
        // Told here, since nobody else is told: what is read afterwards is what there is.
        if let Err(error) = self.store.fold().await {
            eprintln!("the journal could not be brought into logs.db: {error}");
        }
    }

    /// The records of a function that a filter shows after `after`, oldest first, at most `limit`; when `after` is `None` the last
    /// `limit`. When there are none yet, waits up to `wait` for some.
    pub async fn read(
        &self,
        function: &FunctionName,
        mut after: Option<i64>,
        limit: usize,
        filter: Filter,
        wait: Duration,
    ) -> Result<Vec<LogRow>, PlatformError> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut news = self.news.subscribe();
        loop {
            self.flush().await;
            let (name, wanted) = (function.to_string(), filter.clone());
            let (rows, reached) =
                self.query(move |path| select(path, &name, after, limit.min(MAX_ROWS), &wanted)).await?;
            // What was looked at and is not shown need not be looked at again.
            after = reached.or(after);
            if !rows.is_empty() || tokio::time::timeout_at(deadline, news.changed()).await.is_err() {
                return Ok(rows);
            }
        }
    }

    /// The last receipts of cold starts of a function, and of starts that failed, oldest first, at most `limit` in all.
    pub async fn cold_starts(
        &self,
        function: &FunctionName,
        limit: usize,
    ) -> Result<Vec<LogRecord>, PlatformError> {
        self.flush().await;
        let name = function.to_string();
        self.query(move |path| select_receipts(path, &name, limit.min(MAX_ROWS))).await
    }

    /// What was used, up to now; and the number of records that were lost, ever.
    pub async fn usage(&self, question: Question) -> Result<(Vec<UsageRow>, u64), PlatformError> {
        self.flush().await;
        let (rows, lost) = self.query(move |path| usage::read(path, &question)).await?;
        Ok((rows, lost + self.store.journal.untold()))
    }

    /// What this run of the platform has counted up to now; and the number of records that were lost, ever.
    pub async fn counts(&self) -> Result<(Counts, u64), PlatformError> {
        self.flush().await;
        let lost = self.query(usage::lost).await?;
        Ok((self.store.tally.counts(), lost + self.store.journal.untold()))
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Path) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let path = self.store.path.clone();
        let found = tokio::task::spawn_blocking(move || query(&path)).await;
        found.map_err(|e| store_failed("read logs.db", e))?.map_err(|e| store_failed("read logs.db", e))
    }
}

impl Store {
    /// Folds the journal as it grows, until the last handle to the log is dropped.
    async fn keep_folding(self, mut news: watch::Receiver<()>) {
        let mut failures: u64 = 0;
        // What an earlier run left is looked at first.
        news.mark_changed();
        while news.changed().await.is_ok() {
            if self.journal.unfolded_bytes() == 0 {
                continue;
            }
            if let Err(error) = self.fold().await {
                failures += 1;
                if failures.is_power_of_two() {
                    eprintln!(
                        "the journal could not be brought into logs.db, {failures} times so far: {error}"
                    );
                }
                tokio::time::sleep(FOLD_RETRY).await;
                news.mark_changed();
            }
        }
    }

    /// Folds everything that is in the journal now.
    async fn fold(&self) -> Result<(), WriteError> {
        let end = self.journal.end();
        loop {
            let (journal, limit, tally) = (self.journal.clone(), self.rows_limit, self.tally.clone());
            let step = move |connection: &Connection| {
                let step = fold::step(connection, &journal, limit)?;
                tally.stepped(step.from, step.counts);
                Ok(step.reached)
            };
            let reached = self.writer.change(step).await?;
            self.journal.folded(reached);
            if reached >= end {
                return Ok(());
            }
        }
    }
}

/// The rows that a filter shows, and the last one that was looked at.
fn select(
    path: &Path,
    function: &str,
    after: Option<i64>,
    limit: usize,
    filter: &Filter,
) -> rusqlite::Result<(Vec<LogRow>, Option<i64>)> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let order = if after.is_some() { "ASC" } else { "DESC" };
    let mut statement = connection.prepare(&format!(
        "SELECT seq, record FROM log WHERE function = ?1 AND seq > ?2 ORDER BY seq {order}"
    ))?;
    let found = statement.query_map(params![function, after.unwrap_or(0)], |row| {
        let record = serde_json::from_str(row.get_ref(1)?.as_str()?);
        let record = record.map_err(|e| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, e.into())
        })?;
        Ok(LogRow { seq: row.get(0)?, record })
    })?;
    let (mut rows, mut reached) = (Vec::new(), None);
    // Read one by one, until there are enough.
    for row in found {
        if rows.len() == limit {
            break;
        }
        let row = row?;
        reached = reached.max(Some(row.seq));
        if filter.shows(&row.record) {
            rows.push(row);
        }
    }
    if after.is_none() {
        rows.reverse();
    }
    Ok((rows, reached))
}

fn select_receipts(path: &Path, function: &str, limit: usize) -> rusqlite::Result<Vec<LogRecord>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection
        .prepare("SELECT record FROM log WHERE function = ?1 AND receipt = 1 ORDER BY seq DESC LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let records = statement.query_map(params![function, limit], |row| {
        serde_json::from_str(row.get_ref(0)?.as_str()?)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into()))
    })?;
    let mut records = records.collect::<rusqlite::Result<Vec<_>>>()?;
    records.reverse();
    Ok(records)
}
