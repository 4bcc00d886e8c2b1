//! Does what a plan says, at AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use modelet_core::base64;
use serde_json::{Value, json};

use super::action::{Action, Grant};
use super::names::{ALIAS, Names, TAG_ARTIFACT};
use super::there::There;
use super::wanted::{Code, Wanted};
use crate::apply::{Hand, Inverse};
use crate::aws::Aws;
use crate::aws::s3::Notification;
use crate::error::{CloudError, Kind, gone, made};
use crate::traffic::{NEW, Traffic};

/// IAM's roles are known to Lambda some seconds after they are made: how often a function is tried to be made until then.
const ROLE_TRIES: u32 = 30;
/// Between two tries.
const ROLE_WAIT: Duration = Duration::from_secs(2);
/// Who may assume the role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Who does it.
pub struct LambdaHand<'a> {
    /// The account.
    pub aws: &'a Aws,
    /// What the things are called.
    pub names: &'a Names,
    /// What is wanted; `None` where things are taken away.
    pub wanted: Option<&'a Wanted>,
    /// What was there before.
    pub before: &'a There,
    /// The version that was published.
    pub new_version: Option<String>,
}

impl Hand for LambdaHand<'_> {
    type Action = Action;

    async fn carry_out(&mut self, action: &Action) -> Result<(), CloudError> {
        let (aws, names) = (self.aws, self.names);
        let name = names.function.as_str();
        match action {
            Action::CreateLogGroup => made(aws.create_log_group(&names.log_group(), &names.tags()).await),
            Action::DeleteLogGroup => gone(aws.delete_log_group(&names.log_group()).await),
            Action::SetRetention(days) => aws.set_retention(&names.log_group(), *days).await,
            Action::CreateRole => made(aws.create_role(&names.role(), TRUST, &names.tags()).await),
            Action::DeleteRole => gone(aws.delete_role(&names.role()).await),
            Action::AttachPolicy => aws.attach_policy(&names.role(), &names.basic_policy()).await,
            Action::DetachPolicy => gone(aws.detach_policy(&names.role(), &names.basic_policy()).await),
            Action::PutPolicy(policy) => self.put_policy(policy).await,
            Action::DeletePolicy(policy) => gone(aws.delete_policy(&names.role(), policy).await),
            Action::CreateBucket(bucket) => aws.create_bucket(bucket).await,
            Action::TagBucket(bucket) => aws.tag_bucket(bucket, &bucket_tags(names)).await,
            Action::DeleteBucket(bucket) => emptied(aws.delete_bucket(bucket).await),
            Action::PutCode { bucket, key } => aws.put_object(bucket, key, self.zip()?.into()).await,
            Action::DeleteCode { bucket, key } => gone(aws.delete_object(bucket, key).await),
            Action::Images(action) => {
                let written = self.wanted.and_then(|wanted| wanted.written.as_deref());
                names.repository().carry_out(aws, names, written, action).await
            }
            Action::CreateFunction(role) => self.create_function(role).await,
            Action::DeleteFunction => gone(aws.delete_function(name, None).await),
            Action::Configure(settings, role) => {
                aws.settled(name, None).await?;
                aws.update_configuration(name, &settings.body(role)).await
            }
            Action::UpdateCode => self.update_code(None).await,
            Action::SetImage(reference) => self.update_code(Some(reference)).await,
            Action::Tag(artifact) => {
                let tags = BTreeMap::from([(TAG_ARTIFACT.to_owned(), artifact.clone())]);
                aws.tag_function(&names.function_arn(), &tags).await
            }
            Action::Publish => self.publish().await,
            Action::DeleteNewVersion => match &self.new_version {
                Some(version) => gone(aws.delete_function(name, Some(version)).await),
                None => Ok(()),
            },
            Action::DeleteVersion(version) => unused(aws.delete_function(name, Some(version)).await),
            Action::CreateAlias(traffic) => {
                let mut body = self.alias(traffic)?;
                body["Name"] = json!(ALIAS);
                aws.create_alias(name, &body).await
            }
            Action::Route(traffic) => aws.update_alias(name, ALIAS, &self.alias(traffic)?).await,
            Action::DeleteAlias => gone(aws.delete_alias(name, ALIAS).await),
            Action::SetReserved(calls) => aws.set_reserved(name, *calls).await,
            Action::SetProvisioned(instances) => aws.set_provisioned(name, ALIAS, *instances).await,
            Action::CreateUrl(auth) => made(aws.create_url(name, ALIAS, auth.as_api()).await),
            Action::SetAuth(auth) => aws.update_url(name, ALIAS, auth.as_api()).await,
            Action::DeleteUrl => gone(aws.delete_url(name, ALIAS).await),
            Action::Allow(grant) => made(aws.add_permission(name, ALIAS, &statement(grant, names)).await),
            Action::Forbid(id) => gone(aws.remove_permission(name, ALIAS, id).await),
            Action::PutRule(rule, schedule) => aws.put_rule(rule, &schedule.schedule, &names.tags()).await,
            Action::PutTarget(rule, schedule) => {
                aws.put_target(rule, &names.alias_arn(), schedule.input.as_deref()).await
            }
            Action::RemoveTarget(rule) => gone(aws.remove_target(rule).await),
            Action::DeleteRule(rule) => gone(aws.delete_rule(rule).await),
            Action::Notify(id, upload) => {
                let arn = names.alias_arn();
                let entry = Notification { id, arn: &arn, prefix: &upload.prefix, suffix: &upload.suffix };
                self.notify(&upload.bucket, id, Some(entry.entry())).await
            }
            Action::Unnotify { bucket, id } => self.notify(bucket, id, None).await,
        }
    }

    fn inverse(&self, action: &Action) -> Inverse<Action> {
        action.inverse(self.before)
    }
}

