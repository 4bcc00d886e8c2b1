//! What of a file could answer, and how sure it is that it was meant to.

use modelet_core::handler::{Interface, SignatureType};

use crate::code::facts::{Application, Facts, Function};

/// Applications that speak ASGI.
const ASGI: [&str; 6] =
    ["FastAPI", "Starlette", "Quart", "Litestar", "get_asgi_application", "mount_gradio_app"];
/// Objects of Dash have the application in an attribute.
const WITH_SERVER: &str = "Dash";

/// One that could answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    pub(super) file: &'a str,
    pub(super) name: &'a str,
    pub(super) interface: Interface,
    pub(super) signature_type: Option<SignatureType>,
}

/// How sure it is that somebody means this by it: an application is one, a function called `predict` may be anything.
pub(super) fn sureness(interface: Interface) -> u8 {
    match interface {
        Interface::Asgi | Interface::Wsgi => 4,
        Interface::FunctionsFramework => 3,
        Interface::Score => 2,
        Interface::Lambda => 1,
        Interface::Predict => 0,
    }
}

pub(super) fn candidates<'a>(file: &'a str, facts: &'a Facts) -> Vec<Candidate<'a>> {
    let candidate = |name, interface, signature_type| Candidate { file, name, interface, signature_type };
    let application = |app: &'a Application| {
        let is_asgi = ASGI.contains(&app.made.as_str());
        candidate(app.name.as_str(), if is_asgi { Interface::Asgi } else { Interface::Wsgi }, None)
    };
    let of_framework = |function: &'a Function| {
        let kind =
            function.decorators.iter().find_map(|decorator| match decorator.rsplit('.').next()? {
                _ if !decorator.starts_with("functions_framework") => None,
                "http" => Some(SignatureType::Http),
                "cloud_event" => Some(SignatureType::Cloudevent),
                _ => None,
            })?;
        Some(candidate(function.name.as_str(), Interface::FunctionsFramework, Some(kind)))
    };
    let plain = || facts.functions.iter().filter(|function| function.decorators.is_empty());
    let takes = |function: &Function, count: usize| function.required == count && !function.is_async;
    let has = |name: &str, count: usize| plain().any(|one| one.name == name && takes(one, count));
    let is_lambda = |function: &&Function| {
        let named = matches!(function.name.as_str(), "lambda_handler" | "handler");
        let events = function.params.first().is_some_and(|first| first == "event" || first == "_event");
        takes(function, 2) && (named || events)
    };
    let mut all: Vec<Candidate> =
        facts.applications.iter().filter(|app| app.made != WITH_SERVER).map(application).collect();
    all.extend(facts.functions.iter().filter_map(of_framework));
    if has("init", 0) && has("run", 1) {
        all.push(candidate("run", Interface::Score, None));
    }
    all.extend(plain().filter(is_lambda).map(|one| candidate(one.name.as_str(), Interface::Lambda, None)));
    let predicts = plain()
        .filter(|one| one.name == "predict" && (1..=2).contains(&one.params.len()) && one.required >= 1);
    all.extend(
        predicts
            .filter(|one| !one.is_async)
            .map(|one| candidate(one.name.as_str(), Interface::Predict, None)),
    );
    all
}
