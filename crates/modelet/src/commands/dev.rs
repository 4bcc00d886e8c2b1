//! `modelet dev`: the platform in this process, with one function that follows its files.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modelet_core::handler::Layer;
use modelet_core::{Code, FunctionName, Handler, Version};
use modelet_platform::Platform;
use modelet_platform::store::logs::{Logs, MAX_ROWS};
use tokio::sync::watch;

use crate::cli::dev::Dev;
use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::commands::deploy::session::Session;
use crate::commands::deploy::{self, Outcome, Way, publish_so};
use crate::commands::up::{Shutdown, config, serve_beside};
use crate::dev::console::{Console, Reloaded};
use crate::dev::scratch::Scratch;
use crate::dev::watch::{Changed, Watch};
use crate::output::Progress;
use crate::report::Report;

/// How long the log is waited for at a time.
const LOG_WAIT: Duration = Duration::from_secs(30);
/// Where a developer's environment names a region of AWS.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

pub async fn run(mut common: Common, dev: Dev) -> Result<(), Report> {
    let shutdown = Shutdown::listen()?;
    let path = dev.path.canonicalize().map_err(|error| {
        Report::new(Code::ModelRefused, format!("{}: {error}", dev.path.display()))
            .hint("name a folder or a file: modelet dev FOLDER")
    })?;
    let scratch = Scratch::of(&path)?;
    common.data = Some(scratch.folder.clone());
    let mut config = config(&common, dev.listen)?;
    config.target = dev.target;
    let platform = Platform::start(config).await?;
    let url = platform.url().to_owned();
    let console = Arc::new(Console::new(common.json, dev.target));
    console.up(&url, &path.display().to_string());
    let region = REGIONS.into_iter().find_map(|name| std::env::var(name).ok());
    let (name, named) = watch::channel(None);
    let writing = Writing {
        client: Client::at(&url)?,
        deploy: Deploy { path: path.clone(), ..dev.deploy() },
        session: Session::new(scratch.folder.clone(), dev.target, region),
        console: console.clone(),
        watch: Watch::of(path),
        live: None,
        name,
    };
    let mut log = Follower { logs: platform.logs(), console, last: 0 };
    let ended = tokio::select! {
        ended = serve_beside(platform, shutdown, writing.follow()) => ended,
        never = log.follow(named.clone()) => match never {},
    };
    if let Some(name) = named.borrow().as_ref() {
        // What the last calls said.
        log.read(name, Duration::ZERO).await;
    }
    ended
}

/// A function that is being written.
struct Writing {
    client: Client,
    deploy: Deploy,
    session: Session,
    console: Arc<Console>,
    watch: Watch,
    /// What answers, with its packages.
    live: Option<(Version, Option<Layer>)>,
    /// The function's name, once it is known.
    name: watch::Sender<Option<FunctionName>>,
}

impl Writing {
    /// Deploys it, and again whenever its files change.
    async fn follow(mut self) -> Infallible {
        let mut seen = self.watch.look().await;
        let begin = Changed { names: Vec::new(), look: seen.clone(), since: Instant::now() };
        self.reload(begin).await;
        loop {
            let changed = self.watch.changed(&seen).await;
            seen = changed.look.clone();
            self.reload(changed).await;
            // Files elsewhere may have come in view: they are as they are now.
            let now = self.watch.look().await;
            seen.also(&now, &self.outside());
        }
    }

    fn outside(&self) -> Vec<String> {
        self.watch.outside.iter().map(|path| path.display().to_string()).collect()
    }

    async fn reload(&mut self, changed: Changed) {
        let progress = Arc::new(Progress::patient());
        let way = Way {
            client: &self.client,
            deploy: &self.deploy,
            progress: progress.clone(),
            session: Some(&mut self.session),
        };
        let outcome = publish_so(way).await;
        drop(progress);
        match outcome {
            Ok(outcome) => self.told(&outcome, &changed).await,
            Err(report) => {
                let name = self.name.borrow().clone();
                let live = self.live.as_ref().map(|(version, _)| *version);
                self.console.failed(&report, &changed.names, name.as_ref().zip(live));
            }
        }
    }

    async fn told(&mut self, outcome: &Outcome, changed: &Changed) {
        let name = outcome.name().clone();
        let (version, is_new) = outcome.version();
        let card = outcome.card();
        let packages = card.and_then(|card| card.packages().cloned());
        let before = self.live.take();
        if let Some(Handler::Python(python)) = card.map(|card| &card.handler) {
            self.watch.outside = python.outside.keys().map(PathBuf::from).collect();
        }
        match &before {
            None if self.console.is_json() => self.console.reloaded(&Reloaded {
                name: &name,
                version,
                changed: &changed.names,
                took: changed.since.elapsed(),
                packages: packages.as_ref(),
            }),
            None => deploy::print(&self.client, outcome).await,
            Some((version, _)) if !is_new => self.console.unchanged(&name, *version, &changed.names),
            Some((_, known)) => self.console.reloaded(&Reloaded {
                name: &name,
                version,
                changed: &changed.names,
                took: changed.since.elapsed(),
                packages: packages.as_ref().filter(|_| *known != packages),
            }),
        }
        self.live = Some(match before {
            Some(before) if !is_new => before,
            _ => (version, packages),
        });
        // The function keeps the name that it has begun with.
        self.deploy.name = Some(name.clone());
        self.name.send_if_modified(|known| known.replace(name.clone()) != Some(name));
    }
}

/// Tells what the log of the function gets.
struct Follower {
    logs: Logs,
    console: Arc<Console>,
    last: i64,
}

impl Follower {
    async fn follow(&mut self, mut named: watch::Receiver<Option<FunctionName>>) -> Infallible {
        loop {
            let name = named.borrow_and_update().clone();
            match name {
                Some(name) => self.read(&name, LOG_WAIT).await,
                // It ends with the command.
                None if named.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }

    async fn read(&mut self, name: &FunctionName, wait: Duration) {
        match self.logs.read(name, Some(self.last), MAX_ROWS, wait).await {
            Ok(rows) => {
                for row in &rows {
                    self.console.row(row);
                    self.last = row.seq;
                }
            }
            Err(error) => {
                Report::from(error).print(self.console.is_json());
                tokio::time::sleep(LOG_WAIT).await;
            }
        }
    }
}
