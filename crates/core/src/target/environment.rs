//! The variables that a target sets, as far as they are true here, and those that nobody else may set there.

use std::collections::BTreeMap;

use super::Target;
use super::limits::Of;

/// Variables of AWS Lambda's own ("Defined runtime environment variables", the reserved ones).
const OF_LAMBDA: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
/// Those of Cloud Run's container contract.
const OF_CLOUD_RUN: &[&str] = &["K_CONFIGURATION", "K_REVISION", "K_SERVICE", "PORT"];
/// What those of Vertex AI begin with ("Custom container requirements for prediction").
const OF_VERTEX: &str = "AIP_";

/// What variables are made of.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The function's name.
    pub name: &'a str,
    /// Memory of an instance, MiB.
    pub memory_mib: u64,
    /// The region that the developer's own environment names.
    pub region: Option<&'a str>,
}

impl Target {
    /// The variables that are set there and true here: nothing is made up, such as credentials or a log group. Those that say how to
    /// reach the host are the runtime's own affair.
    pub fn variables(self, here: Situation<'_>) -> Vec<(&'static str, String)> {
        let Situation { name, memory_mib, region } = here;
        match self {
            Self::AwsLambda => {
                let mut variables = vec![
                    ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
                    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string()),
                    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
                    ("TZ", ":UTC".to_owned()),
                ];
                for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
                    variables.extend(region.map(|region| (variable, region.to_owned())));
                }
                variables
            }
            Self::CloudRun => vec![
                ("K_SERVICE", name.to_owned()),
                ("K_CONFIGURATION", name.to_owned()),
                ("K_REVISION", format!("{name}-dev")),
            ],
            Self::AzureFunctions => vec![
                ("FUNCTIONS_WORKER_RUNTIME", "custom".to_owned()),
                ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
            ],
            Self::Vertex => vec![("AIP_MODE", "PREDICTION".to_owned())],
            Self::Sagemaker => vec![],
        }
    }

    /// Refuses variables of the user's that the target keeps for itself, and more of them than it takes.
    ///
    /// # Errors
    /// One sentence that names the variable, or the size and the limit.
    pub fn check_environment(self, env: &BTreeMap<String, String>) -> Result<(), String> {
        self.refused_environment(env).into_iter().next().map_or(Ok(()), Err)
    }

    /// The same, with a sentence for each.
    pub fn refused_environment(self, env: &BTreeMap<String, String>) -> Vec<String> {
        let reserved = env.keys().filter(|name| self.reserves(name));
        let mut refused: Vec<String> = reserved
            .map(|name| format!("{} sets {name} itself: take it out of [env]", self.title()))
            .collect();
        let size: u64 = env.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum();
        refused.extend(
            self.limit(Of::Environment).filter(|most| size > *most).map(|most| {
                format!("the variables in [env] have {size} bytes, {} takes {most}", self.title())
            }),
        );
        refused
    }

    /// Where what is known of its own variables is from.
    pub const fn variables_source(self) -> &'static str {
        match self {
            Self::AwsLambda => {
                "AWS Lambda Developer Guide, Defined runtime environment variables; Lambda quotas"
            }
            Self::CloudRun => "Cloud Run documentation, Container runtime contract",
            Self::Vertex => "Vertex AI documentation, Custom container requirements for prediction",
            Self::AzureFunctions => "Azure Functions documentation, App settings reference",
            Self::Sagemaker => "SageMaker AI Developer Guide, Use your own inference code",
        }
    }

    /// True for a variable that nobody else may set there.
    pub fn reserves(self, variable: &str) -> bool {
        match self {
            Self::AwsLambda => OF_LAMBDA.contains(&variable),
            Self::CloudRun => OF_CLOUD_RUN.contains(&variable),
            Self::Vertex => variable.starts_with(OF_VERTEX),
            Self::AzureFunctions | Self::Sagemaker => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_set_that_is_not_true_here() {
        let here = Situation { name: "churn", memory_mib: 128, region: None };
        let lambda = Target::AwsLambda.variables(here);
        assert!(lambda.contains(&("AWS_LAMBDA_FUNCTION_NAME", "churn".to_owned())));
        assert!(!lambda.iter().any(|(name, _)| name.contains("REGION")), "{lambda:?}");
        let lambda = Target::AwsLambda.variables(Situation { region: Some("eu-west-1"), ..here });
        assert!(lambda.contains(&("AWS_REGION", "eu-west-1".to_owned())));
        let run = Target::CloudRun.variables(here);
        assert!(run.contains(&("K_SERVICE", "churn".to_owned())) && !run.iter().any(|(n, _)| *n == "PORT"));
    }

    #[test]
    fn variables_of_the_target_and_too_many_of_ones_own_are_refused() {
        let env = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let refused = |target: Target, env| target.check_environment(&env).unwrap_err();
        assert_eq!(
            refused(Target::AwsLambda, env("AWS_REGION", "x")),
            "AWS Lambda sets AWS_REGION itself: take it out of [env]"
        );
        assert!(refused(Target::CloudRun, env("PORT", "1")).contains("PORT"));
        assert!(refused(Target::Vertex, env("AIP_HTTP_PORT", "1")).contains("AIP_HTTP_PORT"));
        let two = BTreeMap::from([("AWS_REGION".into(), "x".into()), ("_HANDLER".into(), "y".repeat(4_096))]);
        assert_eq!(Target::AwsLambda.refused_environment(&two).len(), 3);
        assert_eq!(Target::Sagemaker.check_environment(&env("PORT", "1")), Ok(()));
        assert_eq!(Target::AwsLambda.check_environment(&env("MODE", &"x".repeat(4_092))), Ok(()));
        assert_eq!(
            refused(Target::AwsLambda, env("MODE", &"x".repeat(4_093))),
            "the variables in [env] have 4097 bytes, AWS Lambda takes 4096"
        );
    }
}
