//! `modelet deploy`: recognise, choose an engine on evidence, package, and carry out what has to be done at the target.
//!
//! - [`code`]: the way of code; [`session`]: what `modelet dev` adds
//! - [`print`](mod@print): what is shown of it

mod code;
mod print;
pub mod session;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use modelet_cloud::delivery::Artifact;
use modelet_cloud::plan::Plan;
use modelet_cloud::{Delivery, Deployment, Target};
use modelet_core::certificate::Verdict;
use modelet_core::{ArtifactCard, Certificate, Code, FunctionName, Processor, Version};
use modelet_package::certificate::tolerance;
use modelet_package::{ModelSource, Packed, Source};
use modelet_platform::admin::versions::HEADER_LIVE_WHEN;
use modelet_platform::admin::views::{Deployed, FunctionView};
pub use print::{made as print_made, outcome as print};
use serde_json::Value;
use session::{Asked, Session};

use crate::cli::making::Making;
use crate::cli::target::To;
use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::commands::target;
use crate::making::code::Tried;
use crate::making::{self, Made};
use crate::output::{self, Progress};
use crate::report::Report;
use crate::target::platform::Platform;
use crate::target::platform::action::Action;
use crate::target::platform::hand::upload;
use crate::target::platform::there::known;

/// What a deploy came to.
pub struct Outcome {
    deployed: Deployed,
    /// What was made; `None` when the live version is of the same files.
    made: Option<Made>,
}

impl Outcome {
    /// The function.
    pub fn name(&self) -> &FunctionName {
        &self.deployed.name
    }

    /// Its version, and whether there was none of these files before.
    pub fn version(&self) -> (Version, bool) {
        (self.deployed.version, self.deployed.created)
    }

    /// The card of what was made; `None` when nothing was.
    pub fn card(&self) -> Option<&ArtifactCard> {
        self.made.as_ref().map(|made| &made.card)
    }
}

/// How something is deployed.
pub struct Way<'a> {
    /// The platform.
    pub client: &'a Client,
    /// What was asked for.
    pub making: &'a Making,
    /// Where it tells what takes a while.
    pub progress: Arc<Progress>,
    /// What `modelet dev` knows and wants.
    pub session: Option<&'a mut Session>,
}

