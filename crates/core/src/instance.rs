//! What the platform and the runtime inside an instance say to each other, beyond the client's own request.
//!
//! The local contract is HTTP/1.1 over a Unix socket that the platform binds and the instance inherits as fd 3, announced as
//! systemd announces sockets (`LISTEN_FDS=1`). The client's request is passed on unread: same method, path and body.

use serde::{Deserialize, Serialize};

use crate::error::Code;

/// Environment variable: the folder of the unpacked artifact.
pub const ENV_ARTIFACT: &str = "MODELET_ARTIFACT";
/// Environment variable: the number of the version that the instance serves.
pub const ENV_VERSION: &str = "MODELET_VERSION";
/// Environment variable: the ONNX Runtime library to load, an absolute path.
pub const ENV_ONNXRUNTIME: &str = "MODELET_ONNXRUNTIME";

/// The path that the platform asks and an instance answers once it has loaded, or failed to.
pub const READY_PATH: &str = "/modelet/ready";

/// Header of an answer: the invocation's id.
pub const HEADER_INVOCATION: &str = "x-modelet-invocation";
/// Header of an answer: the version that gave it.
pub const HEADER_VERSION: &str = "x-modelet-version";
/// Header of an answer: the instance that gave it.
pub const HEADER_INSTANCE: &str = "x-modelet-instance";
/// Header of an answer that is a failure: its code.
pub const HEADER_ERROR: &str = "x-modelet-error";

/// What an instance says of itself when it is ready (200), or why it cannot be (503).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// From the start of `main` until the model was loaded, in milliseconds.
    pub load_ms: f64,
    /// Why it cannot serve: a code and a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(Code, String)>,
}
