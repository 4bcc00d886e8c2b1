//! Python code as a handler.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Python code: where its function is, how it is called, and what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PythonCard {
    /// The module, dotted, such as `app` or `package.app`.
    pub module: String,
    /// The function or application in it, such as `lambda_handler`.
    pub function: String,
    /// How it is called.
    pub interface: Interface,
    /// What a function of functions-framework takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_type: Option<SignatureType>,
    /// What becomes the event of a Lambda function, where a client sends it an HTTP request.
    #[serde(default)]
    pub event: Event,
    /// The version of Python, such as `3.11`.
    pub version: String,
    /// The packages that it needs; absent when it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Layer>,
    /// The modules of packages that it asks for while it is loaded: what can be imported ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// Files that the code names by absolute paths, by these paths; the artifact has them by relative ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outside: BTreeMap<String, String>,
}

/// How Python code is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interface {
    /// `function(event, context)`, as AWS Lambda does.
    Lambda,
    /// `init()` and `run(raw_data)`, as Azure ML does.
    Score,
    /// A function of functions-framework, as Google Cloud Functions does.
    FunctionsFramework,
    /// `predict(inputs)`: no cloud's shape.
    Predict,
    /// A WSGI application (PEP 3333), such as Flask's and Django's.
    Wsgi,
    /// An ASGI application, such as FastAPI's and Starlette's.
    Asgi,
}

impl Interface {
    /// Every interface.
    pub const ALL: &'static [Self] =
        &[Self::Lambda, Self::Score, Self::FunctionsFramework, Self::Predict, Self::Wsgi, Self::Asgi];

    /// True for what gets whole requests, of any method and below any path.
    pub const fn is_application(self) -> bool {
        matches!(self, Self::Score | Self::FunctionsFramework | Self::Wsgi | Self::Asgi)
    }

    /// In words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Lambda => "function(event, context)",
            Self::Score => "init() and run(raw_data)",
            Self::FunctionsFramework => "function of functions-framework",
            Self::Predict => "predict(inputs)",
            Self::Wsgi => "WSGI application",
            Self::Asgi => "ASGI application",
        }
    }

    /// The name in manifests, cards and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Score => "score",
            Self::FunctionsFramework => "functions_framework",
            Self::Predict => "predict",
            Self::Wsgi => "wsgi",
            Self::Asgi => "asgi",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a function of functions-framework takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureType {
    /// A request of Flask.
    Http,
    /// A CloudEvent.
    Cloudevent,
    /// An event and a context, as background functions of the first generation do.
    Event,
}

/// What becomes the event of a Lambda function, where a client sends it an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The body, which is JSON.
    #[default]
    Body,
    /// The whole request, as API Gateway's HTTP APIs and function URLs describe it (payload format 2.0).
    HttpV2,
    /// The whole request, as API Gateway's REST APIs describe it (payload format 1.0).
    HttpV1,
}

/// Where an instance sees the packages of its code.
pub const PACKAGES_FOLDER: &str = "/modelet/packages";

/// Packages in a tar of their own, which versions share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Layer {
    /// SHA-256 of the tar, hexadecimal.
    pub sha256: String,
    /// Bytes of the files in it.
    pub size_bytes: u64,
    /// What is installed, such as `numpy==2.4.0`, sorted.
    pub packages: Vec<String>,
}

impl PythonCard {
    /// Refuses a card that no runtime serves. One sentence that says what.
    pub(crate) fn check(&self, has: impl Fn(&str) -> bool) -> Result<(), String> {
        // Python imports a file whose name has a hyphen too, when it is asked by its name.
        let is_module = |name: &str| !name.is_empty() && name.replace('-', "_").split('.').all(is_identifier);
        if !is_module(&self.module) || !is_identifier(&self.function) {
            return Err(format!("its handler {:?} is not a function of a module", self.handler()));
        }
        super::check_needs(Some(&self.version), self.packages.as_ref())?;
        match self.outside.values().find(|path| !has(path)) {
            Some(path) => Err(format!("its file {path:?} is not among its files")),
            None => Ok(()),
        }
    }

    /// The handler as manifests name it: `app.lambda_handler`.
    pub fn handler(&self) -> String {
        format!("{}.{}", self.module, self.function)
    }
}

/// True for a name of Python; letters beyond ASCII are taken as they come.
fn is_identifier(name: &str) -> bool {
    let is_letter = |c: char| c == '_' || c.is_alphanumeric();
    name.chars().all(is_letter) && name.chars().next().is_some_and(|c| !c.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> PythonCard {
        PythonCard {
            module: "package.app".into(),
            function: "lambda_handler".into(),
            interface: Interface::Lambda,
            signature_type: None,
            event: Event::Body,
            version: "3.11".into(),
            packages: None,
            imports: vec![],
            outside: BTreeMap::new(),
        }
    }

    #[test]
    fn a_card_that_leads_elsewhere_is_refused() {
        let nothing = |_: &str| false;
        assert_eq!(card().check(nothing), Ok(()));
        for module in ["", "../app", "app/x", "a..b", "3d", "app; import os"] {
            let wrong = PythonCard { module: module.into(), ..card() };
            assert!(wrong.check(nothing).unwrap_err().contains("not a function"), "{module}");
        }
        for version in ["", "3", "2.7", "3.", "3.11.2", "3.x", "3/../11"] {
            let wrong = PythonCard { version: version.into(), ..card() };
            assert!(wrong.check(nothing).unwrap_err().contains("Python version"), "{version}");
        }
        let layer = Layer { sha256: "../x".into(), size_bytes: 0, packages: vec![] };
        assert!(PythonCard { packages: Some(layer), ..card() }.check(nothing).is_err());
        let outside = [("/m.keras".to_owned(), "outside/0".to_owned())].into();
        assert!(PythonCard { outside, ..card() }.check(nothing).unwrap_err().contains("outside/0"));
    }
}
