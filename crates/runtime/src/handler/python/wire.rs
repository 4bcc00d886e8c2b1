//! The frames between the runtime and its Python worker: two lengths, a header in JSON, a body of any bytes. Both ends are of the
//! same build; the other one is `python/worker/modelet_worker/wire.py`.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use modelet_core::error::Raised;
use modelet_core::instance::lambda;
use serde::{Deserialize, Serialize};

use crate::handler::event;

/// The two lengths.
pub const LENGTHS_BYTES: usize = 8;
/// Longest header that a worker may send: a trace, or many headers.
const MAX_HEADER_BYTES: u32 = 16 << 20;
/// Largest body that a worker may send, in bytes.
const MAX_BODY_BYTES: u32 = u32::MAX >> 1;

/// What the worker's own errors begin with, as those of Lambda's client for Python do.
const OWN_ERRORS: &str = "Runtime.";

/// What a call is to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// An event in JSON.
    Event,
    /// A request.
    Http,
    /// A request to become a websocket.
    Websocket,
}

/// The header of a call.
#[derive(Debug, Serialize)]
pub struct Call<'a> {
    form: Form,
    id: &'a str,
    deadline_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_context: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    request: Option<RequestHead<'a>>,
}

/// The head of a request, for those who get requests.
#[derive(Debug, Serialize)]
struct RequestHead<'a> {
    method: &'a str,
    /// The path that is the function's own, where it has one: `/fn/NAME`.
    root: &'a str,
    /// The path behind it.
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, String)>,
}

impl<'a> Call<'a> {
    /// The invocation, as its host calls it.
    pub fn id(&self) -> &str {
        self.id
    }

    /// Of the head of a request. Where AWS Lambda is the host, its own headers say what the call is.
    pub fn of(form: Form, head: &'a Parts, deadline_ms: u64, id: &'a str) -> Self {
        let said = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let (root, path) = modelet_protocol::split(head.uri.path());
        let request = (form != Form::Event).then(|| RequestHead {
            method: head.method.as_str(),
            root,
            path,
            query: head.uri.query().unwrap_or_default(),
            headers: text_headers(&head.headers),
        });
        Self {
            form,
            id: said(lambda::REQUEST_ID).unwrap_or(id),
            deadline_ms: said(lambda::DEADLINE_MS).and_then(|at| at.parse().ok()).unwrap_or(deadline_ms),
            arn: said(lambda::FUNCTION_ARN),
            trace: said(lambda::TRACE_ID),
            client_context: event::client_context(&head.headers),
            identity: said(lambda::COGNITO_IDENTITY),
            request,
        }
    }
}

/// Headers as texts, each byte a character of Latin-1, as WSGI and ASGI have them.
fn text_headers(headers: &HeaderMap) -> Vec<(&str, String)> {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
    headers.iter().map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect()
}

/// A frame, whole.
pub fn frame(header: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::Error::other("it is too large"));
    let (head, tail) = (length(&header)?, length(body)?);
    Ok([&head.to_le_bytes(), &tail.to_le_bytes(), header.as_slice(), body].concat())
}

/// The lengths of a header and a body that come.
pub fn lengths(bytes: [u8; LENGTHS_BYTES]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = bytes;
    let (header, body) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if header > MAX_HEADER_BYTES || body > MAX_BODY_BYTES {
        return Err(io::Error::other("the worker sent what is no frame"));
    }
    Ok((header as usize, body as usize))
}

/// The next frame of a stream that blocks: its header, and its body.
pub fn receive<T: for<'a> Deserialize<'a>>(stream: &mut impl Read) -> io::Result<T> {
    let mut bytes = [0; LENGTHS_BYTES];
    stream.read_exact(&mut bytes)?;
    let (header, body) = lengths(bytes)?;
    let mut text = vec![0; header];
    stream.read_exact(&mut text)?;
    io::copy(&mut stream.take(body as u64), &mut io::sink())?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// What a worker says when it has loaded the code, or could not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begun {
    /// It can be called.
    Ready(Ready),
    /// It cannot.
    Failed(Raised),
}

