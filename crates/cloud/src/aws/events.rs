//! EventBridge: rules that call a function by the clock.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::service::EVENTS;
use super::{Aws, listed, tags};
use crate::aws::call::Request;
use crate::error::CloudError;

/// The one target of our rules, by its name in them.
const TARGET: &str = "modelet";
/// Pages of rules that are read, at most.
const PAGES_LIMIT: usize = 20;

/// A rule as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its schedule.
    pub schedule: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it calls, by ARN, and with what; `None` where it calls nothing yet.
    pub target: Option<(String, Option<String>)>,
}

impl Aws {
    /// The rules whose names begin so.
    pub(crate) async fn rules(&self, prefix: &str) -> Result<Vec<Rule>, CloudError> {
        let mut rules = Vec::new();
        let mut body = json!({"NamePrefix": prefix});
        for _ in 0..PAGES_LIMIT {
            let answer = self.json(Request::json(&EVENTS, "ListRules", &body)).await?;
            for rule in answer["Rules"].as_array().into_iter().flatten() {
                rules.push(self.rule(rule).await?);
            }
            let Some(next) = answer["NextToken"].as_str() else { return Ok(rules) };
            body["NextToken"] = json!(next);
        }
        Err(CloudError::refused(format!("there are more than {} rules {prefix}…", rules.len())))
    }

    async fn rule(&self, rule: &Value) -> Result<Rule, CloudError> {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        let tagged = json!({"ResourceARN": text("Arn")});
        let tagged = self.json(Request::json(&EVENTS, "ListTagsForResource", &tagged)).await?;
        let targets = json!({"Rule": text("Name")});
        let targets = self.json(Request::json(&EVENTS, "ListTargetsByRule", &targets)).await?;
        let target =
            targets["Targets"].as_array().into_iter().flatten().find(|target| target["Id"] == TARGET);
        let target = target.and_then(|target| {
            Some((target["Arn"].as_str()?.to_owned(), target["Input"].as_str().map(str::to_owned)))
        });
        Ok(Rule {
            name: text("Name"),
            schedule: text("ScheduleExpression"),
            tags: tags(&tagged["Tags"]),
            target,
        })
    }

    /// Makes a rule.
    pub(crate) async fn put_rule(
        &self,
        name: &str,
        schedule: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let tags = listed(tags);
        let body = json!({"Name": name, "ScheduleExpression": schedule, "State": "ENABLED", "Tags": tags});
        self.events("PutRule", &body).await.map(drop)
    }

    /// Lets a rule call something.
    pub(crate) async fn put_target(
        &self,
        rule: &str,
        arn: &str,
        input: Option<&str>,
    ) -> Result<(), CloudError> {
        let mut target = json!({"Id": TARGET, "Arn": arn});
        if let Some(input) = input {
            target["Input"] = json!(input);
        }
        all_of(&self.events("PutTargets", &json!({"Rule": rule, "Targets": [target]})).await?)
    }

    /// Lets a rule call nothing.
    pub(crate) async fn remove_target(&self, rule: &str) -> Result<(), CloudError> {
        all_of(&self.events("RemoveTargets", &json!({"Rule": rule, "Ids": [TARGET]})).await?)
    }

    /// Deletes a rule, which calls nothing any more.
    pub(crate) async fn delete_rule(&self, rule: &str) -> Result<(), CloudError> {
        self.events("DeleteRule", &json!({"Name": rule})).await.map(drop)
    }

    async fn events(&self, operation: &'static str, body: &Value) -> Result<Value, CloudError> {
        self.json(Request::json(&EVENTS, operation, body)).await
    }
}

/// Operations on several things succeed as a whole, and say in the answer which of them failed.
fn all_of(answer: &Value) -> Result<(), CloudError> {
    let Some(failed) = answer["FailedEntries"].as_array().and_then(|failed| failed.first()) else {
        return Ok(());
    };
    let text = |name: &str| failed[name].as_str().unwrap_or_default();
    let message = format!("the rule's target was not taken: {} {}", text("ErrorCode"), text("ErrorMessage"));
    Err(CloudError::new(crate::error::Kind::Service, message))
}
