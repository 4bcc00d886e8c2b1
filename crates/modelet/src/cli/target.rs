//! The words of targets: the platform that runs here, another one, a cloud.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, value_parser};
use modelet_cloud::lambda::Auth;
use modelet_cloud::registry;
use modelet_cloud::secrets::Reference;
use modelet_core::{FunctionName, Processor, Target};

use super::image::parse_image;

/// A cloud that is deployed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// AWS Lambda.
    AwsLambda,
    /// SageMaker's Serverless Inference.
    Sagemaker,
}

impl Cloud {
    /// The target that it is.
    pub const fn target(self) -> Target {
        match self {
            Self::AwsLambda => Target::AwsLambda,
            Self::Sagemaker => Target::Sagemaker,
        }
    }

    /// The name on command lines.
    pub const fn as_str(self) -> &'static str {
        self.target().as_str()
    }

    /// The name in sentences.
    pub const fn title(self) -> &'static str {
        self.target().title()
    }
}

/// Where a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// On a platform of ours.
    Platform(Address),
    /// At a cloud.
    Cloud(Cloud),
}

/// Which platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The one that other commands talk to as well: `local`.
    Local,
    /// The one at this URL.
    Url(String),
}

impl Default for To {
    fn default() -> Self {
        Self::Platform(Address::Local)
    }
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::default());
        }
        if text.contains("://") {
            return Ok(Self::Platform(Address::Url(text.to_owned())));
        }
        let others = "local and http://HOST:PORT are platforms";
        match text.parse::<Target>().map_err(|why| format!("{why}; {others}"))? {
            Target::AwsLambda => Ok(Self::Cloud(Cloud::AwsLambda)),
            Target::Sagemaker => Ok(Self::Cloud(Cloud::Sagemaker)),
            other => Err(format!(
                "modelet deploys to aws-lambda and sagemaker today, and not to {other}; {others}"
            )),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform(Address::Local) => "local",
            Self::Platform(Address::Url(url)) => url,
            Self::Cloud(cloud) => cloud.as_str(),
        })
    }
}

/// Which place of a cloud.
#[derive(Debug, Clone, Args)]
pub struct Region {
    /// The region [default: AWS_REGION, else the profile's]
    #[arg(long, value_name = "REGION", requires = "to")]
    pub region: Option<String>,
    /// The profile of ~/.aws whose credentials are used [default: as AWS' own tools find them]
    #[arg(long, value_name = "NAME", requires = "to")]
    pub profile: Option<String>,
}

/// Which function is meant.
#[derive(Debug, Clone, Args)]
pub struct Elsewhere {
    /// Where the function is: local (a platform of this machine), http://HOST:PORT (another one), aws-lambda, sagemaker [default: local]
    #[arg(long, value_name = "TARGET")]
    pub to: Option<To>,
    #[command(flatten)]
    pub region: Region,
}

impl Elsewhere {
    /// Where the function is.
    pub fn to(&self) -> To {
        self.to.clone().unwrap_or_default()
    }
}

