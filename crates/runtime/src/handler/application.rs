//! An application on AWS Lambda: of an event that was made of an HTTP request it gets that request, and its response becomes what
//! the door makes a response of. Any other payload goes on as it is.

use std::future::ready;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response};
use modelet_core::instance::{HEADER_ERROR, HEADER_INVOCATION, lambda};
use modelet_core::{Code, FunctionError};
use modelet_protocol::{HttpEvent, ProtocolName};

use super::timing::SERVER_TIMING;
use super::{Answering, Arriving, Handler, answered, failed};

/// What an application is within.
pub(super) struct Application {
    inner: Box<dyn Handler>,
    /// False for a function that is called whatever the path.
    has_paths: bool,
}

impl Application {
    pub(super) fn new(inner: Box<dyn Handler>, has_paths: bool) -> Self {
        Self { inner, has_paths }
    }

    async fn answer_event(&self, function: &str, head: &Parts, body: Arriving<'_>) -> Response<Bytes> {
        let payload = match body.await {
            Ok(payload) => payload,
            Err(error) => return failed(ProtocolName::LambdaInvoke, &error.into()),
        };
        let event = match HttpEvent::read(&payload) {
            None => return self.inner.answer(head, Box::pin(ready(Ok(payload)))).await,
            Some(Err(refused)) => return refused,
            Some(Ok(event)) => event,
        };
        let target = match event.target.split_once('?') {
            Some((_, query)) if !self.has_paths => format!("?{query}"),
            None if !self.has_paths => String::new(),
            _ => event.target.clone(),
        };
        let mut request = Request::new(()).into_parts().0;
        let Ok(uri) = format!("/fn/{function}{target}").parse() else {
            let message = format!("the path of the event is none: {:?}", event.target);
            return failed(ProtocolName::LambdaInvoke, &FunctionError::new(Code::BadInput, message).into());
        };
        (request.method, request.uri, request.headers) = (event.method.clone(), uri, event.headers.clone());
        let of_the_call = head.headers.iter().filter(|(name, _)| {
            name.as_str() == HEADER_INVOCATION || name.as_str().starts_with(lambda::PREFIX)
        });
        request.headers.extend(of_the_call.map(|(name, value)| (name.clone(), value.clone())));
        let mut answer =
            answered(self.inner.as_ref(), &request, Box::pin(ready(Ok(event.body.clone())))).await;
        let mut own = HeaderMap::new();
        for name in [SERVER_TIMING, HeaderName::from_static(HEADER_ERROR)] {
            own.extend(answer.headers().get_all(&name).iter().map(|value| (name.clone(), value.clone())));
            answer.headers_mut().remove(&name);
        }
        let mut response = event.answer(&answer);
        // What is said to the host, and not to the client.
        response.headers_mut().extend(own);
        response
    }
}

impl Handler for Application {
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a> {
        match modelet_protocol::route(&head.method, head.uri.path()) {
            Some(Ok(route)) if route.protocol == ProtocolName::LambdaInvoke => Box::pin(async move {
                let function = route.function.as_ref().map(ToString::to_string).unwrap_or_default();
                self.answer_event(&function, head, body).await
            }),
            _ => self.inner.answer(head, body),
        }
    }

    fn body_limit_bytes(&self) -> u64 {
        self.inner.body_limit_bytes()
    }
}
