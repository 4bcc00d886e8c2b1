//! The converted model answers: by the runtime, as an instance does, over the socket that an instance has.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use modelet_core::{ArtifactCard, Code, FunctionError};
use modelet_package::ModelSource;
use modelet_package::certificate::wire::{Answers, Message, Reply};
use modelet_worker::{Feed, OutputLine, Spawner};
use tokio::sync::mpsc;

use crate::trial::Trial;

/// How long the JSON at the beginning of a V2 body is.
const JSON_LENGTH: &str = "inference-header-content-length";
/// The whole proof's calls may take this long.
const LIMIT: Duration = Duration::from_secs(600);

/// A converted model, as it will be packaged.
pub struct Served {
    /// Its card.
    pub card: ArtifactCard,
    /// Its files.
    pub source: ModelSource,
}

impl Served {
    /// Starts an instance, sends it calls, and ends it.
    pub async fn ask(
        &self,
        spawner: &Spawner,
        requests: &[Message],
        work: &Path,
    ) -> Result<Vec<Reply>, FunctionError> {
        let failed = |what: String| {
            FunctionError::new(Code::StartFailed, format!("the converted model could not be asked: {what}"))
        };
        let trial = Trial {
            card: &self.card,
            bundle: &self.source.bundle,
            python: None,
            packages: None,
            imports: vec![],
            target: None,
            memory_mib: self.card.settings.memory_mib,
        };
        let running = trial.start(spawner, work).await.map_err(failed)?;
        let instance = Instance { feed: running.feed, path: format!("/v2/models/{}/infer", self.card.name) };
        let response_bytes = usize::try_from(self.card.settings.response_limit_bytes()).unwrap_or(usize::MAX);
        drain(running.lines);
        let answered = tokio::time::timeout(LIMIT, instance.answer(requests, response_bytes)).await;
        // It has answered, or never will.
        let _ = running.process.stop(Duration::ZERO).await;
        answered.unwrap_or_else(|_| Err(failed(format!("no answer within {} s", LIMIT.as_secs()))))
    }
}

/// What the instance prints is dropped, so that it never waits in its `write`.
fn drain(mut lines: mpsc::Receiver<OutputLine>) {
    tokio::spawn(async move { while lines.recv().await.is_some() {} });
}

struct Instance {
    feed: Feed,
    path: String,
}

impl Instance {
    async fn answer(&self, requests: &[Message], response_bytes: usize) -> Result<Vec<Reply>, FunctionError> {
        let failed = |what: String| {
            FunctionError::new(Code::StartFailed, format!("the converted model could not be asked: {what}"))
        };
        let ready = self.feed.readiness().await.map_err(|error| failed(error.to_string()))?;
        if let Some((code, why)) = ready.failure {
            return Err(FunctionError::new(code, why));
        }
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.call(request, response_bytes).await?);
        }
        Ok(answers)
    }

    async fn call(&self, request: &Message, response_bytes: usize) -> Result<Reply, FunctionError> {
        let failed = |what: String| {
            let message = format!(
                "the converted model neither answers rows nor refuses them ({}): {what}",
                request.inputs
            );
            FunctionError::new(Code::ConversionDiffers, message)
        };
        let body = Bytes::from([&*request.json, &*request.tail].concat());
        let request = Request::post(&self.path)
            .header(http::header::HOST, "localhost")
            .header(http::header::CONTENT_TYPE, "application/octet-stream")
            .header(JSON_LENGTH, request.json.len())
            .body(Full::new(body))
            .map_err(|error| failed(error.to_string()))?;
        let (response, connection) =
            self.feed.send(request).await.map_err(|error| failed(error.to_string()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, response_bytes).collect().await;
        let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
        self.feed.give_back(connection);
        if !head.status.is_success() {
            return Ok(Reply::Refused(String::from_utf8_lossy(&body).into_owned()));
        }
        let length =
            head.headers.get(JSON_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let (json, tail) = body.split_at_checked(length.unwrap_or(body.len())).unwrap_or((&body, &[]));
        Answers::read(json, tail).map(Reply::Answered).map_err(failed)
    }
}
