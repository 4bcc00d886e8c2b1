//! What `modelet dev` adds to deploys: one after the other of the same, to a platform in this very process.

use std::env;
use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use http::Request;
use modelet_core::target::environment::Situation;
use modelet_core::{ArtifactCard, Code, FunctionName, Manifest, Target};
use modelet_package::code::CodeSource;
use modelet_package::layer;
use modelet_platform::admin::views::{SecretList, SecretView};

use crate::client::Client;
use crate::making::code::Tried;
use crate::python::interpreter::Interpreter;
use crate::python::packages::Made as Packages;
use crate::python::versions;
use crate::report::Report;

/// Where a developer's environment names a region of AWS.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The region that the developer's environment names.
pub fn region() -> Option<String> {
    REGIONS.into_iter().find_map(|name| env::var(name).ok())
}

/// Gives a function the variables that a target sets and that are true here; what it has itself goes before.
pub fn give_variables(target: Target, manifest: &mut Manifest, name: &FunctionName, region: Option<&str>) {
    let memory_mib = manifest.settings.memory_mib.unwrap_or_default();
    for (variable, value) in target.variables(Situation { name: name.as_str(), memory_mib, region }) {
        manifest.env.entry(variable.to_owned()).or_insert(value);
    }
}

/// What earlier deploys of the session found out, and what all of them are to keep to.
pub struct Session {
    /// The platform's data folder.
    data: PathBuf,
    /// Whose limits are imposed.
    target: Option<Target>,
    /// The region that the developer's environment names.
    region: Option<String>,
    /// The Python that was found last, with what was asked for.
    python: Option<(String, Interpreter)>,
    /// What was tried last, and what came of it.
    tried: Option<(Asked, Tried)>,
}

/// What a trial depends on, but for the code itself, which its first instance shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    python: Option<String>,
    layer: Option<String>,
    imports: Vec<String>,
}

impl Asked {
    /// Of some code with its card.
    pub fn of(source: &CodeSource, card: &ArtifactCard) -> Self {
        let mut imports: Vec<String> = source.imports().into_iter().map(|(name, _)| name).collect();
        imports.sort();
        imports.dedup();
        Self {
            python: card.python().map(str::to_owned),
            layer: card.packages().map(|layer| layer.sha256.clone()),
            imports,
        }
    }
}

impl Session {
    /// Nothing is known yet.
    pub fn new(data: PathBuf, target: Option<Target>, region: Option<String>) -> Self {
        Self { data, target, region, python: None, tried: None }
    }

    /// Lays the target's limits under what a function asks for, and gives it the target's variables.
    ///
    /// # Errors
    /// `bad-manifest` where it asks for what the target does not have.
    pub fn impose(&self, manifest: &mut Manifest, name: &FunctionName) -> Result<(), Report> {
        let Some(target) = self.target else { return Ok(()) };
        let refused = |why: String| {
            Report::new(Code::BadManifest, why).hint("change it in modelet.toml, or leave --as out")
        };
        target.check_environment(&manifest.env).map_err(refused)?;
        target.impose(&mut manifest.settings).map_err(refused)?;
        give_variables(target, manifest, name, self.region.as_deref());
        Ok(())
    }

    /// Gives the platform the secrets that the function asks for, from the variables of the same names in the developer's environment.
    ///
    /// # Errors
    /// `bad-manifest` when a variable is not set, and the platform has no such secret either.
    pub async fn bring_secrets(&self, client: &Client, manifest: &Manifest) -> Result<(), Report> {
        if manifest.secrets.is_empty() {
            return Ok(());
        }
        let known: SecretList = client.get("/api/v1/secrets").await?;
        for (variable, secret) in &manifest.secrets {
            let Some(value) = env::var_os(variable) else {
                if known.secrets.iter().any(|view| view.name == *secret) {
                    continue;
                }
                let message = format!(
                    "[secrets] {variable} = {secret:?}: this platform, which begins empty, has no such secret"
                );
                return Err(Report::new(Code::BadManifest, message)
                    .hint(format!("set {variable} in the environment of modelet dev, which passes it on")));
            };
            let request = Request::put(format!("/api/v1/secrets/{secret}"));
            client.json::<SecretView>(request, value.into_vec().into()).await?;
        }
        Ok(())
    }

    /// Refuses what is too large for the target.
    ///
    /// # Errors
    /// `packages-refused`, with the largest packages and two ways out.
    pub fn check_size(&self, card: &ArtifactCard, packages: Option<&Packages>) -> Result<(), Report> {
        let Some(target) = self.target else { return Ok(()) };
        let packages_bytes = packages.map_or(0, |packages| packages.layer.size_bytes);
        let largest =
            || packages.map(|it| layer::largest(&it.folder).unwrap_or_default()).unwrap_or_default();
        Ok(target.check_size(card.size_bytes(), packages_bytes, largest)?)
    }

    /// The Python that some code gets; found anew only where it asks for another one than before.
    pub async fn python(
        &mut self,
        source: &CodeSource,
        finding: impl Future<Output = Result<Option<Interpreter>, Report>>,
    ) -> Result<Option<Interpreter>, Report> {
        let asked = versions::asked_of(source);
        if let Some((known, python)) = &self.python
            && *known == asked
            && source.needs_python()
        {
            return Ok(Some(python.clone()));
        }
        let python = finding.await?;
        if let Some(python) = &python {
            self.python = Some((asked, python.clone()));
        }
        Ok(python)
    }

    /// What a trial came to that would be the same now.
    pub fn known(&self, asked: &Asked) -> Option<Tried> {
        self.tried.as_ref().filter(|(known, _)| known == asked).map(|(_, tried)| tried.clone())
    }

    /// Remembers what a trial came to.
    pub fn remember(&mut self, asked: Asked, tried: Tried) {
        self.tried = Some((asked, tried));
    }

    /// Lets the platform use packages where they lie: on the same machine they need not travel.
    ///
    /// # Errors
    /// `store-failed` when the link cannot be made.
    pub fn link(&self, packages: &Packages) -> Result<(), Report> {
        let failed = |error: io::Error| {
            Report::new(Code::StoreFailed, format!("the packages could not be linked: {error}"))
        };
        let layers = self.data.join("layers");
        fs::create_dir_all(&layers).map_err(failed)?;
        match symlink(&packages.folder, layers.join(&packages.layer.sha256)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(()),
        }
    }
}
