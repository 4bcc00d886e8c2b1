//! Lambda's Runtime API, version 2018-06-01, as its client: HTTP/1.1 on one connection that is kept.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use modelet_core::FunctionError;
use modelet_core::instance::lambda;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::outcome::{Failed, Outcome};
use super::stream;
use crate::contract::http::whole;
use crate::handler::AnswerBody;
use crate::log::{self, Level};

const VERSION: &str = "2018-06-01";
/// The type of an error, for Lambda's own counts.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
/// A request is made again on a new connection when the one that was kept turns out to be gone.
const TRIES: usize = 2;
/// Largest answer to a report that is read.
const REPLY_LIMIT_BYTES: usize = 64 << 10;

/// An event, and what Lambda says of the call.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) id: String,
    /// The headers that it came with.
    pub(super) said: HeaderMap,
    /// Or why it was not read.
    pub(super) event: Result<Bytes, FunctionError>,
}

/// The client.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: String,
    connection: Option<SendRequest<AnswerBody>>,
}

impl RuntimeApi {
    /// At a host and a port. Connects when it is needed.
    pub(super) fn at(address: &str) -> Self {
        Self { address: address.to_owned(), connection: None }
    }

    /// Waits for the next event, as long as it takes: between two, Lambda stops the whole process.
    pub(super) async fn next(&mut self, limit_bytes: u64) -> Result<Invocation, String> {
        let response = self.ask(Method::GET, "invocation/next", HeaderMap::new(), Bytes::new()).await?;
        let (head, body) = response.into_parts();
        let id = head.headers.get(lambda::REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        match id {
            Some(id) if head.status.is_success() => {
                Ok(Invocation { id, said: head.headers, event: whole(body, limit_bytes).await })
            }
            _ => Err(self.strange("no event", head.status, body).await),
        }
    }

    /// Reports what came of one.
    pub(super) async fn report(&mut self, id: &str, outcome: &Outcome) -> Result<(), String> {
        match outcome {
            Outcome::Answered(body) => {
                self.tell(&format!("invocation/{id}/response"), HeaderMap::new(), body.clone()).await
            }
            Outcome::Failed(failed) => self.fail(&format!("invocation/{id}/error"), failed).await,
        }
    }

    /// Reports that there will be no handler.
    pub(super) async fn cannot_start(&mut self, failed: &Failed) -> Result<(), String> {
        self.fail("init/error", failed).await
    }

    /// Reports a response while it is made. What has begun is not sent again.
    pub(super) async fn stream(&mut self, id: &str, response: Response<AnswerBody>) -> Result<(), String> {
        let (head, body) = response.into_parts();
        let path = format!("invocation/{id}/response");
        let mut request = Request::new(stream::body(&head, body));
        *request.headers_mut() = stream::headers();
        self.address(&mut request, Method::POST, &path)?;
        let sent = self.connected().await?.send_request(request).await;
        let answer = sent.map_err(|error| format!("POST {path} broke: {error}"))?;
        self.taken(&path, answer).await
    }

    async fn fail(&mut self, path: &str, failed: &Failed) -> Result<(), String> {
        // An error type that no header can hold is in the body all the same.
        let error_type = HeaderValue::from_str(&failed.error_type).ok();
        let headers = error_type.map(|value| (HeaderName::from_static(ERROR_TYPE), value));
        self.tell(path, HeaderMap::from_iter(headers), failed.body.clone()).await
    }

    async fn tell(&mut self, path: &str, headers: HeaderMap, body: Bytes) -> Result<(), String> {
        let answer = self.ask(Method::POST, path, headers, body).await?;
        self.taken(path, answer).await
    }

    /// What Lambda says to a report.
    async fn taken(&self, path: &str, answer: Response<Incoming>) -> Result<(), String> {
        let (head, body) = answer.into_parts();
        // To be read to its end, so that the connection can be kept.
        match head.status {
            status if status.is_success() => drop(said(body).await),
            // Lambda has given the call up, for its time was over: the next one is none the worse for it.
            status if status.is_client_error() => {
                let refused = self.strange(&format!("POST {path} was refused"), status, body).await;
                log::say(Level::Warning, &refused);
            }
            status => return Err(self.strange(&format!("POST {path} failed"), status, body).await),
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut last = String::new();
        for _ in 0..TRIES {
            let mut request = Request::new(AnswerBody::from(body.clone()));
            *request.headers_mut() = headers.clone();
            self.address(&mut request, method.clone(), path)?;
            match self.connected().await?.send_request(request).await {
                Ok(response) => return Ok(response),
                Err(error) => last = error.to_string(),
            }
            self.connection = None;
        }
        Err(format!("the connection to Lambda's Runtime API at {} broke: {last}", self.address))
    }

    /// Says in a request where it goes, and who asks.
    fn address<B>(&self, request: &mut Request<B>, method: Method, path: &str) -> Result<(), String> {
        let uri = format!("/{VERSION}/runtime/{path}").parse();
        *request.uri_mut() = uri.map_err(|error| format!("{path:?}: {error}"))?;
        *request.method_mut() = method;
        let agent = HeaderValue::from_static(concat!("modelet/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        request.headers_mut().extend(HeaderValue::from_str(&self.address).ok().map(|host| (HOST, host)));
        Ok(())
    }

    /// The connection that was kept, if it is still one, or a new one.
    async fn connected(&mut self) -> Result<&mut SendRequest<AnswerBody>, String> {
        let mut kept = self.connection.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(sender))
    }

    async fn connect(&self) -> Result<SendRequest<AnswerBody>, String> {
        let failed = |error: String| {
            format!("could not connect to Lambda's Runtime API at {:?}: {error}", self.address)
        };
        let stream = TcpStream::connect(&self.address).await.map_err(|error| failed(error.to_string()))?;
        // Reports are complete: waiting to fill a packet only costs latency.
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(|error| failed(error.to_string()))?;
        // It ends with the connection, whose errors the sender of the request sees too.
        spawn_local(async move { drop(driver.await) });
        Ok(sender)
    }

    async fn strange(&self, what: &str, status: StatusCode, body: Incoming) -> String {
        format!("Lambda's Runtime API at {}: {what}, {status}: {}", self.address, said(body).await)
    }
}

/// A short answer, as text.
async fn said(body: Incoming) -> String {
    let read = Limited::new(body, REPLY_LIMIT_BYTES).collect().await;
    read.map_or_else(|error| error.to_string(), |body| String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
