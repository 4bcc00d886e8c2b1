//! Asynchronous invocations: what was accepted, until it has ended, and its answer for some time after that. A commit is on the
//! disk before the client is told, so that neither the end of the platform nor a power cut loses one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use modelet_core::{FunctionName, InvocationId, PlatformError};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use crate::store::store_failed;
use crate::store::writer::Writer;

/// What is asked of a function.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The id of the invocation.
    pub id: InvocationId,
    /// The function.
    pub function: FunctionName,
    /// As the client sent it.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Those that concern the function.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// One that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the store.
    pub seq: i64,
    /// The function.
    pub function: FunctionName,
    /// When it was accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due, milliseconds since 1970.
    pub due_at_ms: i64,
}

/// What became of one.
#[derive(Debug)]
pub enum Found {
    /// It has not ended.
    Waiting(Waiting),
    /// It has, with this answer.
    Ended(Response<Bytes>),
}

/// The end of one.
#[derive(Debug)]
pub struct Ended {
    /// Its place in the store.
    pub seq: i64,
    /// Attempts in all.
    pub attempts: u32,
    /// The answer of the last.
    pub answer: Response<Bytes>,
    /// Until when the answer is kept, milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// The table `accepted` of `state.db`.
#[derive(Clone)]
pub struct Accepted {
    writer: Writer,
    path: PathBuf,
    kept_bytes: Arc<AtomicI64>,
}

/// Sizes of what is kept of rows.
const SIZE: &str =
    "200 + length(request) + length(body) + coalesce(length(answer_headers) + length(answer), 0)";
/// What a row takes beside that, bytes: counted in [`SIZE`].
const ROW_BYTES: usize = 200;
/// Rows that are removed in one change: others' changes come in between.
const REMOVED_AT_ONCE: u32 = 500;
/// … and when there is only to be some room.
const TRIMMED_AT_ONCE: u32 = 8;

impl Accepted {
    /// Over the writer of `state.db`, which lies at `path`.
    pub fn open(writer: Writer, path: &Path) -> Result<Self, PlatformError> {
        let sum = format!("SELECT coalesce(sum({SIZE}), 0) FROM accepted");
        let kept = read_only(path).and_then(|connection| connection.query_row(&sum, [], |row| row.get(0)));
        let kept = kept.map_err(|error| store_failed("read state.db", error))?;
        Ok(Self { writer, path: path.to_owned(), kept_bytes: Arc::new(AtomicI64::new(kept)) })
    }

