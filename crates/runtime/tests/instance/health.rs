//! What an instance says of its health, over its socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use modelet_core::instance::{Health, HealthState, Readiness};
use modelet_core::{
    ArtifactCard, ArtifactFile, Code, EngineName, FunctionError, Manifest, Settings, Version,
};
use modelet_model::LoadOptions;
use modelet_runtime::config::Config;
use modelet_runtime::contract::http::serve;
use modelet_runtime::handler::{Handler, ModelHandler};
use modelet_runtime::inherited::Listener;

use crate::build::{F32, model, node, tensor};

/// An artifact of a small model, `y = -x`.
pub fn write_artifact(folder: &Path) {
    let files = folder.join("files");
    fs::create_dir(&files).unwrap();
    let shape = ["rows", "2"];
    let negative = model(
        vec![node("Neg", &["x"], &["y"], vec![])],
        vec![tensor("x", F32, &shape)],
        vec![tensor("y", F32, &shape)],
    );
    let path = negative.write(&files);
    let options = LoadOptions::default();
    let signature =
        modelet_model::engine(EngineName::Rten).load(&path, &options).unwrap().signature().clone();
    let file =
        ArtifactFile { path: "model.onnx".into(), size_bytes: 0, sha256: String::new(), executable: false };
    let card = ArtifactCard {
        format_version: ArtifactCard::FORMAT_VERSION,
        name: "negative".parse().unwrap(),
        source_sha256: String::new(),
        manifest: Manifest::default(),
        settings: Settings::default(),
        handler: modelet_core::Handler::Model(Box::new(modelet_core::ModelCard {
            file: file.path.clone(),
            format: "onnx".into(),
            origin: None,
            steps: modelet_core::Steps::default(),
            certificate: None,
            engine: EngineName::Rten,
            engine_version: String::new(),
            signature,
        })),
        files: vec![file],
    };
    fs::write(folder.join(ArtifactCard::FILE_NAME), serde_json::to_vec(&card).unwrap()).unwrap();
}

/// Serves in a thread, for as long as the test runs.
fn start(socket: &Path, artifact: Option<&Path>) {
    let listener = UnixListener::bind(socket).unwrap();
    let config = artifact.map(|folder| Config::of(folder.to_owned(), Version(1), None).unwrap());
    std::thread::spawn(move || {
        let loaded: Result<Box<dyn Handler>, _> = match config {
            Some(config) => ModelHandler::load(&config).map(|handler| Box::new(handler) as Box<dyn Handler>),
            None => Err(FunctionError::new(Code::ModelRefused, "damaged")),
        };
        serve(Listener::Unix(listener), loaded, 1.0, None)
    });
}

/// One exchange on a connection of its own: the status and the body.
fn ask(socket: &Path, path: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    answer(stream)
}

fn answer(mut stream: UnixStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn health(socket: &Path) -> (u16, Health) {
    let (status, body) = ask(socket, "/modelet/health");
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn it_counts_the_calls_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    write_artifact(folder.path());
    let socket = folder.path().join("s");
    start(&socket, Some(folder.path()));
    assert_eq!(health(&socket), (200, Health { state: HealthState::Ready, calls: 0 }));

    let body = r#"{"inputs": [[1, 2]]}"#;
    let mut call = UnixStream::connect(&socket).unwrap();
    let head =
        "POST /fn/negative HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    write!(call, "{head}content-length: {}\r\n\r\n{}", body.len(), &body[..4]).unwrap();
    while health(&socket).1.calls == 0 {}
    assert_eq!(
        health(&socket),
        (200, Health { state: HealthState::Ready, calls: 1 }),
        "half a body is a call"
    );
    write!(call, "{}", &body[4..]).unwrap();
    let (status, body) = answer(call);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("[[-1.0,-2.0]]") || body.contains("[[-1,-2]]"), "{body}");
    assert_eq!(health(&socket).1.calls, 0);
}

#[test]
fn an_instance_that_could_not_load_says_so_to_every_question() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    start(&socket, None);
    assert_eq!(health(&socket), (503, Health { state: HealthState::Failed, calls: 0 }));
    let (status, body) = ask(&socket, "/modelet/ready");
    let readiness: Readiness = serde_json::from_str(&body).unwrap();
    assert_eq!((status, readiness.failure), (503, Some((Code::ModelRefused, "damaged".into()))));
}
