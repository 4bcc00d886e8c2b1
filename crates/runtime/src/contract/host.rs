//! Hosts that give us a port: who they are, and what the paths of their requests mean. The environment alone says it.
//!
//! | host | known by | port | whether it is ready | a call |
//! |---|---|---|---|---|
//! | Azure Functions | `FUNCTIONS_CUSTOMHANDLER_PORT` | that one, on loopback | `GET /` | `POST` of any path, an envelope or the request itself |
//! | Vertex AI | `AIP_HTTP_PORT` | that one | `GET $AIP_HEALTH_ROUTE` | `POST $AIP_PREDICT_ROUTE` |
//! | SageMaker | the argument `serve` | `SAGEMAKER_BIND_TO_PORT`, else 8080 | `GET /ping` | `POST /invocations` |
//! | Azure Machine Learning | `AZUREML_MODEL_DIR` | `PORT`, else 5001 | `GET /` | `POST /score` |
//! | Cloud Run, Knative | `K_SERVICE` | `PORT` | `GET /` | `POST /` |
//! | any other | | `PORT` | `GET /` | `POST /` |
//!
//! The paths of our own protocols lead everywhere where they lead on a platform. Where the artifact lies, if `MODELET_ARTIFACT`
//! does not say it: SageMaker unpacks it to `/opt/ml/model`, Azure Machine Learning into its variable's folder, Azure Functions into
//! that of `FUNCTIONS_APP_ROOT_PATH`.
//!
//! Source: docs of SageMaker ("Custom inference code with hosting services"), Vertex AI ("Custom container requirements for
//! inference"), Azure Machine Learning ("Use a custom container to deploy a model"), Cloud Run ("Container runtime contract"), Azure
//! Functions ("Custom handlers").

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use http::Method;

pub(crate) const ENV_PORT: &str = "PORT";
/// The present name, and that of older hosts.
const ENV_AZURE_PORTS: [&str; 2] = ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"];
const ENV_AZURE_ROOT: &str = "FUNCTIONS_APP_ROOT_PATH";
const ENV_VERTEX_PORT: &str = "AIP_HTTP_PORT";
const ENV_VERTEX_HEALTH: &str = "AIP_HEALTH_ROUTE";
const ENV_VERTEX_PREDICT: &str = "AIP_PREDICT_ROUTE";
const ENV_SAGEMAKER_PORT: &str = "SAGEMAKER_BIND_TO_PORT";
const ENV_AZURE_ML: &str = "AZUREML_MODEL_DIR";
const ENV_KNATIVE: &str = "K_SERVICE";
/// What SageMaker starts every container with.
const ARGUMENT_SAGEMAKER: &str = "serve";
const SAGEMAKER_PORT: u16 = 8080;
const SAGEMAKER_FOLDER: &str = "/opt/ml/model";
/// That of Azure Machine Learning's own server.
const AZURE_ML_PORT: u16 = 5001;

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Azure Functions, and the folder of the application.
    AzureFunctions(Option<PathBuf>),
    /// Vertex AI, and the paths that it asks.
    Vertex {
        /// Whether the model can be called.
        health: String,
        /// A call.
        predict: String,
    },
    /// SageMaker.
    SageMaker,
    /// Azure Machine Learning, and the folder of the model.
    AzureMl(PathBuf),
    /// Cloud Run or Knative, and the service's name.
    Knative(String),
    /// Nobody that says who it is.
    Plain,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Who it is.
    pub kind: Kind,
    /// The port that it calls.
    pub port: u16,
    /// Where we listen: for other processes of the same machine, or for whoever the host lets reach us.
    pub address: Ipv4Addr,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Whether the function can be called.
    Readiness,
    /// A call of the function.
    Call,
    /// A call of the function, perhaps within an envelope.
    Enveloped,
    /// What its path says to the protocols.
    Own,
}

