//! `modelet deploy --to`: the plan is shown, asked about, and carried out.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use modelet_cloud::lambda::{AwsLambda, Options, action::Action, policy};
use modelet_cloud::plan::Plan;
use modelet_cloud::prices::{Bill, LambdaPrices, Use};
use modelet_cloud::target::Status;
use modelet_cloud::{Delivery, Deployment, Target as _, delivery};
use modelet_core::{Code, FunctionName, Target};
use modelet_platform::admin::views::UsagePage;
use serde_json::{Value, json};

use super::packaged::packaged;
use super::{Cloud, confirm, connected, failed, show};
use crate::cli::target::DeployTo;
use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::making;
use crate::output::{self, Progress};
use crate::report::Report;

/// The exit code of a plan that would change something.
const WOULD_CHANGE: u8 = 2;
/// What a platform recorded is of so many hours: the month of the price.
const MONTH_HOURS: u32 = 720;

/// The price of what is planned.
struct Price {
    card: LambdaPrices,
    used: Use,
    bill: Bill,
}

pub async fn run(common: &Common, deploy: &Deploy) -> Result<ExitCode, Report> {
    let asked = &deploy.target;
    let work = making::work_folder()?;
    let progress = Arc::new(Progress::start(format!("reading {}", deploy.making.path.display())));
    let path = packaged(&deploy.making, Target::AwsLambda, work.path(), &progress).await?;
    let wanted = wanted(deploy, &path)?;
    let options = Options {
        role: asked.role.clone(),
        bucket: asked.bucket.clone(),
        retention_days: asked.log_days,
        url: asked.url,
        reserved: asked.reserved_concurrency,
        provisioned: asked.provisioned_concurrency,
    };
    progress.next("looking at what is there");
    let target = connected(asked.to.unwrap_or(Cloud::AwsLambda), &asked.region, options).await?;
    let plan = target.plan(&wanted).await?;
    let price = price(common, asked, &target, &wanted).await?;
    drop(progress);
    if let Some(file) = &asked.policy {
        write_policy(file, &plan)?;
    }
    if !common.json {
        print(&target, &wanted.name, &plan, price.as_ref(), asked);
    }
    if asked.plan {
        if common.json {
            output::json(&as_json(&target, &plan, price.as_ref(), None));
        }
        return Ok(ExitCode::from(if plan.is_empty() { 0 } else { WOULD_CHANGE }));
    }
    if !plan.is_empty() {
        if !asked.yes {
            confirm(&format!("Deploy {} to {}?", wanted.name, target.place()))?;
        }
        let progress = Progress::start("deploying");
        let applied = target.apply(&wanted.name, &plan, Some(&wanted), &mut |line| progress.next(line)).await;
        drop(progress);
        applied.map_err(failed)?;
    }
    let status = target.status(&wanted.name).await?;
    if common.json {
        output::json(&as_json(&target, &plan, price.as_ref(), Some(&status)));
    } else {
        print_live(&target, &status);
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be there: of a packaged artifact, or of an image whose function that describes.
fn wanted(deploy: &Deploy, path: &Path) -> Result<Deployment, Report> {
    let asked = &deploy.target;
    let (card, zip) = delivery::read(path)?;
    let delivery = match &asked.image {
        Some(reference) => Delivery::Image { reference: reference.clone() },
        None => Delivery::Zip(zip),
    };
    let name = deploy.making.name.clone().unwrap_or_else(|| card.name.clone());
    Ok(Deployment { name, card, delivery, canary_percent: asked.canary })
}

/// What it costs with the calls that are said, or were recorded by the platform, if one runs and knows the function.
async fn price(
    common: &Common,
    asked: &DeployTo,
    target: &AwsLambda,
    wanted: &Deployment,
) -> Result<Option<Price>, Report> {
    let traffic = match (asked.calls_per_month, asked.ms_per_call) {
        (Some(calls), Some(ms)) => Some((calls, ms)),
        _ => recorded(common, &wanted.name).await,
    };
    let Some((calls, ms_per_call)) = traffic else { return Ok(None) };
    let own = asked.prices.as_ref().map(|path| {
        std::fs::read_to_string(path).map_err(|error| {
            Report::new(Code::BadInput, format!("could not read {}: {error}", path.display()))
        })
    });
    let card = LambdaPrices::read(own.transpose()?.as_deref())?;
    let used = target.used(wanted, calls, ms_per_call)?;
    let bill = card.month(used);
    Ok(Some(Price { card, used, bill }))
}

/// The calls of the last 30 days and the billed time of one.
async fn recorded(common: &Common, name: &FunctionName) -> Option<(u64, f64)> {
    let client = Client::find(common).ok()?;
    let path = format!("/api/v1/usage?hours={MONTH_HOURS}&by=all&function={name}");
    let total = client.get::<UsagePage>(&path).await.ok()?.total;
    (total.invocations > 0).then(|| (total.invocations, total.billed_ms as f64 / total.invocations as f64))
}

fn write_policy(file: &Path, plan: &Plan<Action>) -> Result<(), Report> {
    let text = serde_json::to_string_pretty(&policy::document(plan)).unwrap_or_default();
    std::fs::write(file, text + "\n")
        .map_err(|error| Report::new(Code::BadInput, format!("could not write {}: {error}", file.display())))
}

fn print(
    target: &AwsLambda,
    name: &FunctionName,
    plan: &Plan<Action>,
    price: Option<&Price>,
    asked: &DeployTo,
) {
    output::card_line("target", format!("AWS Lambda: {name} in {}", target.place()));
    if plan.is_empty() {
        output::card_line("unchanged", "all is there as it should be");
    }
    show::steps(plan);
    let permissions = plan.permissions().len();
    let written = asked.policy.as_ref().map_or_else(
        || "--policy FILE writes them".to_owned(),
        |file| format!("written to {}", file.display()),
    );
    output::card_line("needs", format!("{permissions} permissions, {written}"));
    match price {
        Some(Price { card, used, bill }) => show::bill(card, *used, bill),
        None => output::card_line("price", "say --calls-per-month N --ms-per-call MS to have it computed"),
    }
}

fn print_live(target: &AwsLambda, status: &Status) {
    show::status(status);
    let name = &status.name;
    let try_it = match (&status.url, status.auth.as_deref()) {
        (Some(url), Some("for everybody")) => {
            format!("curl {url} -H 'content-type: application/json' -d '[[…]]'")
        }
        _ => format!("modelet invoke {name} '[[…]]' --to aws-lambda --region {}", target.region()),
    };
    output::card_line("try", try_it);
}

fn as_json(target: &AwsLambda, plan: &Plan<Action>, price: Option<&Price>, status: Option<&Status>) -> Value {
    json!({
        "target": "aws-lambda",
        "region": target.region(),
        "plan": plan,
        "permissions": plan.permissions(),
        "price": price.map(|price| json!({
            "date": price.card.date, "source": price.card.source, "use": price.used, "bill": price.bill,
        })),
        "status": status,
    })
}
