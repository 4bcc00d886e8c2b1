//! What each cloud takes of what was asked for. What it does not have is refused by name.

use modelet_cloud::{lambda, sagemaker};
use modelet_core::Code;

use crate::cli::target::{Cloud, DeployTo};
use crate::report::Report;

/// What AWS Lambda takes.
pub fn of_lambda(asked: &DeployTo) -> lambda::Options {
    lambda::Options {
        role: asked.role.clone(),
        bucket: asked.bucket.clone(),
        retention_days: asked.log_days,
        url: asked.url,
        reserved: asked.reserved_concurrency,
        provisioned: asked.provisioned_concurrency,
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
        retention_days: asked.log_days,
        provisioned: asked.provisioned_concurrency,
        secrets: asked.secrets.iter().cloned().collect(),
    })
}
