//! Which function or application of some code answers, and how it is called: what the manifest says, else the one that is
//! called as a cloud calls it.

mod candidates;

use modelet_core::handler::{Event, Interface, SignatureType};
use modelet_core::{Code, FunctionError, Manifest};

use crate::code::facts::{Facts, Function, Import, NamedPath};
use candidates::{Candidate, candidates, sureness};

/// What answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The module, dotted.
    pub module: String,
    /// The function or application.
    pub function: String,
    /// How it is called.
    pub interface: Interface,
    /// What a function of functions-framework takes.
    pub signature_type: Option<SignatureType>,
    /// What becomes its event.
    pub event: Event,
    /// Why it is that event, where the code says it.
    pub event_reason: Option<String>,
    /// Packages that its module imports, beyond the standard library.
    pub imports: Vec<Import>,
    /// Absolute paths that loaders of models are given.
    pub outside: Vec<NamedPath>,
}

/// What a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file, relative to the folder.
    pub file: String,
    module: String,
    function: String,
}

/// The name that means nothing else.
const MEANT: &str = "lambda_handler";
/// Who imports one of these has an application, or makes one.
const FRAMEWORKS: [&str; 6] = ["fastapi", "starlette", "flask", "django", "quart", "functions_framework"];
/// Whose demos serve themselves, and are an application only when they are mounted.
const GRADIO: &str = "gradio";
/// Keys of an event that is a whole HTTP request, and of no body that anybody sends.
const HTTP_V2: [&str; 4] = ["requestContext", "rawPath", "rawQueryString", "pathParameters"];
const HTTP_V1: [&str; 3] = ["httpMethod", "multiValueHeaders", "multiValueQueryStringParameters"];
/// Keys that both have.
const HTTP: [&str; 4] = ["body", "headers", "queryStringParameters", "isBase64Encoded"];

/// Reads what a manifest names as its handler: `module.function`, or `module:function`; a path of a file is taken as well.
///
/// # Errors
/// `bad-manifest` when it is neither; `handler-refused` when there is no such file.
pub fn named(handler: &str, files: &[String]) -> Result<Wanted, FunctionError> {
    let split = handler.split_once(':').or_else(|| handler.rsplit_once('.'));
    let Some((module, function)) =
        split.filter(|(module, function)| !module.is_empty() && !function.is_empty())
    else {
        let message = format!("handler = {handler:?} is not a function of a module");
        return Err(
            FunctionError::new(Code::BadManifest, message).hint("name it as module.function: app.predict")
        );
    };
    let module = module.strip_suffix(".py").unwrap_or(module).replace('/', ".");
    let path = module.replace('.', "/");
    let file =
        [format!("{path}.py"), format!("{path}/__init__.py")].into_iter().find(|file| files.contains(file));
    let file = file.ok_or_else(|| {
        let message = format!("handler = {handler:?}: there is no {path}.py in the folder");
        FunctionError::new(Code::HandlerRefused, message).hint("the path is from the folder that is deployed")
    })?;
    Ok(Wanted { file, module, function: function.to_owned() })
}

/// Chooses. `None` when nothing could answer, and nothing is wanted.
///
/// # Errors
/// `handler-refused`: several could, what is wanted is not there, or its file cannot be read.
pub fn choose(
    files: &[(String, Facts)],
    wanted: Option<&Wanted>,
    manifest: &Manifest,
) -> Result<Option<Choice>, FunctionError> {
    let notes = manifest.python.clone().unwrap_or_default();
    for (file, facts) in files {
        if let Some(error) = &facts.error {
            let line = error.line.map(|line| format!(", line {line}")).unwrap_or_default();
            return Err(refused(format!("{file}{line}: Python cannot read it: {}", error.message), None));
        }
    }
    let candidate = match wanted {
        Some(wanted) => Some(as_wanted(files, wanted, notes.interface)?),
        None => only(files, notes.interface)?,
    };
    let Some(candidate) = candidate else { return Ok(None) };
    let facts = files.iter().find(|(file, _)| file == candidate.file).map(|(_, facts)| facts);
    let facts = facts.cloned().unwrap_or_default();
    let function = facts.functions.iter().find(|function| function.name == candidate.name);
    let (event, event_reason) = match (notes.event, candidate.interface, function) {
        (Some(event), ..) => (event, None),
        (None, Interface::Lambda, Some(function)) => event(function),
        _ => (Event::Body, None),
    };
    Ok(Some(Choice {
        module: wanted.map_or_else(|| module(candidate.file), |wanted| wanted.module.clone()),
        function: candidate.name.to_owned(),
        interface: candidate.interface,
        signature_type: notes.signature_type.or(candidate.signature_type),
        event,
        event_reason,
        imports: facts.imports,
        outside: facts.paths,
    }))
}

/// What becomes the event: the whole request, where the function asks for what only that has.
fn event(function: &Function) -> (Event, Option<String>) {
    let asked =
        |known: &[&str]| function.event_keys.iter().find(|key| known.contains(&key.as_str())).cloned();
    let because = |key: String| Some(format!("it asks its event for {key:?}"));
    match (asked(&HTTP_V1), asked(&HTTP_V2), asked(&HTTP)) {
        (Some(key), _, _) => (Event::HttpV1, because(key)),
        (None, Some(key), _) | (None, None, Some(key)) => (Event::HttpV2, because(key)),
        (None, None, None) => (Event::Body, None),
    }
}

