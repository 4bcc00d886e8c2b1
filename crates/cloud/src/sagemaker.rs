//! The target `sagemaker`: a serverless endpoint with a role and a log, whose versions are models of images in a repository of ECR.
//!
//! - [`wanted`]: what is to be there; [`there`]: what is there; [`names`]: what the things are called
//! - [`steps`]: the plan, a pure function of the two; [`policy`]: what it needs to be allowed
//! - [`action`]: what can be done, and what takes it back; [`hand`]: does it

pub mod action;
pub mod hand;
pub mod names;
pub mod policy;
pub mod steps;
pub mod there;
pub mod wanted;

use std::collections::BTreeMap;

use bytes::Bytes;
use modelet_aws::secret::Reference;
use modelet_core::FunctionName;
use modelet_core::target::limits::Of;
use serde_json::Value;

use crate::apply::{self, Failed};
use crate::aws::Aws;
use crate::aws::names::Names;
use crate::aws::sagemaker::Serverless;
use crate::aws::service::SAGEMAKER_RUNTIME;
use crate::error::{CloudError, Kind, found};
use crate::plan::Plan;
use crate::prices::Month;
use crate::prices::sagemaker::SagemakerPrices;
use crate::secrets;
use crate::target::{Answered, Call, Deployment, LogLine, Status, Target};
use crate::traffic::{Shift, Traffic};
use action::Action;
use hand::{SagemakerHand, route};
use there::{There, look};
use wanted::Wanted;

/// What may be asked for besides what the artifact's card says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// A role that is there already, by ARN.
    pub role: Option<String>,
    /// How long the log is kept, days.
    pub retention_days: u32,
    /// Instances kept ready.
    pub provisioned: Option<u32>,
    /// Versions kept besides the one that has the calls and the one that gets them.
    pub keep_versions: usize,
    /// What its secrets are at AWS, by their names; others are those of the same names.
    pub secrets: BTreeMap<String, Reference>,
}

/// SageMaker's Serverless Inference, in one region of one account.
#[derive(Debug)]
pub struct Sagemaker {
    aws: Aws,
    account: String,
    options: Options,
}

impl Sagemaker {
    /// Asks AWS who one is, and is ready.
    ///
    /// # Errors
    /// When the credentials are not valid, or AWS cannot be reached.
    pub async fn new(aws: Aws, options: Options) -> Result<Self, CloudError> {
        let account = aws.account().await?;
        Ok(Self { aws, account, options })
    }

    fn names(&self, name: &FunctionName) -> Names {
        Names::new(name, &self.aws.place, &self.account)
    }

    /// What is to be there, its secrets included, which have to be there.
    async fn wanted(&self, deployment: &Deployment) -> Result<Wanted, CloudError> {
        let wanted = Wanted::of(deployment, self.names(&deployment.name), &self.options)?;
        let declared = &deployment.card.manifest.secrets;
        let secrets = secrets::find(&self.aws, &wanted.names, declared, &self.options.secrets).await?;
        Ok(Wanted { secrets, ..wanted })
    }

    /// What is there of a function whose endpoint is of our making.
    async fn there(&self, name: &FunctionName) -> Result<(There, there::Endpoint), CloudError> {
        let names = self.names(name);
        let there = look(&self.aws, &names, None).await?;
        let endpoint = there.endpoint.clone().ok_or_else(|| {
            CloudError::new(Kind::NotFound, format!("there is no endpoint {name} in {}", names.region))
                .hint("modelet deploy … --to sagemaker; or is it in another region? --region")
        })?;
        if names.are_ours(&endpoint.tags) {
            return Ok((there, endpoint));
        }
        Err(CloudError::refused(format!("the endpoint {name} in {} was not made by modelet", names.region)))
    }
}

impl Target for Sagemaker {
    type Action = Action;

    fn place(&self) -> String {
        self.aws.words(&self.account)
    }

    fn region(&self) -> Option<&str> {
        Some(&self.aws.place.region)
    }

    fn policy(plan: &Plan<Action>) -> Option<Value> {
        Some(policy::document(plan))
    }

    fn month(
        &self,
        wanted: &Deployment,
        calls: u64,
        ms_per_call: f64,
        prices: Option<&str>,
    ) -> Result<Option<Month>, CloudError> {
        let wanted = Wanted::of(wanted, self.names(&wanted.name), &self.options)?;
        SagemakerPrices::read(prices).map(|card| card.month(calls, ms_per_call, wanted.serverless))
    }

    async fn plan(&self, wanted: &Deployment) -> Result<Plan<Action>, CloudError> {
        let wanted = self.wanted(wanted).await?;
        let there = look(&self.aws, &wanted.names, Some(&wanted)).await?;
        steps::plan(&wanted, &there)
    }