/// How a cloud is deployed to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Deploying elsewhere (--to)")]
pub struct DeployTo {
    /// Where it goes: local (a platform of this machine), http://HOST:PORT (another one), aws-lambda, sagemaker [default: local]. For a
    /// cloud PATH may be what `modelet package` wrote, which is deployed as it is
    #[arg(long, value_name = "TARGET")]
    pub to: Option<To>,
    #[command(flatten)]
    pub region: Region,
    /// Show what would be done, and do nothing; the exit code is 0 when nothing would change, 2 when something would
    #[arg(long)]
    pub plan: bool,
    /// Do not ask; a platform is deployed to without a question anyway
    #[arg(long, short)]
    pub yes: bool,
    /// Write the permissions that the plan needs into this file, as a policy of IAM
    #[arg(long, value_name = "FILE", requires = "to")]
    pub policy: Option<PathBuf>,
    /// Run a container image, which is made of PATH and brought to the region's registry (ECR); or this one that lies there already,
    /// named by its digest. For sagemaker it is always one
    #[arg(long, value_name = "IMAGE", requires = "to")]
    pub image: Option<Option<String>>,
    /// The processor: x86_64 or arm64 [default: this machine's; that of what is packaged already]
    #[arg(long, value_name = "ARCH", requires = "to")]
    pub arch: Option<Processor>,
    /// The image that it stands on [default: none for a model, python:X.Y-slim for Python code]
    #[arg(long, value_name = "IMAGE", requires = "to", value_parser = parse_image)]
    pub base: Option<registry::Reference>,
    /// Give the new version a part of the calls at first, percent
    #[arg(long, value_name = "PERCENT", value_parser = value_parser!(u8).range(1..=99))]
    pub canary: Option<u8>,
    /// Who may call the function's address: iam, none (everybody may), off (there is none) [default: as it is; of a new one, off]
    #[arg(long, value_name = "WHO", requires = "to")]
    pub url: Option<Auth>,
    /// A role that the function runs in, by ARN [default: one is made, which may write the log and read its secrets]
    #[arg(long, value_name = "ARN", requires = "to")]
    pub role: Option<String>,
    /// What a secret of modelet.toml is at AWS, by its name there: an ARN of Secrets Manager, `:json-key:version-stage:version-id` after it or
    /// not, or ssm:PARAMETER; may be said again [default: the secret of that name in Secrets Manager]
    #[arg(long = "secret", value_name = "NAME=ARN", requires = "to", value_parser = parse_secret)]
    pub secrets: Vec<(String, Reference)>,
    /// A bucket through which the code goes [default: one is made for code that is too large to be sent]
    #[arg(long, value_name = "BUCKET", requires = "to")]
    pub bucket: Option<String>,
    /// Days for which the log is kept, one of CloudWatch's [default: 30]
    #[arg(long, value_name = "DAYS", requires = "to")]
    pub log_days: Option<u32>,
    /// Versions that are kept for a way back, besides those that have calls or an alias; older ones are deleted, with their images
    /// [default: 10]
    #[arg(long, value_name = "N", requires = "to", value_parser = value_parser!(u16).range(0..=1_000))]
    pub keep_versions: Option<u16>,
    /// Calls at once, at most; kept for this function [default: as it is]
    #[arg(long, value_name = "N", requires = "to", value_parser = value_parser!(u32).range(0..=100_000))]
    pub reserved_concurrency: Option<u32>,
    /// Instances that are kept ready, and paid for [default: as it is]
    #[arg(long, value_name = "N", requires = "to", value_parser = value_parser!(u32).range(0..=100_000))]
    pub provisioned_concurrency: Option<u32>,
    /// Calls a month, for the price [default: what the platform recorded of the function in 30 days]
    #[arg(long, value_name = "N", requires = "ms_per_call")]
    pub calls_per_month: Option<u64>,
    /// The time of a call, for the price, milliseconds
    #[arg(long, value_name = "MS", requires = "calls_per_month")]
    pub ms_per_call: Option<f64>,
    /// A card of prices of your own (a copy of the target's in modelet's crates/cloud/src/prices)
    #[arg(long, value_name = "FILE", requires = "to")]
    pub prices: Option<PathBuf>,
}

/// A secret's name, and what it is at AWS.
fn parse_secret(text: &str) -> Result<(String, Reference), String> {
    let (name, reference) = text.split_once('=').ok_or_else(|| format!("{text:?} is no NAME=ARN"))?;
    Ok((name.to_owned(), reference.parse()?))
}

/// `modelet status`
#[derive(Debug, Args)]
pub struct StatusOf {
    /// Name of the function
    pub name: FunctionName,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// `modelet traffic`
#[derive(Debug, Args)]
pub struct Traffic {
    /// Name of the function
    pub name: FunctionName,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// Give a version this part of the calls, percent; 0: none any more
    #[arg(long, value_name = "PERCENT", value_parser = value_parser!(u8).range(0..=99), conflicts_with = "promote")]
    pub canary: Option<u8>,
    /// Which version gets that part [default: the newest]; without --canary it gets all calls
    #[arg(long, value_name = "N", conflicts_with = "promote")]
    pub version: Option<String>,
    /// Give all calls to the version that has a part of them
    #[arg(long)]
    pub promote: bool,
}

/// `modelet rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// Name of the function
    pub name: FunctionName,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}