fn as_wanted<'a>(
    files: &'a [(String, Facts)],
    wanted: &'a Wanted,
    interface: Option<Interface>,
) -> Result<Candidate<'a>, FunctionError> {
    let (file, function) = (wanted.file.as_str(), wanted.function.as_str());
    let known: Vec<Candidate> = files.iter().flat_map(|(file, facts)| candidates(file, facts)).collect();
    if let Some(found) = known.iter().find(|candidate| candidate.name == function) {
        return Ok(Candidate { interface: interface.unwrap_or(found.interface), ..*found });
    }
    let facts = files.iter().find(|(name, _)| name == file).map(|(_, facts)| facts);
    let defined = facts.and_then(|facts| facts.functions.iter().find(|one| one.name == function));
    if let Some(interface) = interface {
        // It may be made by something that nobody sees without running it.
        return Ok(Candidate { file, name: function, interface, signature_type: None });
    }
    match defined {
        Some(Function { is_async: false, required, .. }) if *required == 1 => {
            Ok(Candidate { file, name: function, interface: Interface::Predict, signature_type: None })
        }
        Some(Function { is_async: true, line, .. }) => Err(refused(
            format!("{file}, line {line}: {function} is `async def`, which nobody awaits"),
            Some(
                "make it `def`, and call asyncio.run(…) within; or make an application: app = FastAPI()"
                    .to_owned(),
            ),
        )),
        Some(defined) => Err(refused(
            format!(
                "{file}, line {}: {function}({}) is called in no way that is known",
                defined.line,
                defined.params.join(", ")
            ),
            Some(
                "say how in modelet.toml: [python] interface = \"lambda\", with event and context".to_owned(),
            ),
        )),
        None => {
            let names =
                facts.map(|facts| facts.functions.iter().map(|one| one.name.clone()).collect::<Vec<_>>());
            let names = names.filter(|names| !names.is_empty());
            let hint = match names {
                Some(names) => format!("its functions are {}", names.join(", ")),
                None => {
                    "what is made by a call needs its interface: [python] interface = \"asgi\"".to_owned()
                }
            };
            Err(refused(format!("{file} defines no {function}"), Some(hint)))
        }
    }
}

/// The one that answers, where nobody says which: of the kind that leaves the least doubt.
fn only(
    files: &[(String, Facts)],
    interface: Option<Interface>,
) -> Result<Option<Candidate<'_>>, FunctionError> {
    let all = files.iter().flat_map(|(file, facts)| candidates(file, facts));
    let mut all: Vec<Candidate> =
        all.filter(|one| interface.is_none_or(|wanted| wanted == one.interface)).collect();
    let surest = all.iter().map(|one| sureness(one.interface)).max();
    all.retain(|one| Some(sureness(one.interface)) == surest);
    match all.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> =
                several.iter().map(|one| format!("{}.{}", module(one.file), one.name)).collect();
            let hint = format!("say which in modelet.toml: handler = \"{}\"", names[0]);
            Err(refused(format!("several functions could answer: {}", names.join(", ")), Some(hint)))
        }
    }
}

/// Says of code in which nothing answers what there is, where it was meant to: by its names, or by what it imports. `alone`: there is
/// no model either, so that any function could have been meant.
pub fn passed_over(files: &[(String, Facts)], alone: bool) -> Option<FunctionError> {
    for (file, facts) in files {
        let meant = facts.functions.iter().find(|function| function.name == MEANT);
        if let Some(Function { line, is_async: true, .. }) = meant {
            let message = format!("{file}, line {line}: {MEANT} is `async def`, which nobody awaits");
            return Some(refused(message, Some("make it `def`, and call asyncio.run(…) within".to_owned())));
        }
        if let Some(import) = facts.imports.iter().find(|import| import.name == GRADIO) {
            return Some(unmounted(file, import.line));
        }
        let framework = facts.imports.iter().find(|import| FRAMEWORKS.contains(&import.name.as_str()));
        let why = match (meant, framework) {
            (Some(function), _) => format!(
                "{MEANT}({}) takes other parameters than (event, context)",
                function.params.join(", ")
            ),
            (None, Some(import)) => {
                format!("it imports {}, and has no application at its top level", import.name)
            }
            (None, None) if alone && !facts.functions.is_empty() => {
                let names: Vec<&str> =
                    facts.functions.iter().map(|function| function.name.as_str()).collect();
                format!("it has {}, which nobody calls", names.join(", "))
            }
            (None, None) => continue,
        };
        let module = module(file);
        let hint = format!(
            "say in modelet.toml what answers and how: handler = \"{module}.NAME\" and [python] interface = \"asgi\"; or model = \
             \"FILE\" for a model beside it"
        );
        return Some(refused(format!("nothing in {file} could answer: {why}"), Some(hint)));
    }
    None
}

fn unmounted(file: &str, line: u32) -> FunctionError {
    let hint = "mount it, at the end: app = gradio.mount_gradio_app(fastapi.FastAPI(), demo, path=\"/\"), with what launch() is given \
                (auth, theme); and keep demo.launch() for `if __name__ == \"__main__\":`";
    let message = format!(
        "{file}, line {line}: it imports gradio, whose demos serve themselves, and has no application"
    );
    refused(message, Some(hint.to_owned()))
}

fn module(file: &str) -> String {
    let path = file.strip_suffix("/__init__.py").or_else(|| file.strip_suffix(".py")).unwrap_or(file);
    path.replace('/', ".")
}

fn refused(message: String, hint: Option<String>) -> FunctionError {
    let error = FunctionError::new(Code::HandlerRefused, message);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests;
