//! A program that tries to get out of its sandbox. Its first argument says how; it prints `escaped` and what it got, or
//! `contained` and what kept it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: what it did not expect ends it")]

mod acts;

use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use modelet_worker::{Launch, Sandbox, Spawner, sandbox};

fn main() -> ExitCode {
    if let Some(code) = sandbox::run_if_init() {
        return code;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let target = args.get(1).cloned().unwrap_or_default();
    let outcome = if args[0] == "platform" { platform() } else { acts::attempt(&args[0], &target) };
    match outcome {
        Ok(got) => println!("escaped: {got}"),
        Err(error) => println!("contained: {error}"),
    }
    ExitCode::SUCCESS
}

/// A platform with one instance, a `tree`; says the instance's process and waits.
fn platform() -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let this = std::env::current_exe()?;
        let spawner = Spawner::start(this.clone(), None).await.map_err(io::Error::other)?;
        let (socket, _ours) = UnixStream::pair()?;
        let launch = Launch {
            program: this,
            args: vec!["tree".into()],
            env: vec![],
            folder: "/".into(),
            socket: socket.into(),
            control: None,
            sandbox: Sandbox::default(),
        };
        let spawned = spawner.spawn(launch).await.map_err(io::Error::other)?;
        let (mut lines, _) = modelet_worker::output::follow(spawned.stdout, spawned.stderr, 1);
        lines.recv().await;
        println!("{}", spawned.process.id());
        std::future::pending().await
    })
}
