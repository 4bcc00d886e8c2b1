//! The words of `modelet dev`.

use std::net::SocketAddr;

use clap::Args;
use modelet_core::Target;

use super::making::Draft;
use super::parse_listen;

/// `modelet dev`
#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    pub draft: Draft,
    /// Impose the limits of a cloud: aws-lambda, cloud-run, azure-functions, sagemaker, vertex
    #[arg(long = "as", value_name = "TARGET")]
    pub target: Option<Target>,
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
}
