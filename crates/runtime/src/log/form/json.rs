//! The JSON format of AWS Lambda, as awslambdaric 4.2 writes it (`lambda_runtime_log_utils.py` and `bootstrap.py`); moments are to the
//! millisecond here, and there to the second.

use modelet_core::entry::Entry;
use modelet_core::moment;
use serde_json::{Map, Value, json};

/// The object of an entry.
pub(super) fn object(entry: &Entry) -> Value {
    let mut object = Map::new();
    let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
    say("timestamp", moment::rfc3339(entry.at_ms).into());
    say("level", entry.standard_level().into());
    say("requestId", entry.call().into());
    if let Some(raised) = &entry.raised {
        say("errorType", raised.kind.clone().into());
        say("errorMessage", raised.message.clone().into());
        say("stackTrace", json!(raised.stack));
    }
    // Of an error that nobody caught all is said.
    if entry.logger.is_some() || entry.raised.is_none() {
        say("message", entry.said.clone().unwrap_or_else(|| entry.message.clone().into()));
    }
    for (name, value) in [("logger", &entry.logger), ("location", &entry.location)] {
        if let Some(value) = value {
            say(name, value.clone().into());
        }
    }
    for (name, value) in &entry.fields {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    object.into()
}