impl LambdaHand<'_> {
    fn wanted(&self) -> Result<&Wanted, CloudError> {
        // Only a plan that takes things away is carried out without.
        self.wanted.ok_or_else(|| CloudError::refused("there is nothing to be deployed"))
    }

    /// Lets the role read the secrets.
    async fn put_policy(&self, name: &str) -> Result<(), CloudError> {
        let document = self.wanted()?.role_policy().unwrap_or_default().to_string();
        self.aws.put_policy(&self.names.role(), name, &document).await
    }

    /// The zip, as long as it is the one that the plan was made for.
    fn zip(&self) -> Result<Vec<u8>, CloudError> {
        let (Code::Sent(zip) | Code::Bucket { zip, .. }) = &self.wanted()?.code else {
            return Err(CloudError::refused("an image is not a zip"));
        };
        let about = |why: String| CloudError::refused(format!("{}: {why}", zip.path.display()));
        let bytes = std::fs::read(&zip.path).map_err(|error| about(error.to_string()))?;
        match modelet_core::digest::sha256(bytes.as_slice()) {
            Ok((_, sha256)) if sha256 == zip.sha256 => Ok(bytes),
            _ => Err(about("it was changed since the plan was made".to_owned())),
        }
    }

    /// The code as the API takes it.
    fn code(&self) -> Result<Value, CloudError> {
        Ok(match &self.wanted()?.code {
            Code::Sent(_) => json!({"ZipFile": base64::encode(&self.zip()?)}),
            Code::Bucket { zip, bucket, .. } => {
                json!({"S3Bucket": bucket, "S3Key": self.names.code_key(&zip.sha256)})
            }
            Code::Image(reference) => json!({"ImageUri": reference}),
        })
    }

    /// Gives it the code that is wanted, or the image that it had; and the processor with it, since Lambda takes x86_64 where none is named.
    async fn update_code(&self, former: Option<&String>) -> Result<(), CloudError> {
        let (mut code, processor) = match former {
            None => (self.code()?, Some(self.wanted()?.processor)),
            Some(image) => {
                let before = self.before.function.as_ref();
                (json!({"ImageUri": image}), before.and_then(|function| function.processor))
            }
        };
        if let Some(processor) = processor {
            code["Architectures"] = json!([processor]);
        }
        self.aws.settled(&self.names.function, None).await?;
        self.aws.update_code(&self.names.function, &code).await
    }

    async fn create_function(&self, role: &str) -> Result<(), CloudError> {
        let wanted = self.wanted()?;
        let mut body = wanted.settings.body(role);
        let mut tags = self.names.tags();
        tags.insert(TAG_ARTIFACT.to_owned(), wanted.artifact.clone());
        body["FunctionName"] = json!(self.names.function);
        body["Code"] = self.code()?;
        body["PackageType"] = json!(if wanted.settings.runtime.is_some() { "Zip" } else { "Image" });
        body["Architectures"] = json!([wanted.processor]);
        body["Tags"] = json!(tags);
        let mut tries = 0;
        loop {
            let made = self.aws.create_function(&body).await;
            let is_early = made.as_ref().is_err_and(|error| error.message.contains("cannot be assumed"));
            tries += 1;
            if !is_early || tries == ROLE_TRIES {
                return made;
            }
            self.aws.pause(ROLE_WAIT).await;
        }
    }

    async fn publish(&mut self) -> Result<(), CloudError> {
        let (name, wanted) = (&self.names.function, self.wanted()?);
        self.aws.settled(name, None).await?;
        let version = self.aws.publish(name, &wanted.revision(), wanted.code_sha256().as_deref()).await?;
        self.aws.settled(name, Some(&version)).await?;
        if let Code::Image(reference) = &wanted.code {
            self.is_of(&version, reference).await?;
        }
        self.new_version = Some(version);
        Ok(())
    }

    /// Takes a version back that is of another image: somebody else deployed one in between. With zips Lambda itself looks.
    async fn is_of(&self, version: &str, image: &str) -> Result<(), CloudError> {
        let name = &self.names.function;
        let made = self.aws.version(name, version).await?;
        if made.is_some_and(|made| made.code.image_uri.as_deref() == Some(image)) {
            return Ok(());
        }
        gone(self.aws.delete_function(name, Some(version)).await)?;
        let why = format!("somebody else gave {name} another image while this one was deployed");
        Err(CloudError::new(Kind::Conflict, why).hint("deploy again, one after the other"))
    }

    /// An alias as the API takes it.
    fn alias(&self, traffic: &Traffic) -> Result<Value, CloudError> {
        let number = |version: &str| match (version, &self.new_version) {
            (NEW, Some(version)) => Ok(version.clone()),
            (NEW, None) => Err(CloudError::refused("no version was published")),
            (version, _) => Ok(version.to_owned()),
        };
        let canary = match &traffic.canary {
            Some(canary) => Some((number(&canary.version)?, canary.percent)),
            None => None,
        };
        let canary = canary.as_ref().map(|(version, percent)| (version.as_str(), *percent));
        Ok(alias_body(&number(&traffic.version)?, canary))
    }

    /// Reads what a bucket calls, changes the one entry, and writes it back.
    async fn notify(&self, bucket: &str, id: &str, entry: Option<String>) -> Result<(), CloudError> {
        let Some(mut entries) = self.aws.notifications(bucket).await? else {
            return match entry {
                None => Ok(()),
                Some(_) => Err(CloudError::new(Kind::NotFound, format!("there is no bucket {bucket}")).hint(
                    "make it, in the same region and account, or take the trigger out of modelet.toml",
                )),
            };
        };
        entries.retain(|(own, _)| own.as_deref() != Some(id));
        entries.extend(entry.map(|entry| (Some(id.to_owned()), entry)));
        self.aws.put_notifications(bucket, entries.iter().map(|(_, entry)| entry.as_str())).await
    }
}

