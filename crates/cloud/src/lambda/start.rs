//! How AWS Lambda starts a function that came as a zip.
//!
//! `provided.al2023` starts the program `bootstrap` of the zip, and has no Python. The managed runtimes of Python have one, and start what
//! `AWS_LAMBDA_EXEC_WRAPPER` names in the place of their own program, with its command line as arguments (Developer Guide, "Modifying
//! the runtime environment", wrapper scripts): ours, which then speaks the Runtime API itself.

use modelet_core::target::host::PYTHONS_OF_LAMBDA;
use modelet_core::{ArtifactCard, Handler, Target};

use crate::error::CloudError;

/// What runs before Lambda's own Python: our runtime, which takes its place.
const WRAPPER: (&str, &str) = ("AWS_LAMBDA_EXEC_WRAPPER", "/var/task/bootstrap");

/// How it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Lambda's runtime.
    pub runtime: String,
    /// What is called; Lambda wants a word, our runtime knows it from the card.
    pub handler: String,
    /// A variable that has to be set, and its value.
    pub variable: Option<(&'static str, &'static str)>,
}

impl Start {
    /// Of an artifact.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::error::Kind::Refused), when it needs a Python that Lambda does not have.
    pub fn of(card: &ArtifactCard) -> Result<Self, CloudError> {
        let Some(python) = card.python() else {
            let (runtime, handler) = ("provided.al2023".to_owned(), "bootstrap".to_owned());
            return Ok(Self { runtime, handler, variable: None });
        };
        if glibc(python).is_none() {
            let known: Vec<_> = PYTHONS_OF_LAMBDA.iter().map(|(version, _)| *version).collect();
            return Err(CloudError::refused(format!(
                "AWS Lambda has Python {}, and {} needs {python}",
                known.join(", "),
                card.name
            ))
            .hint("say another in modelet.toml ([python] version), or deploy it as an image: --image"));
        }
        let handler = match &card.handler {
            Handler::Python(python) => python.handler(),
            // The wrapper takes the place of what it names.
            Handler::Model(_) | Handler::Program(_) => "bootstrap".to_owned(),
        };
        Ok(Self { runtime: format!("python{python}"), handler, variable: Some(WRAPPER) })
    }
}

/// The glibc that is there with a Python, such as that of `3.12`; `None`: there is no such Python.
pub fn glibc(python: &str) -> Option<(u32, u32)> {
    Target::AwsLambda.system(Some(python)).map(|system| system.glibc)
}
