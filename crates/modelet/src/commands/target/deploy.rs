//! `modelet deploy --to` a cloud: the plan is shown, asked about, and carried out.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use modelet_cloud::plan::Plan;
use modelet_cloud::prices::Month;
use modelet_cloud::target::Status;
use modelet_cloud::{Delivery, Deployment, Target, delivery};
use modelet_core::{Code, FunctionName};
use modelet_package::shipment::unzip;
use modelet_platform::admin::views::UsagePage;
use serde_json::{Value, json};

use super::packaged::packaged;
use super::{Cloud, Connected, cloud_of, confirm, failed, show, with};
use crate::cli::target::DeployTo;
use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::image;
use crate::making;
use crate::output::{self, Progress};
use crate::report::Report;

/// The exit code of a plan that would change something.
const WOULD_CHANGE: u8 = 2;
/// What a platform recorded is of so many hours: the month of the price.
const MONTH_HOURS: u32 = 720;

pub async fn run(common: &Common, deploy: &Deploy, to: Cloud) -> Result<ExitCode, Report> {
    let asked = &deploy.target;
    let work = making::work_folder()?;
    let progress = Arc::new(Progress::start(format!("reading {}", deploy.making.path.display())));
    let wanted = wanted(deploy, to, work.path(), &progress).await?;
    progress.next("looking at what is there");
    let target = cloud_of(to, &asked.region, Some(asked)).await?;
    with!(target, target => deployed(common, asked, (to, &target), &wanted, progress).await)
}

async fn deployed<T: Target>(
    common: &Common,
    asked: &DeployTo,
    (to, target): (Cloud, &T),
    wanted: &Deployment,
    progress: Arc<Progress>,
) -> Result<ExitCode, Report> {
    let plan = target.plan(wanted).await?;
    let price = price(common, asked, target, wanted).await?;
    drop(progress);
    if let Some(file) = &asked.policy {
        T::policy(&plan).map_or(Ok(()), |policy| write_policy(file, &policy))?;
    }
    if !common.json {
        print((to, target), &wanted.name, &plan, price.as_ref(), asked);
    }
    if asked.plan {
        if common.json {
            output::json(&as_json((to.as_str(), target), &plan, price.as_ref(), None));
        }
        return Ok(would_change(&plan));
    }
    if !plan.is_empty() {
        if !asked.yes {
            confirm(&format!("Deploy {} to {}?", wanted.name, target.place()))?;
        }
        let progress = Progress::start("deploying");
        let applied = target.apply(&wanted.name, &plan, Some(wanted), &mut |line| progress.next(line)).await;
        drop(progress);
        applied.map_err(failed)?;
    }
    let status = target.status(&wanted.name).await?;
    if common.json {
        output::json(&as_json((to.as_str(), target), &plan, price.as_ref(), Some(&status)));
    } else {
        print_live((to, target), &status);
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of a plan that is only shown.
pub fn would_change<A>(plan: &Plan<A>) -> ExitCode {
    ExitCode::from(if plan.is_empty() { 0 } else { WOULD_CHANGE })
}

/// What is to be there: of a packaged artifact as it is, or as an image, which is made in the folder `work` or lies there already.
async fn wanted(
    deploy: &Deploy,
    to: Cloud,
    work: &Path,
    progress: &Arc<Progress>,
) -> Result<Deployment, Report> {
    let asked = &deploy.target;
    let path = packaged(&deploy.making, to.target(), asked.arch, work, progress).await?;
    let (card, zip) = delivery::read(&path)?;
    let processor = zip.processor;
    let delivery = match (to, &asked.image) {
        (_, Some(Some(reference))) => Delivery::Image { reference: reference.clone() },
        (Cloud::AwsLambda, None) => Delivery::Zip(zip),
        (Cloud::AwsLambda, Some(None)) | (Cloud::Sagemaker, _) => {
            let shipment = unzip::read(&path, &work.join("shipment"))?;
            let written = image::for_aws(shipment, asked.base.clone(), work, progress).await?;
            Delivery::Written(Arc::new(written))
        }
    };
    let name = deploy.making.name.clone().unwrap_or_else(|| card.name.clone());
    Ok(Deployment { name, card, processor, delivery, canary_percent: asked.canary })
}

/// What it costs with the calls that are said, or were recorded by the platform, if one runs and knows the function.
async fn price<T: Target>(
    common: &Common,
    asked: &DeployTo,
    target: &T,
    wanted: &Deployment,
) -> Result<Option<Month>, Report> {
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
    Ok(target.month(wanted, calls, ms_per_call, own.transpose()?.as_deref())?)
}

/// The calls of the last 30 days and the billed time of one.
async fn recorded(common: &Common, name: &FunctionName) -> Option<(u64, f64)> {
    let client = Client::find(common).ok()?;
    let path = format!("/api/v1/usage?hours={MONTH_HOURS}&by=all&function={name}");
    let total = client.get::<UsagePage>(&path).await.ok()?.total;
    (total.invocations > 0).then(|| (total.invocations, total.billed_ms as f64 / total.invocations as f64))
}

fn write_policy(file: &Path, policy: &Value) -> Result<(), Report> {
    let text = serde_json::to_string_pretty(policy).unwrap_or_default();
    std::fs::write(file, text + "\n")
        .map_err(|error| Report::new(Code::BadInput, format!("could not write {}: {error}", file.display())))
}

fn print<T: Target>(
    (to, target): (Cloud, &T),
    name: &FunctionName,
    plan: &Plan<T::Action>,
    price: Option<&Month>,
    asked: &DeployTo,
) {
    output::card_line("target", format!("{}: {name} in {}", to.title(), target.place()));
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
        Some(month) => show::bill(month),
        None if asked.calls_per_month.is_some() => {
            output::card_line(
                "price",
                "the card has no price of instances that are kept ready: --prices FILE",
            );
        }
        None => output::card_line("price", "say --calls-per-month N --ms-per-call MS to have it computed"),
    }
}

fn print_live<T: Target>((to, target): (Cloud, &T), status: &Status) {
    show::status(status);
    let name = &status.name;
    let try_it = match (&status.url, status.auth.as_deref()) {
        (Some(url), Some("for everybody")) => {
            format!("curl {url} -H 'content-type: application/json' -d '[[…]]'")
        }
        _ => {
            let region = target.region().map_or_else(String::new, |region| format!(" --region {region}"));
            format!("modelet invoke {name} '[[…]]' --to {}{region}", to.as_str())
        }
    };
    output::card_line("try", try_it);
}

/// A plan for machines, with what is there once it was carried out.
pub fn as_json<T: Target>(
    (to, target): (&str, &T),
    plan: &Plan<T::Action>,
    price: Option<&Month>,
    status: Option<&Status>,
) -> Value {
    json!({
        "target": to,
        "region": target.region(),
        "plan": plan,
        "permissions": plan.permissions(),
        "price": price,
        "status": status,
    })
}