/// Who gets the calls, as the API takes it: a version, and another with a part of the calls.
pub fn alias_body(version: &str, canary: Option<(&str, u8)>) -> Value {
    // No weights at all are what takes a canary away.
    let mut weights = serde_json::Map::new();
    if let Some((version, percent)) = canary {
        weights.insert(version.to_owned(), json!(f64::from(percent) / 100.0));
    }
    json!({"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}})
}

/// The statement that lets somebody in, as the API takes it.
fn statement(grant: &Grant, names: &Names) -> Value {
    let id = grant.id();
    match grant {
        Grant::Url => json!({
            "StatementId": id, "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE",
        }),
        Grant::UrlInvoke => json!({
            "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": true,
        }),
        Grant::Rule(rule) => json!({
            "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
            "SourceArn": names.rule_arn(rule),
        }),
        // A bucket's name may be another's one day: the account is part of who is let in.
        Grant::Bucket { bucket, .. } => json!({
            "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
            "SourceArn": names.bucket_arn(bucket), "SourceAccount": names.account,
        }),
    }
}

/// The bucket is for all functions: its tags name none.
fn bucket_tags(names: &Names) -> BTreeMap<String, String> {
    let mut tags = names.tags();
    tags.remove(super::names::TAG_FUNCTION);
    tags
}

/// A version that somebody has begun to use since the plan was made stays.
fn unused(answer: Result<(), CloudError>) -> Result<(), CloudError> {
    made(gone(answer))
}

/// A bucket in which something of another function lies stays.
fn emptied(answer: Result<(), CloudError>) -> Result<(), CloudError> {
    match gone(answer) {
        Err(error) if error.is("BucketNotEmpty") => Ok(()),
        other => other,
    }
}
