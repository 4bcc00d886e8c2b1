//! `modelet result`: the answer of an asynchronous invocation.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use modelet_core::Code;
use serde_json::Value;

use crate::cli::{Common, ResultOf};
use crate::client::Client;
use crate::commands::invoke;
use crate::report::Report;

pub async fn run(common: &Common, result: &ResultOf) -> Result<(), Report> {
    let client = Client::find(common)?;
    let deadline = Instant::now() + Duration::from_secs(result.wait);
    loop {
        // The platform waits for a minute at most.
        let wait_s = deadline.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        let path = format!("/fn/{}/invocations/{}", result.name, result.invocation);
        let request = Request::get(path).header("prefer", format!("wait={wait_s}"));
        let answer = client.call(request, Bytes::new()).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return invoke::print(common, &answer);
        }
        if Instant::now() >= deadline {
            return Err(not_yet(result, answer.body()));
        }
    }
}

fn not_yet(result: &ResultOf, body: &[u8]) -> Report {
    let state: Value = serde_json::from_slice(body).unwrap_or_default();
    let attempts = state["attempts"].as_u64().unwrap_or(0);
    Report::new(
        Code::InvocationPending,
        format!("{} has no answer yet; attempts that ended: {attempts}", result.invocation),
    )
    .hint("wait for it: --wait 60")
}
