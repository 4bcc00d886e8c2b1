//! The target `aws-lambda`: a function with a role, a log, published versions, the alias `live`, an address and triggers.
//!
//! - [`wanted`]: what is to be there; [`there`]: what is there; [`names`]: what the things are called, and their tags
//! - [`start`]: how a zip is started
//! - [`steps`]: the plan, a pure function of the two; [`policy`]: what it needs to be allowed
//! - [`action`]: what can be done, and what takes it back; [`hand`]: does it

pub mod action;
pub mod hand;
pub mod names;
pub mod policy;
pub mod start;
pub mod steps;
pub mod there;
pub mod wanted;

use std::collections::BTreeMap;
use std::str::FromStr;

use modelet_aws::secret::Reference;
use modelet_core::FunctionName;
use serde_json::Value;

use crate::apply::{self, Failed};
use crate::aws::Aws;
use crate::error::{CloudError, Kind, found};
use crate::plan::Plan;
use crate::prices::{LambdaPrices, Month, Use};
use crate::secrets;
use crate::target::{Answered, Call, Deployment, LogLine, Status, Target};
use crate::traffic::{Shift, Traffic, rolled_back, shifted};
use action::Action;
use hand::{LambdaHand, alias_body};
use names::{ALIAS, Names, TAG_ARTIFACT};
use there::{There, look, traffic};
use wanted::Wanted;

/// Who may call a function's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Who signs with credentials of AWS that may.
    Iam,
    /// Everybody.
    None,
    /// There is no address.
    Off,
}

impl Auth {
    fn read(text: &str) -> Self {
        if text == "NONE" { Self::None } else { Self::Iam }
    }

    /// As the API takes it.
    pub const fn as_api(self) -> &'static str {
        match self {
            Self::None => "NONE",
            // An address that is not there is not written.
            Self::Iam | Self::Off => "AWS_IAM",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Iam => "for those whom IAM lets call it",
            Self::None => "for everybody",
            Self::Off => "for nobody",
        }
    }
}

impl FromStr for Auth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "iam" => Ok(Self::Iam),
            "none" => Ok(Self::None),
            "off" => Ok(Self::Off),
            _ => Err("an address is for iam, none (everybody may call it) or off (there is none)".to_owned()),
        }
    }
}

/// What may be asked for besides what the artifact's card says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// A role that is there already, by ARN.
    pub role: Option<String>,
    /// A bucket through which code goes, whatever its size.
    pub bucket: Option<String>,
    /// How long the log is kept, days.
    pub retention_days: u32,
    /// Who may call its address.
    pub url: Option<Auth>,
    /// Calls at once.
    pub reserved: Option<u32>,
    /// Instances kept ready.
    pub provisioned: Option<u32>,
    /// Versions kept besides those that somebody may call.
    pub keep_versions: usize,
    /// What its secrets are at AWS, by their names; others are those of the same names.
    pub secrets: BTreeMap<String, Reference>,
}

/// AWS Lambda, in one region of one account.
#[derive(Debug)]
pub struct AwsLambda {
    aws: Aws,
    account: String,
    options: Options,
}

impl AwsLambda {
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
        let found = secrets::find(&self.aws, &wanted.names, declared, &self.options.secrets).await?;
        wanted.with_secrets(found)
    }

    /// A function of our making as it is there.
    async fn there(&self, name: &FunctionName) -> Result<there::Function, CloudError> {
        let names = self.names(name);
        let function = there::function(&self.aws, &names).await?.ok_or_else(|| {
            CloudError::new(Kind::NotFound, format!("there is no function {name} in {}", names.region))
                .hint("modelet deploy … --to aws-lambda; or is it in another region? --region")
        })?;
        if names.are_ours(&function.tags) {
            return Ok(function);
        }
        Err(CloudError::refused(format!("the function {name} in {} was not made by modelet", names.region)))
    }

    async fn route(&self, name: &FunctionName, next: Traffic) -> Result<Traffic, CloudError> {
        let canary = next.canary.as_ref().map(|canary| (canary.version.as_str(), canary.percent));
        self.aws.update_alias(name.as_str(), ALIAS, &alias_body(&next.version, canary)).await?;
        let aliases = self.aws.aliases(name.as_str()).await?;
        let alias = aliases.into_iter().find(|alias| alias.name == ALIAS);
        alias.map(traffic).ok_or_else(|| CloudError::new(Kind::NotFound, format!("{name} has no alias live")))
    }
}

