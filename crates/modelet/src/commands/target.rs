//! What is done at a cloud in the place of the platform: `--to TARGET`.

pub mod deploy;
mod options;
mod packaged;
mod show;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use modelet_cloud::aws::{Aws, Place};
use modelet_cloud::environment::Environment;
use modelet_cloud::http::Http;
use modelet_cloud::lambda::AwsLambda;
use modelet_cloud::sagemaker::Sagemaker;
use modelet_cloud::target::Shift;
use modelet_cloud::{CloudError, Target};
use modelet_core::Code;
use serde_json::{Value, json};

use super::delete::confirm;
use crate::cli::target::{Cloud, DeployTo, Region, Rollback, StatusOf, Traffic};
use crate::cli::{Common, Delete, Invoke, Logs};
use crate::output::{self, Progress};
use crate::report::Report;

/// How far back the log is shown where nothing is said, milliseconds.
const LOG_SPAN_MS: u64 = 3_600_000;

/// A cloud that has said who we are.
enum Connected {
    AwsLambda(AwsLambda),
    Sagemaker(Sagemaker),
}

/// Does the same with whichever it is.
macro_rules! with {
    ($connected:expr, $target:ident => $done:expr) => {
        match $connected {
            Connected::AwsLambda($target) => $done,
            Connected::Sagemaker($target) => $done,
        }
    };
}
use with;

/// The cloud that is meant. `asked`: what was asked for besides, where something is deployed.
async fn connected(to: Cloud, region: &Region, asked: Option<&DeployTo>) -> Result<Connected, Report> {
    let environment = Environment::new(|name| std::env::var(name).ok());
    let http = Arc::new(Http::new()?);
    let place = Place::find(http, environment, region.region.clone(), region.profile.clone())?;
    let aws = Aws::connect(place, now_s, jitter).await?;
    Ok(match to {
        Cloud::AwsLambda => {
            let options = asked.map(options::of_lambda).unwrap_or_default();
            Connected::AwsLambda(AwsLambda::new(aws, options).await?)
        }
        Cloud::Sagemaker => {
            let options = asked.map(options::of_sagemaker).transpose()?.unwrap_or_default();
            Connected::Sagemaker(Sagemaker::new(aws, options).await?)
        }
    })
}

/// Now, seconds since 1970.
fn now_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

/// A number from 0 to 1 that no other process has at the same time: the last digits of the clock.
fn jitter() -> f64 {
    f64::from(Timestamp::now().subsec_nanosecond().rem_euclid(1_000_000)) / 1e6
}

/// `modelet status`
pub async fn status(common: &Common, status: &StatusOf) -> Result<(), Report> {
    let target = connected(status.there.to, &status.there.region, None).await?;
    let status = with!(target, target => target.status(&status.name).await?);
    if common.json {
        output::json(&status);
    } else {
        show::status(&status);
    }
    Ok(())
}

/// `modelet logs --to`
pub async fn logs(common: &Common, to: Cloud, logs: &Logs) -> Result<(), Report> {
    let target = connected(to, &logs.elsewhere.region, None).await?;
    if logs.level.is_some() || logs.call.is_some() {
        return Err(Report::new(Code::BadInput, "the log of a cloud is not sought by level or call yet")
            .hint("take --json and jq: records of AWS Lambda are JSON"));
    }
    let span = i64::try_from(logs.since.unwrap_or(LOG_SPAN_MS)).unwrap_or(i64::MAX);
    let since_ms = Timestamp::now().as_millisecond().saturating_sub(span).max(0);
    let lines = with!(target, target => target.logs(&logs.name, since_ms, logs.lines).await?);
    for line in lines {
        if common.json {
            output::line(serde_json::to_string(&line).unwrap_or_default());
        } else {
            let (at, text) = (output::moment(line.at_ms), output::plain(line.text.trim_end()));
            output::line(format!("{at} {} {text}", line.instance));
        }
    }
    Ok(())
}

/// `modelet invoke --to`
pub async fn invoke(common: &Common, to: Cloud, invoke: &Invoke, body: Option<Bytes>) -> Result<(), Report> {
    let body = body.ok_or_else(|| {
        Report::new(Code::BadInput, "there is no body, and a function at a cloud has no sample")
            .hint(format!("give one: modelet invoke NAME '[[…]]' --to {}", to.as_str()))
    })?;
    let target = connected(to, &invoke.elsewhere.region, None).await?;
    let version = invoke.version.map(|version| version.to_string());
    let answer = with!(target, target => target.invoke(&invoke.name, version.as_deref(), body).await?);
    let text = String::from_utf8_lossy(&answer.body);
    if let Some(failed) = &answer.failed {
        return Err(Report::new(Code::HandlerFailed, format!("{} failed ({failed}): {text}", invoke.name))
            .hint(format!("look at its log: modelet logs {} --to {}", invoke.name, to.as_str())));
    }
    if common.json {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(text));
        output::json(&json!({"version": answer.version, "answer": said}));
    } else {
        output::line(text);
    }
    Ok(())
}

/// `modelet traffic`
pub async fn traffic(common: &Common, traffic: &Traffic) -> Result<(), Report> {
    let shift = match (traffic.promote, traffic.canary) {
        (true, _) => Shift::Promote,
        (false, Some(percent)) => Shift::Canary { percent, version: traffic.version.clone() },
        (false, None) => {
            return Err(Report::new(Code::BadInput, "nothing is said of the calls")
                .hint("say --canary 10, or --promote"));
        }
    };
    let target = connected(traffic.there.to, &traffic.there.region, None).await?;
    show::traffic(common, &with!(target, target => target.traffic(&traffic.name, &shift).await?));
    Ok(())
}

/// `modelet rollback`
pub async fn rollback(common: &Common, rollback: &Rollback) -> Result<(), Report> {
    let target = connected(rollback.there.to, &rollback.there.region, None).await?;
    show::traffic(common, &with!(target, target => target.rollback(&rollback.name).await?));
    Ok(())
}

/// `modelet delete --to`
pub async fn delete(common: &Common, to: Cloud, delete: &Delete) -> Result<(), Report> {
    let target = connected(to, &delete.elsewhere.region, None).await?;
    with!(target, target => removed(common, delete, &target).await)
}

async fn removed<T: Target>(common: &Common, delete: &Delete, target: &T) -> Result<(), Report> {
    let plan = target.remove(&delete.name).await?;
    if !common.json {
        show::steps(&plan);
    }
    if !delete.yes {
        confirm(&format!("Delete {} from {}?", delete.name, target.place()))?;
    }
    let progress = Progress::start("deleting");
    let removed = target.apply(&delete.name, &plan, None, &mut |line| progress.next(line)).await;
    drop(progress);
    removed.map_err(failed)?;
    if common.json {
        output::json(&json!({"name": delete.name, "steps": plan.steps, "notes": plan.notes}));
    } else {
        output::line(format!("deleted {} from {}", delete.name, target.place()));
    }
    Ok(())
}

/// What stopped in the middle, and what became of the rest.
fn failed(failed: modelet_cloud::apply::Failed) -> Report {
    let message = failed.to_string();
    let CloudError { kind, hint, .. } = *failed.error;
    let mut report = Report::from(CloudError { hint, ..CloudError::new(kind, message) });
    if !failed.undone.is_empty() {
        report = report.note("taken back", failed.undone.join(", "));
    }
    if !failed.kept.is_empty() {
        let kept: Vec<_> = failed.kept.iter().map(|(line, why)| format!("{line} ({why})")).collect();
        report = report.note("not taken back", kept.join(", "));
    }
    report
}
