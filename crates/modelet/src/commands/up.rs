//! `modelet up`: the whole platform, in this process.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use modelet_core::Code;
use modelet_platform::{Config, Platform};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::cli::Common;
use crate::cli::up::Up;
use crate::launch::{Instances, data_folder, this_binary};
use crate::output;
use crate::report::Report;

pub async fn run(common: Common, up: Up) -> Result<(), Report> {
    let mut config = config(&common, up.listen)?;
    config.memory_mib = up.memory_mib.unwrap_or(config.memory_mib);
    config.max_calls = up.max_calls as usize;
    config.max_starting = up.max_starting.map_or(config.max_starting, |n| n as usize);
    config.buffer_mib = up.buffer_mib;
    config.async_mib = up.async_mib;
    config.max_connections = up.max_connections as usize;
    config.artifact_limit_mib = up.artifact_limit_mib;
    config.isolation = up.isolation;
    config.cells_limit = up.cells as usize;
    config.pythons_limit = up.pythons as usize;
    config.awake = Duration::from_millis(up.awake_ms);
    config.log_rows_limit = up.log_rows_limit;
    if let Some(program) = &up.runtime {
        config.instance = Arc::new(Instances::of(program)?);
    }
    let data = config.data.clone();
    let shutdown = Shutdown::listen()?;
    let platform = Platform::start(config).await?;
    if common.json {
        output::json(&json!({"url": platform.url(), "data": data, "pid": std::process::id()}));
    } else {
        output::line(format!("modelet is up at {}", platform.url()));
    }
    output::say(format!("  data    {}", data.display()));
    output::say("  next    modelet deploy MODEL.onnx       stop with Ctrl-C");
    if up.listen.is_some_and(|address| !address.ip().is_loopback()) {
        output::say(
            "  warning everybody who reaches this address can deploy and delete: there are no keys yet",
        );
    }
    serve(platform, shutdown).await
}

/// Serves until the first signal, then drains; a Ctrl-C meanwhile ends it at once.
pub async fn serve(platform: Platform, shutdown: Shutdown) -> Result<(), Report> {
    serve_beside(platform, shutdown, std::future::pending()).await
}

/// The same, while something else goes on until the first signal.
pub async fn serve_beside(
    platform: Platform,
    mut shutdown: Shutdown,
    beside: impl Future<Output = Infallible>,
) -> Result<(), Report> {
    let (stop, stopping) = oneshot::channel();
    let serving = platform.run(async move {
        // The other end lives as long as this function.
        let _ = stopping.await;
    });
    let signals = async move {
        tokio::select! {
            () = shutdown.told() => {}
            never = beside => match never {},
        }
        output::say("stopping: no new calls, the accepted ones are finished (Ctrl-C: at once)");
        let _ = stop.send(());
        shutdown.interrupt.recv().await;
    };
    tokio::select! {
        () = serving => {
            output::say("stopped");
            Ok(())
        }
        () = signals => Err(Report::new(Code::ShuttingDown, "stopped at once: calls in flight were cut off")),
    }
}

/// The configuration of a platform that starts this binary as its instances.
pub fn config(common: &Common, listen: Option<SocketAddr>) -> Result<Config, Report> {
    let program = this_binary()?;
    let instance = Arc::new(Instances::of_this_binary(program.clone()));
    let mut config = Config::new(data_folder(common.data.clone())?, instance, program);
    config.listen = listen;
    Ok(config)
}

/// Ctrl-C and SIGTERM.
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    /// Listens from now on, so that a signal during the start is not lost.
    pub fn listen() -> Result<Self, Report> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Report::new(Code::Internal, format!("could not listen for signals: {error}"))
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Completes when told to stop.
    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
