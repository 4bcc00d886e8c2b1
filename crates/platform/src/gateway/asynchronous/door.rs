//! Where asynchronous invocations come in and answers are fetched.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, EXPECT, RETRY_AFTER};
use http::{HeaderName, Request, Response, StatusCode};
use hyper::body::Incoming;
use modelet_core::instance::HEADER_INVOCATION;
use modelet_core::{Code, Failure, FunctionName, InvocationId, PlatformError, Qualifier};
use modelet_protocol::{Manner, Route};
use serde_json::json;

use crate::gateway::Gateway;
use crate::gateway::asynchronous::prefer::{PREFER, PREFERENCE_APPLIED, Preference};
use crate::gateway::body::{self, BodyLimit, Held};
use crate::gateway::call::{make_end_to_end, set_header};
use crate::store::accepted::{Asked, Found};

/// What clients of AWS send beside a signature.
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// A client that waits for an answer waits this long at most.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

impl Gateway {
    /// Accepts an invocation: 202 with its id, and where its answer will be.
    pub(in crate::gateway) async fn accept(
        &self,
        route: Route,
        id: InvocationId,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut response = match self.keep(&route, &id, request).await {
            Ok(response) => response,
            Err(failure) => modelet_protocol::error(route.protocol, &failure, Some(&id)),
        };
        set_header(response.headers_mut(), HEADER_INVOCATION, &id.0);
        response.map(Body::from)
    }

    async fn keep(
        &self,
        route: &Route,
        id: &InvocationId,
        request: Request<Incoming>,
    ) -> Result<Response<Bytes>, Failure> {
        let name = route.named()?.clone();
        let entry = self.called(&name, route.qualifier, id)?;
        let preference = Preference::of(request.headers());
        let (mut head, incoming) = request.into_parts();
        let limit = BodyLimit::asynchronous(&entry.card.settings);
        let expects_continue = head.headers.contains_key(EXPECT);
        let held = body::read(incoming, limit, &self.buffer, self.body_timeout, expects_continue).await?;
        // A body may take its time: the function may be gone by now.
        self.catalog.resolve(&name, route.qualifier)?;
        make_end_to_end(&mut head.headers);
        // What says who the client is is not for the disk.
        for header in [PREFER, AUTHORIZATION, COOKIE, SECURITY_TOKEN] {
            head.headers.remove(header);
        }
        let asked = Asked {
            id: id.clone(),
            function: name.clone(),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: held.bytes.clone(),
        };
        let (asynchronous, now_ms) = (self.asynchronous.clone(), self.now_ms());
        let keeping =
            tokio::spawn(async move { asynchronous.accept(asked, &entry.card.settings, now_ms).await });
        keeping.await.map_err(|error| PlatformError::new(Code::Internal, error.to_string()))??;
        let mut response = modelet_protocol::acknowledge(route.protocol, Manner::Later, &name, id);
        if preference.is_async {
            set_header(response.headers_mut(), PREFERENCE_APPLIED, "respond-async");
        }
        Ok(response)
    }

    /// The answer of an invocation, as a client that waited for it would have got it; 202 as long as there is none.
    pub(in crate::gateway) async fn result(
        &self,
        route: &Route,
        preference: Preference,
    ) -> Result<Response<Body>, Failure> {
        let (name, id) = (route.named()?, route.invocation.as_ref());
        self.catalog.resolve(name, Qualifier::Live)?;
        let id = id.ok_or_else(|| PlatformError::new(Code::RouteNotFound, "the path names no invocation"))?;
        let deadline = tokio::time::Instant::now() + preference.wait.min(WAIT_LIMIT);
        loop {
            // Before the look, so that no end comes between.
            let mut ends = self.asynchronous.ends.subscribe();
            let waiting = match self.asynchronous.accepted.find(name, id, self.now_ms()).await? {
                Some(Found::Ended(answer)) => {
                    let (head, bytes) = answer.into_parts();
                    let held = Held::within(bytes, &self.buffer)?;
                    return Ok(Response::from_parts(head, Body::new(held)));
                }
                Some(Found::Waiting(waiting)) => waiting,
                None => return Err(unknown(name, id).into()),
            };
            let ended = async { while ends.recv().await.is_ok_and(|seq| seq != waiting.seq) {} };
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                let (attempts, accepted_at_ms) = (waiting.attempts, waiting.accepted_at_ms);
                let state =
                    json!({ "invocation": id, "attempts": attempts, "accepted_at_ms": accepted_at_ms });
                return Ok(pending(&state).map(Body::from));
            }
        }
    }
}

fn unknown(function: &FunctionName, id: &InvocationId) -> PlatformError {
    let message = format!("{function} has no asynchronous invocation {:?}", id.0);
    PlatformError::new(Code::InvocationNotFound, message)
        .hint("answers are kept as long as async_result_ms says; modelet logs has the record of the call")
}

/// Accepted, and not yet ended.
fn pending(body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    set_header(response.headers_mut(), CONTENT_TYPE.as_str(), "application/json");
    set_header(response.headers_mut(), RETRY_AFTER.as_str(), "1");
    response
}
