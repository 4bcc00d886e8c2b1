//! Talks to a platform over its admin API.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use modelet_core::Code;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::cli::Common;
use crate::cli::target::Address;
use crate::launch::data_folder;
use crate::report::Report;

/// Connecting to a platform may take this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 30;
/// An upload is read from its file in pieces of this size.
const CHUNK_BYTES: usize = 256 << 10;

type Body = BoxBody<Bytes, std::io::Error>;

/// A platform's address.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    authority: String,
}

impl Client {
    /// The platform that was asked for, or the one that runs on the data folder.
    pub fn find(common: &Common) -> Result<Self, Report> {
        if let Some(url) = &common.server {
            return Self::at(url);
        }
        let data = data_folder(common.data.clone())?;
        let running = modelet_platform::lock::running(&data).ok_or_else(|| {
            Report::new(Code::NoPlatform, format!("no platform runs on {}", data.display()))
                .hint("start one in another terminal: modelet up; or say which one: --data DIR, --server URL")
        })?;
        Self::at(&running.url)
    }

    /// The platform that a command names.
    pub fn of(common: &Common, address: &Address) -> Result<Self, Report> {
        match address {
            Address::Local => Self::find(common),
            Address::Url(url) => Self::at(url),
        }
    }

    /// The platform at a URL.
    pub fn at(url: &str) -> Result<Self, Report> {
        let url = url.trim_end_matches('/');
        let bad = |why: &str| {
            Report::new(Code::NoPlatform, format!("{url:?} is not a platform's address: {why}"))
                .hint("write it as http://127.0.0.1:8080")
        };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("only http:// is spoken today"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { url: url.to_owned(), authority: format!("{}:{port}", authority.host()) })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads something as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Report> {
        self.json(Request::get(path), Bytes::new()).await
    }

    /// Deletes something; the answer is JSON.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Report> {
        self.json(Request::delete(path), Bytes::new()).await
    }

    /// Sends a file; the answer is JSON.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        file: &Path,
    ) -> Result<T, Report> {
        let unreadable = |error: std::io::Error| {
            Report::new(Code::BadArtifact, format!("could not read {}: {error}", file.display()))
        };
        let file = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let length = file.metadata().await.map_err(unreadable)?.len();
        let pieces = futures_util::stream::try_unfold(file, |mut file| async move {
            let mut piece = bytes::BytesMut::with_capacity(CHUNK_BYTES);
            let read = file.read_buf(&mut piece).await?;
            Ok::<_, std::io::Error>((read > 0).then(|| (piece.freeze(), file)))
        });
        let body = BodyExt::boxed(StreamBody::new(pieces.map_ok(Frame::data)));
        let request = request.header(http::header::CONTENT_LENGTH, length).body(body);
        let (status, bytes) = self.send(request).await.map(split)?;
        parse(status, &bytes)
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn call(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Bytes>, Report> {
        self.send(request.body(Full::new(body).map_err(|never| match never {}).boxed())).await
    }

    /// Sends a request; the answer is JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<T, Report> {
        let (status, bytes) = self.call(request, body).await.map(split)?;
        parse(status, &bytes)
    }

    async fn send(&self, request: http::Result<Request<Body>>) -> Result<Response<Bytes>, Report> {
        let mut request = request
            .map_err(|error| Report::new(Code::Internal, format!("could not make the request: {error}")))?;
        let authority = http::HeaderValue::try_from(&self.authority);
        request.headers_mut().extend(authority.ok().map(|authority| (http::header::HOST, authority)));
        let unreachable = |error: &dyn std::fmt::Display| {
            Report::new(Code::NoPlatform, format!("no platform answers at {}: {error}", self.url))
                .hint("start one with modelet up, or say where it is with --server URL")
        };
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.authority)).await;
        let stream = connecting.map_err(|e| unreachable(&e))?.map_err(|e| unreachable(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
        // It ends with the answer, whose errors are seen below.
        tokio::spawn(async move { drop(connection.await) });
        let broken = |error: &dyn std::fmt::Display| {
            Report::new(Code::NoPlatform, format!("the connection to {} broke: {error}", self.url))
                .hint("is the platform still running? modelet ls")
        };
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let (head, body) = response.into_parts();
        let bytes = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|e| broken(&e))?.to_bytes();
        Ok(Response::from_parts(head, bytes))
    }
}

fn split(response: Response<Bytes>) -> (StatusCode, Bytes) {
    let status = response.status();
    (status, response.into_body())
}

fn parse<T: DeserializeOwned>(status: StatusCode, bytes: &[u8]) -> Result<T, Report> {
    if !status.is_success() {
        return Err(Report::from_answer(status.as_u16(), bytes));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Report::new(Code::Internal, format!("the platform's answer makes no sense: {error}"))
            .hint("are the command line and the platform of the same version? modelet --version")
    })
}
