//! How an artifact is made.
//!
//! - [`given`]: what the user points at, looked through for the one model in it
//! - [`archive`], [`mlflow`]: archives, and folders that MLflow wrote
//! - [`source`]: that model and everything that belongs to it, read and checked
//! - [`code`]: code in the place of a model: its files, and what of it answers
//! - [`importer`]: recognises a model and says which files belong to it
//! - [`network`]: recognises what only Keras, TensorFlow or PyTorch can read; [`conversion`]: what is made of it
//! - [`pickle`]: what a Python model file says, found without running it
//! - [`steps`]: what is done before and after the model
//! - [`notes`]: what a manifest adds to the model's signature
//! - [`probe`]: loads a model with an engine and measures it, in a process of its own
//! - [`evidence`]: what the probes found, and the engine that follows from it
//! - [`batching`]: whether calls may be computed together
//! - [`certificate`]: the proof that a converted model answers as its original
//! - [`elf`]: what programs and libraries ask of the machine that runs them
//! - [`binaries`]: whether a target's host runs those among files and packages
//! - [`layer`]: packages as a tar of their own
//! - [`artifact`]: the tar that travels, the same from the same source
//! - [`shipment`]: what another host gets: an artifact, and all that answers its calls
//!
//! Deliberately absent: the platform, and the starting of processes: whoever packages passes in how probes and the
//! witnesses of a proof are run.

pub mod archive;
pub mod artifact;
pub mod batching;
pub mod binaries;
pub mod certificate;
pub mod code;
pub mod conversion;
pub mod elf;
pub mod evidence;
pub mod given;
pub mod importer;
pub mod layer;
pub mod mlflow;
pub mod network;
pub mod notes;
pub mod pickle;
pub mod probe;
pub mod shipment;
pub mod source;
pub mod steps;

pub use artifact::{Packed, pack};
pub use batching::Batching;
pub use evidence::{By, EngineEvidence, Evidence, Measured, Prober, choose};
pub use notes::annotate;
pub use shipment::Shipment;
pub use source::{Bundle, ModelSource, Source, SourceFile};
