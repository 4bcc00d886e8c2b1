//! An instance that is hostile when it is told to be: it answers as its model does, but a JSON body
//! `{"hostile": "ACT", "target": "…"}` makes it do that act instead, inside of the handler, and answer `{"escaped": "what it got"}`
//! or `{"contained": "what kept it"}`. `modelet up --runtime` starts it; `python/tests/test_tenants.py` asks.

#![allow(clippy::disallowed_methods, reason = "a hostile program waits as it likes")]

#[path = "../../../worker/tests/hostile/acts.rs"]
mod acts;
mod wear;

use std::io;
use std::process::ExitCode;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use modelet_runtime::handler::{AnswerBody, Answering, Arriving, Handler, ModelHandler};
use serde::Deserialize;
use serde_json::json;

/// Most of what it got that it tells, characters.
const MOST_TOLD: usize = 2_000;

fn main() -> ExitCode {
    modelet_runtime::main_with(|config| Ok(Box::new(Hostile { model: ModelHandler::load(config)? })))
}

/// What a hostile body asks for.
#[derive(Deserialize)]
struct Request {
    hostile: String,
    #[serde(default)]
    target: String,
}

struct Hostile {
    model: ModelHandler,
}

impl Hostile {
    async fn answer(&self, head: &Parts, body: Arriving<'_>) -> Response<AnswerBody> {
        let body = body.await;
        match body.as_ref().ok().and_then(|bytes| serde_json::from_slice::<Request>(bytes).ok()) {
            Some(request) => outcome(attempt(&request.hostile, &request.target)).map(Into::into),
            None => self.model.answer(head, Box::pin(async { body })).await,
        }
    }
}

impl Handler for Hostile {
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a> {
        Box::pin(self.answer(head, body))
    }

    fn body_limit_bytes(&self) -> u64 {
        self.model.body_limit_bytes()
    }
}

/// Wears the instance out, or tries to get out of it.
fn attempt(act: &str, target: &str) -> io::Result<String> {
    wear::wear(act, target).unwrap_or_else(|| acts::attempt(act, target))
}

fn outcome(result: io::Result<String>) -> Response<Bytes> {
    let told = match result {
        Ok(got) => json!({"escaped": got.chars().take(MOST_TOLD).collect::<String>()}),
        Err(error) => json!({"contained": error.to_string()}),
    };
    Response::new(Bytes::from(told.to_string()))
}
