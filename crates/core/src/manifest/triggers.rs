//! What a manifest says of triggers: what invokes a function besides its clients.

use serde::{Deserialize, Serialize};

/// The most triggers that one function has.
pub const TRIGGERS_LIMIT: usize = 50;
/// The longest input of a schedule, bytes: what EventBridge takes.
const INPUT_LIMIT_BYTES: usize = 8_192;

/// What invokes a function besides its clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// Time.
    Schedule(Schedule),
    /// A file that somebody puts into a bucket.
    Upload(Upload),
}

/// When a schedule invokes, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// `rate(5 minutes)`, or `cron(minutes hours day-of-month month day-of-week year)` in UTC, as EventBridge has them.
    pub schedule: String,
    /// The event, JSON; absent: what EventBridge says of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// Which files invoke.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The bucket.
    pub bucket: String,
    /// What their names begin with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// What their names end with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
}

/// Refuses triggers that no target could have.
///
/// # Errors
/// One sentence that names the trigger and what is wrong with it.
pub fn check(triggers: &[Trigger]) -> Result<(), String> {
    if triggers.len() > TRIGGERS_LIMIT {
        return Err(format!("there are {} triggers, {TRIGGERS_LIMIT} are taken", triggers.len()));
    }
    for (at, trigger) in triggers.iter().enumerate() {
        if triggers[..at].contains(trigger) {
            return Err(format!("the trigger {} stands there twice", trigger.words()));
        }
        match trigger {
            Trigger::Schedule(schedule) => schedule.check()?,
            Trigger::Upload(upload) => upload.check()?,
        }
    }
    Ok(())
}

impl Trigger {
    /// What it is, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Schedule(schedule) => schedule.schedule.clone(),
            Self::Upload(Upload { bucket, prefix, suffix }) => {
                format!("uploads to {bucket}/{prefix}*{suffix}")
            }
        }
    }
}

impl Schedule {
    fn check(&self) -> Result<(), String> {
        let inner = |word: &str| self.schedule.strip_prefix(word)?.strip_suffix(')');
        let is_right = match (inner("rate("), inner("cron(")) {
            (Some(rate), _) => is_rate(rate),
            (None, Some(cron)) => is_cron(cron),
            (None, None) => false,
        };
        if !is_right {
            return Err(format!(
                "{:?} is no schedule: write rate(1 hour), rate(5 minutes), or cron(0 6 ? * MON-FRI *), whose six fields are \
                 minutes, hours, day of the month, month, day of the week, year, with ? for one of the two days",
                self.schedule
            ));
        }
        let Some(input) = &self.input else { return Ok(()) };
        if input.len() > INPUT_LIMIT_BYTES {
            return Err(format!(
                "the input of {} has {} bytes, {INPUT_LIMIT_BYTES} are taken",
                self.schedule,
                input.len()
            ));
        }
        match serde_json::from_str::<serde_json::Value>(input) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the input of {} is no JSON: {error}", self.schedule)),
        }
    }
}

/// `5 minutes`; one of something is in the singular.
fn is_rate(text: &str) -> bool {
    let Some((number, unit)) = text.split_once(' ') else { return false };
    let is_plural = match number.parse::<u32>() {
        Ok(0) | Err(_) => return false,
        Ok(number) => number > 1,
    };
    let units = if is_plural { ["minutes", "hours", "days"] } else { ["minute", "hour", "day"] };
    units.contains(&unit)
}

/// Six fields of what cron knows, and one of the two days left open.
fn is_cron(text: &str) -> bool {
    let fields: Vec<_> = text.split(' ').collect();
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "*?,-/#".contains(c);
    let [_, _, day, _, weekday, _] = fields.as_slice() else { return false };
    let is_open = |field: &&str| *field == "?";
    fields.iter().all(|field| !field.is_empty() && field.chars().all(is_legal))
        && is_open(day) != is_open(weekday)
        && fields.iter().filter(|field| is_open(field)).count() == 1
}

impl Upload {
    fn check(&self) -> Result<(), String> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let bounded = (3..=63).contains(&self.bucket.len());
        if !bounded || !self.bucket.chars().all(legal) {
            return Err(format!(
                "{:?} is no bucket: 3 to 63 lower-case letters, digits, hyphens and dots",
                self.bucket
            ));
        }
        let bad = |text: &String| text.len() > 1_024 || text.chars().any(char::is_control);
        if bad(&self.prefix) || bad(&self.suffix) {
            return Err(format!("the prefix or suffix of {} is no part of a file's name", self.bucket));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Result<(), String> {
        check(&[Trigger::Schedule(Schedule { schedule: text.to_owned(), input: None })])
    }

    #[test]
    fn schedules_are_those_of_eventbridge() {
        for good in [
            "rate(1 minute)",
            "rate(5 minutes)",
            "rate(2 days)",
            "cron(0 6 ? * MON-FRI *)",
            "cron(0/15 8 1 * ? 2027)",
        ] {
            assert_eq!(schedule(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "5 minutes",
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "rate(5 weeks)",
            "rate(5)",
            "cron(0 6 * * *)",
            "cron(0 6 * * * *)",
            "cron(0 6 ? * ? *)",
            "cron(0 6 ? * MON $(x))",
            "at(2027-01-01T00:00:00)",
        ] {
            assert!(schedule(bad).unwrap_err().contains("is no schedule"), "{bad}");
        }
    }

    #[test]
    fn triggers_are_read_by_kind_and_refused_by_name() {
        let read = |text: &str| toml_like(text).and_then(|triggers: Vec<Trigger>| check(&triggers));
        assert_eq!(
            read(r#"[{"kind": "schedule", "schedule": "rate(1 hour)", "input": "{\"warm\": true}"}]"#),
            Ok(())
        );
        assert_eq!(
            read(r#"[{"kind": "upload", "bucket": "in-eu", "prefix": "new/", "suffix": ".csv"}]"#),
            Ok(())
        );
        let refused = |text| read(text).unwrap_err();
        assert!(refused(r#"[{"kind": "queue"}]"#).contains("queue"));
        assert!(refused(r#"[{"kind": "upload", "bucket": "in-eu", "sufix": ".csv"}]"#).contains("sufix"));
        assert!(refused(r#"[{"kind": "upload", "bucket": "In"}]"#).contains("is no bucket"));
        assert!(
            refused(r#"[{"kind": "schedule", "schedule": "rate(1 hour)", "input": "{"}]"#)
                .contains("is no JSON")
        );
        let twice = r#"{"kind": "upload", "bucket": "in-eu", "prefix": "a"}"#;
        assert!(refused(&format!("[{twice}, {twice}]")).contains("uploads to in-eu/a* stands there twice"));
    }

    fn toml_like(text: &str) -> Result<Vec<Trigger>, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}
