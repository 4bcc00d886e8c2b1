//! The handler of Python code: a worker of ours runs it in a Python of its own, a process beside this one.
//!
//! - [`worker`]: starts that process, and speaks to it; [`sources`]: what it runs before the user's code
//! - [`exchange`]: one call, and its answer in one piece or in many; [`wire`]: the frames of both
//! - [`conversation`]: a websocket

mod conversation;
mod exchange;
mod sources;
mod wire;
mod worker;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use modelet_core::handler::{Interface, PythonCard};
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use modelet_protocol::{Operation, ProtocolName};

use crate::config::Config;
use crate::handler::body::AnswerBody;
use crate::handler::timing::{SERVER_TIMING, server_timing};
use crate::handler::{
    Answering, Arriving, Ending, Handler, OF_A_CONNECTION, child, event, failed, websocket, within,
};
use exchange::AnswerPieces;
use wire::{Answer, Call, Form};
use worker::Worker;

pub use worker::{Preparation, PreparedPython};

/// A client that does not answer the end of a websocket is left after this time.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the worker says of an event that is no JSON, as Lambda's client for Python does.
const NO_EVENT: &str = "Runtime.UnmarshalError";

/// Code that has been loaded, and the process that has it.
pub struct PythonHandler {
    worker: Worker,
    python: PythonCard,
    /// It gets whole requests, of any method and below any path.
    gets_requests: bool,
    /// Of events that were made of HTTP requests it gets the body.
    unwraps: bool,
    body_limit_bytes: u64,
    response_limit_bytes: u64,
    request_timeout: Duration,
}

impl PythonHandler {
    /// Starts Python and loads the code of an artifact: what it imports, and what it does at its top level.
    pub fn load(config: &Config, python: &PythonCard) -> Result<Self, FunctionError> {
        let settings = &config.card.settings;
        Ok(Self {
            worker: Worker::start(config, python)?,
            python: python.clone(),
            gets_requests: config.card.is_application(),
            unwraps: config.card.manifest.python.as_ref().is_some_and(|notes| notes.unwrap),
            body_limit_bytes: settings.body_limit_bytes(),
            response_limit_bytes: settings.response_limit_bytes(),
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
        })
    }

    async fn answer(&self, head: &Parts, body: Arriving<'_>) -> Response<AnswerBody> {
        if self.gets_requests && modelet_protocol::below(head.uri.path()).is_some() {
            let answer = match websocket::asked(head).filter(|_| self.python.interface == Interface::Asgi) {
                Some(client) => self.converse(client, head).await,
                None => self.predict(ProtocolName::Fn, head, body).await,
            };
            return answer.unwrap_or_else(|failure| failed(ProtocolName::Fn, &failure).map(Into::into));
        }
        let (protocol, answer) = match modelet_protocol::route(&head.method, head.uri.path()) {
            Some(Ok(route)) if route.operation == Operation::Predict => {
                (route.protocol, self.predict(route.protocol, head, body).await)
            }
            Some(Err((protocol, error))) => (protocol, Err(error.into())),
            Some(Ok(_)) | None => {
                let error = PlatformError::new(Code::RouteNotFound, "an instance only answers calls");
                (ProtocolName::Fn, Err(error.into()))
            }
        };
        answer.unwrap_or_else(|failure| failed(protocol, &failure).map(Into::into))
    }

    async fn predict(
        &self,
        protocol: ProtocolName,
        head: &Parts,
        body: Arriving<'_>,
    ) -> Result<Response<AnswerBody>, Failure> {
        let body = body.await?;
        let is_application = self.python.interface.is_application();
        if protocol == ProtocolName::LambdaInvoke && is_application {
            return event::to_application(
                head,
                body,
                self.response_limit_bytes,
                async |head: &Parts, body| self.ask(ProtocolName::Fn, head, body).await,
            )
            .await;
        }
        self.ask(protocol, head, body).await
    }

