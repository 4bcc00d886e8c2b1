//! Secrets that the environment of a host names by reference: read once, before the code is loaded, and given to it as variables.
//!
//! `MODELET_SECRET_API_KEY=arn:aws:secretsmanager:…` becomes `API_KEY` with the value ([`modelet_aws::secret`]). Where no such variable is
//! there nothing of this happens. Values are in the code's environment and nowhere else: what is logged has names in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use modelet_aws::credentials;
use modelet_aws::environment::Environment;
use modelet_aws::error::{CloudError, Kind};
use modelet_aws::https::{self, Https};
use modelet_aws::secret::{ENV_PREFIX, Reference, Store};
use modelet_aws::{Caller, Place};
use modelet_core::redact::Redactor;
use modelet_core::{Code, FunctionError};
use serde_json::Value;

use crate::config::Config;
use crate::log::{self, Level};

/// All secrets are there within this, or the start has failed: AWS Lambda gives a start ten seconds, and is told why before they are over.
const READ_TIMEOUT: Duration = Duration::from_secs(8);
/// One call; a lost one is made again.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// Calls at once.
const AT_ONCE: usize = 8;
/// Another file of authorities, as AWS' own tools take it.
const ENV_AUTHORITIES: &str = "AWS_CA_BUNDLE";

/// References by the variables that get their values.
type References = BTreeMap<String, Reference>;
/// What the stores answered, by whole references.
type Answers = BTreeMap<Reference, Result<Value, CloudError>>;

/// Reads what the environment names into the configuration, and keeps the values out of the log from here on.
///
/// # Errors
/// `secret-missing`, with the secret, what AWS said of it and what to do; never with a value.
pub fn read(config: &mut Config) -> Result<(), FunctionError> {
    let references = references(std::env::vars_os())?;
    let mut redactor = Redactor::default();
    let declared = &config.card.manifest.secrets;
    let name = |variable: &str| declared.get(variable).map_or_else(|| variable.to_owned(), String::clone);
    for variable in declared.keys().filter(|variable| !references.contains_key(*variable)) {
        match std::env::var_os(variable) {
            // The host has it itself.
            Some(value) => redactor.add(&name(variable), value.as_bytes()),
            None => log::say(
                Level::Warning,
                &format!("{variable} is in [secrets], and neither it nor {ENV_PREFIX}{variable} is set here"),
            ),
        }
    }
    if !references.is_empty() {
        let limit = READ_TIMEOUT.min(Duration::from_millis(config.card.settings.load_timeout_ms));
        let answers = asked(&references, limit)?;
        for (variable, reference) in &references {
            let value = value(reference, &answers).map_err(|(why, next)| {
                let about = format!("{variable} is the secret {}, which could not be read", name(variable));
                failed(&format!("{about}: {why}"), &next)
            })?;
            redactor.add(&name(variable), &value);
            config.secrets.push((variable.into(), OsString::from_vec(value)));
        }
    }
    log::hide(redactor);
    Ok(())
}

/// The references in an environment.
fn references(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<References, FunctionError> {
    let named = variables
        .filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(ENV_PREFIX)?.to_owned(), value)));
    named
        .map(|(variable, value)| match value.to_string_lossy().parse() {
            Ok(reference) => Ok((variable, reference)),
            Err(why) => Err(failed(&format!("{ENV_PREFIX}{variable}: {why}"), "")),
        })
        .collect()
}

/// Asks for all of them.
fn asked(references: &References, limit: Duration) -> Result<Answers, FunctionError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&format!("secrets cannot be asked for: {error}"), ""))?;
    let wholes: Vec<_> =
        references.values().map(Reference::whole).collect::<BTreeSet<_>>().into_iter().collect();
    let answers = runtime.block_on(async {
        let answers = async {
            let caller = caller(&wholes).await.map_err(|error| {
                failed(
                    &format!("secrets cannot be asked for: {error}"),
                    error.hint.as_deref().unwrap_or_default(),
                )
            })?;
            let mut answers = Answers::new();
            for some in wholes.chunks(AT_ONCE) {
                answers.extend(join_all(some.iter().map(|reference| one(&caller, reference))).await);
            }
            Ok(answers)
        };
        tokio::time::timeout(limit, answers).await.unwrap_or_else(|_| {
            let variables: Vec<_> = references.keys().map(String::as_str).collect();
            let why = format!(
                "the secrets for {} were not read within {} s",
                variables.join(", "),
                limit.as_secs_f64()
            );
            Err(failed(&why, https::REACH))
        })
    });
    // A name that is still looked for is not waited for.
    runtime.shutdown_background();
    answers
}

/// In whose name they are asked for, as the host says it.
async fn caller(wholes: &[Reference]) -> Result<Caller, CloudError> {
    let environment = Environment::new(|name| std::env::var(name).ok());
    let authorities = environment.get(ENV_AUTHORITIES);
    let transport = Arc::new(Https::new(authorities.as_deref().map(Path::new))?);
    let is_said = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| environment.get(name).is_some());
    let of_reference = wholes.iter().find_map(Reference::region).filter(|_| !is_said);
    let place = Place::find(transport, environment, of_reference.map(str::to_owned), None)?;
    let credentials = credentials::find(&place, now_s).await?;
    Ok(Caller::with(place, credentials, now_s))
}

/// Asks for one, in its own region.
async fn one(caller: &Caller, reference: &Reference) -> (Reference, Result<Value, CloudError>) {
    let mut caller = caller.clone();
    if let Some(region) = reference.region() {
        region.clone_into(&mut caller.place.region);
    }
    let mut request = reference.request();
    request.timeout = CALL_TIMEOUT;
    (reference.clone(), caller.json(request).await)
}

/// The value of a reference; or why there is none, and what to do.
fn value(reference: &Reference, answers: &Answers) -> Result<Vec<u8>, (String, String)> {
    match answers.get(&reference.whole()) {
        Some(Ok(answer)) => reference.value(answer).map_err(|why| (why, String::new())),
        Some(Err(error)) => Err((error.to_string(), next(reference, error))),
        None => Err(("it was not asked for".to_owned(), String::new())),
    }
}

/// What to do about a failure.
fn next(reference: &Reference, error: &CloudError) -> String {
    let service = reference.store.service();
    let id = &reference.id;
    match error.kind {
        Kind::Denied if error.message.to_lowercase().contains("kms") => {
            format!("let the function's role do kms:Decrypt with the key of {id}")
        }
        Kind::Denied => {
            let permission = service.permission(reference.store.operation());
            format!("let the function's role do {permission} on {id}")
        }
        // The Parameter Store says it so.
        _ if error.kind == Kind::NotFound || error.is("ParameterNotFound") => {
            let make = match reference.store {
                Store::SecretsManager => "aws secretsmanager create-secret --name …",
                Store::Parameters => "aws ssm put-parameter --type SecureString --name …",
            };
            format!("make it ({make}), or name another")
        }
        _ => error.hint.clone().unwrap_or_default(),
    }
}

/// What happened and what to do, in one: hosts show the message alone.
fn failed(why: &str, next: &str) -> FunctionError {
    let mark = if next.is_empty() { "" } else { ". " };
    FunctionError::new(Code::SecretMissing, format!("{why}{mark}{next}"))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
