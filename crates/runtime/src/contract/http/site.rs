//! A place at a host's: its requests as those of our own protocols, and our answers with what it looks for in them.

use std::future::ready;

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, Response, Uri};
use modelet_core::handler::Interface;
use modelet_core::instance::HEADER_INVOCATION;
use modelet_core::{ArtifactCard, FunctionName, Handler};
use modelet_protocol::{Operation, ServerState};

use super::azure;
use crate::contract::host::{Host, Kind, Meaning};
use crate::handler::body::whole;
use crate::handler::{self, AnswerBody, Arriving};

/// What a client of SageMaker's says to the model through it, and gets back.
const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");

/// Where a function is hosted.
#[derive(Debug)]
pub struct Site {
    host: Host,
    function: FunctionName,
    /// True for an application that gets requests as they come, whatever their paths mean to the host.
    has_paths: bool,
}

impl Site {
    /// Of an artifact, with a host.
    pub fn of(host: Host, card: &ArtifactCard) -> Self {
        let is_function = match &card.handler {
            Handler::Python(python) => {
                matches!(python.interface, Interface::Score | Interface::FunctionsFramework)
            }
            Handler::Model(_) | Handler::Program(_) => false,
        };
        // These paths are their own, and mean nothing to what is one function.
        let has_own_paths =
            matches!(host.kind, Kind::SageMaker | Kind::Vertex { .. } | Kind::AzureFunctions(_));
        let has_paths = card.is_application() && !(is_function && has_own_paths);
        Self { host, function: card.name.clone(), has_paths }
    }

    /// True for what is asked to learn whether the function can be called.
    pub(super) fn asks_readiness(&self, head: &Parts) -> bool {
        !self.has_paths && self.host.meaning(&head.method, head.uri.path()) == Meaning::Readiness
    }

    /// Answers a request.
    pub(super) async fn answered(
        &self,
        handler: &dyn handler::Handler,
        mut head: Parts,
        body: Arriving<'_>,
    ) -> Response<AnswerBody> {
        if self.has_paths {
            head.uri = self.below(&head.uri);
            return handler::answered(handler, &head, body).await;
        }
        match self.host.meaning(&head.method, head.uri.path()) {
            Meaning::Enveloped => return self.answered_envelope(handler, head, body).await,
            Meaning::Call => head.uri = self.called(head.uri.query()),
            Meaning::Readiness | Meaning::Own => {}
        }
        if let Some(answer) = answered_by_itself(&head) {
            return answer.map(Into::into);
        }
        let mut answer = handler::answered(handler, &head, body).await;
        if self.host.kind == Kind::SageMaker
            && let Some(attributes) = head.headers.get(CUSTOM_ATTRIBUTES)
        {
            answer.headers_mut().insert(CUSTOM_ATTRIBUTES, attributes.clone());
        }
        answer
    }

    /// Answers a call of Azure Functions: what lies in its envelope, or the request itself, which may come on any path.
    async fn answered_envelope(
        &self,
        handler: &dyn handler::Handler,
        mut head: Parts,
        body: Arriving<'_>,
    ) -> Response<AnswerBody> {
        let body = body.await;
        let opened = body.as_ref().ok().and_then(|body| azure::open(body));
        match opened {
            None => {
                if modelet_protocol::route(&head.method, head.uri.path()).is_none() {
                    head.uri = self.called(head.uri.query());
                }
                handler::answered(handler, &head, Box::pin(ready(body))).await
            }
            Some(Err(error)) => azure::refused(&error).map(Into::into),
            Some(Ok(opened)) => {
                head.uri = self.called(opened.query.as_deref());
                let id = head.headers.remove(HEADER_INVOCATION);
                head.headers = opened.headers;
                head.headers.extend(id.map(|id| (HeaderName::from_static(HEADER_INVOCATION), id)));
                let answer = handler::answered(handler, &head, Box::pin(ready(Ok(opened.body)))).await;
                let answer = whole(answer, azure::ANSWER_LIMIT_BYTES).await;
                let wrapped = answer.map(|answer| azure::wrapped(opened.trigger, answer));
                wrapped.unwrap_or_else(|error| azure::refused(&error)).map(Into::into)
            }
        }
    }

    /// A path below the function's, or the same when it is one already.
    fn below(&self, uri: &Uri) -> Uri {
        let own = format!("/fn/{}", self.function);
        let is_below =
            uri.path().strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if is_below { uri.clone() } else { format!("{own}{target}").parse().unwrap_or_default() }
    }

    /// The function's own path.
    fn called(&self, query: Option<&str>) -> Uri {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        // A function's name needs no escapes, and the query was one before.
        format!("/fn/{}{query}", self.function).parse().unwrap_or_default()
    }
}

/// What a platform would answer: that the server lives, that the model is ready. One who gets here has loaded it.
fn answered_by_itself(head: &Parts) -> Option<Response<Bytes>> {
    let route = modelet_protocol::route(&head.method, head.uri.path())?.ok()?;
    let is_health = matches!(
        route.operation,
        Operation::Ready | Operation::ServerLive | Operation::ServerReady | Operation::ServerMetadata
    );
    is_health.then(|| modelet_protocol::server(&route, &ServerState { ok: true, functions: &[] }))
}
