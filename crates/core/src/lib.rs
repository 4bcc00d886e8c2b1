//! The nouns of modelet: what every other room talks about.
//!
//! - [`name`]: function names, versions, qualifiers, and the ids of invocations and instances
//! - [`traffic`]: which versions get the calls
//! - [`tensor`]: dtypes, tensors and the values a model answers with
//! - [`signature`]: what a model takes and gives
//! - [`numbers`]: which numbers an input takes; [`index`]: which of them are rows of a table; [`rule`]: what one of its columns takes
//! - [`manifest`]: what `modelet.toml` may say
//! - [`settings`]: every limit of a function, with its default
//! - [`steps`]: what is done before and after a model
//! - [`artifact`]: the card inside an artifact
//! - [`handler`]: what answers invocations: a model, Python code, or a program
//! - [`certificate`]: what shows that a converted model answers as its original
//! - [`end`]: why an instance ended
//! - [`record`]: what is kept of one invocation and of one instance
//! - [`usage`]: what they add up to
//! - [`target`]: clouds that a function may be meant for, and their limits; [`processor`]: what they compute on
//! - [`standalone`]: one file that is a program and the artifact that it serves
//! - [`instance`]: what the platform and an instance say to each other
//! - [`caches`]: where libraries keep what they would rather not make again
//! - [`entry`]: one thing that is said in a log; [`redact`]: what is kept out of it; [`lines`]: of what a process prints; [`ask`]: what code that is watched asked for
//! - [`millis`], [`moment`]: times as text
//! - [`digest`]: what content is named by; [`base64`]: bytes as text; [`wav`]: samples as a sound's file
//! - [`error`]: stable error codes, and the two kinds of failure
//!
//! Deliberately absent: files, sockets, clocks, async. Everything here is plain data.

pub mod artifact;
pub mod ask;
pub mod base64;
pub mod caches;
pub mod certificate;
pub mod digest;
pub mod end;
pub mod entry;
pub mod error;
pub mod handler;
pub mod index;
pub mod instance;
pub mod lines;
pub mod manifest;
pub mod millis;
pub mod moment;
pub mod name;
pub mod numbers;
pub mod processor;
pub mod record;
pub mod redact;
pub mod rule;
pub mod settings;
pub mod signature;
pub mod standalone;
pub mod steps;
pub mod target;
pub mod tensor;
pub mod traffic;
pub mod usage;
pub mod wav;

pub use artifact::{ArtifactCard, ArtifactFile};
pub use certificate::Certificate;
pub use end::{EndReason, StartFailure, StartPhase};
pub use error::{Code, Failure, FunctionError, PlatformError};
pub use handler::{EngineName, Handler, ModelCard, ProgramCard, PythonCard};
pub use manifest::Manifest;
pub use name::{FunctionName, InstanceId, InvocationId, NameError, Qualifier, Version};
pub use numbers::Numbers;
pub use processor::Processor;
pub use record::{InstanceRecord, InvocationRecord, Outcome, Phases};
pub use rule::{Known, Rule};
pub use settings::Settings;
pub use signature::{Dim, FileKind, InputSpec, Limited, OutputKind, OutputSpec, Signature};
pub use steps::Steps;
pub use target::Target;
pub use tensor::{DType, Data, Tensor, TensorError, Value};
pub use traffic::{Canary, Percent, Traffic};
pub use usage::Usage;
