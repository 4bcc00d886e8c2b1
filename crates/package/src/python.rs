//! Python code as a function: which files belong to it, what they define, and which of that answers.
//!
//! - [`facts`]: what files define, found without running them
//! - [`choice`]: which function or application answers, and how it is called
//! - [`requirements`]: the file that says which packages it needs
//! - [`folder`]: which files of a folder go along
//!
//! Deliberately absent: how Python is found and run; whoever packages passes in the [`Examiner`].

pub mod choice;
pub mod facts;
pub mod folder;
pub mod requirements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use modelet_core::handler::{Handler, Interface, Layer, PythonCard};
use modelet_core::{ArtifactCard, Code, FunctionError, FunctionName, Manifest, Settings};

use crate::artifact::card_of;
use crate::python::choice::Choice;
use crate::python::facts::Facts;
use crate::python::requirements::Requirements;
use crate::source::{Bundle, SourceFile};

/// The folder of an artifact for files that code names by absolute paths.
const OUTSIDE: &str = "outside";

/// Reads Python files.
pub trait Examiner {
    /// What each of these files defines, in their order.
    ///
    /// # Errors
    /// `handler-refused` when there is no Python to read them with.
    fn examine(&self, files: &[PathBuf]) -> Result<Vec<Facts>, FunctionError>;
}

/// Python code and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct PythonSource {
    /// Its files and its manifest.
    pub bundle: Bundle,
    /// The folder that it lies in.
    pub folder: PathBuf,
    /// What answers.
    pub choice: Choice,
    /// Which packages it needs.
    pub requirements: Option<Requirements>,
    /// Files that it names by absolute paths, by these paths; where they are in the artifact.
    pub outside: BTreeMap<String, String>,
}

/// What is decided about code when it is deployed.
#[derive(Debug, Clone)]
pub struct PythonPlan {
    /// The function's name.
    pub name: FunctionName,
    /// All limits.
    pub settings: Settings,
    /// The version of Python, such as `3.11`.
    pub version: String,
    /// The packages that it needs.
    pub packages: Option<Layer>,
}

impl PythonSource {
    /// Reads the files of a folder of code.
    pub(crate) fn open(
        manifest: Manifest,
        name: Option<FunctionName>,
        found: Found,
    ) -> Result<Self, FunctionError> {
        let Found { folder, files, choice, requirements } = found;
        let mut outside = BTreeMap::new();
        let mut sources = Vec::new();
        for path in &files {
            sources.push(SourceFile::read(path, &folder.join(path))?);
        }
        for (number, named) in choice.outside.iter().enumerate() {
            let place = Path::new(&named.path);
            let beneath = format!("{OUTSIDE}/{number}");
            let inner = if place.is_dir() { folder::files(place)? } else { vec![String::new()] };
            for path in inner {
                let target = if path.is_empty() { beneath.clone() } else { format!("{beneath}/{path}") };
                let source = if path.is_empty() { place.to_owned() } else { place.join(&path) };
                sources.push(SourceFile::read(&target, &source)?);
            }
            outside.insert(named.path.clone(), beneath);
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { bundle: Bundle { manifest, name, files: sources }, folder, choice, requirements, outside })
    }

    /// What the user gave, in words.
    pub fn given(&self) -> String {
        let Choice { module, function, interface, .. } = &self.choice;
        let what = match interface {
            Interface::Lambda => "function(event, context)",
            Interface::Score => "init() and run(raw_data)",
            Interface::FunctionsFramework => "function of functions-framework",
            Interface::Predict => "predict(inputs)",
            Interface::Wsgi => "WSGI application",
            Interface::Asgi => "ASGI application",
        };
        format!("{module}.{function}, {what}")
    }

    /// SHA-256 over all that an artifact is made of: equal sources are equal artifacts. The packages are what was resolved.
    pub fn sha256(&self, plan: &PythonPlan) -> String {
        self.bundle.sha256(&self.handler(plan))
    }

    /// The card of its artifact.
    pub fn card(&self, plan: PythonPlan) -> ArtifactCard {
        let (sha256, handler) = (self.sha256(&plan), self.handler(&plan));
        card_of(&self.bundle, sha256, plan.name, plan.settings, handler)
    }

    fn handler(&self, plan: &PythonPlan) -> Handler {
        Handler::Python(PythonCard {
            module: self.choice.module.clone(),
            function: self.choice.function.clone(),
            interface: self.choice.interface,
            signature_type: self.choice.signature_type,
            event: self.choice.event,
            version: plan.version.clone(),
            packages: plan.packages.clone(),
            outside: self.outside.clone(),
        })
    }
}

/// Code that was found, before its files are read.
#[derive(Debug)]
pub struct Found {
    /// The folder.
    pub folder: PathBuf,
    /// Its files, relative to it.
    pub files: Vec<String>,
    /// What answers.
    pub choice: Choice,
    /// Which packages it needs.
    pub requirements: Option<Requirements>,
}

/// Looks through a folder, or at one file of it, for code that answers. `None` when there is none, and the manifest asks for none.
///
/// # Errors
/// `handler-refused` when several could, or what the manifest names is not there.
pub fn find(
    folder: &Path,
    only: Option<&str>,
    manifest: &Manifest,
    examiner: &dyn Examiner,
) -> Result<Option<Found>, FunctionError> {
    let files = match only {
        Some(file) => vec![file.to_owned()],
        None => folder::files(folder)?,
    };
    let wanted = manifest.handler.as_deref().map(|handler| choice::named(handler, &files)).transpose()?;
    let modules: Vec<&String> = match &wanted {
        Some(wanted) => vec![&wanted.file],
        // Whoever has handlers in folders of their own says which.
        None => files.iter().filter(|file| file.ends_with(".py") && !file.contains('/')).collect(),
    };
    let paths: Vec<PathBuf> = modules.iter().map(|file| folder.join(file)).collect();
    if wanted.is_none() && !paths.iter().any(|path| folder::may_answer(path)) {
        return Ok(None);
    }
    let facts: Vec<(String, Facts)> =
        modules.iter().map(|file| (*file).clone()).zip(examiner.examine(&paths)?).collect();
    let Some(choice) = choice::choose(&facts, wanted.as_ref(), manifest)? else { return Ok(None) };
    for named in choice.outside.iter().filter(|named| !Path::new(&named.path).exists()) {
        let message = format!(
            "{}.py, line {}: {} is given {:?}, which is not there",
            choice.module.replace('.', "/"),
            named.line,
            named.call,
            named.path
        );
        return Err(FunctionError::new(Code::HandlerRefused, message).hint(
            "put it at that path, and it goes along; or beside the code, and name it by a relative path",
        ));
    }
    let requirements = requirements::find(folder)?;
    Ok(Some(Found { folder: folder.to_owned(), files, choice, requirements }))
}
