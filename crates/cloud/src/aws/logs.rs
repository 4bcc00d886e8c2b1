//! CloudWatch Logs: where a function's output lies.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::service::LOGS;
use super::{Aws, tags};
use crate::aws::call::Request;
use crate::aws::failure::senseless;
use crate::error::{CloudError, found};

/// Pages of records that are read, at most.
const PAGES_LIMIT: usize = 50;

/// A log group as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How long records are kept, days; `None`: for ever.
    pub retention_days: Option<u32>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its own.
    pub event_id: String,
    /// The moment, milliseconds since 1970.
    pub timestamp: i64,
    /// What was written.
    pub message: String,
    /// The stream, which is one instance.
    #[serde(default)]
    pub log_stream_name: String,
}

impl Aws {
    /// The log group of this name; `None` where there is none.
    pub(crate) async fn log_group(&self, name: &str) -> Result<Option<Group>, CloudError> {
        let body = json!({"logGroupNamePrefix": name});
        let answer = self.json(Request::json(&LOGS, "DescribeLogGroups", &body)).await?;
        let groups = answer["logGroups"].as_array().map_or(&[][..], Vec::as_slice);
        // Those whose names go on come with it, after it.
        let Some(group) = groups.iter().find(|group| group["logGroupName"] == name) else { return Ok(None) };
        let retention_days = group["retentionInDays"].as_u64().and_then(|days| u32::try_from(days).ok());
        let arn = group["arn"].as_str().unwrap_or_default().trim_end_matches(":*").to_owned();
        let tagged = json!({"resourceArn": arn});
        let tagged = found(self.json(Request::json(&LOGS, "ListTagsForResource", &tagged)).await)?;
        let tags = tagged.map(|answer| tags(&answer["tags"])).unwrap_or_default();
        Ok(Some(Group { retention_days, tags }))
    }

    /// Makes a log group.
    pub(crate) async fn create_log_group(
        &self,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        self.logs("CreateLogGroup", &json!({"logGroupName": name, "tags": tags})).await
    }

    /// Says how long records are kept; `None`: for ever.
    pub(crate) async fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), CloudError> {
        match days {
            Some(days) => {
                let body = json!({"logGroupName": name, "retentionInDays": days});
                self.logs("PutRetentionPolicy", &body).await
            }
            None => self.logs("DeleteRetentionPolicy", &json!({"logGroupName": name})).await,
        }
    }

    /// Deletes a log group with its records.
    pub(crate) async fn delete_log_group(&self, name: &str) -> Result<(), CloudError> {
        self.logs("DeleteLogGroup", &json!({"logGroupName": name})).await
    }

    /// Records since a moment, the oldest first, at most as many.
    pub(crate) async fn log_events(
        &self,
        name: &str,
        since_ms: i64,
        most: usize,
    ) -> Result<Vec<Event>, CloudError> {
        let mut events: Vec<Event> = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let mut body = json!({"logGroupName": name, "startTime": since_ms});
            if let Some(token) = &next {
                body["nextToken"] = json!(token);
            }
            let mut answer = self.json(Request::json(&LOGS, "FilterLogEvents", &body)).await?;
            let page: Vec<Event> = serde_json::from_value(answer["events"].take())
                .map_err(|_| senseless(&LOGS, "FilterLogEvents", 200))?;
            events.extend(page);
            next = answer["nextToken"].as_str().map(str::to_owned);
            if next.is_none() {
                events.sort_by_key(|event| event.timestamp);
                return Ok(events.split_off(events.len().saturating_sub(most)));
            }
        }
        // The newest, which are asked for, come last.
        let why = format!("{name} has more than {} records since then", events.len());
        Err(CloudError::refused(why).hint("ask for less: --since 5m"))
    }

    async fn logs(&self, operation: &'static str, body: &Value) -> Result<(), CloudError> {
        self.send(Request::json(&LOGS, operation, body)).await.map(drop)
    }
}