impl Host {
    /// The one that the environment and the arguments speak of; `None` where they speak of no port.
    pub fn of(
        var: impl Fn(&str) -> Option<OsString>,
        arguments: &[OsString],
    ) -> Result<Option<Self>, String> {
        let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
        let port = |name: &str| text(name).map(|text| number(name, &text)).transpose();
        let own = port(ENV_PORT);
        let azure = ENV_AZURE_PORTS.iter().find_map(|name| port(name).transpose()).transpose()?;
        let (kind, port) = if let Some(port) = azure {
            (Kind::AzureFunctions(var(ENV_AZURE_ROOT).map(PathBuf::from)), port)
        } else if let Some(port) = port(ENV_VERTEX_PORT)? {
            let route =
                |name: &str| text(name).ok_or_else(|| format!("{ENV_VERTEX_PORT} is set, but {name} is not"));
            (Kind::Vertex { health: route(ENV_VERTEX_HEALTH)?, predict: route(ENV_VERTEX_PREDICT)? }, port)
        } else if arguments.iter().any(|argument| argument == ARGUMENT_SAGEMAKER) {
            (Kind::SageMaker, port(ENV_SAGEMAKER_PORT)?.unwrap_or(SAGEMAKER_PORT))
        } else if let Some(folder) = var(ENV_AZURE_ML) {
            (Kind::AzureMl(folder.into()), own?.unwrap_or(AZURE_ML_PORT))
        } else if let Some(port) = own? {
            (text(ENV_KNATIVE).map_or(Kind::Plain, Kind::Knative), port)
        } else {
            return Ok(None);
        };
        let address = match &kind {
            Kind::AzureFunctions(_) => Ipv4Addr::LOCALHOST,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        Ok(Some(Self { kind, port, address }))
    }

    /// Where the artifact lies, unless something else is said.
    pub fn artifact(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::SageMaker => Some(SAGEMAKER_FOLDER.into()),
            Kind::AzureMl(folder) => Some(folder.clone()),
            Kind::AzureFunctions(folder) => folder.clone(),
            _ => None,
        }
    }

    /// What was found, and how it is called, for the log.
    pub fn announced(&self) -> String {
        let port = self.port;
        match &self.kind {
            Kind::AzureFunctions(_) => format!("Azure Functions ({} is {port})", ENV_AZURE_PORTS[0]),
            Kind::Vertex { predict, .. } => {
                format!("Vertex AI ({ENV_VERTEX_PORT} is {port}); calls at {predict}")
            }
            Kind::SageMaker => format!(
                "SageMaker (the argument is {ARGUMENT_SAGEMAKER}, port {port}); calls at /invocations"
            ),
            Kind::AzureMl(_) => {
                format!("Azure Machine Learning ({ENV_AZURE_ML} is set, port {port}); calls at /score")
            }
            Kind::Knative(name) => {
                format!(
                    "Cloud Run or Knative, service {name} ({ENV_KNATIVE} is set, {ENV_PORT} is {port}); calls at /"
                )
            }
            Kind::Plain => format!("listening on http://{}:{port}; calls at / and below", self.address),
        }
    }

    /// What a request is.
    pub fn meaning(&self, method: &Method, path: &str) -> Meaning {
        let (ready, call) = match &self.kind {
            Kind::AzureFunctions(_) if *method == Method::POST => return Meaning::Enveloped,
            Kind::AzureFunctions(_) => ("/", ""),
            Kind::Vertex { health, predict } => (health.as_str(), predict.as_str()),
            Kind::SageMaker => ("/ping", "/invocations"),
            Kind::AzureMl(_) => ("/", "/score"),
            Kind::Knative(_) | Kind::Plain => ("/", "/"),
        };
        match *method {
            Method::POST if path == call => Meaning::Call,
            Method::GET | Method::HEAD if path == ready => Meaning::Readiness,
            _ => Meaning::Own,
        }
    }
}

