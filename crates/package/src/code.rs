//! Code as a function: which files belong to it, and what of them answers: a function or an application in Python, or a program.
//!
//! - [`facts`]: what Python files define, found without running them
//! - [`choice`]: which function or application answers, and how it is called
//! - [`program`]: the program that answers
//! - [`requirements`]: the file that says which packages it needs
//! - [`folder`]: which files of a folder go along; [`machine`]: whether they are made for its processor
//!
//! Deliberately absent: how Python is found and run; whoever packages passes in the [`Examiner`].

pub mod choice;
pub mod facts;
pub mod folder;
mod machine;
pub mod program;
pub mod requirements;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use modelet_core::handler::{Handler, Interface, Layer, ProgramCard, PythonCard};
use modelet_core::manifest::ProgramNotes;
use modelet_core::{ArtifactCard, Code, FunctionError, FunctionName, Manifest, Processor, Settings};

use crate::artifact::card_of;
use crate::code::choice::Choice;
use crate::code::facts::{Facts, NamedPath};
use crate::code::requirements::Requirements;
use crate::source::{Bundle, SourceFile};

/// Where code lies on AWS Lambda: a path there is one of the folder.
const TASK: &str = "/var/task/";
/// The folder of an artifact for files that code names by absolute paths.
const OUTSIDE: &str = "outside";

/// Reads Python files.
pub trait Examiner {
    /// What each of these files defines, in their order.
    ///
    /// # Errors
    /// `python-missing` when there is no Python to read them with, `handler-refused` when it cannot.
    fn examine(&self, files: &[PathBuf]) -> Result<Vec<Facts>, FunctionError>;
}

/// What of some code answers.
#[derive(Debug, Clone)]
pub enum Answering {
    /// A function or an application in Python.
    Python(Choice),
    /// A program.
    Program(ProgramNotes),
}

/// Code that was found, before its files are read.
#[derive(Debug)]
pub struct Found {
    /// The folder.
    pub folder: PathBuf,
    /// Its files, relative to it.
    pub files: Vec<String>,
    /// What answers.
    pub answering: Answering,
    /// Which packages it needs.
    pub requirements: Option<Requirements>,
}

/// Code and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct CodeSource {
    /// Its files and its manifest.
    pub bundle: Bundle,
    /// The folder that it lies in.
    pub folder: PathBuf,
    /// What answers.
    pub answering: Answering,
    /// Which packages it needs.
    pub requirements: Option<Requirements>,
    /// Files that it names by absolute paths, by these paths; where they are in the artifact.
    pub outside: BTreeMap<String, String>,
}

/// What is decided about code when it is deployed.
#[derive(Debug, Clone)]
pub struct CodePlan {
    /// The function's name.
    pub name: FunctionName,
    /// All limits.
    pub settings: Settings,
    /// The version of Python, such as `3.11`, where it needs one.
    pub python: Option<String>,
    /// The packages that it needs.
    pub packages: Option<Layer>,
}

