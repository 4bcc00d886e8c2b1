//! The secrets of a function at AWS: by reference, in stores of AWS' own. Values are neither read nor written here.
//!
//! A name of `[secrets]` is the secret of that name in Secrets Manager, or what `--secret NAME=ARN` says. The function's environment
//! holds [references](modelet_aws::secret), which its runtime reads when it starts.

use std::collections::BTreeMap;

pub use modelet_aws::secret::Reference;
use modelet_aws::secret::{ENV_PREFIX, Store};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::aws::names::Names;
use crate::aws::place::domain;
use crate::aws::policy::Needs;
use crate::aws::service::{SECRETS_MANAGER, SSM};
use crate::error::CloudError;

/// A secret that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The variable that gets its value.
    pub variable: String,
    /// Its name in `modelet.toml`.
    pub name: String,
    /// What names it, by its whole ARN.
    pub reference: Reference,
    /// The key of the customer's that it is sealed with, by its ARN or alias; `None`: AWS' own.
    pub key: Option<String>,
}

/// Finds the secrets that a function declares, variables with names. `asked`: what some of them are at AWS, by name.
///
/// # Errors
/// Those that are not there, all at once, with what makes them; one that is asked for and not declared; what AWS says when it does not tell.
pub async fn find(
    aws: &Aws,
    names: &Names,
    declared: &BTreeMap<String, String>,
    asked: &BTreeMap<String, Reference>,
) -> Result<Vec<Secret>, CloudError> {
    if let Some(name) = asked.keys().find(|name| !declared.values().any(|own| own == *name)) {
        return Err(CloudError::refused(format!("[secrets] names no {name}, which --secret is about")).hint(
            "say the name that stands in modelet.toml: API_KEY = \"partner-key\" is --secret partner-key=ARN",
        ));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (variable, name) in declared {
        let by_name = || Reference {
            store: Store::SecretsManager,
            id: name.clone(),
            json_key: None,
            stage: None,
            version: None,
        };
        let reference = asked.get(name).cloned().unwrap_or_else(by_name);
        match aws.describe_secret(&reference, names).await? {
            Some(there) => found.push(Secret {
                variable: variable.clone(),
                name: name.clone(),
                reference: Reference { id: there.arn, ..reference },
                key: there.key,
            }),
            None => missing.push((name, reference)),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(absent(&missing, &aws.place.region)) }
}

fn absent(missing: &[(&String, Reference)], region: &str) -> CloudError {
    let what = |(name, reference): &(&String, Reference)| {
        let other = if reference.id == **name { String::new() } else { format!(" ({reference})") };
        format!("no secret {name}{other} in {}", reference.store.title())
    };
    let make = |(_, Reference { store, id, .. }): &(&String, Reference)| match store {
        Store::SecretsManager => {
            format!("aws secretsmanager create-secret --region {region} --name {id} --secret-string …")
        }
        Store::Parameters => {
            format!("aws ssm put-parameter --region {region} --type SecureString --name {id} --value …")
        }
    };
    let whats: Vec<_> = missing.iter().map(what).collect();
    let makes: Vec<_> = missing.iter().filter(|(_, own)| !own.id.starts_with("arn:")).map(make).collect();
    let makes = if makes.is_empty() { "look at the ARN".to_owned() } else { makes.join("; ") };
    CloudError::refused(format!("there is {} of {region}", whats.join(", ")))
        .hint(format!("{makes}; or name another: --secret NAME=ARN"))
}

/// The variables of a function that name its secrets.
pub fn environment(secrets: &[Secret]) -> BTreeMap<String, String> {
    let named = secrets.iter();
    named.map(|own| (format!("{ENV_PREFIX}{}", own.variable), own.reference.to_string())).collect()
}

/// What a role has to allow for them, and no more: statements of a policy.
pub fn statements(secrets: &[Secret], names: &Names) -> Vec<Value> {
    let mut statements = Vec::new();
    for Secret { reference, key, .. } in secrets {
        let store = reference.store;
        let action = store.service().permission(store.operation());
        let mut wanted = vec![json!({"Effect": "Allow", "Action": action, "Resource": reference.id})];
        wanted.extend(key.as_ref().map(|key| unsealed(key, reference, names)));
        statements.extend(wanted.into_iter().filter(|one| !statements.contains(one)).collect::<Vec<_>>());
    }
    statements
}

/// What lets a role use a key of the customer's, for the store alone.
fn unsealed(key: &str, reference: &Reference, names: &Names) -> Value {
    let region = reference.region().unwrap_or(&names.region);
    let via = format!("{}.{region}.{}", reference.store.service().host, domain(names.partition));
    let mut condition = json!({"StringEquals": {"kms:ViaService": via}});
    let resource = match key.split_once("alias/") {
        // Policies name keys, and an alias only as a condition.
        Some((_, alias)) => {
            condition["ForAnyValue:StringEquals"] = json!({"kms:ResourceAliases": format!("alias/{alias}")});
            let place = key.strip_suffix(&format!("alias/{alias}")).filter(|place| !place.is_empty());
            place.map_or_else(|| names.arn("kms", "key/*"), |place| format!("{place}key/*"))
        }
        None if key.starts_with("arn:") => key.to_owned(),
        None => names.arn("kms", &format!("key/{key}")),
    };
    json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": resource, "Condition": condition})
}

/// What looking at them needs to be allowed.
pub(crate) fn reads(secrets: &[Secret]) -> Vec<Needs> {
    let one = |secret: &Secret| -> Needs {
        match secret.reference.store {
            Store::SecretsManager => (secret.reference.id.clone(), &SECRETS_MANAGER, &["DescribeSecret"]),
            Store::Parameters => ("*".to_owned(), &SSM, &["DescribeParameters"]),
        }
    };
    secrets.iter().map(one).collect()
}

/// Their names, for people: what a role may read; `None` where there are none.
pub fn words(secrets: &[Secret]) -> Option<String> {
    let mut names: Vec<_> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [] => None,
        [name] => Some(format!("secret {name}")),
        names => Some(format!("secrets {}", names.join(", "))),
    }
}

/// What a role of the user's has to be allowed, in words.
pub fn for_role(role: &str, secrets: &[Secret], names: &Names) -> Option<String> {
    let statements = statements(secrets, names);
    let needs: Vec<_> = statements
        .iter()
        .map(|one| {
            let text = |member: &str| one[member].as_str().unwrap_or_default();
            format!("{} on {}", text("Action"), text("Resource"))
        })
        .collect();
    (!needs.is_empty())
        .then(|| format!("the role {role} is yours, and has to be allowed {}", needs.join(", ")))
}

#[cfg(test)]
mod tests;