    async fn remove(&self, name: &FunctionName) -> Result<Plan<Action>, CloudError> {
        let names = self.names(name);
        steps::removal::plan(&names, &look(&self.aws, &names, None).await?)
    }

    async fn apply(
        &self,
        name: &FunctionName,
        plan: &Plan<Action>,
        wanted: Option<&Deployment>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), Failed> {
        let names = self.names(name);
        let wanted = match wanted {
            Some(wanted) => Some(self.wanted(wanted).await.map_err(Failed::not_begun)?),
            None => None,
        };
        // What is taken back is taken back to what is there now, which has to be what the plan was made of.
        let before = look(&self.aws, &names, wanted.as_ref()).await.map_err(Failed::not_begun)?;
        let now = match &wanted {
            Some(wanted) => steps::plan(wanted, &before),
            None => steps::removal::plan(&names, &before),
        };
        apply::is_still(name, plan, now)?;
        let (aws, names, wanted, before) = (&self.aws, &names, wanted.as_ref(), &before);
        apply::carry_out(plan, &mut SagemakerHand { aws, names, wanted, before }, tell).await
    }

    async fn status(&self, name: &FunctionName) -> Result<Status, CloudError> {
        let (there, endpoint) = self.there(name).await?;
        let variant = endpoint.told.production_variants.first();
        let limits = variant.and_then(|variant| variant.current_serverless_config);
        let runtime = self.aws.place.endpoint(&SAGEMAKER_RUNTIME);
        Ok(Status {
            name: name.clone(),
            resource: endpoint.told.endpoint_arn,
            state: endpoint.told.endpoint_status,
            traffic: endpoint.version.map(|number| Traffic::all(number.to_string())),
            artifact: there.versions.last().map(|version| version.artifact.clone()),
            versions: there.versions.iter().map(|version| version.number.to_string()).collect(),
            url: Some(format!("{runtime}/endpoints/{name}/invocations")),
            auth: Some("for those whom IAM lets call it".to_owned()),
            settings: limits.map(rows).unwrap_or_default(),
        })
    }

    async fn logs(
        &self,
        name: &FunctionName,
        since_ms: i64,
        most: usize,
    ) -> Result<Vec<LogLine>, CloudError> {
        let group = self.names(name).endpoint_log_group();
        let events = found(self.aws.log_events(&group, since_ms, most).await)?;
        let events = events.ok_or_else(|| {
            CloudError::new(Kind::NotFound, format!("there is no log {group} in {}", self.aws.place.region))
        })?;
        Ok(events.into_iter().map(LogLine::from).collect())
    }

    async fn invoke(&self, name: &FunctionName, call: Call) -> Result<Answered, CloudError> {
        if call.version.is_some() {
            return Err(one_version());
        }
        let most = core_limit(Of::Request);
        if call.body.len() as u64 > most {
            let why = format!("SageMaker takes {most} bytes in a call, and these are {}", call.body.len());
            return Err(CloudError::refused(why));
        }
        let body = call.body.clone();
        match self.aws.invoke_endpoint(name.as_str(), body, call.content_type(), call.accept()).await {
            Ok(answer) => Ok(Answered { version: None, failed: None, body: answer.body }),
            Err(error) if error.is("ModelError") => Ok(Answered {
                version: None,
                failed: Some("ModelError".to_owned()),
                body: Bytes::from(error.message),
            }),
            Err(error) => Err(error),
        }
    }

    async fn traffic(&self, _: &FunctionName, _: &Shift) -> Result<Traffic, CloudError> {
        Err(one_version())
    }

    async fn rollback(&self, name: &FunctionName) -> Result<Traffic, CloudError> {
        let (there, endpoint) = self.there(name).await?;
        let before = there.before_live().ok_or_else(|| {
            let has = endpoint.version.map_or_else(|| "none".to_owned(), |number| number.to_string());
            CloudError::refused(format!("there is no version before {has}, which has the calls"))
        })?;
        route(&self.aws, &self.names(name), before).await?;
        Ok(Traffic::all(before.to_string()))
    }
}

/// Why calls are not given to two versions.
fn one_version() -> CloudError {
    CloudError::refused("a serverless endpoint of SageMaker has one version at a time, which gets all calls")
        .hint("deploy it as a function of another name to try it, or --to aws-lambda, which can give a part of the calls to a version")
}

fn core_limit(of: Of) -> u64 {
    modelet_core::Target::Sagemaker.limit(of).unwrap_or(u64::MAX)
}

/// The limits of an endpoint, for people.
fn rows(limits: Serverless) -> Vec<(String, String)> {
    let mut rows = vec![
        ("memory".to_owned(), format!("{} MB", limits.memory_mb)),
        ("calls at once".to_owned(), limits.max_concurrency.to_string()),
    ];
    rows.extend(limits.provisioned.map(|ready| ("kept ready".to_owned(), ready.to_string())));
    rows
}
