//! Secrets Manager and the Parameter Store: what is known of a secret besides its value, which is not asked for.

use modelet_aws::secret::{Reference, Store};
use serde_json::{Value, json};

use super::Aws;
use super::call::Request;
use super::names::Names;
use super::service::{SECRETS_MANAGER, SSM};
use crate::error::{CloudError, found};

/// Pages of parameters that are read, at most.
const PAGES_LIMIT: usize = 10;

/// What is known of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its whole ARN.
    pub arn: String,
    /// The key of the customer's that it is sealed with, as its store tells it; `None`: AWS' own.
    pub key: Option<String>,
}

impl Aws {
    /// What is known of a secret; `None` where there is none.
    pub(crate) async fn describe_secret(
        &self,
        reference: &Reference,
        own: &Names,
    ) -> Result<Option<Described>, CloudError> {
        match reference.store {
            Store::SecretsManager => {
                let body = json!({"SecretId": reference.id});
                let asked = Request::json(&SECRETS_MANAGER, "DescribeSecret", &body);
                let arn = |told: &Value| told["ARN"].as_str().map(str::to_owned);
                Ok(found(self.json(asked).await)?.and_then(|told| described(&told, arn(&told)?, "KmsKeyId")))
            }
            Store::Parameters => {
                let filter = json!({"Key": "Name", "Option": "Equals", "Values": names(&reference.id)});
                let mut body = json!({"ParameterFilters": [filter]});
                // A page may be empty and have others after it.
                for _ in 0..PAGES_LIMIT {
                    let told = self.json(Request::json(&SSM, "DescribeParameters", &body)).await?;
                    let found = told["Parameters"].get(0).and_then(|told| {
                        let name = told["Name"].as_str()?.trim_start_matches('/');
                        let by_name = own.arn("ssm", &format!("parameter/{name}"));
                        let is_arn = reference.id.starts_with("arn:");
                        described(told, if is_arn { reference.id.clone() } else { by_name }, "KeyId")
                    });
                    if found.is_some() || told["NextToken"].is_null() {
                        return Ok(found);
                    }
                    body["NextToken"] = told["NextToken"].clone();
                }
                Ok(None)
            }
        }
    }
}

/// The names that a parameter may have. An ARN does not tell `/a` from `a`.
fn names(id: &str) -> Vec<&str> {
    match id.split_once(":parameter/") {
        None => vec![id],
        Some((arn, name)) if name.contains('/') => vec![&id[arn.len() + ":parameter".len()..]],
        Some((arn, name)) => vec![&id[arn.len() + ":parameter".len()..], name],
    }
}

fn described(told: &Value, arn: String, key: &str) -> Option<Described> {
    // One that is about to be deleted gives its value to nobody.
    if !told["DeletedDate"].is_null() {
        return None;
    }
    // AWS' own keys may be used by whoever may read what they seal.
    let key = told[key].as_str().filter(|key| !key.contains("alias/aws/"));
    Some(Described { arn, key: key.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_looked_for_by_the_names_that_their_arns_may_mean() {
        assert_eq!(names("/a/b"), ["/a/b"]);
        assert_eq!(names("arn:aws:ssm:eu-west-1:1:parameter/a/b"), ["/a/b"]);
        assert_eq!(names("arn:aws:ssm:eu-west-1:1:parameter/a"), ["/a", "a"]);
    }

    #[test]
    fn keys_of_aws_own_need_no_permission_and_what_is_being_deleted_is_not_there() {
        let told = |more: Value| {
            let mut told = json!({});
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            described(&told, "a".to_owned(), "KmsKeyId")
        };
        assert_eq!(told(json!({"KmsKeyId": "alias/aws/secretsmanager"})).unwrap().key, None);
        assert_eq!(told(json!({"KmsKeyId": "alias/mine"})).unwrap().key.as_deref(), Some("alias/mine"));
        assert_eq!(told(json!({"DeletedDate": 1.5})), None);
    }
}
