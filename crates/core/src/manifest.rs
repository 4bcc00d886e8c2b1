//! What `modelet.toml` may say. Every value has a default; an unknown key is an error.

mod audio;
mod image;
mod labels;
mod program;
mod python;
mod triggers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::handler::EngineName;
use crate::name::FunctionName;
use crate::settings::SettingsPatch;
use crate::steps::Pooling;

pub use audio::AudioNotes;
pub use image::ImageNotes;
pub use labels::LabelNotes;
pub use program::ProgramNotes;
pub use python::PythonNotes;
pub use triggers::{Schedule, TRIGGERS_LIMIT, Trigger, Upload};

/// A manifest, as written by the user.
///
/// ```toml
/// name = "churn"                # default: the folder's or the file's name
/// model = "model.onnx"          # default: the one model in the folder
/// engine = "auto"               # auto | onnxruntime | tabular | rten
/// handler = "app.predict"       # code in the place of a model: module.function; default: found in the folder
/// non_finite = "null"           # how NaN and infinities are written in JSON: null | text | error
/// keep_alive = "fixed"          # how long idle instances are kept: fixed (idle_timeout_ms) | hybrid (learnt from the calls)
/// network = false               # may instances reach the network?
/// isolation = 2                 # the weakest rung that instances may run under: 1 (best) to 4
///
/// [env]
/// MODE = "fast"
///
/// [secrets]
/// API_KEY = "partner-key"       # the value of the secret of that name: modelet secret set partner-key
///
/// [settings]
/// memory_mib = 512
///
/// [python]                      # of a handler in Python
/// version = "3.11"              # default: .python-version, else pyproject.toml, else the active environment's
/// interface = "lambda"          # lambda | score | functions_framework | predict | wsgi | asgi
/// event = "body"                # what a Lambda function gets of an HTTP request: body | http_v2 | http_v1
/// unwrap = false                # true: of an event that API Gateway made of a request it gets the body
/// memoize_loaders = true        # a model that is loaded within a call is loaded once
/// strict = false                # true: answers as AWS Lambda does, to the letter
///
/// [program]                     # a program in the place of a model; default: an executable file bootstrap in the folder
/// command = ["./bootstrap"]
/// speaks = "runtime_api"        # runtime_api: of AWS Lambda | http: on $PORT
/// event = "body"                # as above
///
/// [text]                        # the model takes text: read from the folder where it has a tokenizer.json
/// pooling = "mean"              # none | mean | mean_sqrt_len | max | cls
/// normalize = true
///
/// [image]                       # the model takes pictures: read from the folder where it has a preprocessor_config.json
/// resize = { shortest_edge = 256 }   # or { height = 224, width = 224 }
/// filter = "bicubic"            # nearest | box | bilinear | hamming | bicubic | lanczos
/// crop = { height = 224, width = 224 }
/// mean = [0.485, 0.456, 0.406]
/// std = [0.229, 0.224, 0.225]
///
/// [audio]                       # the model takes sounds: read from the folder where it has a preprocessor_config.json
/// sampling_rate = 16000         # samples a second
/// normalize = true
///
/// [labels]                      # a classifier's numbers as scores of classes: read from the folder's config.json
/// names = ["cat", "dog"]
/// scores = "softmax"            # softmax | sigmoid | none
/// top = 5
/// threshold = 0.1
///
/// [inputs.X]
/// columns = ["age", "income"]   # names along the last axis
///
/// [outputs.probabilities]
/// classes = ["stays", "leaves"]
///
/// [[triggers]]                  # what invokes it besides clients, where a target has such triggers
/// kind = "schedule"
/// schedule = "rate(5 minutes)"  # or "cron(0 6 ? * MON-FRI *)", UTC
/// input = '{"warm": true}'      # the event; default: what the target says of the schedule
///
/// [[triggers]]
/// kind = "upload"
/// bucket = "incoming"
/// prefix = "rows/"
/// suffix = ".csv"
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The function's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FunctionName>,
    /// One sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The model file, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The function or application that answers, in the place of a model: `module.function`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// The engine to use; absent or `auto`: chosen at deploy, on evidence.
    #[serde(default, skip_serializing_if = "EngineChoice::is_auto")]
    pub engine: EngineChoice,
    /// How NaN and infinities are written where JSON has no word for them.
    #[serde(default, skip_serializing_if = "NonFinite::is_default")]
    pub non_finite: NonFinite,
    /// How long idle instances are kept.
    #[serde(default, skip_serializing_if = "KeepAlive::is_default")]
    pub keep_alive: KeepAlive,
    /// True when instances may reach the network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
    /// The weakest isolation that instances may run under; absent: the best that the machine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Rung>,
    /// Variables of the instances' environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secrets of the platform, by the secret's name: neither artifact nor log has the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// A handler in Python, where the code does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<PythonNotes>,
    /// A program that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramNotes>,
    /// Text to tokens, where the folder does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextNotes>,
    /// Pictures to numbers, where the folder does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageNotes>,
    /// Sounds to numbers, where the folder does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioNotes>,
    /// The classes of a classifier and their scores, where the folder does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelNotes>,
    /// Limits that differ from the defaults.
    #[serde(default)]
    pub settings: SettingsPatch,
    /// What the model does not say about its inputs, by input name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputNotes>,
    /// What the model does not say about its outputs, by output name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, OutputNotes>,
    /// What invokes it besides its clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
}

