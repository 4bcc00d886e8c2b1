//! The words of `modelet package`.

use std::env::consts::ARCH;
use std::path::PathBuf;

use clap::Args;
use modelet_core::Target;

use super::image::ImageOptions;
use super::making::Making;

/// `modelet package`
#[derive(Debug, Args)]
pub struct Package {
    #[command(flatten)]
    pub making: Making,
    /// The host that it is for, such as aws-lambda: held to its limits [default: any with the same processor]
    #[arg(long = "for", value_name = "TARGET")]
    pub target: Option<Target>,
    /// A container image, which is what --for sagemaker, cloud-run and vertex take too
    #[arg(long, conflicts_with = "standalone")]
    pub image: bool,
    #[command(flatten)]
    pub images: ImageOptions,
    /// One program that serves the model over HTTP on any Linux: ./FILE --help says how
    #[arg(long, conflicts_with = "target")]
    pub standalone: bool,
    /// The processor: x86_64 or arm64 [default: this machine's]
    #[arg(long, value_name = "ARCH", value_parser = parse_architecture)]
    pub arch: Option<&'static str>,
    /// The file that is written; of an image an archive (.tar), or a folder with its layout [default: NAME.zip, NAME for one program,
    /// NAME.tar for an image that is not pushed]
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

impl Package {
    /// True where a container image is asked for.
    pub fn is_image(&self) -> bool {
        let takes_images = [Target::Sagemaker, Target::CloudRun, Target::Vertex];
        let is_for_images = self.target.is_some_and(|target| takes_images.contains(&target));
        self.image || self.images.push.is_some() || self.images.files.is_some() || is_for_images
    }
}
