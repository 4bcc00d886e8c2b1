//! Functions and versions as rows of `state.db`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use modelet_core::{ArtifactCard, Canary, FunctionName, Percent, Traffic, Version};
use rusqlite::{Connection, params};

use super::{FunctionEntry, VersionEntry};

/// The canary's version and its part, as columns.
fn canary(traffic: Traffic) -> (Option<u32>, Option<u8>) {
    traffic.canary.map(|canary| (canary.version.0, canary.percent.get())).unzip()
}

/// Gives the calls to others.
pub(super) fn route(connection: &Connection, name: &str, next: Traffic) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE functions SET live = ?2, canary = ?3, canary_percent = ?4 WHERE name = ?1",
        params![name, next.version.0, canary(next).0, canary(next).1],
    )
}

/// Takes a version out.
pub(super) fn delete_version(
    connection: &Connection,
    name: &str,
    version: Version,
) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM versions WHERE function = ?1 AND version = ?2", params![name, version.0])
}

/// A new version, and who gets the calls then.
pub(super) fn insert(
    connection: &Connection,
    entry: &VersionEntry,
    traffic: Traffic,
) -> rusqlite::Result<()> {
    let card =
        serde_json::to_string(&*entry.card).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let name = entry.card.name.as_str();
    connection.execute(
        "INSERT INTO functions (name, live, created_at_ms, canary, canary_percent) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE
         SET live = excluded.live, canary = excluded.canary, canary_percent = excluded.canary_percent",
        params![name, traffic.version.0, entry.created_at_ms, canary(traffic).0, canary(traffic).1],
    )?;
    connection.execute(
        "INSERT INTO numbers (function, last) VALUES (?1, ?2)
         ON CONFLICT (function) DO UPDATE SET last = excluded.last",
        params![name, entry.version.0],
    )?;
    connection.execute(
        "INSERT INTO versions (function, version, sha256, source_sha256, size_bytes, created_at_ms, card, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            name,
            entry.version.0,
            entry.sha256,
            entry.card.source_sha256,
            i64::try_from(entry.card.size_bytes()).unwrap_or(i64::MAX),
            entry.created_at_ms,
            card,
            &*entry.evidence,
        ],
    )?;
    Ok(())
}

/// The last number of each function.
pub(super) fn load_numbers(connection: &Connection) -> rusqlite::Result<HashMap<FunctionName, u32>> {
    let mut statement = connection.prepare("SELECT function, last FROM numbers")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    // A name that is none is nobody's.
    Ok(rows
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .filter_map(|(n, l)| Some((n.parse().ok()?, l)))
        .collect())
}

/// All functions.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<HashMap<FunctionName, Arc<FunctionEntry>>> {
    let mut statement = connection.prepare(
        "SELECT f.name, f.live, f.created_at_ms, v.version, v.sha256, v.created_at_ms, v.card, v.evidence,
         f.canary, f.canary_percent
         FROM functions f JOIN versions v ON v.function = f.name",
    )?;
    let mut functions: HashMap<FunctionName, FunctionEntry> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let broken =
            |e: &dyn std::fmt::Display| rusqlite::Error::ToSqlConversionFailure(e.to_string().into());
        let name: FunctionName = row.get::<_, String>(0)?.parse().map_err(|e| broken(&e))?;
        let card: ArtifactCard = serde_json::from_str(row.get_ref(6)?.as_str()?).map_err(|e| broken(&e))?;
        let version = Version(row.get(3)?);
        let entry = VersionEntry {
            version,
            sha256: row.get(4)?,
            made_of: card.made_of(),
            created_at_ms: row.get(5)?,
            card: Arc::new(card),
            evidence: row.get::<_, String>(7)?.into(),
        };
        let percent = row.get::<_, Option<i64>>(9)?.map(Percent::try_from).transpose();
        let canary = row.get::<_, Option<u32>>(8)?.zip(percent.map_err(|e| broken(&e))?);
        let canary = canary.map(|(version, percent)| Canary { version: Version(version), percent });
        let (traffic, created_at_ms) = (Traffic { version: Version(row.get(1)?), canary }, row.get(2)?);
        functions
            .entry(name.clone())
            .or_insert_with(|| FunctionEntry { name, traffic, created_at_ms, versions: BTreeMap::new() })
            .versions
            .insert(version, Arc::new(entry));
    }
    Ok(functions.into_iter().map(|(name, function)| (name, Arc::new(function))).collect())
}

#[cfg(test)]
mod tests {
    use modelet_core::handler::{Event, Handler, ProgramCard, Speaks};
    use modelet_core::{Manifest, Settings};

    use super::*;
    use crate::store::schema::{STATE, migrate};

    fn entry(version: u32) -> VersionEntry {
        let program = ProgramCard {
            command: vec!["./serve".to_owned()],
            speaks: Speaks::Http,
            event: Event::default(),
            python: None,
            packages: None,
        };
        let card = ArtifactCard {
            format_version: ArtifactCard::FORMAT_VERSION,
            name: "churn".parse().unwrap(),
            source_sha256: format!("source {version}"),
            manifest: Manifest::default(),
            settings: Settings::default(),
            handler: Handler::Program(program),
            files: vec![],
        };
        VersionEntry {
            version: Version(version),
            sha256: format!("artifact {version}"),
            made_of: card.made_of(),
            created_at_ms: 0,
            card: Arc::new(card),
            evidence: "{}".into(),
        }
    }

    fn traffic(connection: &Connection) -> Traffic {
        let functions = load(connection).unwrap();
        functions[&"churn".parse::<FunctionName>().unwrap()].traffic
    }

    #[test]
    fn who_gets_the_calls_comes_back_as_it_was_written() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STATE).unwrap();
        let first = Traffic::all(Version(1));
        insert(&connection, &entry(1), first).unwrap();
        let tried = first.deployed(Version(2), Some(10.try_into().unwrap()));
        insert(&connection, &entry(2), tried).unwrap();
        assert_eq!(traffic(&connection), tried);
        route(&connection, "churn", Traffic::all(Version(2))).unwrap();
        assert_eq!(traffic(&connection), Traffic::all(Version(2)));
    }

    #[test]
    fn a_function_of_older_tables_has_no_canary() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STATE[..2]).unwrap();
        connection.execute("INSERT INTO functions VALUES ('churn', 1, 0)", []).unwrap();
        let card = serde_json::to_string(&*entry(1).card).unwrap();
        let row = "INSERT INTO versions VALUES ('churn', 1, 'artifact 1', 'source 1', 0, 0, ?1, '{}')";
        connection.execute(row, [card]).unwrap();
        migrate(&mut connection, STATE).unwrap();
        assert_eq!(traffic(&connection), Traffic::all(Version(1)));
    }
}