pub async fn run(common: &Common, deploy: &Deploy) -> Result<ExitCode, Report> {
    let asked = &deploy.target;
    let to = asked.to.clone().unwrap_or_default();
    let address = match &to {
        To::Cloud(cloud) => return target::deploy::run(common, deploy, *cloud).await,
        To::Platform(address) => address,
    };
    target::options::of_platform(asked)?;
    let platform = Platform::new(Client::of(common, address)?);
    let work = making::work_folder()?;
    let progress = Progress::start(format!("reading {}", deploy.making.path.display()));
    let progress = Arc::new(progress);
    let mut way = Way { client: platform.client(), making: &deploy.making, progress, session: None };
    let ready = ready(&mut way, work.path()).await?;
    let wanted = ready.wanted(asked.canary);
    way.progress.next("looking at what is there");
    let plan = platform.plan(&wanted).await?;
    if asked.plan {
        drop(way);
        return Ok(print::plan(common, (&to, &platform), &wanted, &plan));
    }
    let outcome = applied(&platform, ready, &wanted, &plan, way.progress).await?;
    print::warnings(&outcome, &plan.notes);
    if common.json {
        output::json(&print::as_json(&outcome));
    } else {
        print::outcome(platform.client(), &outcome).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Carries a plan out, and looks at what came of it.
async fn applied(
    platform: &Platform,
    ready: Ready,
    wanted: &Deployment,
    plan: &Plan<Action>,
    progress: Arc<Progress>,
) -> Result<Outcome, Report> {
    let mut said = plan.steps.iter().map(|step| print::doing(&step.action, wanted));
    let mut tell = |line: &str| progress.next(said.next().unwrap_or_else(|| line.to_owned()));
    platform.apply(&wanted.name, plan, Some(wanted), &mut tell).await.map_err(target::failed)?;
    let is_new =
        plan.steps.iter().any(|step| matches!(step.action, Action::CreateFunction | Action::CreateVersion));
    let view = platform.function(&wanted.name).await?;
    let deployed = as_deployed(view, &wanted.card, is_new);
    let deployed = deployed.ok_or_else(|| {
        let why = format!("{} was deployed, and somebody deleted that version in between", wanted.name);
        Report::new(Code::TargetFailed, why).hint("deploy again")
    })?;
    Ok(Outcome { deployed, made: ready.into_made() })
}

/// Everything from the file to the live version.
pub async fn publish(client: &Client, making: &Making) -> Result<Outcome, Report> {
    let platform = Platform::new(client.clone());
    let work = making::work_folder()?;
    let progress = Arc::new(Progress::start(format!("reading {}", making.path.display())));
    let mut way = Way { client, making, progress, session: None };
    let ready = ready(&mut way, work.path()).await?;
    let wanted = ready.wanted(None);
    let plan = platform.plan(&wanted).await?;
    applied(&platform, ready, &wanted, &plan, way.progress).await
}

/// The same for `modelet dev`, whose platform is in this very process: it is asked once.
pub async fn publish_so(mut way: Way<'_>) -> Result<Outcome, Report> {
    let work = making::work_folder()?;
    let fresh = match ready(&mut way, work.path()).await? {
        Ready::Made(fresh) => *fresh,
        Ready::Unchanged(view) => {
            let card = view.card.clone();
            let gone = || Report::new(Code::Internal, "the live version is none of the function's");
            let deployed = as_deployed(*view, &card, false).ok_or_else(gone)?;
            return Ok(Outcome { deployed, made: None });
        }
    };
    let Way { client, progress, session, .. } = way;
    let Fresh { made, artifact, seen } = fresh;
    if let (Some(session), Some(packages)) = (&session, &made.packages) {
        session.link(packages)?;
    }
    progress.next(format!("publishing {}", output::size(artifact.size_bytes)));
    let mut request = upload(&made.card.name, &artifact);
    // What was tried already shows by itself whether it starts, before anybody calls it.
    if seen.as_ref().is_some_and(|seen| seen.is_known) {
        request = request.header(HEADER_LIVE_WHEN, "ready");
    }
    let deployed = client.upload(request, &artifact.path).await?;
    if let (Some(session), Some(seen)) = (session, seen) {
        session.remember(seen.asked, seen.tried);
    }
    Ok(Outcome { deployed, made: Some(made) })
}

/// What is to be deployed.
pub enum Ready {
    /// The live version is of the same files.
    Unchanged(Box<FunctionView>),
    /// Something new.
    Made(Box<Fresh>),
}

/// What was made, with its artifact.
pub struct Fresh {
    made: Made,
    artifact: Artifact,
    /// What trying code came to.
    seen: Option<Seen>,
}

/// What trying code came to.
struct Seen {
    asked: Asked,
    tried: Tried,
    /// True when it was tried before, and not now.
    is_known: bool,
}

impl Ready {
    /// What is to be there. `percent`: the part of the calls that a new version gets at first.
    fn wanted(&self, percent: Option<u8>) -> Deployment {
        let (card, delivery) = match self {
            Self::Unchanged(view) => {
                let sha256 = digest_of(view).unwrap_or_default().to_owned();
                (&view.card, Delivery::There { sha256 })
            }
            Self::Made(fresh) => (&fresh.made.card, Delivery::Artifact(fresh.artifact.clone())),
        };
        Deployment {
            name: card.name.clone(),
            card: card.clone(),
            delivery,
            processor: Processor::HERE,
            canary_percent: percent,
        }
    }

    fn into_made(self) -> Option<Made> {
        match self {
            Self::Unchanged(_) => None,
            Self::Made(fresh) => Some(fresh.made),
        }
    }
}

/// Everything from the file to its artifact, which is put into `work`.
async fn ready(way: &mut Way<'_>, work: &Path) -> Result<Ready, Report> {
    let (client, making, progress) = (way.client, way.making, way.progress.clone());
    let (mut source, name) = making::opened(making, &progress, work).await?;
    if let Some(session) = &way.session {
        session.impose(&mut source.bundle_mut().manifest, &name)?;
        session.bring_secrets(client, &source.bundle().manifest).await?;
    }
    let (made, seen) = match source {
        Source::Code(source) => match code::ready(way, *source, name, work).await? {
            Ok(tried) => tried,
            Err(view) => return Ok(Ready::Unchanged(view)),
        },
        Source::Model(source) => {
            if let Some(view) = unchanged(client, &name, &source, making).await? {
                return Ok(Ready::Unchanged(Box::new(view)));
            }
            (making::model::made(*source, name, making, &progress).await?, None)
        }
    };
    progress.next("packaging");
    let path = work.join("artifact.tar");
    let Packed { sha256, size_bytes, card } = made.packed(&path).await?;
    if let (Some(session), None) = (&way.session, &seen) {
        session.check_size(&card, None)?;
    }
    let packages = made.packages.as_ref().map(|packages| (packages.layer.clone(), packages.folder.clone()));
    let artifact = Artifact { path, sha256, size_bytes, evidence: made.found.as_text(), packages };
    Ok(Ready::Made(Box::new(Fresh { made, artifact, seen })))
}

/// The live version, when it was made of the same source.
async fn unchanged(
    client: &Client,
    name: &FunctionName,
    source: &ModelSource,
    making: &Making,
) -> Result<Option<FunctionView>, Report> {
    let Some(view) = live(client, name).await? else { return Ok(None) };
    let usual = source.original.as_ref().map(|original| tolerance::of(original.frameworks(), None));
    let is_usual = |own: &Certificate| own.verdict == Verdict::Proved && own.tolerance == usual;
    let proved = view.card.model().and_then(|model| model.certificate.as_ref()).is_some_and(is_usual);
    let nothing_new_to_prove = making.proof.sample.is_none() && making.proof.tolerance.is_none();
    let as_proved = source.original.is_none() || making.no_proof || proved && nothing_new_to_prove;
    Ok(Some(view).filter(|view| view.card.source_sha256 == source.sha256() && as_proved))
}

/// The function, if it is there.
async fn live(client: &Client, name: &FunctionName) -> Result<Option<FunctionView>, Report> {
    match client.get(&format!("/api/v1/functions/{name}")).await {
        Ok(view) => Ok(Some(view)),
        Err(report) if report.is(Code::FunctionNotFound) => Ok(None),
        Err(report) => Err(report),
    }
}

/// The digest of the live version.
fn digest_of(view: &FunctionView) -> Option<&str> {
    view.versions.iter().find(|version| version.version == view.version).map(|live| live.sha256.as_str())
}

/// The version that was made of the same as a card, as it was deployed.
fn as_deployed(view: FunctionView, card: &ArtifactCard, is_new: bool) -> Option<Deployed> {
    let version = known(&view, card)?.clone();
    Some(Deployed {
        name: view.name,
        version: version.version,
        created: is_new,
        traffic: view.traffic,
        sha256: version.sha256,
        size_bytes: version.size_bytes,
        url: view.url,
        warning: view.warning,
    })
}

/// The sample request that the function itself shows.
pub async fn sample(client: &Client, name: &FunctionName) -> Option<Value> {
    let described: Value = client.get(&format!("/fn/{name}")).await.ok()?;
    described["samples"].as_array()?.first().cloned()
}
