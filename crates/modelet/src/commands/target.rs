//! What is done at a target: `--to TARGET`.

pub mod deploy;
pub mod logs;
pub mod options;
mod packaged;
pub mod show;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use modelet_cloud::aws::{Aws, Place};
use modelet_cloud::environment::Environment;
use modelet_cloud::http::Http;
use modelet_cloud::lambda::AwsLambda;
use modelet_cloud::sagemaker::Sagemaker;
use modelet_cloud::target::Call;
use modelet_cloud::traffic::Shift;
use modelet_cloud::{CloudError, Target};
use modelet_core::Code;
use serde_json::{Value, json};

use super::delete::confirm;
use crate::cli::target::{Cloud, DeployTo, Elsewhere, Region, Rollback, StatusOf, To, Traffic};
use crate::cli::{Common, Delete, Invoke};
use crate::client::Client;
use crate::output::{self, Progress};
use crate::report::Report;
use crate::target::platform::Platform;

/// A platform, or a cloud that has said who we are.
enum Connected {
    Platform(Platform),
    AwsLambda(AwsLambda),
    Sagemaker(Sagemaker),
}

/// Does the same with whichever it is.
macro_rules! with {
    ($connected:expr, $target:ident => $done:expr) => {
        match $connected {
            Connected::Platform($target) => $done,
            Connected::AwsLambda($target) => $done,
            Connected::Sagemaker($target) => $done,
        }
    };
}
use with;

/// The target that is meant.
async fn connected(common: &Common, elsewhere: &Elsewhere) -> Result<Connected, Report> {
    match elsewhere.to() {
        To::Platform(address) => {
            options::no_region(&elsewhere.region)?;
            Ok(Connected::Platform(Platform::new(Client::of(common, &address)?)))
        }
        To::Cloud(cloud) => cloud_of(cloud, &elsewhere.region, None).await,
    }
}

/// A cloud. `asked`: what was asked for besides, where something is deployed.
async fn cloud_of(to: Cloud, region: &Region, asked: Option<&DeployTo>) -> Result<Connected, Report> {
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
    let target = connected(common, &status.elsewhere).await?;
    let status = with!(target, target => target.status(&status.name).await?);
    if common.json {
        output::json(&status);
    } else {
        show::status(&status);
    }
    Ok(())
}

/// `modelet invoke --to`
pub async fn invoke(
    common: &Common,
    to: &To,
    invoke: &Invoke,
    body: Option<(Bytes, Option<&str>)>,
) -> Result<(), Report> {
    let (body, kind) = body.ok_or_else(|| {
        Report::new(Code::BadInput, "there is no body, and a function of a target has no sample")
            .hint(format!("give one: modelet invoke NAME '[[…]]' --to {to}"))
    })?;
    let target = connected(common, &invoke.elsewhere).await?;
    let call = Call {
        version: invoke.version.map(|version| version.to_string()),
        body,
        content_type: invoke.content_type.as_deref().or(kind).map(str::to_owned),
        accept: invoke.accept.clone(),
    };
    let answer = with!(target, target => target.invoke(&invoke.name, call).await?);
    let text = String::from_utf8_lossy(&answer.body);
    if let Some(failed) = &answer.failed {
        return Err(Report::new(Code::HandlerFailed, format!("{} failed ({failed}): {text}", invoke.name))
            .hint(format!("look at its log: modelet logs {} --to {to}", invoke.name)));
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
    let shift = match (traffic.promote, traffic.canary, &traffic.version) {
        (true, ..) => Shift::Promote,
        (false, Some(percent), version) => Shift::Canary { percent, version: version.clone() },
        (false, None, Some(version)) => Shift::All(version.clone()),
        (false, None, None) => {
            return Err(Report::new(Code::BadInput, "nothing is said of the calls")
                .hint("say --canary 10, --promote, or --version N"));
        }
    };
    let target = connected(common, &traffic.elsewhere).await?;
    show::traffic(common, &with!(target, target => target.traffic(&traffic.name, &shift).await?));
    Ok(())
}

/// `modelet rollback`
pub async fn rollback(common: &Common, rollback: &Rollback) -> Result<(), Report> {
    let target = connected(common, &rollback.elsewhere).await?;
    show::traffic(common, &with!(target, target => target.rollback(&rollback.name).await?));
    Ok(())
}

/// `modelet delete --to`
pub async fn delete(common: &Common, delete: &Delete) -> Result<(), Report> {
    let target = connected(common, &delete.elsewhere).await?;
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
pub fn failed(failed: modelet_cloud::apply::Failed) -> Report {
    let message = failed.to_string();
    let CloudError { kind, hint, code, .. } = *failed.error;
    let mut report = Report::from(CloudError { hint, code, ..CloudError::new(kind, message) });
    if !failed.undone.is_empty() {
        report = report.note("taken back", failed.undone.join(", "));
    }
    if !failed.kept.is_empty() {
        let kept: Vec<_> = failed.kept.iter().map(|(line, why)| format!("{line} ({why})")).collect();
        report = report.note("not taken back", kept.join(", "));
    }
    report
}
