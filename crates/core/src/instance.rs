//! What the platform and the runtime inside an instance say to each other, beyond the client's own request.
//!
//! The local contract is HTTP/1.1 over a Unix socket that the platform binds and the instance inherits as fd 3, announced as
//! systemd announces sockets (`LISTEN_FDS`). The client's request is passed on unread: same method, path and body.
//!
//! A *stem cell* is an instance that was started before anybody needed it. It also inherits a datagram socket as fd 4, and gets
//! its [`Assignment`] through it: one datagram, with the artifact's files as open descriptors.

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::name::Version;

/// Environment variable: the folder of the unpacked artifact.
pub const ENV_ARTIFACT: &str = "MODELET_ARTIFACT";
/// Environment variable: the number of the version that the instance serves.
pub const ENV_VERSION: &str = "MODELET_VERSION";
/// Environment variable: the ONNX Runtime library to load, an absolute path.
pub const ENV_ONNXRUNTIME: &str = "MODELET_ONNXRUNTIME";

/// Environment variable of an instance of Python code: the interpreter, an absolute path.
pub const ENV_PYTHON: &str = "MODELET_PYTHON";
/// Environment variable of an instance of Python code: the folder of its packages.
pub const ENV_PACKAGES: &str = "MODELET_PACKAGES";

/// Where everything lies that another host gets, relative to the artifact's folder.
pub mod shipped {
    /// The runtime, a program; AWS Lambda asks for this name.
    pub const BOOTSTRAP: &str = "bootstrap";
    /// The folder of packages.
    pub const PACKAGES: &str = "packages";
    /// The library of ONNX Runtime.
    pub const ONNXRUNTIME: &str = "lib/libonnxruntime.so";
}

/// Environment variable of an instance that is tried: names of packages that its code imports later, and where, as JSON
/// (`[["yaml", "app.py:3"]]`). It does not become ready without them.
pub const ENV_TRIED_IMPORTS: &str = "MODELET_TRIED_IMPORTS";

/// Environment variable of an instance that is tried for another host: paths that the host has not, a list in JSON. Its Python code is
/// watched: what it [asks](crate::ask::Ask) of its machine stands in its log.
pub const ENV_WATCHED: &str = "MODELET_WATCHED";

/// Environment variable of a stem cell that becomes Python code: the modules that it imports ahead, a list in JSON.
pub const ENV_IMPORTS: &str = "MODELET_IMPORTS";
/// Environment variable of such a stem cell, `1` or `0`: whether loaders of models are wrapped as their libraries are imported, so that
/// models are kept, or found under paths of the machine that they were made on.
pub const ENV_WRAP_LOADERS: &str = "MODELET_WRAP_LOADERS";
/// Environment variable of such a stem cell: how many threads libraries compute with.
pub const ENV_THREADS: &str = "MODELET_THREADS";

/// Environment variable of a stem cell: the folder, which it makes, for the artifact that it will be given.
pub const ENV_CELL: &str = "MODELET_CELL";

/// Most files that can be handed to a stem cell: the kernel passes 253 descriptors in one message (`SCM_MAX_FD`).
pub const MAX_HANDED_FILES: usize = 250;

/// What a stem cell becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The version that it serves.
    pub version: Version,
    /// The paths of the artifact's files in its folder, in the order of the descriptors that come with this.
    pub files: Vec<String>,
}

/// The path that the platform asks and an instance answers once it has loaded, or failed to.
pub const READY_PATH: &str = "/modelet/ready";

/// The path that the platform asks to learn whether an instance is well. It is answered by the thread that computes, between
/// computations: no answer means busy or stuck, and the processor time that the process uses tells which.
pub const HEALTH_PATH: &str = "/modelet/health";

/// The path at which the platform says, with the invocation's id in its header, that nobody wants the rest of an answer any more. 202:
/// the code is told, and the answer ends as soon as it has ended; 404: there is no such answer, or none that can be told.
pub const CANCEL_PATH: &str = "/modelet/cancel";

/// Header of an answer: the invocation's id.
pub const HEADER_INVOCATION: &str = "x-modelet-invocation";
/// Header of an answer: the version that gave it.
pub const HEADER_VERSION: &str = "x-modelet-version";
/// Header of an answer: the instance that gave it.
pub const HEADER_INSTANCE: &str = "x-modelet-instance";
/// Header of an answer that is a failure: its code.
pub const HEADER_ERROR: &str = "x-modelet-error";

/// Header of an answer with status 200 that is a failure of the function, as Lambda's Invoke API marks it; the body says which.
pub const HEADER_FUNCTION_ERROR: &str = "x-amz-function-error";

/// Headers that come with a call where AWS Lambda is the host, named and written as its Runtime API names them (docs, "Using the
/// Lambda runtime API"). A handler makes its context of them. No client can send them: the gateway takes them away.
pub mod lambda {
    /// What all of their names begin with.
    pub const PREFIX: &str = "lambda-runtime-";
    /// The id of the invocation, as Lambda's own logs have it.
    pub const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
    /// When the call has to be answered, milliseconds since 1970.
    pub const DEADLINE_MS: &str = "lambda-runtime-deadline-ms";
    /// The ARN by which the function was called.
    pub const FUNCTION_ARN: &str = "lambda-runtime-invoked-function-arn";
    /// The trace that the call belongs to: what handlers look for in the environment variable `_X_AMZN_TRACE_ID`.
    pub const TRACE_ID: &str = "lambda-runtime-trace-id";
    /// What a mobile client says of itself, JSON.
    pub const CLIENT_CONTEXT: &str = "lambda-runtime-client-context";
    /// Who it is to Amazon Cognito, JSON.
    pub const COGNITO_IDENTITY: &str = "lambda-runtime-cognito-identity";
}

/// What an instance says of itself when it is ready (200), or why it cannot be (503).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// From the start of `main`, or for a stem cell from its assignment, until the model was loaded, in milliseconds.
    pub load_ms: f64,
    /// The modules that its code asked for while it was loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// Why it cannot serve: a code and a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(Code, String)>,
}

/// What an instance answers at [`HEALTH_PATH`]: 200, or 503 when it has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How far it is.
    pub state: HealthState,
    /// Calls that it has taken in and not yet answered.
    pub calls: u64,
}

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// It does not serve yet.
    Loading,
    /// It serves.
    Ready,
    /// It could not load and will not serve.
    Failed,
}
