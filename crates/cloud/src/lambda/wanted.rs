//! What is to be there: of the card, what is delivered and what was asked for, everything resolved and held against Lambda's limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use modelet_core::manifest::{Schedule, Trigger, Upload};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Processor, Target, base64};
use serde_json::{Value, json};

use super::names::Names;
use super::start::Start;
use super::{Auth, Options};
use crate::aws::lambda::Configuration;
use crate::aws::names::{digest, short};
use crate::delivery::{Delivery, WrittenImage, Zip};
use crate::error::CloudError;
use crate::repository;
use crate::secrets::{self, Secret};
use crate::target::Deployment;

/// The largest zip that is sent with the call; a larger one goes through S3 (Lambda quotas: 50 MB, which are MiB there, of the request,
/// in which a zip is base64).
const SENT_LIMIT_BYTES: u64 = 50 << 20;
/// Days for which CloudWatch keeps logs (API reference of `PutRetentionPolicy`).
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288,
    3_653,
];

/// What a revision begins with, and what stands before the artifact in it.
const REVISION: &str = "modelet ";
const OF: &str = " of sha256:";

/// What is to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What the things are called.
    pub names: Names,
    /// What the function is made of.
    pub code: Code,
    /// What it runs on.
    pub processor: Processor,
    /// How it runs.
    pub settings: Settings,
    /// The image that has to be brought to the region's registry first.
    pub written: Option<Arc<WrittenImage>>,
    /// The digest of the artifact.
    pub artifact: String,
    /// A role that is there already; `None`: one is made.
    pub role: Option<String>,
    /// How long the log is kept, days.
    pub retention_days: u32,
    /// The part of the calls that a new version gets at first, percent.
    pub canary_percent: Option<u8>,
    /// Who may call its address; `None`: what is there stays as it is.
    pub url: Option<Auth>,
    /// Calls at once; `None`: what is there stays as it is.
    pub reserved: Option<u32>,
    /// Instances kept ready; `None`: what is there stays as it is.
    pub provisioned: Option<u32>,
    /// Its secrets.
    pub secrets: Vec<Secret>,
    /// The schedules that call it.
    pub schedules: Vec<Schedule>,
    /// The uploads that call it.
    pub uploads: Vec<Upload>,
    /// Versions kept besides those that somebody may call.
    pub keep_versions: usize,
}

/// What a function is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    /// A zip that is sent with the call.
    Sent(Zip),
    /// A zip that lies in a bucket.
    Bucket {
        /// The zip.
        zip: Zip,
        /// The bucket.
        bucket: String,
        /// True where modelet makes it.
        is_ours: bool,
    },
    /// An image of the region's registry.
    Image(String),
}

/// How a function runs: what Lambda keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// What starts it, and what is called; `None` for an image, which says it itself.
    pub runtime: Option<(String, String)>,
    /// Memory, MB.
    pub memory_mb: u64,
    /// The time-out of a call, seconds.
    pub timeout_s: u64,
    /// `/tmp`, MB.
    pub tmp_mb: u64,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// What it is, for people.
    pub description: String,
}

