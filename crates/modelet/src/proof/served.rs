//! The converted model answers: by the runtime, as an instance does, over the socket that an instance has.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use modelet_core::instance::{ENV_ARTIFACT, ENV_ONNXRUNTIME, ENV_VERSION};
use modelet_core::{ArtifactCard, Code, EngineName, FunctionError};
use modelet_package::Source;
use modelet_package::certificate::wire::{Answers, Message, Reply};
use modelet_worker::{Bind, Feed, Launch, Sandbox, SocketFolder, Spawner, Stream, output};
use tokio::sync::mpsc;

use crate::engines;
use crate::launch::{RUNTIME_ARGUMENT, this_binary};

/// How long the JSON at the beginning of a V2 body is.
const JSON_LENGTH: &str = "inference-header-content-length";
/// The whole proof's calls may take this long.
const LIMIT: Duration = Duration::from_secs(600);
/// Most lines of the instance that wait to be dropped.
const LINES: usize = 64;

/// A converted model, as it will be packaged.
pub struct Served {
    /// Its card.
    pub card: ArtifactCard,
    /// Its files.
    pub source: Source,
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
        let artifact = self.lay_out(work).map_err(|error| failed(error.to_string()))?;
        let sockets =
            SocketFolder::create(&work.join("sockets")).map_err(|error| failed(error.to_string()))?;
        let socket = sockets.bind("proof").map_err(|error| failed(error.to_string()))?;
        let binary = this_binary().map_err(|report| failed(report.message().to_owned()))?;
        let launch = self.launch(binary, &artifact, socket.listener);
        let spawned = spawner.spawn(launch).await.map_err(|error| failed(error.to_string()))?;
        let instance = Instance {
            feed: Feed::new(socket.address),
            path: format!("/v2/models/{}/infer", self.card.name),
        };
        let response_bytes = usize::try_from(self.card.settings.response_limit_bytes()).unwrap_or(usize::MAX);
        drain(spawned.stdout, spawned.stderr);
        let answered = tokio::time::timeout(LIMIT, instance.answer(requests, response_bytes)).await;
        // It has answered, or never will.
        let _ = spawned.process.stop(Duration::ZERO).await;
        answered.unwrap_or_else(|_| Err(failed(format!("no answer within {} s", LIMIT.as_secs()))))
    }

    /// The artifact's folder, as the store unpacks it.
    fn lay_out(&self, work: &Path) -> io::Result<PathBuf> {
        let folder = work.join("artifact");
        fs::create_dir(&folder)?;
        fs::write(folder.join(ArtifactCard::FILE_NAME), serde_json::to_vec(&self.card)?)?;
        for file in &self.source.files {
            let target = folder.join("files").join(&file.path);
            fs::create_dir_all(target.parent().unwrap_or(&folder))?;
            fs::copy(&file.place, &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644))?;
        }
        Ok(folder)
    }

    fn launch(&self, program: PathBuf, artifact: &Path, socket: OwnedFd) -> Launch {
        let mut env: Vec<(OsString, OsString)> =
            [("LANG", "C.UTF-8"), ("ORT_DISABLE_TELEMETRY", "1"), ("LISTEN_FDS", "1"), (ENV_VERSION, "1")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
        env.push((ENV_ARTIFACT.into(), artifact.into()));
        let mut binds = vec![Bind::same(artifact)];
        // Others do without, and the library may lie where a sandbox cannot reach.
        if self.card.engine == EngineName::Onnxruntime
            && let Ok(library) = engines::locate()
        {
            env.push((ENV_ONNXRUNTIME.into(), library.path.clone().into()));
            binds.push(Bind::same(library.path));
        }
        let settings = &self.card.settings;
        Launch {
            program,
            args: vec![RUNTIME_ARGUMENT.into()],
            env,
            folder: "/".into(),
            socket,
            control: None,
            sandbox: Sandbox {
                binds,
                memory_mib: settings.memory_mib,
                cpu_millis: settings.cpu_share_millis(),
                ..Sandbox::default()
            },
        }
    }
}

/// What the instance prints is dropped, so that it never waits in its `write`.
fn drain(stdout: OwnedFd, stderr: OwnedFd) {
    let (sender, mut lines) = mpsc::channel(LINES);
    tokio::spawn(output::read_lines(stdout, Stream::Stdout, sender.clone()));
    tokio::spawn(output::read_lines(stderr, Stream::Stderr, sender));
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
