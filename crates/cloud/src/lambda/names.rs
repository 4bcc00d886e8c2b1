//! What the things of a function are called at Lambda.

use modelet_core::Target;
use modelet_core::manifest::{Schedule, Upload};

pub use crate::aws::names::{Names, TAG_ARTIFACT, TAG_FUNCTION, TAG_MANAGED, short};
use crate::repository::Repository;

/// The alias that clients call.
pub const ALIAS: &str = "live";
/// What a function may do, and no more: write its log.
const BASIC_POLICY: &str = "iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

impl Names {
    /// The function's ARN.
    pub fn function_arn(&self) -> String {
        self.arn("lambda", &format!("function:{}", self.function))
    }

    /// The alias' ARN.
    pub fn alias_arn(&self) -> String {
        format!("{}:{ALIAS}", self.function_arn())
    }

    /// The log group, as Lambda itself would call it.
    pub fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.function)
    }

    /// The log group's ARN.
    pub fn log_group_arn(&self) -> String {
        self.arn("logs", &format!("log-group:{}", self.log_group()))
    }

    /// The role. Roles are of an account and functions of a region, so the region tells them apart.
    pub fn role(&self) -> String {
        format!("modelet-{}-{}", self.within(), short(&[&self.region, &self.function]))
    }

    /// A role's ARN.
    pub fn role_arn(&self) -> String {
        self.iam_role_arn(&self.role())
    }

    /// The policy of a role that writes its log and does nothing else.
    pub fn basic_policy(&self) -> String {
        format!("arn:{}:{BASIC_POLICY}", self.partition)
    }

    /// Where the images lie.
    pub fn repository(&self) -> Repository {
        Repository::of(self, Target::AwsLambda)
    }

    /// The bucket for code that is too large to be sent, where none is named: one for all functions.
    pub fn bucket(&self) -> String {
        format!("modelet-{}-{}", self.account, self.region)
    }

    /// Where the function's code lies in it.
    pub fn code_prefix(&self) -> String {
        format!("{}/", self.function)
    }

    /// Where a zip lies in it.
    pub fn code_key(&self, sha256: &str) -> String {
        format!("{}{sha256}.zip", self.code_prefix())
    }

    /// What the names of the function's rules begin with.
    pub fn rule_prefix(&self) -> String {
        format!("modelet-{}-", self.within())
    }

    /// The rule of a schedule. Another schedule is another rule.
    pub fn rule(&self, schedule: &Schedule) -> String {
        let input = schedule.input.as_deref().unwrap_or_default();
        format!("{}{}", self.rule_prefix(), short(&[&self.function, &schedule.schedule, input]))
    }

    /// A rule's ARN.
    pub fn rule_arn(&self, rule: &str) -> String {
        self.arn("events", &format!("rule/{rule}"))
    }

    /// A bucket's ARN.
    pub fn bucket_arn(&self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition)
    }

    /// The id of what a bucket calls. Another prefix or suffix is another id.
    pub fn notification(&self, upload: &Upload) -> String {
        let digest = short(&[&self.function, &upload.bucket, &upload.prefix, &upload.suffix]);
        format!("modelet-{}-{digest}", self.within())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_within_what_aws_takes_and_tell_functions_and_regions_apart() {
        let names = |function: &str, region: &str| Names {
            function: function.to_owned(),
            partition: "aws",
            region: region.to_owned(),
            account: "123456789012".to_owned(),
        };
        let long = names(&"a".repeat(48), "ap-southeast-2");
        let schedule = Schedule { schedule: "rate(1 hour)".to_owned(), input: None };
        assert!(long.role().len() <= 64 && long.rule(&schedule).len() <= 64 && long.bucket().len() <= 63);
        assert_ne!(names("a", "eu-west-1").role(), names("a", "us-east-1").role());
        let other = names(&format!("{}b", "a".repeat(47)), "ap-southeast-2");
        assert_ne!(long.role(), other.role());
        assert_ne!(long.rule(&schedule), other.rule(&schedule));
        assert_eq!(
            long.alias_arn(),
            format!("arn:aws:lambda:ap-southeast-2:123456789012:function:{}:live", "a".repeat(48))
        );
    }
}