impl Wanted {
    /// Resolves a deployment.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::error::Kind::Refused), by what Lambda does not have.
    pub fn of(deployment: &Deployment, names: Names, options: &Options) -> Result<Self, CloudError> {
        let card = &deployment.card;
        refuse(card)?;
        Target::AwsLambda.check_processor(deployment.processor).map_err(CloudError::refused)?;
        if !RETENTIONS.contains(&options.retention_days) {
            let known = RETENTIONS.map(|days| days.to_string()).join(", ");
            let why = format!("CloudWatch keeps logs for {known} days, not for {}", options.retention_days);
            return Err(CloudError::refused(why));
        }
        let mut schedules = Vec::new();
        let mut uploads = Vec::new();
        for trigger in &card.manifest.triggers {
            match trigger {
                Trigger::Schedule(schedule) => schedules.push(schedule.clone()),
                Trigger::Upload(upload) => uploads.push(upload.clone()),
            }
        }
        let code = code(&deployment.delivery, &names, options)?;
        let mut settings = settings(card);
        if !matches!(code, Code::Image(_)) {
            let Start { runtime, handler, variable } = Start::of(card)?;
            settings.runtime = Some((runtime, handler));
            settings.environment.extend(variable.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(Self {
            names,
            code,
            processor: deployment.processor,
            settings,
            written: match &deployment.delivery {
                Delivery::Written(written) => Some(Arc::clone(written)),
                _ => None,
            },
            artifact: deployment.delivery.digest().to_owned(),
            role: options.role.clone(),
            retention_days: options.retention_days,
            canary_percent: deployment.canary_percent,
            url: options.url,
            reserved: options.reserved,
            provisioned: options.provisioned,
            secrets: Vec::new(),
            schedules,
            uploads,
            keep_versions: options.keep_versions,
        })
    }

    /// The same with its secrets, which variables name.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::error::Kind::Refused), for more variables than Lambda takes.
    pub fn with_secrets(mut self, found: Vec<Secret>) -> Result<Self, CloudError> {
        self.settings.environment.extend(secrets::environment(&found));
        Target::AwsLambda.check_environment(&self.settings.environment).map_err(CloudError::refused)?;
        self.secrets = found;
        Ok(self)
    }

    /// What the role of our making allows besides writing the log: reading the secrets. `None` where there are none.
    pub fn role_policy(&self) -> Option<Value> {
        let statements = secrets::statements(&self.secrets, &self.names);
        (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
    }

    /// What that policy is called: another one has another name.
    pub fn role_policy_name(&self) -> Option<String> {
        self.role_policy().map(|policy| format!("modelet-{}", short(&[&policy.to_string()])))
    }

    /// The role that it runs in.
    pub fn role_arn(&self) -> String {
        self.role.clone().unwrap_or_else(|| self.names.role_arn())
    }

    /// What tells its versions apart, and is written into each: code and settings, and by itself the artifact.
    pub fn revision(&self) -> String {
        let settings = &self.settings;
        let runtime = settings.runtime.as_ref().map_or("image", |(runtime, _)| runtime);
        let numbers = format!("{} {} {}", settings.memory_mb, settings.timeout_s, settings.tmp_mb);
        let variables: String =
            settings.environment.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
        let handler = settings.runtime.as_ref().map_or("", |(_, handler)| handler);
        let (role, processor) = (self.role_arn(), self.processor.as_str());
        let started = [&self.artifact, runtime, handler, processor];
        let run = [&numbers, &variables, &role, &settings.description].map(String::as_str);
        format!("{REVISION}{}{OF}{}", digest(&[started, run].concat()), self.artifact)
    }

    /// The digest of its code as Lambda tells it; `None` for an image.
    pub fn code_sha256(&self) -> Option<String> {
        let (Code::Sent(zip) | Code::Bucket { zip, .. }) = &self.code else { return None };
        let bytes: Vec<u8> = (0..zip.sha256.len() / 2)
            .filter_map(|at| u8::from_str_radix(zip.sha256.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        Some(base64::encode(&bytes))
    }
}

/// The artifact of a version of our making, by what is written into it.
pub fn artifact_of(revision: &str) -> Option<&str> {
    revision.strip_prefix(REVISION)?.split_once(OF).map(|(_, artifact)| artifact)
}

impl Settings {
    /// Those of a function that is there.
    pub fn read(there: &Configuration) -> Self {
        Self {
            runtime: there.runtime.clone().zip(there.handler.clone()),
            memory_mb: there.memory_size,
            timeout_s: there.timeout,
            tmp_mb: there.ephemeral_storage.size,
            environment: there.environment.clone().unwrap_or_default().variables,
            description: there.description.clone(),
        }
    }

    /// As the API takes them.
    pub fn body(&self, role: &str) -> Value {
        let mut body = json!({
            "Role": role,
            "Description": self.description,
            "MemorySize": self.memory_mb,
            "Timeout": self.timeout_s,
            "EphemeralStorage": {"Size": self.tmp_mb},
            "Environment": {"Variables": self.environment},
        });
        if let Some((runtime, handler)) = &self.runtime {
            body["Runtime"] = json!(runtime);
            body["Handler"] = json!(handler);
        }
        body
    }
}

/// Refuses what Lambda does not have, or modelet does not do there yet.
fn refuse(card: &ArtifactCard) -> Result<(), CloudError> {
    let lambda = Target::AwsLambda;
    if let Some(variable) = card.manifest.secrets.keys().find(|variable| lambda.reserves(variable)) {
        let why = format!("{} sets {variable} itself: take it out of [secrets]", lambda.title());
        return Err(CloudError::refused(why));
    }
    lambda.impose(&mut card.manifest.settings.clone()).map_err(CloudError::refused)?;
    lambda.check_environment(&card.manifest.env).map_err(CloudError::refused)
}

fn code(delivery: &Delivery, names: &Names, options: &Options) -> Result<Code, CloudError> {
    match delivery {
        Delivery::Zip(zip) => {
            let most = Target::AwsLambda.limit(Of::Unzipped).unwrap_or(u64::MAX);
            if zip.unzipped_bytes > most {
                return Err(CloudError::refused(format!(
                    "AWS Lambda takes {most} bytes unzipped, {} has {}",
                    zip.path.display(),
                    zip.unzipped_bytes
                ))
                .hint("deploy it as a container image, which may have 10 GB: --image"));
            }
            // As base64 it is a third larger.
            let is_sent = zip.size_bytes / 3 * 4 < SENT_LIMIT_BYTES && options.bucket.is_none();
            let bucket = options.bucket.clone().unwrap_or_else(|| names.bucket());
            Ok(if is_sent {
                Code::Sent(zip.clone())
            } else {
                Code::Bucket { zip: zip.clone(), bucket, is_ours: options.bucket.is_none() }
            })
        }
        Delivery::Written(written) => {
            Ok(Code::Image(names.repository().image(&written.image.manifest.digest)))
        }
        Delivery::Image { reference } => {
            repository::check(reference, names, Target::AwsLambda)?;
            Ok(Code::Image(reference.clone()))
        }
        Delivery::Artifact(_) | Delivery::There { .. } => Err(CloudError::refused(
            "AWS Lambda takes a zip or a container image, and no artifact of a platform's",
        )),
    }
}

fn settings(card: &ArtifactCard) -> Settings {
    let limit = |of, value: u64| Target::AwsLambda.limit(of).map_or(value, |most| value.min(most));
    let least = Target::AwsLambda.limit(Of::LeastMemory).unwrap_or(0);
    let timeout_ms = limit(Of::Timeout, card.settings.request_timeout_ms);
    Settings {
        runtime: None,
        memory_mb: limit(Of::MostMemory, card.settings.memory_mib.max(least)),
        timeout_s: timeout_ms.div_ceil(1_000),
        tmp_mb: limit(
            Of::Tmp,
            card.settings.tmp_mib.max(Target::AwsLambda.limit(Of::DefaultTmp).unwrap_or(0)),
        ),
        environment: card.manifest.env.clone(),
        description: card.manifest.description.clone().unwrap_or_default(),
    }
}