    /// Asks an application whether it accepts a websocket, and speaks for it if it does.
    async fn converse(&self, client: OnUpgrade, head: &Parts) -> Result<Response<AnswerBody>, Failure> {
        let call = Call::of(
            Form::Websocket,
            head,
            child::deadline_ms(self.request_timeout),
            event::id(&head.headers),
        );
        let (answer, body, exchange) = self.worker.call(&call, &[]).await?;
        let is_accepted = answer.more;
        let response = match answer.with(body) {
            Answer::Http { headers, body, .. } if is_accepted => http_response(200, headers, body)?,
            Answer::Http { status, headers, body } => http_response(status, headers, body)?,
            Answer::Failed(raised) => return Err(event::raised(raised).into()),
            Answer::Event(body) => event::json(body),
        };
        if !is_accepted {
            return Ok(response.map(Into::into));
        }
        let response = websocket::accepted(head, response.into_parts().0.headers)?;
        tokio::task::spawn_local(conversation::speak(client, exchange, self.body_limit_bytes));
        Ok(response)
    }

    async fn ask(
        &self,
        protocol: ProtocolName,
        head: &Parts,
        body: Bytes,
    ) -> Result<Response<AnswerBody>, Failure> {
        let is_event = self.python.interface == Interface::Lambda;
        let body = match protocol {
            ProtocolName::KserveV2 => return Err(event::no_shapes().into()),
            ProtocolName::LambdaInvoke if self.unwraps => event::unwrapped(body)?,
            ProtocolName::LambdaInvoke => body,
            // Applications look after that themselves.
            ProtocolName::Fn if self.python.interface.is_application() => body,
            ProtocolName::Fn => {
                let body = modelet_protocol::unpack(&head.headers, body, self.body_limit_bytes)?;
                if is_event { event::of(self.python.event, head, body)? } else { body }
            }
        };
        let form = if is_event { Form::Event } else { Form::Http };
        let call = Call::of(form, head, child::deadline_ms(self.request_timeout), event::id(&head.headers));
        let began = Instant::now();
        let (answer, body, exchange) = self.worker.call(&call, &body).await?;
        let (took, cpu, has_more) = (began.elapsed(), answer.cpu(), answer.more);
        let response = match answer.with(body) {
            Answer::Event(body) if protocol == ProtocolName::Fn => event::response(body)?,
            Answer::Event(body) => event::json(body),
            Answer::Http { status, headers, body } => http_response(status, headers, body)?,
            // Not the function's failure, where a client sent what is no JSON.
            Answer::Failed(raised) if protocol == ProtocolName::Fn && raised.kind == NO_EVENT => {
                let message =
                    format!("the body, which is the function's event, is not JSON: {}", raised.message);
                return Err(FunctionError::new(Code::BadBody, message).into());
            }
            Answer::Failed(raised) => return Err(event::raised(raised).into()),
        };
        let mut response = if has_more {
            response.map(|first| AnswerBody::pieces(AnswerPieces { first: Some(first), exchange }))
        } else {
            within(self.response_limit_bytes, response)?.map(Into::into)
        };
        response.headers_mut().append(SERVER_TIMING, server_timing(&[("predict", took), ("cpu", cpu)], None));
        Ok(response)
    }
}

impl Handler for PythonHandler {
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a> {
        Box::pin(self.answer(head, body))
    }

    fn ended(&self) -> Ending<'_> {
        Box::pin(self.worker.ended())
    }

    fn cancel(&self, invocation: &str) -> bool {
        self.worker.cancel(invocation)
    }

    fn imports(&self) -> Vec<String> {
        self.worker.imports.clone()
    }

    fn body_limit_bytes(&self) -> u64 {
        self.body_limit_bytes
    }
}

/// A response of an application. What it says of one connection only is not passed on.
fn http_response(
    said: i64,
    headers: Vec<(String, String)>,
    body: Bytes,
) -> Result<Response<Bytes>, FunctionError> {
    let wrong =
        |why: String| FunctionError::new(Code::HandlerFailed, format!("the answer cannot be sent: {why}"));
    let mut response = Response::new(body);
    let status = u16::try_from(said).ok().and_then(|status| StatusCode::from_u16(status).ok());
    // What comes before a response is the host's.
    let status = status.filter(|status| !status.is_informational());
    *response.status_mut() = status.ok_or_else(|| wrong(format!("status {said}")))?;
    for (name, value) in headers {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(format!("the header {name:?}")))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| wrong(format!("the value of the header {name}")))?;
        if !OF_A_CONNECTION.contains(&header) {
            response.headers_mut().append(header, value);
        }
    }
    Ok(response)
}
