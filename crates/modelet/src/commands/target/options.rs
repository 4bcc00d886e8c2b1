//! What each target takes of what was asked for. What it does not have is refused by name.

use modelet_cloud::{lambda, sagemaker};
use modelet_core::Code;

use crate::cli::target::{Cloud, DeployTo, Region};
use crate::report::Report;

/// For how long a cloud keeps the log where nothing is said, days.
const LOG_DAYS: u32 = 30;
/// Old versions that a cloud keeps where nothing is said.
const KEPT_VERSIONS: u16 = 10;

/// Refuses what is said for a cloud where a platform is deployed to.
///
/// # Errors
/// `bad-input` for what it does not have.
pub fn of_platform(asked: &DeployTo) -> Result<(), Report> {
    let settings = "it has limits of its own: --set NAME=VALUE";
    let others = [
        ("--policy", asked.policy.is_some(), "nobody gives permissions there"),
        ("--image", asked.image.is_some(), "it takes the artifact itself"),
        ("--arch", asked.arch.is_some(), "a function runs on its machine's own processor"),
        ("--base", asked.base.is_some(), "it takes the artifact itself"),
        ("--url", asked.url.is_some(), "a function has its address from the start: /fn/NAME"),
        ("--role", asked.role.is_some(), "instances have no role: they run in a sandbox"),
        ("--secret", !asked.secrets.is_empty(), "it has secrets of its own: modelet secret set NAME"),
        ("--bucket", asked.bucket.is_some(), "it takes the artifact itself"),
        ("--log-days", asked.log_days.is_some(), "--log-rows-limit of modelet up says how much it keeps"),
        (
            "--keep-versions",
            asked.keep_versions.is_some(),
            "it keeps all of them: DELETE …/versions/N of its API",
        ),
        ("--reserved-concurrency", asked.reserved_concurrency.is_some(), settings),
        ("--provisioned-concurrency", asked.provisioned_concurrency.is_some(), settings),
        ("--calls-per-month", asked.calls_per_month.is_some(), "nothing is paid there"),
        ("--prices", asked.prices.is_some(), "nothing is paid there"),
    ];
    let said = others.into_iter().find(|(_, is_asked, _)| *is_asked);
    said.map_or(Ok(()), |(option, _, why)| Err(not_of_a_platform(option).hint(why)))?;
    no_region(&asked.region)
}

/// Refuses a region where a platform is meant.
///
/// # Errors
/// `bad-input`.
pub fn no_region(region: &Region) -> Result<(), Report> {
    let said = [("--region", region.region.is_some()), ("--profile", region.profile.is_some())];
    let said = said.into_iter().find(|(_, is_said)| *is_said);
    said.map_or(Ok(()), |(option, _)| {
        Err(not_of_a_platform(option).hint("its address says which one it is: --to http://HOST:PORT"))
    })
}

fn not_of_a_platform(option: &str) -> Report {
    Report::new(Code::BadInput, format!("a platform has no {option}"))
}

/// What AWS Lambda takes.
pub fn of_lambda(asked: &DeployTo) -> lambda::Options {
    lambda::Options {
        role: asked.role.clone(),
        bucket: asked.bucket.clone(),
        retention_days: asked.log_days.unwrap_or(LOG_DAYS),
        url: asked.url,
        reserved: asked.reserved_concurrency,
        provisioned: asked.provisioned_concurrency,
        keep_versions: usize::from(asked.keep_versions.unwrap_or(KEPT_VERSIONS)),
        secrets: asked.secrets.iter().cloned().collect(),
    }
}

/// What SageMaker takes.
///
/// # Errors
/// `bad-input` for what it does not have.
pub fn of_sagemaker(asked: &DeployTo) -> Result<sagemaker::Options, Report> {
    let others = [
        ("--bucket", asked.bucket.is_some(), "its images lie in ECR"),
        ("--url", asked.url.is_some(), "an endpoint has an address, for those whom IAM lets call it"),
        ("--reserved-concurrency", asked.reserved_concurrency.is_some(), "say --set max_instances=N"),
    ];
    if let Some((option, _, why)) = others.into_iter().find(|(_, is_asked, _)| *is_asked) {
        let message = format!("{} has no {option}", Cloud::Sagemaker.title());
        return Err(Report::new(Code::BadInput, message).hint(why));
    }
    Ok(sagemaker::Options {
        role: asked.role.clone(),
        retention_days: asked.log_days.unwrap_or(LOG_DAYS),
        provisioned: asked.provisioned_concurrency,
        keep_versions: usize::from(asked.keep_versions.unwrap_or(KEPT_VERSIONS)),
        secrets: asked.secrets.iter().cloned().collect(),
    })
}
