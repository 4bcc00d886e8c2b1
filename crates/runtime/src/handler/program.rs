//! The handler of programs, in whatever language: a process beside this one that fetches events, or answers requests.
//!
//! - [`process`]: starts it, and looks after it
//! - [`api`]: AWS Lambda's Runtime API, served on the instance's own loopback
//! - [`proxy`]: requests to the port that it listens on

mod api;
mod process;
mod proxy;

use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use modelet_core::handler::{Event, ProgramCard, Speaks};
use modelet_core::instance::{HEADER_INVOCATION, lambda};
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use modelet_protocol::{Operation, ProtocolName};

use crate::config::Config;
use crate::handler::body::AnswerBody;
use crate::handler::{Answering, Arriving, Ending, Handler, child, event, failed, within};
use api::{Api, Outcome};
use process::Process;
use proxy::Proxy;

/// A connection that breaks is followed by the end of the program, if that is why, within this time.
const END_SHOWS: Duration = Duration::from_millis(100);

/// A program that has been started, and is ready for calls.
pub struct ProgramHandler {
    // Before the process: it is told to end first.
    way: Way,
    process: Process,
    event: Event,
    arn: String,
    body_limit_bytes: u64,
    response_limit_bytes: u64,
    request_timeout: Duration,
}

/// How calls get there.
enum Way {
    RuntimeApi(Api),
    Http(Proxy),
}

impl ProgramHandler {
    /// Starts the program of an artifact, and waits until it asks for its first event, or listens.
    pub fn load(config: &Config, card: &ProgramCard) -> Result<Self, FunctionError> {
        let settings = &config.card.settings;
        let (way, process) = match card.speaks {
            Speaks::RuntimeApi => {
                let (api, asked) = Api::serve().map_err(|error| no_loopback(&error))?;
                let process = Process::start(config, card, &[("AWS_LAMBDA_RUNTIME_API", api.address())])?;
                process.until(|| asked.try_recv().ok())?;
                (Way::RuntimeApi(api), process)
            }
            Speaks::Http => {
                let port = proxy::free_port().map_err(|error| no_loopback(&error))?;
                let process = Process::start(config, card, &[("PORT", port.to_string())])?;
                process.until(|| proxy::listens(port))?;
                (Way::Http(Proxy::to(port, settings.response_limit_bytes())), process)
            }
        };
        Ok(Self {
            way,
            process,
            event: card.event,
            arn: child::arn(config),
            body_limit_bytes: settings.body_limit_bytes(),
            response_limit_bytes: settings.response_limit_bytes(),
            request_timeout: Duration::from_millis(settings.request_timeout_ms),
        })
    }

    async fn answer(&self, head: &Parts, body: Arriving<'_>) -> Response<AnswerBody> {
        let path = head.uri.path();
        let (protocol, answer) = match (&self.way, modelet_protocol::route(&head.method, path)) {
            (Way::Http(proxy), _) if modelet_protocol::below(path).is_some() => {
                (ProtocolName::Fn, self.or_its_end(forwarded(proxy, head, body)).await)
            }
            (Way::RuntimeApi(api), _)
                if self.event != Event::Body && modelet_protocol::below(path).is_some() =>
            {
                (ProtocolName::Fn, self.invoked(api, ProtocolName::Fn, head, body).await)
            }
            (_, Some(Ok(route))) if route.operation == Operation::Predict => {
                let answer = match &self.way {
                    Way::Http(proxy) if route.protocol == ProtocolName::LambdaInvoke => {
                        self.or_its_end(invoked_over_http(proxy, head, body)).await
                    }
                    Way::Http(proxy) => self.or_its_end(forwarded(proxy, head, body)).await,
                    Way::RuntimeApi(api) => self.invoked(api, route.protocol, head, body).await,
                };
                (route.protocol, answer)
            }
            (_, Some(Err((protocol, error)))) => (protocol, Err(error.into())),
            (_, Some(Ok(_)) | None) => {
                let error = PlatformError::new(Code::RouteNotFound, "an instance only answers calls");
                (ProtocolName::Fn, Err(error.into()))
            }
        };
        self.process.drain();
        answer.unwrap_or_else(|failure| failed(protocol, &failure).map(Into::into))
    }

