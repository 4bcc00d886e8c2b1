//! The words of `modelet package`.

use std::path::PathBuf;

use clap::Args;
use modelet_core::{Processor, Target};

use super::image::ImageOptions;
use super::making::Making;

/// `modelet package`
#[derive(Debug, Args)]
pub struct Package {
    #[command(flatten)]
    pub making: Making,
    /// The host that it is for, such as aws-lambda: held to its limits [default: any]
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
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<Processor>,
    /// The file that is written; of an image an archive (.tar), or a folder with its layout [default: NAME.zip, NAME for one program,
    /// NAME.tar for an image that is not pushed]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The runtime's program to put into it [default: of MODELET_RUNTIMES, beside this program, or in modelet's cache]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub runtime: Option<PathBuf>,
}

impl Package {
    /// True where a container image is asked for.
    pub fn is_image(&self) -> bool {
        let takes_images = [Target::Sagemaker, Target::CloudRun, Target::Vertex];
        let is_for_images = self.target.is_some_and(|target| takes_images.contains(&target));
        self.image || self.images.push.is_some() || self.images.files.is_some() || is_for_images
    }
}
