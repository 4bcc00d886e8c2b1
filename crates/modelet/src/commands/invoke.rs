//! `modelet invoke`: calls a function and prints its answer as it came.

use std::io::{self, Read, Write};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use modelet_core::{Code, FunctionName};
use serde_json::{Value, json};

use crate::cli::{Common, Invoke};
use crate::client::Client;
use crate::commands::deploy::sample;
use crate::output;
use crate::report::Report;

pub async fn run(common: &Common, invoke: &Invoke) -> Result<(), Report> {
    if let Some(to) = &invoke.elsewhere.to {
        let body = invoke.body.as_deref().map(body).transpose()?;
        return super::target::invoke(common, to, invoke, body).await;
    }
    let client = Client::find(common)?;
    let (body, content_type) = match &invoke.body {
        Some(text) => body(text)?,
        None => sample_body(&client, invoke).await?,
    };
    let version = invoke.version().map(|version| version.to_string());
    let mut request = Request::post(path(&invoke.name, version.as_deref()));
    if let Some(content_type) = invoke.content_type.as_deref().or(content_type) {
        request = request.header(CONTENT_TYPE, content_type);
    }
    if let Some(accept) = &invoke.accept {
        request = request.header(ACCEPT, accept);
    }
    if invoke.is_async {
        let accepted: Value = client.json(request.header("prefer", "respond-async"), body).await?;
        tell_id(common, invoke, &accepted);
        return Ok(());
    }
    print(common, &client.call(request, body).await?)
}

/// Where a function answers, or one of its versions.
pub fn path(name: &FunctionName, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("/fn/{name}/versions/{version}"),
        None => format!("/fn/{name}"),
    }
}

/// Which invocation it is, on standard output.
fn tell_id(common: &Common, invoke: &Invoke, accepted: &Value) {
    if common.json {
        return output::json(accepted);
    }
    let id = accepted["invocation"].as_str().unwrap_or_default();
    output::line(id);
    output::say(format!("its answer: modelet result {} {id}", invoke.name));
}

/// Prints an answer as it came.
pub fn print(common: &Common, response: &Response<Bytes>) -> Result<(), Report> {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    if !response.status().is_success() {
        return Err(Report::from_answer(response.status().as_u16(), response.body()));
    }
    if common.json {
        let answer: Value = serde_json::from_slice(response.body())
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(response.body())));
        output::json(&json!({
            "status": response.status().as_u16(),
            "invocation": header("x-modelet-invocation"),
            "version": header("x-modelet-version"),
            "instance": header("x-modelet-instance"),
            "server_timing": header("server-timing"),
            "answer": answer,
        }));
        return Ok(());
    }
    let mut stdout = io::stdout();
    // A closed pipe is the reader's choice.
    let _ = stdout.write_all(response.body());
    if header("content-type").is_some_and(|kind| kind.contains("json")) && !response.body().ends_with(b"\n") {
        let _ = stdout.write_all(b"\n");
    }
    Ok(())
}

/// Text, `@FILE`, or `-`; and what it is, when its name or first bytes say so.
pub fn body(text: &str) -> Result<(Bytes, Option<&'static str>), Report> {
    let unreadable = |what: &str, error: io::Error| {
        Report::new(Code::BadBody, format!("could not read {what}: {error}"))
            .hint("give text, @FILE, or - for standard input")
    };
    let (bytes, name) = if text == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map_err(|error| unreadable("standard input", error))?;
        (bytes, "")
    } else if let Some(file) = text.strip_prefix('@') {
        (std::fs::read(file).map_err(|error| unreadable(file, error))?, file)
    } else {
        (text.as_bytes().to_vec(), "")
    };
    let kind = content_type(name, &bytes);
    Ok((bytes.into(), kind))
}

/// What a body is, when the ending of its file's name or its first bytes say so.
fn content_type(name: &str, bytes: &[u8]) -> Option<&'static str> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "json" => Some("application/json"),
        "csv" => Some("text/csv"),
        "npy" => Some("application/x-npy"),
        "txt" => Some("text/plain"),
        "" if bytes.starts_with(b"\x93NUMPY") => Some("application/x-npy"),
        // The function itself tells JSON from CSV.
        "" => None,
        _ => Some("application/octet-stream"),
    }
}

async fn sample_body(client: &Client, invoke: &Invoke) -> Result<(Bytes, Option<&'static str>), Report> {
    // A missing function gives its own error below.
    let sample = sample(client, &invoke.name).await.unwrap_or_default();
    let body = sample["body"].as_str().unwrap_or_default().to_owned();
    if !body.is_empty() {
        output::say(format!("no body given, sending the sample: {body}"));
    }
    Ok((body.into(), Some("application/json")))
}
