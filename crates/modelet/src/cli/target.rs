//! The words of what lies elsewhere: clouds in the place of the platform.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, value_parser};
use modelet_cloud::lambda::Auth;
use modelet_cloud::registry::Reference;
use modelet_core::{FunctionName, Processor, Target};

use super::image::parse_image;

/// A target that is deployed to.
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

impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Target>()? {
            Target::AwsLambda => Ok(Self::AwsLambda),
            Target::Sagemaker => Ok(Self::Sagemaker),
            other => Err(format!("modelet deploys to aws-lambda and sagemaker today, and not to {other}")),
        }
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

/// A cloud in the place of the platform.
#[derive(Debug, Clone, Args)]
pub struct Elsewhere {
    /// Of the function at a cloud, in the place of the platform: aws-lambda, sagemaker
    #[arg(long, value_name = "TARGET")]
    pub to: Option<Cloud>,
    #[command(flatten)]
    pub region: Region,
}

/// A cloud, for commands that have no platform to talk to.
#[derive(Debug, Clone, Args)]
pub struct There {
    /// The cloud: aws-lambda, sagemaker
    #[arg(long, value_name = "TARGET")]
    pub to: Cloud,
    #[command(flatten)]
    pub region: Region,
}

/// How a cloud is deployed to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Deploying to a cloud (--to)")]
pub struct DeployTo {
    /// Deploy to a cloud in the place of the platform: aws-lambda, sagemaker. PATH may be what `modelet package` wrote, which is
    /// deployed as it is
    #[arg(long, value_name = "TARGET")]
    pub to: Option<Cloud>,
    #[command(flatten)]
    pub region: Region,
    /// Show what would be done, and do nothing; the exit code is 0 when nothing would change, 2 when something would
    #[arg(long, requires = "to")]
    pub plan: bool,
    /// Do not ask
    #[arg(long, short, requires = "to")]
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
    pub base: Option<Reference>,
    /// Give the new version a part of the calls at first, percent
    #[arg(long, value_name = "PERCENT", requires = "to", value_parser = value_parser!(u8).range(1..=99))]
    pub canary: Option<u8>,
    /// Who may call the function's address: iam, none (everybody may), off (there is none) [default: as it is; of a new one, off]
    #[arg(long, value_name = "WHO", requires = "to")]
    pub url: Option<Auth>,
    /// A role that the function runs in, by ARN [default: one is made, which may write the log]
    #[arg(long, value_name = "ARN", requires = "to")]
    pub role: Option<String>,
    /// A bucket through which the code goes [default: one is made for code that is too large to be sent]
    #[arg(long, value_name = "BUCKET", requires = "to")]
    pub bucket: Option<String>,
    /// Days for which the log is kept, one of CloudWatch's
    #[arg(long, value_name = "DAYS", requires = "to", default_value_t = 30)]
    pub log_days: u32,
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

/// `modelet status`
#[derive(Debug, Args)]
pub struct StatusOf {
    /// Name of the function
    pub name: FunctionName,
    #[command(flatten)]
    pub there: There,
}

/// `modelet traffic`
#[derive(Debug, Args)]
pub struct Traffic {
    /// Name of the function
    pub name: FunctionName,
    #[command(flatten)]
    pub there: There,
    /// Give a version this part of the calls, percent; 0: none any more
    #[arg(long, value_name = "PERCENT", value_parser = value_parser!(u8).range(0..=99), conflicts_with = "promote")]
    pub canary: Option<u8>,
    /// Which version gets it [default: the newest]
    #[arg(long, value_name = "N", requires = "canary")]
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
    pub there: There,
}