fn number(name: &str, text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{name} is {text:?}, not a port number (0 to 65535)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Option<Host>, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Host::of(
            |name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()),
            &arguments,
        )
    }

    fn everywhere(kind: Kind, port: u16) -> Host {
        Host { kind, port, address: Ipv4Addr::UNSPECIFIED }
    }

    #[test]
    fn the_environment_says_who_hosts() {
        let vertex = [
            (ENV_VERTEX_PORT, "8081"),
            (ENV_VERTEX_HEALTH, "/h"),
            (ENV_VERTEX_PREDICT, "/p"),
            (ENV_PORT, "1"),
        ];
        let kind = Kind::Vertex { health: "/h".into(), predict: "/p".into() };
        assert_eq!(of(&vertex, &[]), Ok(Some(everywhere(kind, 8081))));
        for (environment, arguments, kind, port) in [
            (&[][..], &["serve"][..], Kind::SageMaker, 8080),
            (
                &[(ENV_AZURE_PORTS[0], "7"), (ENV_AZURE_ROOT, "/home")],
                &[],
                Kind::AzureFunctions(Some("/home".into())),
                7,
            ),
            (&[(ENV_AZURE_PORTS[1], "7"), (ENV_PORT, "1")], &[], Kind::AzureFunctions(None), 7),
            (&[(ENV_SAGEMAKER_PORT, "9000"), (ENV_PORT, "1")], &["runtime", "serve"], Kind::SageMaker, 9000),
            (&[(ENV_AZURE_ML, "/var/model")], &[], Kind::AzureMl("/var/model".into()), 5001),
            (&[(ENV_AZURE_ML, "/var/model"), (ENV_PORT, "80")], &[], Kind::AzureMl("/var/model".into()), 80),
            (&[(ENV_KNATIVE, "churn"), (ENV_PORT, "8080")], &[], Kind::Knative("churn".into()), 8080),
            (&[(ENV_PORT, "8080")], &[], Kind::Plain, 8080),
        ] {
            let found = of(environment, arguments).unwrap().unwrap();
            assert_eq!((found.kind, found.port), (kind, port), "{environment:?} {arguments:?}");
        }
        assert_eq!(of(&[(ENV_KNATIVE, "churn")], &[]), Ok(None));
    }

    #[test]
    fn what_the_environment_lacks_is_named() {
        assert_eq!(
            of(&[(ENV_PORT, "http")], &[]).unwrap_err(),
            "PORT is \"http\", not a port number (0 to 65535)"
        );
        let error = of(&[(ENV_VERTEX_PORT, "80"), (ENV_VERTEX_HEALTH, "/h")], &[]).unwrap_err();
        assert_eq!(error, "AIP_HTTP_PORT is set, but AIP_PREDICT_ROUTE is not");
    }

    #[test]
    fn paths_mean_what_the_host_means_by_them() {
        let sagemaker = everywhere(Kind::SageMaker, 8080);
        let plain = everywhere(Kind::Plain, 8080);
        let azure = Host { kind: Kind::AzureFunctions(None), port: 7, address: Ipv4Addr::LOCALHOST };
        for (host, method, path, meaning) in [
            (&sagemaker, Method::GET, "/ping", Meaning::Readiness),
            (&sagemaker, Method::POST, "/invocations", Meaning::Call),
            (&sagemaker, Method::GET, "/invocations", Meaning::Own),
            (&sagemaker, Method::POST, "/", Meaning::Own),
            (&azure, Method::GET, "/", Meaning::Readiness),
            (&azure, Method::POST, "/api/order", Meaning::Enveloped),
            (&azure, Method::POST, "/order", Meaning::Enveloped),
            (&plain, Method::POST, "/", Meaning::Call),
            (&plain, Method::GET, "/", Meaning::Readiness),
            (&plain, Method::POST, "/invocations", Meaning::Own),
            (&plain, Method::POST, "/fn/churn", Meaning::Own),
        ] {
            assert_eq!(host.meaning(&method, path), meaning, "{method} {path}");
        }
    }
}