impl Target for AwsLambda {
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
        let (memory_mb, tmp_mb) = (wanted.settings.memory_mb, wanted.settings.tmp_mb);
        let (processor, ready) = (wanted.processor, wanted.provisioned.unwrap_or(0));
        let used = Use { processor, calls, ms_per_call, memory_mb, tmp_mb, ready };
        let card = LambdaPrices::read(prices)?;
        let bill = card.month(used);
        Ok(Some(Month { used, bill, date: card.date, source: card.source }))
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
        let before: There = look(&self.aws, &names, wanted.as_ref()).await.map_err(Failed::not_begun)?;
        let now = match &wanted {
            Some(wanted) => steps::plan(wanted, &before),
            None => steps::removal::plan(&names, &before),
        };
        apply::is_still(name, plan, now)?;
        let (aws, names, wanted, before) = (&self.aws, &names, wanted.as_ref(), &before);
        apply::carry_out(plan, &mut LambdaHand { aws, names, wanted, before, new_version: None }, tell).await
    }

    async fn status(&self, name: &FunctionName) -> Result<Status, CloudError> {
        let function = self.there(name).await?;
        let settings = &function.settings;
        let versions = function.numbers().map(str::to_owned).collect();
        let mut rows = vec![
            ("memory".to_owned(), format!("{} MB", settings.memory_mb)),
            ("time-out".to_owned(), format!("{} s", settings.timeout_s)),
            ("/tmp".to_owned(), format!("{} MB", settings.tmp_mb)),
        ];
        rows.extend(function.reserved.map(|calls| ("calls at once".to_owned(), calls.to_string())));
        rows.extend(function.provisioned.map(|ready| ("kept ready".to_owned(), ready.to_string())));
        Ok(Status {
            name: name.clone(),
            resource: function.arn,
            state: function.state,
            versions,
            traffic: function.traffic,
            artifact: function.tags.get(TAG_ARTIFACT).cloned(),
            auth: function.url.as_ref().map(|(_, auth)| auth.words().to_owned()),
            url: function.url.map(|(url, _)| url),
            settings: rows,
        })
    }

    async fn logs(
        &self,
        name: &FunctionName,
        since_ms: i64,
        most: usize,
    ) -> Result<Vec<LogLine>, CloudError> {
        let group = self.names(name).log_group();
        let events = found(self.aws.log_events(&group, since_ms, most).await)?;
        let events = events.ok_or_else(|| {
            CloudError::new(Kind::NotFound, format!("there is no log {group} in {}", self.aws.place.region))
        })?;
        Ok(events.into_iter().map(LogLine::from).collect())
    }

    async fn invoke(&self, name: &FunctionName, call: Call) -> Result<Answered, CloudError> {
        if let Some(kind) = call.other_than_json() {
            let why = format!("what AWS Lambda's Invoke takes and gives is JSON, and not {kind}");
            return Err(CloudError::refused(why).hint(
                "give the rows as JSON; or call the function's address, which deploy --url makes, by curl",
            ));
        }
        let version = call.version.as_deref().unwrap_or(ALIAS);
        let answer = self.aws.invoke(name.as_str(), version, call.body).await?;
        let header = |name: &str| answer.headers.get(name)?.to_str().ok().map(str::to_owned);
        Ok(Answered {
            version: header("x-amz-executed-version"),
            failed: header("x-amz-function-error"),
            body: answer.body.clone(),
        })
    }

    async fn traffic(&self, name: &FunctionName, shift: &Shift) -> Result<Traffic, CloudError> {
        let function = self.there(name).await?;
        let versions: Vec<_> = function.numbers().collect();
        let next = shifted(function.traffic.as_ref(), &versions, shift)?;
        self.route(name, next).await
    }

    async fn rollback(&self, name: &FunctionName) -> Result<Traffic, CloudError> {
        let function = self.there(name).await?;
        let versions: Vec<_> = function.numbers().collect();
        let next = rolled_back(function.traffic.as_ref(), &versions)?;
        self.route(name, next).await
    }
}
