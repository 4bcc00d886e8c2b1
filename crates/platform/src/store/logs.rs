//! The log: one structured record for every invocation, every line an instance prints, and every event in its life.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use modelet_core::{FunctionName, InstanceId, InvocationId, InvocationRecord, PlatformError, Version};
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::store::writer::{self, Durability, Writer};
use crate::store::{schema, store_failed};

/// Old rows are looked for once in this many new ones.
const PRUNE_EVERY: u64 = 4_096;
/// Records that come this close together share a commit.
const LINGER: Duration = Duration::from_millis(20);
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
        /// Its text.
        text: String,
    },
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
    writer: Writer,
    path: PathBuf,
    written: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    rows_limit: u64,
    /// Changes when rows were handed in, for those who follow.
    news: watch::Sender<()>,
}

impl Logs {
    /// Opens `logs.db` in the data folder; `rows_limit` records are kept.
    pub fn open(data: &Path, rows_limit: u64) -> Result<Self, PlatformError> {
        let what = "open logs.db";
        let path = data.join("logs.db");
        let mut connection = writer::open(&path, Durability::Normal).map_err(|e| store_failed(what, e))?;
        schema::migrate(&mut connection, schema::LOGS).map_err(|e| store_failed(what, e))?;
        let writer = Writer::start("logs", connection, LINGER)
            .map_err(|e| store_failed("start the log's writer", e))?;
        Ok(Self {
            writer,
            path,
            written: Arc::default(),
            lost: Arc::default(),
            rows_limit,
            news: watch::channel(()).0,
        })
    }

    /// Hands a record in. Waits when the writer is far behind.
    pub async fn write(&self, function: &FunctionName, record: LogRecord) {
        self.writer.hand_in(self.insertion(function, record)).await;
    }

    /// Hands a record in if the writer is not far behind; a record that finds no room is lost, and counted on standard error.
    pub fn offer(&self, function: &FunctionName, record: LogRecord) {
        if !self.writer.try_hand_in(self.insertion(function, record)) {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                eprintln!("the log cannot keep up: {lost} records were lost so far");
            }
        }
    }

    fn insertion(
        &self,
        function: &FunctionName,
        record: LogRecord,
    ) -> impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static {
        let function = function.to_string();
        let count = self.written.fetch_add(1, Ordering::Relaxed);
        // Also at the first record of a run: the limit may have been lowered.
        let limit = count.is_multiple_of(PRUNE_EVERY).then_some(self.rows_limit);
        let news = self.news.clone();
        move |connection| {
            let text = serde_json::to_string(&record)
                .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
            let mut insert =
                connection.prepare_cached("INSERT INTO log (function, record) VALUES (?1, ?2)")?;
            insert.execute(params![function, text])?;
            if let Some(limit) = limit {
                prune(connection, limit)?;
            }
            news.send_replace(());
            Ok(())
        }
    }

    /// Removes all records of a function.
    pub async fn forget(&self, function: &FunctionName) {
        let function = function.to_string();
        let delete = move |connection: &Connection| {
            connection.execute("DELETE FROM log WHERE function = ?1", [function]).map(drop)
        };
        self.writer.hand_in(delete).await;
    }

    /// Waits until everything handed in so far is written.
    pub async fn flush(&self) {
        // The answer comes after all that was handed in before; a failure was told where it happened.
        let _ = self.writer.change(|_| Ok(())).await;
    }

    /// The records of a function after `after`, oldest first, at most `limit`; when `after` is `None` the last `limit`.
    /// When there are none yet, waits up to `wait` for some.
    pub async fn read(
        &self,
        function: &FunctionName,
        after: Option<i64>,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<LogRow>, PlatformError> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut news = self.news.subscribe();
        loop {
            self.flush().await;
            let (path, name) = (self.path.clone(), function.to_string());
            let rows = tokio::task::spawn_blocking(move || select(&path, &name, after, limit.min(MAX_ROWS)));
            let rows = rows.await.map_err(|e| store_failed("read the log", e))?;
            let rows = rows.map_err(|e| store_failed("read the log", e))?;
            if !rows.is_empty() || tokio::time::timeout_at(deadline, news.changed()).await.is_err() {
                return Ok(rows);
            }
        }
    }
}

fn prune(connection: &Connection, limit: u64) -> rusqlite::Result<()> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.execute("DELETE FROM log WHERE seq <= (SELECT max(seq) FROM log) - ?1", [limit]).map(drop)
}

fn select(path: &Path, function: &str, after: Option<i64>, limit: usize) -> rusqlite::Result<Vec<LogRow>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let order = if after.is_some() { "ASC" } else { "DESC" };
    let mut statement = connection.prepare(&format!(
        "SELECT seq, record FROM log WHERE function = ?1 AND seq > ?2 ORDER BY seq {order} LIMIT ?3"
    ))?;
    let parameters = params![function, after.unwrap_or(0), i64::try_from(limit).unwrap_or(i64::MAX)];
    let rows = statement.query_map(parameters, |row| {
        let record = serde_json::from_str(row.get_ref(1)?.as_str()?);
        let record = record.map_err(|e| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, e.into())
        })?;
        Ok(LogRow { seq: row.get(0)?, record })
    })?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    if after.is_none() {
        rows.reverse();
    }
    Ok(rows)
}
