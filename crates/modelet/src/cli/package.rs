//! The words of `modelet package`.

use std::env::consts::ARCH;
use std::path::PathBuf;

use clap::Args;
use modelet_core::Target;

use super::making::Making;

/// `modelet package`
#[derive(Debug, Args)]
pub struct Package {
    #[command(flatten)]
    pub making: Making,
    /// The host that it is for: aws-lambda, cloud-run, azure-functions, sagemaker [default: any with the same processor]
    #[arg(long = "for", value_name = "TARGET")]
    pub target: Option<Target>,
    /// One program that serves the model over HTTP on any Linux: ./FILE --help says how
    #[arg(long, conflicts_with = "target")]
    pub standalone: bool,
    /// The processor: x86_64 or arm64 [default: this machine's]
    #[arg(long, value_name = "ARCH", value_parser = parse_architecture)]
    pub arch: Option<&'static str>,
    /// The file that is written [default: NAME.zip, or NAME for one program]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The runtime's program to put into it [default: of MODELET_RUNTIMES, beside this program, or in modelet's cache]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub runtime: Option<PathBuf>,
}

fn parse_architecture(text: &str) -> Result<&'static str, String> {
    let asked = match text {
        "x86_64" | "amd64" => "x86_64",
        "arm64" | "aarch64" => "aarch64",
        _ => return Err("the processors are x86_64 and arm64".to_owned()),
    };
    if asked == ARCH {
        return Ok(asked);
    }
    Err(format!(
        "this machine is {ARCH}: engines are chosen, conversions proved and code tried by running them, which cannot be done here for \
         {text}; run modelet package on a machine with that processor"
    ))
}
