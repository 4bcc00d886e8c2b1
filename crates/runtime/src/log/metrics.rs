//! A call's figures for AWS CloudWatch, as one line of the log in its embedded metric format (docs of CloudWatch, "Specification:
//! Embedded metric format"). They cost what metrics of one's own cost there, each month for each function: they are told where the log's
//! format is JSON, which somebody has chosen, or where they are asked for.
//!
//! | metric | unit | |
//! |---|---|---|
//! | `HandlerMs` | milliseconds | from the event to its answer |
//! | `ColdStart` | count | 1 with the first call of a process, else 0 |
//! | `LoadMs` | milliseconds | with the first call: until the function was loaded |
//! | `Rows` | count | of a model: rows that were computed |
//!
//! Namespace `modelet`, dimension `FunctionName`; `FunctionVersion` and `requestId` are properties, which cost nothing. The format allows
//! 100 metrics and 30 dimensions. `MODELET_METRICS` turns them `on` or `off`.

use std::ffi::OsString;
use std::time::Duration;

use modelet_core::entry::Stream;
use serde_json::{Map, Value, json};

use super::form::ENV_LAMBDA_FORMAT;
use super::{LOG, Log, now_ms};

/// Environment variable: `on` or `off`.
const ENV_METRICS: &str = "MODELET_METRICS";
const NAMESPACE: &str = "modelet";
const DIMENSION: &str = "FunctionName";

/// Rows that a model computed for an answer, which carries this along.
#[derive(Debug, Clone, Copy)]
pub struct Rows(pub usize);

/// Whose figures they are.
#[derive(Debug)]
pub struct Metrics {
    function: String,
    version: String,
    /// Until the first call is told.
    load: Option<Duration>,
}

impl Metrics {
    /// Those of a function on Lambda, which took so long to load; `None` where nobody wants them. An error names what makes no
    /// sense.
    pub fn of(
        var: impl Fn(&str) -> Option<OsString>,
        name: &str,
        load: Duration,
    ) -> Result<Option<Self>, String> {
        let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
        match text(ENV_METRICS).as_deref() {
            Some("on") => {}
            None if text(ENV_LAMBDA_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json")) => {}
            None | Some("off") => return Ok(None),
            Some(other) => return Err(format!("{ENV_METRICS} is {other:?}, neither on nor off")),
        }
        Ok(Some(Self {
            function: text("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| name.to_owned()),
            version: text("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_default(),
            load: Some(load),
        }))
    }

    /// Writes those of a call.
    pub fn tell(&mut self, call: &str, took: Duration, rows: Option<Rows>) {
        if LOG.get().is_some() {
            Log::print(Stream::Stdout, &format!("{}\n", self.record(now_ms(), call, took, rows)));
        }
    }

    fn record(&mut self, at_ms: u64, call: &str, took: Duration, rows: Option<Rows>) -> Value {
        let load = self.load.take();
        let mut figures = vec![
            ("HandlerMs", "Milliseconds", json!(ms(took))),
            ("ColdStart", "Count", u8::from(load.is_some()).into()),
        ];
        figures.extend(load.map(|load| ("LoadMs", "Milliseconds", json!(ms(load)))));
        figures.extend(rows.map(|Rows(rows)| ("Rows", "Count", rows.into())));
        let named: Vec<Value> =
            figures.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": named });
        let mut record = Map::new();
        record.insert("_aws".into(), json!({ "Timestamp": at_ms, "CloudWatchMetrics": [directive] }));
        record.insert(DIMENSION.into(), self.function.clone().into());
        record.insert("FunctionVersion".into(), self.version.clone().into());
        record.insert("requestId".into(), call.into());
        record.extend(figures.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
        record.into()
    }
}

/// Milliseconds, to the microsecond.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_says_what_the_start_took_and_the_others_do_not() {
        let said = [("AWS_LAMBDA_FUNCTION_NAME", "churn"), (ENV_METRICS, "on")];
        let var = |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let mut metrics = Metrics::of(var, "own", Duration::from_millis(7)).unwrap().unwrap();
        let first = metrics.record(1, "a", Duration::from_micros(1500), Some(Rows(3)));
        let named = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
        let [handler, cold, load, rows] = [
            named("HandlerMs", "Milliseconds"),
            named("ColdStart", "Count"),
            named("LoadMs", "Milliseconds"),
            named("Rows", "Count"),
        ];
        let told = |metrics: &[&Value]| {
            let directive =
                json!({ "Namespace": "modelet", "Dimensions": [["FunctionName"]], "Metrics": metrics });
            json!({ "Timestamp": 1, "CloudWatchMetrics": [directive] })
        };
        assert_eq!(
            first,
            json!({
                "_aws": told(&[&handler, &cold, &load, &rows]), "FunctionName": "churn", "FunctionVersion": "",
                "requestId": "a", "HandlerMs": 1.5, "ColdStart": 1, "LoadMs": 7.0, "Rows": 3
            })
        );
        let second = metrics.record(1, "b", Duration::ZERO, None);
        assert_eq!((&second["_aws"], &second["ColdStart"]), (&told(&[&handler, &cold]), &0.into()));
    }

    #[test]
    fn they_are_told_where_they_are_asked_for_or_the_log_is_json() {
        let metrics = |said: &[(&str, &str)]| {
            let var =
                |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            Metrics::of(var, "churn", Duration::ZERO).map(|metrics| metrics.is_some())
        };
        let json = (ENV_LAMBDA_FORMAT, "JSON");
        assert_eq!((metrics(&[]), metrics(&[(ENV_LAMBDA_FORMAT, "Text")])), (Ok(false), Ok(false)));
        assert_eq!((metrics(&[json]), metrics(&[json, (ENV_METRICS, "off")])), (Ok(true), Ok(false)));
        assert_eq!(metrics(&[(ENV_METRICS, "on")]), Ok(true));
        assert_eq!(
            metrics(&[(ENV_METRICS, "no")]).unwrap_err(),
            "MODELET_METRICS is \"no\", neither on nor off"
        );
    }
}
