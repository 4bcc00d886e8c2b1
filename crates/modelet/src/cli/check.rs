//! The words of `modelet check`.

use clap::Args;
use modelet_core::{Processor, Target};

use super::making::Draft;

/// `modelet check`
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub draft: Draft,
    /// The cloud that it is meant for: aws-lambda, cloud-run, azure-functions, sagemaker, vertex
    #[arg(long = "as", value_name = "TARGET")]
    pub target: Target,
    /// The processor: x86_64 or arm64; what this machine has not cannot be run here, and is read alone [default: this machine's]
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<Processor>,
    /// A call to try: a file, or text [default: a model's own; none for code]
    #[arg(long, value_name = "FILE|JSON")]
    pub sample: Option<String>,
    /// Where an application is called: a path below its function's; by GET without a sample
    #[arg(long, value_name = "PATH")]
    pub at: Option<String>,
}
