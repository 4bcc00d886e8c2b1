//! What was used, by the hour (`usage_hour` in `logs.db`).

use std::collections::BTreeMap;
use std::path::Path;

use modelet_core::usage::{HOUR_MS, hour_of};
use modelet_core::{FunctionName, Usage, Version};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, Row, params, params_from_iter};
use serde::{Deserialize, Serialize};

/// Hours that are kept: 13 months, so that a month can be compared with the one a year before.
pub const HOURS_KEPT: i64 = 24 * 396;
/// Most rows in one answer.
pub const MAX_ROWS: usize = 10_000;

/// A function, a version, and an hour since 1970.
pub type Key = (FunctionName, Version, i64);
/// Sums by function, version and hour.
pub type Sums = BTreeMap<Key, Usage>;

/// Over which time rows are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// One row for each hour.
    Hour,
    /// One row for each day (UTC).
    Day,
    /// One row for all of it.
    #[default]
    All,
}

/// Which usage is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Of one function; `None`: of all.
    pub function: Option<FunctionName>,
    /// From the hour of this moment on, milliseconds since 1970.
    pub from_ms: i64,
    /// How rows are added up.
    pub period: Period,
}

/// What a version used over some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UsageRow {
    /// The function; it may be deleted by now.
    pub function: FunctionName,
    /// The version.
    pub version: Version,
    /// Beginning of the first hour, milliseconds since 1970 (UTC).
    pub from_ms: i64,
    /// The sums.
    #[serde(flatten)]
    pub usage: Usage,
}

/// Adds sums to those that are kept.
pub fn add(connection: &Connection, sums: Sums) -> rusqlite::Result<()> {
    let names = Usage::NAMES.join(", ");
    let marks = vec!["?"; Usage::NAMES.len() + 3].join(", ");
    let more: Vec<_> = Usage::NAMES.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    let mut upsert = connection.prepare_cached(&format!(
        "INSERT INTO usage_hour (function, version, hour, {names}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {}",
        more.join(", ")
    ))?;
    for ((function, version, hour), usage) in sums {
        let key = [Value::from(function.to_string()), Value::from(version.0), Value::from(hour)];
        upsert.execute(params_from_iter(key.into_iter().chain(values(&usage))))?;
    }
    Ok(())
}

/// Forgets what is older than [`HOURS_KEPT`].
pub fn prune(connection: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    let oldest = hour_of(now_ms) - HOURS_KEPT;
    connection.execute("DELETE FROM usage_hour WHERE hour < ?1", [oldest]).map(drop)
}

/// Answers a question, oldest first; and the number of records that were lost, ever.
pub fn read(path: &Path, question: &Question) -> rusqlite::Result<(Vec<UsageRow>, u64)> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let hours = match question.period {
        Period::Hour => 1,
        Period::Day => 24,
        // All fall into one.
        Period::All => i64::MAX,
    };
    let sums: Vec<_> = Usage::NAMES.iter().map(|name| format!("sum({name})")).collect();
    let mut statement = connection.prepare(&format!(
        "SELECT function, version, min(hour), {} FROM usage_hour
         WHERE hour >= ?1 AND (?2 IS NULL OR function = ?2)
         GROUP BY function, version, hour / ?3 ORDER BY hour / ?3, function, version LIMIT ?4",
        sums.join(", ")
    ))?;
    let function = question.function.as_ref().map(ToString::to_string);
    let limit = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![hour_of(question.from_ms), function, hours, limit], row)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((rows, lost_in(&connection)?))
}

/// The number of records that were lost, ever.
pub fn lost(path: &Path) -> rusqlite::Result<u64> {
    lost_in(&Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn lost_in(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT lost FROM journal", [], |row| row.get(0))
}

fn row(row: &Row) -> rusqlite::Result<UsageRow> {
    let function = row.get_ref(0)?.as_str()?.parse().map_err(|error: modelet_core::NameError| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    let hour: i64 = row.get(2)?;
    Ok(UsageRow { function, version: Version(row.get(1)?), from_ms: hour * HOUR_MS, usage: usage(row)? })
}

/// The sums as columns, in the order of [`Usage::NAMES`].
fn values(usage: &Usage) -> impl Iterator<Item = Value> {
    let sums = serde_json::to_value(usage).unwrap_or_default();
    Usage::NAMES.iter().map(move |name| {
        let sum = &sums[*name];
        let whole = sum.as_u64().map(|sum| Value::from(i64::try_from(sum).unwrap_or(i64::MAX)));
        whole.unwrap_or_else(|| Value::from(sum.as_f64()))
    })
}

/// The sums of a row that has them after three other columns.
fn usage(row: &Row) -> rusqlite::Result<Usage> {
    let column = |(at, name): (usize, &&str)| {
        let sum = match row.get_ref(3 + at)? {
            ValueRef::Real(sum) => sum.into(),
            sum => sum.as_i64()?.into(),
        };
        Ok(((*name).to_owned(), sum))
    };
    let sums: serde_json::Map<_, _> =
        Usage::NAMES.iter().enumerate().map(column).collect::<rusqlite::Result<_>>()?;
    serde_json::from_value(sums.into()).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Integer, error.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{schema, writer};

    /// Every sum another number, so that none can be taken for another.
    fn sample() -> Usage {
        Usage {
            invocations: 1,
            errors_function: 2,
            errors_platform: 3,
            cancelled: 4,
            cold_starts: 5,
            billed_ms: 6,
            billed_mib_ms: 7,
            cpu_ms: 8.5,
            request_bytes: 9,
            response_bytes: 10,
            instances: 11,
            loading_ms: 12,
            serving_ms: 13,
            idle_ms: 14,
            instance_cpu_ms: 15,
        }
    }

    #[test]
    fn sums_are_kept_by_the_hour_and_read_by_hour_day_or_in_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.db");
        let mut connection = writer::open(&path, writer::Durability::Normal).unwrap();
        schema::migrate(&mut connection, schema::LOGS).unwrap();
        let name: FunctionName = "iris".parse().unwrap();
        let today = 480_000;
        for hour in [today, today, today + 1, today - 24, today - 25] {
            add(&connection, Sums::from([((name.clone(), Version(1), hour), sample())])).unwrap();
        }
        let ask = |period, from_hour: i64| {
            let question = Question { function: Some(name.clone()), from_ms: from_hour * HOUR_MS, period };
            let (rows, lost) = read(&path, &question).unwrap();
            assert_eq!(lost, 0);
            rows.iter().map(|row| (row.from_ms / HOUR_MS, row.usage.invocations)).collect::<Vec<_>>()
        };
        assert_eq!(ask(Period::Hour, today), [(today, 2), (today + 1, 1)]);
        assert_eq!(ask(Period::Day, 0), [(today - 25, 1), (today - 24, 1), (today, 3)]);
        assert_eq!(ask(Period::All, 0), [(today - 25, 5)]);
        prune(&connection, (today - 24 + HOURS_KEPT) * HOUR_MS).unwrap();
        assert_eq!(ask(Period::All, 0), [(today - 24, 4)]);
        let question = Question { function: None, from_ms: (today + 1) * HOUR_MS, period: Period::All };
        assert_eq!(read(&path, &question).unwrap().0[0].usage, sample());
        let other = Question { function: Some("other".parse().unwrap()), ..question };
        assert_eq!(read(&path, &other).unwrap().0, []);
    }
}