/// What a worker has loaded.
#[derive(Debug, Deserialize)]
pub struct Ready {
    /// The packages whose import took the longest, milliseconds.
    #[serde(default)]
    pub imports_ms: serde_json::Map<String, serde_json::Value>,
    /// The modules of packages that the code asked for itself.
    #[serde(default)]
    pub asked: Vec<String>,
}

/// What a worker says that has imported packages ahead.
#[derive(Debug, Deserialize)]
pub struct Prepared {
    /// That it has.
    #[serde(rename = "prepared")]
    pub done: PreparedWith,
}

/// What it has imported.
#[derive(Debug, Deserialize)]
pub struct PreparedWith {
    /// Until it had, milliseconds.
    pub took_ms: f64,
    /// What could not be imported.
    pub missing: Vec<String>,
}

/// All that there is to say of what the user's code raised, for whoever deploys it: files by their paths below `folder`.
pub fn words(raised: &Raised, folder: &Path) -> String {
    if raised.kind.starts_with(OWN_ERRORS) {
        // Ours say where and what to do.
        return raised.message.clone();
    }
    let stack: Vec<&str> = raised.stack.iter().map(|frame| frame.trim_end()).collect();
    let text = format!("{}: {}\n{}", raised.kind, raised.message, stack.join("\n"));
    text.trim_end().replace(&format!("{}/", folder.display()), "")
}

/// The header of an answer.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerHead {
    /// The call that it answers.
    pub call: u64,
    /// The code that the worker ends with now: it was its last answer.
    #[serde(default)]
    pub ends: Option<u8>,
    /// Processor time that it took, milliseconds.
    #[serde(default)]
    cpu_ms: f64,
    #[serde(default)]
    event: bool,
    #[serde(default)]
    status: Option<i64>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    error: Option<Raised>,
    /// It is not the last frame of its call.
    #[serde(default)]
    pub more: bool,
    /// True for a message of a websocket that is text.
    #[serde(default)]
    pub text: bool,
    /// The code and the reason that a websocket is closed with.
    #[serde(default)]
    pub close: Option<(u16, String)>,
}

/// What a call came to.
#[derive(Debug)]
pub enum Answer {
    /// JSON that the function returned.
    Event(Bytes),
    /// A response.
    Http {
        /// Its status.
        status: i64,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// Its body, or the first piece of it.
        body: Bytes,
    },
    /// The code raised an error.
    Failed(Raised),
}

/// As much of it as can always be read.
#[derive(Deserialize)]
struct Numbered {
    call: u64,
}

impl AnswerHead {
    /// Reads one. What a worker could not say in JSON that we read, such as half a character, fails its own call.
    pub fn read(text: &[u8]) -> io::Result<Self> {
        serde_json::from_slice(text).or_else(|error| {
            let Numbered { call } = serde_json::from_slice(text).map_err(io::Error::other)?;
            let message = format!("the answer cannot be sent: {error}");
            let error = Some(Raised { kind: "Runtime.MarshalError".to_owned(), message, stack: vec![] });
            Ok(Self { call, error, ..Self::default() })
        })
    }

    /// Processor time that it took.
    pub fn cpu(&self) -> Duration {
        Duration::try_from_secs_f64(self.cpu_ms / 1e3).unwrap_or_default()
    }

    /// What the code raised, if it did.
    pub fn raised(&mut self) -> Option<Raised> {
        self.error.take()
    }

    /// With the body that came behind it.
    pub fn with(self, body: Bytes) -> Answer {
        match (self.error, self.status) {
            (Some(raised), _) => Answer::Failed(raised),
            (None, Some(status)) if !self.event => Answer::Http { status, headers: self.headers, body },
            (None, _) => Answer::Event(body),
        }
    }
}