    /// Bytes of everything that is kept.
    pub fn kept_bytes(&self) -> u64 {
        u64::try_from(self.kept_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// All that have not ended, the oldest first.
    pub fn waiting(&self) -> Result<Vec<Waiting>, PlatformError> {
        let query = || -> rusqlite::Result<_> {
            let connection = read_only(&self.path)?;
            let mut statement = connection.prepare(
                "SELECT seq, function, accepted_at_ms, attempts, due_at_ms FROM accepted
                 WHERE expires_at_ms IS NULL ORDER BY seq",
            )?;
            statement.query_map([], waiting)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        query().map_err(|error| store_failed("read state.db", error))
    }

    /// Keeps one. When this returns it is on the disk. To be run to its end, whether or not the client waits.
    pub async fn insert(&self, asked: Asked, now_ms: i64) -> Result<i64, PlatformError> {
        let request = format!("{} {}\n", asked.method, asked.uri).into_bytes();
        let request = [request, lines(&asked.headers)].concat();
        let size = ROW_BYTES + request.len() + asked.body.len();
        let insert = move |connection: &Connection| {
            connection.execute(
                "INSERT INTO accepted (id, function, request, body, accepted_at_ms, attempts, due_at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?5)",
                params![asked.id.0, asked.function.as_str(), request, &asked.body[..], now_ms],
            )?;
            Ok(connection.last_insert_rowid())
        };
        let seq = self.change("keep the invocation", insert).await?;
        self.kept_bytes.fetch_add(size as i64, Ordering::Relaxed);
        Ok(seq)
    }

    /// What is asked; `None` when its function was deleted.
    pub async fn asked(&self, seq: i64) -> Result<Option<Asked>, PlatformError> {
        let query =
            "SELECT id, function, request, body FROM accepted WHERE seq = ?1 AND expires_at_ms IS NULL";
        self.query(move |connection| connection.query_row(query, [seq], asked).optional()).await
    }

    /// What became of one of a function's invocations; `None` when there is none of this id, or its time is over.
    pub async fn find(
        &self,
        function: &FunctionName,
        id: &InvocationId,
        now_ms: i64,
    ) -> Result<Option<Found>, PlatformError> {
        let (function, id) = (function.to_string(), id.0.clone());
        let query =
            "SELECT seq, function, accepted_at_ms, attempts, due_at_ms, status, answer_headers, answer
                     FROM accepted WHERE id = ?1 AND function = ?2 AND coalesce(expires_at_ms > ?3, TRUE)";
        let parameters = (id, function, now_ms);
        self.query(move |connection| connection.query_row(query, parameters, found).optional()).await
    }

    /// One is to be tried again.
    pub async fn again(&self, seq: i64, attempts: u32, due_at_ms: i64) -> Result<(), PlatformError> {
        let update = move |connection: &Connection| {
            let update = "UPDATE accepted SET attempts = ?2, due_at_ms = ?3 WHERE seq = ?1";
            connection.execute(update, params![seq, attempts, due_at_ms])
        };
        self.change("note an attempt", update).await.map(drop)
    }

    /// One has ended: its answer is kept, and what was asked no longer.
    pub async fn end(&self, ended: Ended) -> Result<(), PlatformError> {
        let headers = lines(ended.answer.headers());
        let update = move |connection: &Connection| {
            let size = format!("SELECT {SIZE} FROM accepted WHERE seq = ?1");
            let before = connection.query_row(&size, [ended.seq], |row| row.get::<_, i64>(0)).optional()?;
            // Without a row its function was deleted.
            let Some(before) = before else { return Ok(0) };
            connection.execute(
                "UPDATE accepted SET request = x'', body = x'', attempts = ?2, expires_at_ms = ?3, status = ?4,
                 answer_headers = ?5, answer = ?6 WHERE seq = ?1",
                params![
                    ended.seq,
                    ended.attempts,
                    ended.expires_at_ms,
                    ended.answer.status().as_u16(),
                    headers,
                    &ended.answer.body()[..],
                ],
            )?;
            Ok(connection.query_row(&size, [ended.seq], |row| row.get::<_, i64>(0))? - before)
        };
        let grown = self.change("keep the answer", update).await?;
        self.kept_bytes.fetch_add(grown, Ordering::Relaxed);
        Ok(())
    }

    /// Removes answers that were kept for long enough.
    pub async fn sweep(&self, now_ms: i64) -> Result<(), PlatformError> {
        while self.remove(now_ms, REMOVED_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Removes the answers that would be the first to go, until everything takes no more than `limit_bytes`, or none is left.
    pub async fn trim(&self, limit_bytes: u64) -> Result<(), PlatformError> {
        while self.kept_bytes() > limit_bytes && self.remove(i64::MAX, TRIMMED_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Counts anew what there is: rows go with their functions.
    pub async fn recount(&self) -> Result<(), PlatformError> {
        let sum = format!("SELECT coalesce(sum({SIZE}), 0) FROM accepted");
        let kept = self.change("count", move |c| c.query_row(&sum, [], |row| row.get(0))).await?;
        self.kept_bytes.store(kept, Ordering::Relaxed);
        Ok(())
    }

    /// Removes some of the answers that are kept until `until_ms` at most, the first to go first; how many.
    async fn remove(&self, until_ms: i64, rows: u32) -> Result<usize, PlatformError> {
        let delete = move |connection: &Connection| {
            let mut statement = connection.prepare(&format!(
                "DELETE FROM accepted WHERE seq IN (SELECT seq FROM accepted WHERE expires_at_ms <= ?1
                 ORDER BY expires_at_ms LIMIT {rows}) RETURNING {SIZE}"
            ))?;
            let sizes = statement.query_map([until_ms], |row| row.get::<_, i64>(0))?;
            sizes.collect::<rusqlite::Result<Vec<_>>>()
        };
        let sizes = self.change("remove old answers", delete).await?;
        self.kept_bytes.fetch_sub(sizes.iter().sum::<i64>(), Ordering::Relaxed);
        Ok(sizes.len())
    }

    async fn change<T: Send + 'static>(
        &self,
        what: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        self.writer.change(change).await.map_err(|error| store_failed(what, error))
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let path = self.path.clone();
        let found = tokio::task::spawn_blocking(move || query(&read_only(&path)?)).await;
        let failed = |error: &dyn std::fmt::Display| store_failed("read state.db", error);
        found.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn waiting(row: &Row) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        seq: row.get(0)?,
        function: row.get_ref(1)?.as_str()?.parse().map_err(broken)?,
        accepted_at_ms: row.get(2)?,
        attempts: row.get(3)?,
        due_at_ms: row.get(4)?,
    })
}

fn asked(row: &Row) -> rusqlite::Result<Asked> {
    let request = row.get_ref(2)?.as_blob()?;
    let end = request.iter().position(|byte| *byte == b'\n').unwrap_or(request.len());
    let line = String::from_utf8_lossy(&request[..end]);
    let (method, uri) = line.split_once(' ').unwrap_or_default();
    Ok(Asked {
        id: InvocationId(row.get(0)?),
        function: row.get_ref(1)?.as_str()?.parse().map_err(broken)?,
        method: method.parse().map_err(broken)?,
        uri: uri.parse().map_err(broken)?,
        headers: headers(request.get(end + 1..).unwrap_or_default()),
        body: row.get::<_, Vec<u8>>(3)?.into(),
    })
}

fn found(row: &Row) -> rusqlite::Result<Found> {
    let Some(status) = row.get::<_, Option<u16>>(5)? else { return waiting(row).map(Found::Waiting) };
    let mut answer = Response::new(Bytes::from(row.get::<_, Vec<u8>>(7)?));
    *answer.status_mut() = StatusCode::from_u16(status).map_err(broken)?;
    *answer.headers_mut() = headers(row.get_ref(6)?.as_blob()?);
    Ok(Found::Ended(answer))
}

fn broken(error: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.to_string().into())
}

/// Headers as lines of `name: value`. A value never holds the end of a line.
fn lines(headers: &HeaderMap) -> Vec<u8> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat()
    };
    headers.iter().flat_map(line).collect()
}

fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start())) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests;
