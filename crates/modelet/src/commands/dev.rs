//! `modelet dev`: the platform in this process, with one function that follows its files.

use std::convert::Infallible;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modelet_core::handler::Layer;
use modelet_core::{Code, FunctionName, Handler, PlatformError, Target, Version};
use modelet_platform::Platform;
use modelet_platform::store::logs::{Filter, LogRow, Logs, MAX_ROWS};
use tokio::sync::watch;

use crate::cli::Common;
use crate::cli::dev::Dev;
use crate::cli::making::Making;
use crate::client::Client;
use crate::commands::deploy::session::{self, Session};
use crate::commands::deploy::{self, Outcome, Way, publish_so};
use crate::commands::up::{Shutdown, config, serve_beside};
use crate::dev::console::{Console, Reloaded};
use crate::dev::order;
use crate::dev::scratch::Scratch;
use crate::dev::watch::{Changed, Watch};
use crate::output::Progress;
use crate::report::Report;

/// What a call printed is in the log about so much later than the call itself.
const SETTLE: Duration = Duration::from_millis(50);
/// How long a reload is kept back until the log is told that came before it.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// How long the log is waited for at a time.
const LOG_WAIT: Duration = Duration::from_secs(30);

pub async fn run(mut common: Common, dev: Dev) -> Result<(), Report> {
    let shutdown = Shutdown::listen()?;
    let path = dev.draft.path.canonicalize().map_err(|error| {
        Report::new(Code::ModelRefused, format!("{}: {error}", dev.draft.path.display()))
            .hint("name a folder or a file: modelet dev FOLDER")
    })?;
    let scratch = Scratch::of(&path)?;
    common.data = Some(scratch.folder.clone());
    let mut config = config(&common, dev.listen)?;
    config.target = dev.target;
    let platform = Platform::start(config).await?;
    let url = platform.url().to_owned();
    let console = Rc::new(Console::new(common.json, dev.target));
    let region = session::region();
    let not_imposed = dev.target.map(|target| not_imposed(target, platform.has_own_tmp(), region.is_some()));
    console.up(&url, &path, &scratch.folder, &not_imposed.unwrap_or_default());
    let (name, named) = watch::channel(None);
    let (told, telling) = watch::channel(0);
    let writing = Writing {
        client: Client::at(&url)?,
        making: Making { path: path.clone(), ..dev.draft.making() },
        session: Session::new(scratch.folder.clone(), dev.target, region),
        console: console.clone(),
        watch: Watch::of(path),
        live: None,
        name,
        logs: platform.logs(),
        told: telling,
    };
    let log = Follower { logs: platform.logs(), console, told };
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

/// What of a target is not as there: anywhere, or on this machine.
fn not_imposed(target: Target, has_own_tmp: bool, has_region: bool) -> Vec<String> {
    let mut all: Vec<String> = target.not_imposed().iter().map(|words| (*words).to_owned()).collect();
    if !has_own_tmp {
        all.push(
            "disk: this machine gives instances no file system of their own, so that the size of /tmp is not limited: modelet doctor"
                .to_owned(),
        );
    }
    if target == Target::AwsLambda && !has_region {
        all.push("AWS_REGION: it is not set in this environment, and so not in the function's".to_owned());
    }
    all
}

/// A function that is being written.
struct Writing {
    client: Client,
    making: Making,
    session: Session,
    console: Rc<Console>,
    watch: Watch,
    /// What answers, with its packages.
    live: Option<(Version, Option<Layer>)>,
    /// The function's name, once it is known.
    name: watch::Sender<Option<FunctionName>>,
    logs: Logs,
    /// The last record of the log that was told.
    told: watch::Receiver<i64>,
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
        self.console.reloading();
        let way = Way {
            client: &self.client,
            making: &self.making,
            progress: progress.clone(),
            session: Some(&mut self.session),
        };
        let outcome = publish_so(way).await;
        drop(progress);
        let took = changed.since.elapsed();
        self.log_is_told().await;
        match outcome {
            Ok(outcome) => self.tell(&outcome, &changed, took).await,
            Err(report) => {
                let name = self.name.borrow().clone();
                let live = self.live.as_ref().map(|(version, _)| *version);
                self.console.failed(&report, &changed.names, name.as_ref().zip(live));
            }
        }
    }

    /// Waits until all is told that the log has by now.
    async fn log_is_told(&mut self) {
        let Some(name) = self.name.borrow().clone() else { return };
        let rows =
            self.logs.read(&name, None, 1, Filter::default(), Duration::ZERO).await.unwrap_or_default();
        let last = rows.last().map_or(0, |row| row.seq);
        // A log that cannot be read is no reason to keep a reload back.
        let _ = tokio::time::timeout(LOG_PATIENCE, self.told.wait_for(|told| *told >= last)).await;
    }

    async fn tell(&mut self, outcome: &Outcome, changed: &Changed, took: Duration) {
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
                took,
                packages: packages.as_ref(),
            }),
            None => {
                deploy::print(&self.client, outcome).await;
                self.console.answers(version);
            }
            Some((version, _)) if !is_new => self.console.unchanged(&name, *version, &changed.names),
            Some((_, known)) => self.console.reloaded(&Reloaded {
                name: &name,
                version,
                changed: &changed.names,
                took,
                packages: packages.as_ref().filter(|_| *known != packages),
            }),
        }
        self.live = Some(match before {
            Some(before) if !is_new => before,
            _ => (version, packages),
        });
        // The function keeps the name that it has begun with.
        self.making.name = Some(name.clone());
        self.name.send_if_modified(|known| known.replace(name.clone()) != Some(name));
    }
}

/// Tells what the log of the function gets.
struct Follower {
    logs: Logs,
    console: Rc<Console>,
    /// The last record that was told.
    told: watch::Sender<i64>,
}

impl Follower {
    async fn follow(&self, mut named: watch::Receiver<Option<FunctionName>>) -> Infallible {
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

    /// What has come, with what belongs to it.
    async fn rows(&self, name: &FunctionName, wait: Duration) -> Result<Vec<LogRow>, PlatformError> {
        let told = *self.told.borrow();
        let mut rows = self.logs.read(name, Some(told), MAX_ROWS, Filter::default(), wait).await?;
        if let Some(row) = rows.last() {
            let last = Some(row.seq);
            tokio::time::sleep(SETTLE).await;
            rows.extend(self.logs.read(name, last, MAX_ROWS, Filter::default(), Duration::ZERO).await?);
        }
        Ok(rows)
    }

    async fn read(&self, name: &FunctionName, wait: Duration) {
        match self.rows(name, wait).await {
            Ok(rows) => {
                let last = rows.last().map(|row| row.seq);
                order::calls_last(rows).into_iter().for_each(|row| self.console.row(row));
                if let Some(last) = last {
                    self.told.send_replace(last);
                }
            }
            Err(error) => {
                Report::from(error).print(self.console.is_json());
                tokio::time::sleep(LOG_WAIT).await;
            }
        }
    }
}
