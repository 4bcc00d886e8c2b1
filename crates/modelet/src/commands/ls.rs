//! `modelet ls`: all functions.

use modelet_core::Traffic;
use modelet_platform::admin::views::FunctionList;

use crate::cli::Common;
use crate::client::Client;
use crate::output;
use crate::report::Report;

pub async fn run(common: &Common) -> Result<(), Report> {
    let client = Client::find(common)?;
    let list: FunctionList = client.get("/api/v1/functions").await?;
    if common.json {
        output::json(&list.functions);
        return Ok(());
    }
    if list.functions.is_empty() {
        output::say("no functions yet: modelet deploy MODEL.onnx");
        return Ok(());
    }
    let rows = list.functions.into_iter().map(|function| {
        vec![
            function.name.to_string(),
            versions(function.traffic),
            function.engine,
            output::size(function.size_bytes),
            function.instances.to_string(),
            output::moment(function.deployed_at_ms),
            function.url,
        ]
    });
    output::table(&["name", "version", "engine", "size", "instances", "deployed", "url"], rows);
    Ok(())
}

/// The live version, and a canary with its part.
fn versions(traffic: Traffic) -> String {
    match traffic.canary {
        None => traffic.version.to_string(),
        Some(canary) => format!("{}, {} ({} %)", traffic.version, canary.version, canary.percent.get()),
    }
}
