//! The program by itself: on a port that it is told, as a container host starts it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::health::write_artifact;

const PATIENCE: Duration = Duration::from_secs(20);

fn program(artifact: &Path, port: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelet-runtime"));
    command.env("PORT", port).env("MODELET_ARTIFACT", artifact).stderr(Stdio::piped());
    command
}

/// Ends with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when all is well.
        let _ = self.0.kill();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "another process is waited for, and tells nobody when it listens"
)]
fn connect(port: u16) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn it_answers_on_the_port_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    write_artifact(folder.path());
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut running = Running(program(folder.path(), port.to_string()).spawn().unwrap());
    let mut stream = connect(port);
    let body = r#"{"inputs": [[1.5, -2]]}"#;
    let length = body.len();
    write!(
        stream,
        "POST /fn/negative HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.trim_end().ends_with(r#"{"outputs":{"y":[[-1.5,2.0]]}}"#), "{answer}");
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_serve_says_why_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    write_artifact(folder.path());
    std::fs::write(folder.path().join("files/model.onnx"), "no model").unwrap();
    let failed = program(folder.path(), "0").output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8(failed.stderr).unwrap().contains("\ncould not load: "));
    let nonsense = program(folder.path(), "http").output().unwrap();
    assert_eq!(nonsense.status.code(), Some(2));
    assert!(String::from_utf8(nonsense.stderr).unwrap().contains("PORT is \"http\", not a port number"));
}
