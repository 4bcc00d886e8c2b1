//! `modelet check`: what would break a function on a cloud, found by running it once under that cloud's limits and by reading its
//! files. It needs no platform.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, FunctionName, Processor, Target};
use modelet_package::{Bundle, Source};
use modelet_worker::{Spawner, budget};

use crate::check::course::{Course, Ran};
use crate::check::files;
use crate::check::print::Checked;
use crate::check::ran::{Measured, Reading};
use crate::check::sample::Sample;
use crate::cli::Common;
use crate::cli::check::Check;
use crate::commands::deploy::session::{give_variables, region};
use crate::launch::this_binary;
use crate::making;
use crate::making::site::Site;
use crate::output::{self, Progress};
use crate::python::interpreter::Interpreter;
use crate::python::packages::Made as Packages;
use crate::report::Report;
use crate::trial::Trial;

/// What is not ready in time is waited for so much longer, in times of the limit, so that it can be said how long it takes.
const PATIENCE: u64 = 2;
/// Where a target names no limit, milliseconds.
const LOAD_LIMIT_MS: u64 = 300_000;
/// What a second run may hold, of this machine's memory, percent.
const MEMORY_PERCENT: u64 = 75;

/// What is checked.
struct Subject {
    card: ArtifactCard,
    bundle: Bundle,
    python: Option<Interpreter>,
    packages: Option<Packages>,
    /// Those that it is run with here.
    packages_here: Option<Packages>,
    /// A file of its own that cannot be run here.
    foreign: Option<String>,
    imports: Vec<(String, String)>,
}

pub async fn run(common: &Common, check: &Check) -> Result<(), Report> {
    let checked = checked(check).await?;
    if common.json {
        output::json(&checked.to_json());
    } else {
        checked.print();
    }
    if checked.count(Verdict::Breaks) > 0 {
        return Err(Report::new(Code::TargetUnfit, checked.sum()).hint("each finding says what to do next"));
    }
    if !common.json {
        output::line(checked.sum());
    }
    Ok(())
}

async fn checked(check: &Check) -> Result<Checked, Report> {
    let work = making::work_folder()?;
    let progress = Arc::new(Progress::start(format!("reading {}", check.draft.path.display())));
    let mut making = check.draft.making();
    let (target, processor) = (check.target, check.arch.unwrap_or(Processor::HERE));
    making.site = Site::Host(None, processor);
    let (mut source, name) = making::opened(&making, &progress, work.path()).await?;
    // What it asks for and the target does not have is found below, all of it.
    making.site = Site::Host(Some(target), processor);
    let manifest = &mut source.bundle_mut().manifest;
    let mut findings = target.of_manifest(manifest);
    findings.extend(target.of_processor(processor));
    give_variables(target, manifest, &name, region().as_deref());
    let subject = Subject::of(source, name.clone(), &making, &progress).await?;
    let sample = Sample::of(&subject.card, check.sample.as_deref(), check.at.as_deref())?;
    let Subject { card, bundle, packages, .. } = &subject;
    findings.extend(files::start(target, card));
    let shipment = match files::shipment(card, bundle, packages.as_ref(), processor) {
        Ok(shipment) => Some(shipment),
        Err(finding) => {
            findings.push(finding);
            None
        }
    };
    findings.push(files::size(target, card, packages.as_ref(), shipment.as_ref()));
    if let Some(shipment) = &shipment {
        progress.next("writing it as the target takes it");
        findings.extend(files::zipped(target, shipment, work.path()).await?);
    }
    progress.next("reading its libraries and programs");
    findings.extend(files::programs(target, card, bundle, packages.as_ref(), processor).await?);
    if subject.card.is_code() {
        findings.extend(files::ways(target, bundle).await?);
    }
    findings.extend(elsewhere(processor, subject.foreign.as_deref()));
    let mut measured = Measured::default();
    if subject.foreign.is_none() {
        progress.next("running it in a sandbox");
        let (ran, taken) = subject.tried(target, sample.as_ref(), work.path()).await?;
        measured = taken;
        let knows_streams = findings.iter().any(|finding| finding.about == About::Streams);
        findings.extend(ran.into_iter().filter(|finding| finding.about != About::Streams || !knows_streams));
        findings.extend(sample.is_none().then(no_call));
    }
    findings.sort_by_key(|finding| (finding.verdict, finding.about));
    Ok(Checked { name, target, findings, measured })
}

