//! The tables, and how older ones become newer. A database carries the number of its last step in `user_version`; a step is
//! never changed once it was released, only followed by another.

use rusqlite::Connection;

/// Functions and versions (`state.db`).
pub const STATE: &[&str] = &[
    "
    CREATE TABLE functions (
        name TEXT PRIMARY KEY,
        -- the version that the default alias `live` points at
        live INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL
    ) STRICT;
    -- the last number that a function's versions got: kept when the function is deleted, so that none is given twice
    CREATE TABLE numbers (
        function TEXT PRIMARY KEY,
        last INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE versions (
        function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        -- SHA-256 of the artifact, and of the source that it was made from
        sha256 TEXT NOT NULL,
        source_sha256 TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        created_at_ms INTEGER NOT NULL,
        -- JSON: the artifact's card, and what was measured when its engine was chosen
        card TEXT NOT NULL,
        evidence TEXT NOT NULL,
        PRIMARY KEY (function, version)
    ) STRICT;
",
    "
    -- asynchronous invocations
    CREATE TABLE accepted (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        function TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
        -- method, path and headers; then the body. Empty when it has ended
        request BLOB NOT NULL,
        body BLOB NOT NULL,
        accepted_at_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        due_at_ms INTEGER NOT NULL,
        -- absent until it has ended
        expires_at_ms INTEGER,
        status INTEGER,
        answer_headers BLOB,
        answer BLOB
    ) STRICT;
    CREATE INDEX accepted_waiting ON accepted (seq) WHERE expires_at_ms IS NULL;
    CREATE INDEX accepted_ended ON accepted (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
    CREATE INDEX accepted_by_function ON accepted (function);
",
    "
    -- another version that gets a part of the calls of `live`, percent; absent: none does
    ALTER TABLE functions ADD COLUMN canary INTEGER;
    ALTER TABLE functions ADD COLUMN canary_percent INTEGER;
",
];

/// Records of invocations and output lines (`logs.db`).
pub const LOGS: &[&str] = &[
    "
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        function TEXT NOT NULL,
        -- JSON: one record
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX log_by_function ON log (function, seq);
",
    "
    -- 1 for the receipt of a cold start
    ALTER TABLE log ADD COLUMN receipt INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX log_receipts ON log (function, seq) WHERE receipt = 1;
    -- how far the journal is folded into this database, and how many records were lost, ever; one row
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        file INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        lost INTEGER NOT NULL
    ) STRICT;
    INSERT INTO journal (id, file, offset, lost) VALUES (1, 0, 0, 0);
    -- the last record (JSON) of each instance that has not ended
    CREATE TABLE open_instances (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
    -- sums by the hour (hours since 1970); kept when the function is deleted: a bill outlives its function
    CREATE TABLE usage_hour (
        function TEXT NOT NULL,
        version INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        invocations INTEGER NOT NULL,
        errors_function INTEGER NOT NULL,
        errors_platform INTEGER NOT NULL,
        cancelled INTEGER NOT NULL,
        cold_starts INTEGER NOT NULL,
        billed_ms INTEGER NOT NULL,
        billed_mib_ms INTEGER NOT NULL,
        cpu_ms REAL NOT NULL,
        request_bytes INTEGER NOT NULL,
        response_bytes INTEGER NOT NULL,
        instances INTEGER NOT NULL,
        loading_ms INTEGER NOT NULL,
        serving_ms INTEGER NOT NULL,
        idle_ms INTEGER NOT NULL,
        instance_cpu_ms INTEGER NOT NULL,
        PRIMARY KEY (function, version, hour)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX usage_by_hour ON usage_hour (hour);
",
];

/// Brings a database to the newest of `steps`. Refused when it is newer still.
pub fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    let done: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(text)?;
    let done = done as usize;
    if done > steps.len() {
        return Err(format!(
            "its tables are of version {done}, this modelet knows up to {}: use the newer modelet that wrote them",
            steps.len()
        ));
    }
    for (number, step) in steps.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(text)?;
        transaction.execute_batch(step).map_err(text)?;
        transaction.pragma_update(None, "user_version", number as u32 + 1).map_err(text)?;
        transaction.commit().map_err(text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_once_and_newer_tables_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = ["CREATE TABLE a (n INTEGER)"];
        let both = [first[0], "ALTER TABLE a ADD COLUMN m INTEGER"];
        migrate(&mut connection, &first).unwrap();
        migrate(&mut connection, &both).unwrap();
        migrate(&mut connection, &both).unwrap();
        connection.execute("INSERT INTO a (n, m) VALUES (1, 2)", []).unwrap();
        assert!(migrate(&mut connection, &first).unwrap_err().contains("version 2"));
    }
}
