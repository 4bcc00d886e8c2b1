//! `modelet demo`: the platform with a sample function, ready to be called.

use std::fs;
use std::path::Path;

use modelet_core::{Code, Processor};
use modelet_platform::Platform;

use crate::cli::making::Making;
use crate::cli::{Common, Demo};
use crate::client::Client;
use crate::commands::deploy::{publish, sample};
use crate::commands::up::{Shutdown, config, serve};
use crate::engines;
use crate::output::{self, Progress};
use crate::report::Report;

/// The sample, as it lies in `examples/iris`, carried in the binary.
const SAMPLE: &[(&str, &[u8])] = &[
    ("model.onnx", include_bytes!("../../../../examples/iris/model.onnx")),
    ("modelet.toml", include_bytes!("../../../../examples/iris/modelet.toml")),
];

pub async fn run(mut common: Common, demo: Demo) -> Result<(), Report> {
    let shutdown = Shutdown::listen()?;
    let folder = tempfile::tempdir().map_err(|error| cannot("make a folder", &error))?;
    if engines::locate().is_err() {
        output::say("1/3  ONNX Runtime is not on this machine yet");
        let _progress = Progress::start("bringing it (about 20 MB, checked by hash)");
        engines::install(Processor::HERE).await?;
    } else {
        output::say("1/3  ONNX Runtime is on this machine");
    }
    common.data.get_or_insert_with(|| folder.path().join("data"));
    let platform = Platform::start(config(&common, demo.listen)?).await?;
    let url = platform.url().to_owned();
    output::say(format!("2/3  the platform is up at {url}"));
    let serving = tokio::spawn(serve(platform, shutdown));

    let client = Client::at(&url)?;
    let source = folder.path().join("iris");
    write_sample(&source).map_err(|error| cannot("write the sample", &error))?;
    let outcome = publish(&client, &Making::of(source)).await?;
    output::say(format!(
        "3/3  the sample function {} is live, and nothing runs until it is called",
        outcome.name()
    ));
    let curl =
        sample(&client, outcome.name()).await.and_then(|sample| Some(sample["curl"].as_str()?.to_owned()));
    output::say("\nTry it in another terminal (Ctrl-C here stops everything):\n");
    output::line(curl.unwrap_or_else(|| format!("curl {url}/fn/{}", outcome.name())));
    serving.await.map_err(|error| Report::new(Code::Internal, format!("the platform ended: {error}")))?
}

fn write_sample(folder: &Path) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    SAMPLE.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

fn cannot(what: &str, error: &std::io::Error) -> Report {
    Report::new(Code::Internal, format!("could not {what}: {error}"))
        .hint("check the space in the temporary folder")
}
