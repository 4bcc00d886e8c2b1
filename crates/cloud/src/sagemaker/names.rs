//! What the things of a function are called at SageMaker.

use modelet_core::Target;

use crate::aws::names::{Names, short};
use crate::repository::Repository;

/// The tag whose value tells versions apart: the same one is the same image, role and limits.
pub const TAG_REVISION: &str = "modelet:revision";

impl Names {
    /// The endpoint's ARN.
    pub fn endpoint_arn(&self) -> String {
        self.arn("sagemaker", &format!("endpoint/{}", self.function))
    }

    /// What the model and the config of a version are called.
    pub fn model(&self, version: u64) -> String {
        format!("{}{version}", self.model_prefix())
    }

    /// What the names of models and configs begin with.
    pub fn model_prefix(&self) -> String {
        format!("{}-", self.function)
    }

    /// The version that a model or a config is of; `None` for the name of something else.
    pub fn version_of(&self, name: &str) -> Option<u64> {
        let number = name.strip_prefix(&self.model_prefix())?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }

    /// A model's ARN.
    pub fn model_arn(&self, version: u64) -> String {
        self.arn("sagemaker", &format!("model/{}", self.model(version)))
    }

    /// A config's ARN.
    pub fn config_arn(&self, version: u64) -> String {
        self.arn("sagemaker", &format!("endpoint-config/{}", self.model(version)))
    }

    /// The log group, as SageMaker itself would call it.
    pub fn endpoint_log_group(&self) -> String {
        format!("/aws/sagemaker/Endpoints/{}", self.function)
    }

    /// The log group's ARN.
    pub fn endpoint_log_group_arn(&self) -> String {
        self.arn("logs", &format!("log-group:{}", self.endpoint_log_group()))
    }

    /// The role that models run in: not that of a function of Lambda's of the same name.
    pub fn endpoint_role(&self) -> String {
        let own = short(&[Target::Sagemaker.as_str(), &self.region, &self.function]);
        format!("modelet-{}-{own}", self.within())
    }

    /// Where the images lie.
    pub fn endpoint_repository(&self) -> Repository {
        Repository::of(self, Target::Sagemaker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(function: &str) -> Names {
        Names {
            function: function.to_owned(),
            partition: "aws",
            region: "ap-southeast-2".to_owned(),
            account: "123456789012".to_owned(),
        }
    }

    #[test]
    fn versions_are_told_from_those_of_functions_with_longer_names() {
        let churn = names("churn");
        assert_eq!((churn.version_of("churn-12"), churn.version_of("churn-1-2")), (Some(12), None));
        assert_eq!((churn.version_of("churn-"), churn.version_of("churn-eu-1")), (None, None));
        assert_eq!(names("churn-1").version_of("churn-1-2"), Some(2));
    }

    #[test]
    fn names_are_within_what_sagemaker_takes() {
        let long = names(&"a".repeat(48));
        assert!(long.model(999_999).len() <= 63 && long.endpoint_role().len() <= 64);
        assert_ne!(long.endpoint_role(), long.role());
        assert!(long.endpoint_repository().image(&format!("sha256:{}", "0".repeat(64))).len() <= 255);
    }
}