    /// An answer of the program over its port; where it broke off since the program ended, nothing: its host sees that.
    async fn or_its_end(
        &self,
        answer: impl Future<Output = Result<Response<AnswerBody>, Failure>>,
    ) -> Result<Response<AnswerBody>, Failure> {
        let answer = answer.await;
        let is_broken = answer.as_ref().is_err_and(|failure| failure.code() == Code::HandlerFailed);
        if is_broken && tokio::time::timeout(END_SHOWS, self.process.ended()).await.is_ok() {
            std::future::pending::<()>().await;
        }
        answer
    }

    async fn invoked(
        &self,
        api: &Api,
        protocol: ProtocolName,
        head: &Parts,
        body: Arriving<'_>,
    ) -> Result<Response<AnswerBody>, Failure> {
        let body = body.await?;
        let event = match protocol {
            ProtocolName::Fn => {
                let body = modelet_protocol::unpack(&head.headers, body, self.body_limit_bytes)?;
                event::of(self.event, head, body)?
            }
            ProtocolName::LambdaInvoke => body,
            ProtocolName::KserveV2 => return Err(event::no_shapes().into()),
        };
        let response = match api.call(self.headers(&head.headers), event).await {
            Outcome::Answered(answer) if protocol == ProtocolName::Fn => event::response(answer)?,
            Outcome::Answered(answer) => event::json(answer),
            Outcome::Response(response) if protocol == ProtocolName::Fn => response,
            Outcome::Response(response) => event::json(event::wrapped(&response)),
            Outcome::Failed(raised) => return Err(event::raised(raised).into()),
        };
        Ok(within(self.response_limit_bytes, response)?.map(Into::into))
    }

    /// What the Runtime API says of a call; what Lambda itself says of it goes first.
    fn headers(&self, head: &HeaderMap) -> HeaderMap {
        let deadline_ms = child::deadline_ms(self.request_timeout);
        let mut headers = HeaderMap::new();
        let id = head.get(HEADER_INVOCATION).cloned().unwrap_or_else(|| HeaderValue::from_static("0"));
        headers.insert(HeaderName::from_static(lambda::REQUEST_ID), id);
        let text = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        headers.insert(HeaderName::from_static(lambda::DEADLINE_MS), text(&deadline_ms.to_string()));
        headers.insert(HeaderName::from_static(lambda::FUNCTION_ARN), text(&self.arn));
        if let Some(context) = event::client_context(head) {
            headers.insert(HeaderName::from_static(lambda::CLIENT_CONTEXT), text(&context));
        }
        for (name, value) in head.iter().filter(|(name, _)| name.as_str().starts_with(lambda::PREFIX)) {
            headers.insert(name, value.clone());
        }
        headers
    }
}

async fn invoked_over_http(
    proxy: &Proxy,
    head: &Parts,
    body: Arriving<'_>,
) -> Result<Response<AnswerBody>, Failure> {
    event::to_application(head, body.await?, proxy.response_limit_bytes, async |head: &Parts, body| {
        Ok(proxy.call(head, body).await?)
    })
    .await
}

async fn forwarded(proxy: &Proxy, head: &Parts, body: Arriving<'_>) -> Result<Response<AnswerBody>, Failure> {
    Ok(proxy.call(head, body.await?).await?)
}

fn no_loopback(error: &std::io::Error) -> FunctionError {
    FunctionError::new(
        Code::StartFailed,
        format!("a program is spoken to over the instance's loopback: {error}"),
    )
    .hint("isolation 3 and 4 have none of their own; network = true lets it use the machine's")
}

impl Handler for ProgramHandler {
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a> {
        Box::pin(self.answer(head, body))
    }

    fn ended(&self) -> Ending<'_> {
        Box::pin(self.process.ended())
    }

    fn body_limit_bytes(&self) -> u64 {
        self.body_limit_bytes
    }
}