impl CodeSource {
    /// Reads the files of a folder of code that is to run on this processor.
    pub(crate) fn open(
        manifest: Manifest,
        name: Option<FunctionName>,
        found: Found,
        processor: Processor,
    ) -> Result<Self, FunctionError> {
        let Found { folder, files, answering, requirements } = found;
        let mut sources = Vec::new();
        for path in &files {
            let place = folder.join(path);
            machine::check(path, &place, processor)?;
            sources.push(SourceFile::read(path, &place)?);
        }
        let mut outside = BTreeMap::new();
        for (number, path) in outside_of(&answering).iter().map(|named| &named.path).enumerate() {
            if let Some(inner) = path.strip_prefix(TASK) {
                outside.insert(path.clone(), inner.to_owned());
                continue;
            }
            let place = Path::new(path);
            // Under its own name, which says to many loaders what it is.
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let inner = format!("{OUTSIDE}/{number}/{name}");
            sources.extend(copied(place, &inner)?);
            outside.insert(path.clone(), inner);
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        let bundle = Bundle { manifest, name, files: sources };
        Ok(Self { bundle, folder, answering, requirements, outside })
    }

    /// True when it runs in a Python.
    pub fn needs_python(&self) -> bool {
        match &self.answering {
            Answering::Python(_) => true,
            // Packages are Python's: what has some runs it, under whatever name.
            Answering::Program(program) => {
                program::is_python(&program.command) || self.requirements.is_some()
            }
        }
    }

    /// True when several calls at once are no more than it was written for.
    pub fn is_concurrent(&self) -> bool {
        matches!(&self.answering, Answering::Python(choice) if choice.interface == Interface::Asgi)
    }

    /// A file of it that is made for another processor than this one, by its path.
    pub fn foreign_to(&self, processor: Processor) -> Option<&str> {
        let is_foreign = |file: &&SourceFile| machine::other_than(processor, &file.place).is_some();
        self.bundle.files.iter().find(is_foreign).map(|file| file.path.as_str())
    }

    /// What the user gave, in words.
    pub fn given(&self) -> String {
        match &self.answering {
            Answering::Python(choice) => {
                let Choice { module, function, interface, .. } = choice;
                format!("{module}.{function}, {}", interface.description())
            }
            Answering::Program(program) => format!("{}, {}", program.command.join(" "), program.speaks),
        }
    }

    /// Packages that the module imports that answers, wherever in it, each with its place.
    pub fn imports(&self) -> Vec<(String, String)> {
        let Answering::Python(choice) = &self.answering else { return Vec::new() };
        let file = format!("{}.py", choice.module.replace('.', "/"));
        choice.imports.iter().map(|import| (import.name.clone(), format!("{file}:{}", import.line))).collect()
    }

    /// Why its event is what it is, where the code says it.
    pub fn event_reason(&self) -> Option<&str> {
        match &self.answering {
            Answering::Python(choice) => choice.event_reason.as_deref(),
            Answering::Program(_) => None,
        }
    }

    /// The card of its artifact.
    pub fn card(&self, plan: CodePlan) -> ArtifactCard {
        let handler = self.handler(&plan);
        // Equal sources are equal artifacts; the packages are what was resolved.
        let sha256 = self.bundle.sha256(&handler);
        card_of(&self.bundle, sha256, plan.name, plan.settings, handler)
    }

    fn handler(&self, plan: &CodePlan) -> Handler {
        let packages = plan.packages.clone();
        match &self.answering {
            Answering::Python(choice) => Handler::Python(PythonCard {
                module: choice.module.clone(),
                function: choice.function.clone(),
                interface: choice.interface,
                signature_type: choice.signature_type,
                event: choice.event,
                version: plan.python.clone().unwrap_or_default(),
                packages,
                imports: vec![],
                outside: self.outside.clone(),
            }),
            Answering::Program(program) => Handler::Program(ProgramCard {
                command: program.command.clone(),
                speaks: program.speaks,
                event: program.event,
                python: plan.python.clone(),
                packages,
            }),
        }
    }
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
    let program = match &manifest.program {
        Some(program) => Some(program::checked(program, &files)?),
        None => None,
    };
    let answering = match program {
        Some(program) => Answering::Program(program),
        None => match python(folder, &files, manifest, examiner)? {
            Some(choice) => Answering::Python(choice),
            None => match program::bootstrap(folder, &files) {
                Some(program) => Answering::Program(program),
                None => return Ok(None),
            },
        },
    };
    let requirements = requirements::find(folder)?;
    Ok(Some(Found { folder: folder.to_owned(), files, answering, requirements }))
}

/// Of a folder in which nothing was found at all: what there is in its code.
pub fn passed_over(folder: &Path, examiner: &dyn Examiner) -> Option<FunctionError> {
    let files = folder::files(folder).ok()?;
    let modules: Vec<String> =
        files.into_iter().filter(|file| file.ends_with(".py") && !file.contains('/')).collect();
    if modules.is_empty() {
        return None;
    }
    let paths: Vec<PathBuf> = modules.iter().map(|file| folder.join(file)).collect();
    let facts: Vec<(String, Facts)> = modules.into_iter().zip(examiner.examine(&paths).ok()?).collect();
    choice::passed_over(&facts, true)
}

/// The function or application in Python that answers.
fn python(
    folder: &Path,
    files: &[String],
    manifest: &Manifest,
    examiner: &dyn Examiner,
) -> Result<Option<Choice>, FunctionError> {
    let wanted = manifest.handler.as_deref().map(|handler| choice::named(handler, files)).transpose()?;
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
    let Some(choice) = choice::choose(&facts, wanted.as_ref(), manifest)? else {
        // Never a model in the place of what was meant.
        return choice::passed_over(&facts, false).map_or(Ok(None), Err);
    };
    let is_there = |path: &str| match path.strip_prefix(TASK) {
        Some(inner) => folder.join(inner).exists(),
        None => Path::new(path).exists(),
    };
    match choice.outside.iter().find(|named| !is_there(&named.path)) {
        None => Ok(Some(choice)),
        Some(NamedPath { path, line, call }) => {
            let file = choice.module.replace('.', "/");
            let message = format!("{file}.py, line {line}: {call} is given {path:?}, which is not there");
            Err(FunctionError::new(Code::HandlerRefused, message).hint(
                "put it at that path, and it goes along; or beside the code, and name it by a relative path",
            ))
        }
    }
}

fn outside_of(answering: &Answering) -> &[NamedPath] {
    match answering {
        Answering::Python(choice) => &choice.outside,
        Answering::Program(_) => &[],
    }
}

/// A file, or all files of a folder, under another name.
fn copied(place: &Path, name: &str) -> Result<Vec<SourceFile>, FunctionError> {
    if !place.is_dir() {
        return Ok(vec![SourceFile::read(name, place)?]);
    }
    folder::files(place)?
        .iter()
        .map(|path| SourceFile::read(&format!("{name}/{path}"), &place.join(path)))
        .collect()
}
