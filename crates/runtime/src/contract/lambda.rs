//! The contract `lambda`: AWS Lambda is the host, and we fetch one event after the other from its Runtime API (docs, "Using the
//! Lambda runtime API").
//!
//! - [`api`]: that API, as its client
//! - [`outcome`]: what an answer is to Lambda; [`stream`]: one that it gets while it is made
//!
//! An event becomes a request of the protocol `lambda_invoke`, as if it had come through a gateway, so every handler takes it.
//! What Lambda says of a call comes as the headers that it says it in ([`modelet_core::instance::lambda`]). The trace is one of
//! them, and not in our own environment: who runs code that looks for it there tells it that code.

mod api;
mod outcome;
mod stream;

use std::future::ready;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};
use modelet_core::instance::{HEADER_INVOCATION, lambda};
use modelet_core::{FunctionError, FunctionName};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::handler::body::whole;
use crate::handler::event::{IsResponse, TakesResponse};
use crate::handler::{self, Handler};
use crate::log::{self, Level, Metrics};
use api::{Invocation, RuntimeApi};
use outcome::Outcome;

/// How function URLs call, as Lambda names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvokeMode {
    /// A response is reported when it is whole.
    #[default]
    Buffered,
    /// A response to an event of HTTP is reported while it is made.
    ResponseStream,
}

impl FromStr for InvokeMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "buffered" => Ok(Self::Buffered),
            "response_stream" => Ok(Self::ResponseStream),
            _ => Err(format!("{text:?} is neither buffered nor response_stream")),
        }
    }
}

/// A handler, whose it is and whose figures are told, or why there is none.
pub type Prepared = Result<(FunctionName, Box<dyn Handler>, Option<Metrics>), FunctionError>;

/// Serves until SIGTERM (exit code 0). What could not load is reported (exit code 1). An error says what the API did that makes
/// no sense.
pub fn serve(api: &str, mode: InvokeMode, prepared: Prepared) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(LocalSet::new().run_until(live(RuntimeApi::at(api), mode, prepared)))
}

async fn live(mut api: RuntimeApi, mode: InvokeMode, prepared: Prepared) -> Result<ExitCode, String> {
    let (name, handler, mut metrics) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            log::say(Level::Error, &format!("could not load: {error}"));
            api.cannot_start(&Outcome::not_started(&error)).await?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    loop {
        let invocation = tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
            code = handler.ended() => return Ok(code.into()),
            invocation = api.next(handler.body_limit_bytes()) => invocation?,
        };
        let id = invocation.id.clone();
        let (mut head, body) = request(&name, invocation);
        let is_streamed = mode == InvokeMode::ResponseStream && is_request(&body);
        if is_streamed {
            head.extensions.insert(TakesResponse);
        }
        let began = Instant::now();
        let answer = tokio::select! {
            answer = handler::answered(handler.as_ref(), &head, Box::pin(ready(body))) => answer,
            // Lambda sees that, and says so to whoever called.
            code = handler.ended() => return Ok(code.into()),
        };
        if let Some(metrics) = &mut metrics {
            metrics.tell(&id, began.elapsed(), answer.extensions().get().copied());
        }
        if answer.extensions().get::<IsResponse>().is_some() {
            api.stream(&id, answer).await?;
            continue;
        }
        let answer = whole(answer, outcome::RESULT_LIMIT_BYTES as u64).await;
        let outcome = answer.map_or_else(|error| Outcome::Failed(Outcome::not_whole(&error)), Outcome::of);
        match outcome {
            // As one, what others say of a response in JSON.
            Outcome::Answered(said) if is_streamed => {
                let response = handler::event::response(said).map(|response| response.map(Into::into));
                match response {
                    Ok(response) => api.stream(&id, response).await?,
                    Err(error) => api.report(&id, &Outcome::Failed(Outcome::not_whole(&error))).await?,
                }
            }
            outcome => api.report(&id, &outcome).await?,
        }
    }
}

/// Whether an event was made of a request of HTTP.
fn is_request(event: &Result<Bytes, FunctionError>) -> bool {
    event.as_ref().is_ok_and(|event| modelet_protocol::event_request(event).is_some())
}

/// The request that an event becomes.
fn request(function: &FunctionName, invocation: Invocation) -> (Parts, Result<Bytes, FunctionError>) {
    let mut head = Request::new(()).into_parts().0;
    head.method = Method::POST;
    // A function's name needs no escapes.
    head.uri = format!("/2015-03-31/functions/{function}/invocations").parse().unwrap_or_default();
    let own = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("x-amz-invocation-type"), HeaderValue::from_static("RequestResponse")),
    ];
    let id = HeaderValue::from_str(&invocation.id).ok();
    let id = id.map(|id| (HeaderName::from_static(HEADER_INVOCATION), id));
    head.headers.extend(own.into_iter().chain(id));
    let said = invocation.said.into_iter().filter_map(|(name, value)| Some((name?, value)));
    head.headers.extend(said.filter(|(name, _)| name.as_str().starts_with(lambda::PREFIX)));
    (head, invocation.event)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn what_lambda_says_of_a_call_comes_with_it_and_what_else_it_says_does_not() {
        let said = [
            (lambda::REQUEST_ID, "8476a536"),
            (lambda::DEADLINE_MS, "1542409706888"),
            (lambda::FUNCTION_ARN, "arn:aws:lambda:us-east-2:123456789012:function:churn"),
            (lambda::TRACE_ID, "Root=1-5bef4de7"),
            ("content-length", "2"),
        ];
        let said = said.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let invocation = Invocation {
            id: "8476a536".into(),
            said: HeaderMap::from_iter(said.clone()),
            event: Ok("{}".into()),
        };
        let (head, event) = request(&"churn".parse().unwrap(), invocation);
        assert_eq!((head.method, head.uri.path()), (Method::POST, "/2015-03-31/functions/churn/invocations"));
        assert_eq!(
            (event, &head.headers[HEADER_INVOCATION]),
            (Ok("{}".into()), &head.headers[lambda::REQUEST_ID])
        );
        for (name, value) in &said[..4] {
            assert_eq!(head.headers.get(name), Some(value));
        }
        assert!(!head.headers.contains_key("content-length"));
    }
}
