//! How the parts run together on one machine.
//!
//! In the order in which they are started:
//! - [`lock`]: one platform for one data folder
//! - [`store`]: functions, artifacts, logs
//! - [`dispatch`]: carries out what the scheduler decides
//! - [`gateway`]: the door for clients
//! - [`admin`]: the API that the command line speaks
//! - [`server`]: one port for both
//!
//! Deliberately absent: engines and tensors. A broken model can break its instance, never the platform.

pub mod admin;
pub mod clock;
pub mod config;
pub mod dispatch;
pub mod gateway;
pub mod lock;
pub mod server;
pub mod store;

use std::future::Future;
use std::sync::Arc;

use modelet_core::manifest::Rung;
use modelet_core::{Code, PlatformError};
use modelet_scheduler::Machine;
use modelet_worker::{SocketFolder, Spawner};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::admin::Admin;
use crate::clock::Clock;
pub use crate::config::{Config, InstanceCommand, Python};
use crate::dispatch::{Cells, Dispatch, Pythons};
use crate::gateway::Gateway;
use crate::gateway::asynchronous::Asynchronous;
use crate::gateway::awake::Awake;
use crate::lock::DataLock;
use crate::server::Server;
use crate::store::catalog::Catalog;
use crate::store::journal::Entry;
use crate::store::logs::Logs;
use crate::store::secrets::Secrets;
use crate::store::store_failed;

/// A platform that is ready to serve.
pub struct Platform {
    lock: DataLock,
    listener: TcpListener,
    server: Server,
    gateway: Arc<Gateway>,
    url: String,
}

impl Platform {
    /// Builds every part. What it needs is checked here, so that a platform that has started can serve.
    pub async fn start(config: Config) -> Result<Self, PlatformError> {
        let lock = DataLock::take(&config.data)?;
        let (listener, bound) = server::listen(config.listen).await?;
        let url = format!("http://{bound}");
        let catalog = Arc::new(Catalog::open(&config.data)?);
        let logs = Logs::open(&config.data, config.log_rows_limit)?;
        let clock = Clock::start();
        logs.record(&Entry::Boot { at_ms: clock.unix_ms() });
        let spawner = Spawner::start(config.sandbox_init.clone(), config.isolation)
            .await
            .map_err(|e| PlatformError::new(Code::StartFailed, e.to_string()))?;
        // Where it cannot be had calls are slower on a busy machine.
        spawner.put_platform_first();
        // A cell needs a /tmp of its own for its artifact.
        let has_tmp = spawner.ladder().best().is_some_and(|rung| rung <= Rung::Namespaces);
        let cells_limit = if has_tmp { config.cells_limit } else { 0 };
        let shared = dispatch::Shared {
            clock,
            spawner,
            sockets: SocketFolder::create(&config.data.join("run"))
                .map_err(|e| store_failed("make the sockets", e))?,
            command: config.instance.clone(),
            secrets: Secrets::open(&config.data).map_err(|e| store_failed("open the secrets", e))?,
            cells: Cells::new(cells_limit),
            pythons: Pythons::new(if has_tmp { config.pythons_limit } else { 0 }),
            artifacts: catalog.artifacts().clone(),
            layers: catalog.layers().clone(),
            logs,
            target: config.target,
        };
        let machine = Machine {
            memory_mib: config.memory_mib,
            max_calls: config.max_calls,
            max_starting: config.max_starting,
        };
        let dispatch = Arc::new(Dispatch::new(shared, machine));
        let buffer_kib =
            usize::try_from(config.buffer_mib << 10).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let asynchronous =
            Arc::new(Asynchronous::open(catalog.accepted()?, config.async_mib << 20, clock.unix_ms())?);
        let gateway = Arc::new(Gateway {
            catalog: catalog.clone(),
            dispatch: dispatch.clone(),
            asynchronous: asynchronous.clone(),
            buffer: Arc::new(Semaphore::new(buffer_kib)),
            body_timeout: config.body_timeout,
            awake: Awake::new(config.awake),
            base_url: url.clone(),
        });
        let admin = Admin::new(catalog.clone(), dispatch.clone(), asynchronous, &config, &url);
        let server = Server::new(gateway.clone(), admin::router(Arc::new(admin)), &config, bound);
        lock.publish(&url).map_err(|e| store_failed("publish the address", e))?;
        for function in catalog.all() {
            dispatch.go_live(&catalog, &function.name);
        }
        Ok(Self { lock, listener, server, gateway, url })
    }

    /// Base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its log, which can be read to the end after the platform's own.
    pub fn logs(&self) -> Logs {
        self.gateway.dispatch.shared().logs.clone()
    }

    /// True when instances have a /tmp of their own size, and a disk that is read-only beside it: on rungs 1 and 2.
    pub fn has_own_tmp(&self) -> bool {
        let ladder = self.gateway.dispatch.shared().spawner.ladder();
        ladder.best().is_some_and(|rung| rung <= Rung::Namespaces)
    }

    /// Serves until `shutdown` completes; then finishes what was accepted, stops every instance, and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let gateway = self.gateway;
        let working = tokio::spawn(gateway.clone().work_off());
        let drain = async {
            gateway.asynchronous.close();
            gateway.dispatch.drain_all().await;
            // What its end is was told where it happened.
            let _ = working.await;
        };
        let clock = gateway.dispatch.shared().clock;
        tokio::select! {
            () = self.server.run(self.listener, shutdown, drain) => {}
            never = gateway.awake.watch(clock) => match never {},
        }
        gateway.dispatch.shared().logs.flush().await;
        drop(self.lock);
    }
}