/// What is not known of a function for a processor that this machine has not. `foreign`: a file that cannot be run here.
fn elsewhere(processor: Processor, foreign: Option<&str>) -> Option<Finding> {
    let here = Processor::HERE;
    if processor == here {
        return None;
    }
    let finding = match foreign {
        Some(file) => {
            let what = format!(
                "it was not run, since this machine is {here}: its files and packages were read alone"
            );
            Finding::new(Verdict::Warning, About::Machine, what).at([file.to_owned()])
        }
        None => {
            let what = format!(
                "it was run on {here}, with its packages for that: those for {processor} were read alone, and times are not those there"
            );
            Finding::new(Verdict::Note, About::Machine, what)
        }
    };
    Some(finding.fix(format!("run modelet check on a machine with {processor}")))
}

fn no_call() -> Finding {
    Finding::new(Verdict::Warning, About::Call, "no call was tried: nobody but its author knows one")
        .fix("give one: --sample '{…}' or --sample FILE; of an application also where: --at /predict")
}

impl Subject {
    async fn of(
        source: Source,
        name: FunctionName,
        making: &crate::cli::making::Making,
        progress: &Progress,
    ) -> Result<Self, Report> {
        Ok(match source {
            Source::Model(source) => {
                let made = making::model::made(*source, name, making, progress).await?;
                Self {
                    card: made.card,
                    bundle: made.bundle,
                    python: None,
                    packages: None,
                    packages_here: None,
                    foreign: None,
                    imports: vec![],
                }
            }
            Source::Code(source) => {
                let python = making::code::python(&source, making).await?;
                let prepared = making::code::prepared(*source, name, python, making, progress).await?;
                let imports = prepared.source.imports();
                let foreign = prepared.source.foreign_to(Processor::HERE).map(str::to_owned);
                Self {
                    card: prepared.card,
                    bundle: prepared.source.bundle,
                    python: prepared.python,
                    packages: prepared.packages,
                    packages_here: prepared.packages_here,
                    foreign,
                    imports,
                }
            }
        })
    }

    /// Runs it; once more with all the memory that there is, where it had not enough.
    async fn tried(
        &self,
        target: Target,
        sample: Option<&Sample>,
        work: &Path,
    ) -> Result<(Vec<Finding>, Measured), Report> {
        let failed =
            |why: String| Report::new(Code::StartFailed, format!("it could not be run in a sandbox: {why}"));
        let spawner =
            Spawner::start(this_binary()?, None).await.map_err(|error| failed(error.to_string()))?;
        let asked_mib = self.card.settings.memory_mib;
        let waited_ms = PATIENCE * target.limit(Of::Load).unwrap_or(LOAD_LIMIT_MS);
        let run = async |memory_mib| -> Result<Ran, Report> {
            let trial = self.trial(target, memory_mib);
            let course = Course {
                trial: &trial,
                target,
                sample,
                load_limit: Duration::from_millis(waited_ms),
                call_limit: Duration::from_millis(self.card.settings.request_timeout_ms),
            };
            course.run(&spawner, work).await.map_err(failed)
        };
        let mut ran = run(asked_mib).await?;
        let had_more_memory = ran.out_of_memory;
        if had_more_memory {
            let most = target.limit(Of::MostMemory).unwrap_or(u64::MAX);
            let here = budget::memory_mib() * MEMORY_PERCENT / 100;
            ran = run(most.min(here).max(asked_mib)).await?;
        }
        let reading = Reading { target, card: &self.card, sample, waited_ms, had_more_memory };
        Ok(reading.findings(&ran))
    }

    fn trial(&self, target: Target, memory_mib: u64) -> Trial<'_> {
        Trial {
            card: &self.card,
            bundle: &self.bundle,
            python: self.python.as_ref(),
            packages: self.packages_here.as_ref().map(|packages| packages.folder.as_path()),
            imports: self.imports.clone(),
            target: Some(target),
            memory_mib,
        }
    }
}