impl Manifest {
    /// Whether a model that Python code loads within each call is loaded once.
    pub fn memoizes_loaders(&self) -> bool {
        self.python.as_ref().and_then(|notes| notes.memoize_loaders).unwrap_or(true)
    }

    /// Refuses triggers that no target could have.
    ///
    /// # Errors
    /// One sentence that names the trigger and what is wrong with it.
    pub fn check_triggers(&self) -> Result<(), String> {
        triggers::check(&self.triggers)
    }

    /// Refuses variables that no environment can have, or that belong to the contract with the host.
    pub fn check_environment(&self) -> Result<(), String> {
        for name in self.env.keys().chain(self.secrets.keys()) {
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(legal) {
                return Err(format!("{name:?} is not the name of a variable: letters, digits and _ only"));
            }
            if name.starts_with("MODELET_") || name.starts_with("LISTEN_") {
                return Err(format!("the variable {name} is the platform's own: choose another name"));
            }
        }
        if let Some(name) = self.secrets.keys().find(|name| self.env.contains_key(*name)) {
            return Err(format!("{name} is in [env] and in [secrets]: one of them has to go"));
        }
        if let Some((name, _)) = self.env.iter().find(|(_, value)| value.contains('\0')) {
            return Err(format!("the value of {name} has a zero byte in it"));
        }
        for name in self.secrets.values() {
            name.parse::<FunctionName>().map_err(|_| {
                format!("{name:?} is not a secret's name: lower-case letters, digits and single hyphens")
            })?;
        }
        Ok(())
    }
}

/// Which engine a manifest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// The best of those that answer alike, measured at deploy.
    #[default]
    Auto,
    /// ONNX Runtime.
    Onnxruntime,
    /// Our own engine for classical models.
    Tabular,
    /// The pure Rust engine for neural nets.
    Rten,
}

impl EngineChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// The engine asked for; `None` for `auto`.
    pub fn named(self) -> Option<EngineName> {
        match self {
            Self::Auto => None,
            Self::Onnxruntime => Some(EngineName::Onnxruntime),
            Self::Tabular => Some(EngineName::Tabular),
            Self::Rten => Some(EngineName::Rten),
        }
    }
}

/// How long idle instances are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeepAlive {
    /// For `idle_timeout_ms`.
    #[default]
    Fixed,
    /// For as long as the calls so far make it likely that another comes, and started ahead of it: the hybrid histogram of
    /// "Serverless in the Wild" (ATC 2020). As `Fixed` while there is no pattern.
    Hybrid,
}

impl KeepAlive {
    fn is_default(&self) -> bool {
        *self == Self::Fixed
    }
}

/// A rung of the isolation ladder; 1 is the strongest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "u8", into = "u8")]
pub enum Rung {
    /// Namespaces, a read-only root, no capabilities, a system call filter, and limits by control groups.
    NamespacesAndCgroups = 1,
    /// As above, but limits by rlimits and a watch over memory.
    Namespaces = 2,
    /// No namespaces: landlock for files and TCP, a system call filter that also refuses sockets, rlimits, the watch.
    Landlock = 3,
    /// Only a system call filter, rlimits and the watch: keeps accidents apart, not enemies. Must be asked for.
    Filter = 4,
}

impl Rung {
    /// From the strongest to the weakest.
    pub const ALL: [Self; 4] = [Self::NamespacesAndCgroups, Self::Namespaces, Self::Landlock, Self::Filter];

    /// What it keeps apart, in words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::NamespacesAndCgroups => "namespaces, system call filter, control groups",
            Self::Namespaces => "namespaces, system call filter, rlimits and a memory watch",
            Self::Landlock => "landlock, system call filter, rlimits and a memory watch",
            Self::Filter => "system call filter, rlimits and a memory watch",
        }
    }
}

impl From<Rung> for u8 {
    fn from(rung: Rung) -> Self {
        rung as Self
    }
}

impl TryFrom<u8> for Rung {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|rung| u8::from(*rung) == number)
            .ok_or_else(|| format!("there is no isolation {number}; the rungs are 1 (the strongest) to 4"))
    }
}

impl std::fmt::Display for Rung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", u8::from(*self), self.description())
    }
}

/// How NaN and infinities are written in JSON, which has no word for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// As `null`.
    #[default]
    Null,
    /// As `"NaN"`, `"Infinity"` and `"-Infinity"`.
    Text,
    /// Not at all: the call fails, and the error names the output.
    Error,
}

impl NonFinite {
    fn is_default(&self) -> bool {
        *self == Self::Null
    }
}

/// What a manifest says of text; what is absent is read from the model's folder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextNotes {
    /// True when the model takes tokens all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// The tokenizer's file, relative to the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Tokens of one text; longer texts are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// What is put before each text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// How the vectors of tokens become one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// True when that vector is made one long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
}

/// What a manifest adds to an input.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputNotes {
    /// Names of the columns along the last axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// What a manifest adds to an output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputNotes {
    /// Names of the classes along the last axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
}
