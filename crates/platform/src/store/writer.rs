//! The one thread that writes to a database. Changes that come close together share a commit: a commit waits for the disk,
//! and so one for each change would be the slowest way to be safe.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// Most changes in one commit.
const BATCH: usize = 256;
/// Changes that may wait for the writer; beyond that whoever has one waits.
const WAITING: usize = 4_096;
/// How long another process that reads the database may hold us up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(String);

/// A change: made within a commit, answered after it. `Err` takes back what it did.
type Change = Box<dyn FnOnce(&Connection) -> Result<Reply, ()> + Send>;
type Reply = Box<dyn FnOnce(Result<(), WriteError>)>;

/// A handle to the writer of one database.
#[derive(Clone)]
pub struct Writer {
    changes: mpsc::Sender<Change>,
}

/// How careful commits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on the disk before it is answered: it survives a power cut.
    Full,
    /// A commit survives the end of the process; a power cut may take the last ones, never consistency.
    Normal,
}

/// Opens a database and sets it up as all of ours are.
pub fn open(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

impl Writer {
    /// Starts the thread; it ends when the last handle is dropped and everything handed in is written. A commit waits up to
    /// `linger` for further changes after its first.
    pub fn start(name: &str, mut connection: Connection, linger: Duration) -> std::io::Result<Self> {
        let (changes, mut inbox) = mpsc::channel::<Change>(WAITING);
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while timer.block_on(gather(&mut inbox, &mut batch, linger)) {
                commit(&mut connection, batch.drain(..));
            }
        })?;
        Ok(Self { changes })
    }

    /// Makes a change and waits until it is committed. What the change did is taken back when it fails.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, WriteError> {
        let (answer, committed) = oneshot::channel();
        // Whoever asked may be gone by the time of an answer; the change is made all the same.
        let change: Change = Box::new(move |connection| match change(connection) {
            Ok(value) => Ok(Box::new(move |commit| drop(answer.send(commit.map(|()| value))))),
            Err(error) => {
                let _ = answer.send(Err(WriteError(error.to_string())));
                Err(())
            }
        });
        let gone = || WriteError("the writer has ended".into());
        self.changes.send(change).await.map_err(|_| gone())?;
        committed.await.map_err(|_| gone())?
    }

    /// Hands a change in and waits for nothing but room in the queue. A failure is told on standard error.
    pub async fn hand_in(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        // Without a writer the process is ending.
        let _ = self.changes.send(unattended(change)).await;
    }
}

fn unattended(change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) -> Change {
    Box::new(move |connection| match change(connection) {
        Ok(()) => Ok(Box::new(|commit| drop(commit.inspect_err(tell)))),
        Err(error) => {
            tell(&WriteError(error.to_string()));
            Err(())
        }
    })
}

/// For changes that nobody waits for.
fn tell(error: &WriteError) {
    eprintln!("could not write to the store: {error}");
}

/// Waits for a change, and then for more; false when there will be none any more.
async fn gather(inbox: &mut mpsc::Receiver<Change>, batch: &mut Vec<Change>, linger: Duration) -> bool {
    if inbox.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let deadline = tokio::time::Instant::now() + linger;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        // Not even asked again when there is nothing to linger for.
        if linger.is_zero()
            || !matches!(tokio::time::timeout_at(deadline, inbox.recv_many(batch, room)).await, Ok(1..))
        {
            break;
        }
    }
    true
}

fn commit(connection: &mut Connection, batch: impl Iterator<Item = Change>) {
    let mut replies = Vec::with_capacity(BATCH);
    let result = connection.transaction().and_then(|mut transaction| {
        for change in batch {
            // A savepoint each: a change that fails takes nothing of its neighbours' along.
            let mut savepoint = transaction.savepoint()?;
            match change(&savepoint) {
                Ok(reply) => {
                    // Answered in any case: with the error, if this or anything after it fails.
                    replies.push(reply);
                    savepoint.commit()?;
                }
                Err(()) => savepoint.rollback()?,
            }
        }
        transaction.commit()
    });
    let result = result.map_err(|error| WriteError(error.to_string()));
    for reply in replies {
        reply(result.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_share_commits_and_a_failing_one_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let connection = open(&path, Durability::Full).unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)").unwrap();
        let writer = Writer::start("test", connection, Duration::from_millis(1)).unwrap();
        let insert = |n: i64| {
            let writer = writer.clone();
            async move { writer.change(move |c| c.execute("INSERT INTO t VALUES (?1)", [n])).await }
        };
        let results = futures_util::future::join_all((0..200).map(|n| insert(n % 190))).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 190);
        assert!(results[199].as_ref().unwrap_err().to_string().contains("UNIQUE"));
        let rows: i64 = Connection::open(&path)
            .unwrap()
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 190);
    }
}
