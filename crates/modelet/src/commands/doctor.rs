//! `modelet doctor`: what this machine can do, and what is missing.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use modelet_core::Code;
use modelet_core::manifest::Rung;
use modelet_worker::idle::IdleProcessors;
use modelet_worker::ladder::remedy;
use modelet_worker::machine::{Cgroups, Machine};
use serde::Serialize;

use crate::cli::Common;
use crate::engines;
use crate::launch::data_folder;
use crate::output;
use crate::report::Report;

/// Less free space than this is too little to deploy into, bytes.
const LOW_SPACE_BYTES: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Something is worse than it could be.
    Warning,
    /// Something will not work.
    Missing,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, found: impl Into<String>, hint: &str) -> Self {
        let hint = (verdict != Verdict::Ok && !hint.is_empty()).then(|| hint.to_owned());
        Self { name, verdict, found: found.into(), hint }
    }
}

pub async fn run(common: &Common) -> Result<(), Report> {
    let this = std::env::current_exe().map_err(|error| {
        Report::new(Code::Internal, format!("could not find this program's own file: {error}"))
    })?;
    let machine = Machine::look(this)
        .await
        .map_err(|error| Report::new(Code::Internal, format!("could not look at this machine: {error}")))?;
    let data = data_folder(common.data.clone())?;
    let checks = [
        system(&machine),
        isolation(&machine),
        cgroups(&machine),
        idle(),
        onnxruntime(),
        python(),
        uv(),
        port(),
        disk(&data),
    ];
    if common.json {
        output::json(&checks);
        return Ok(());
    }
    for check in &checks {
        let mark = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "note",
            Verdict::Missing => "missing",
        };
        output::line(format!("{mark:<8} {:<12} {}", check.name, check.found));
        if let Some(hint) = &check.hint {
            output::line(format!("{:<8} {:<12} {hint}", "", ""));
        }
    }
    Ok(())
}

fn system(machine: &Machine) -> Check {
    let found =
        format!("Linux {}, {} processors, {} MiB", machine.kernel, machine.processors, machine.memory_mib);
    let new_enough = version(&machine.kernel) >= (5, 13);
    let verdict = if new_enough { Verdict::Ok } else { Verdict::Warning };
    Check::new("machine", verdict, found, "isolation needs Linux 5.13 or newer")
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn isolation(machine: &Machine) -> Check {
    let ladder = &machine.ladder;
    let missing = ladder.missing();
    let found = match missing.as_str() {
        "" => format!("instances get {}", machine.isolation),
        missing => format!("instances get {}; missing: {missing}", machine.isolation),
    };
    let verdict = match ladder.best() {
        Some(Rung::NamespacesAndCgroups) => Verdict::Ok,
        Some(_) => Verdict::Warning,
        None => Verdict::Missing,
    };
    // What is missing on the strongest rung is what keeps instances from it.
    let first = ladder.rungs.iter().find(|state| state.missing.is_some());
    Check::new("isolation", verdict, found, first.and_then(|state| remedy(state.rung)).unwrap_or(""))
}

fn cgroups(machine: &Machine) -> Check {
    let found = match machine.cgroups {
        Cgroups::V2 => "version 2",
        Cgroups::V1 => "version 1",
        Cgroups::None => "none",
    };
    Check::new("cgroups", Verdict::Ok, found, "")
}

fn idle() -> Check {
    match IdleProcessors::open() {
        Ok(_) => {
            Check::new("idle", Verdict::Ok, "processors wait awake between calls that follow each other", "")
        }
        Err(error) => Check::new(
            "idle",
            Verdict::Warning,
            format!("processors sleep between calls, and take tens of microseconds to wake up: {error}"),
            "run modelet up as root, or let its user write /dev/cpu_dma_latency",
        ),
    }
}

fn onnxruntime() -> Check {
    match engines::locate() {
        Ok(found) => Check::new(
            "onnxruntime",
            Verdict::Ok,
            format!("{} at {}", found.version, found.path.display()),
            "",
        ),
        Err(_) => Check::new(
            "onnxruntime",
            Verdict::Missing,
            "not found; neural nets run with rten, classical models with tabular",
            "modelet engines install",
        ),
    }
}

fn python() -> Check {
    match engines::find_program("python3") {
        Some(path) => Check::new("python", Verdict::Ok, path.display().to_string(), ""),
        None => Check::new(
            "python",
            Verdict::Warning,
            "no python3 on PATH",
            "only needed to install engines without uv",
        ),
    }
}

fn uv() -> Check {
    match engines::find_program("uv") {
        Some(path) => Check::new("uv", Verdict::Ok, path.display().to_string(), ""),
        None => Check::new(
            "uv",
            Verdict::Warning,
            "no uv on PATH; pip is used instead",
            "faster with uv: pip install uv",
        ),
    }
}

fn port() -> Check {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)) {
        Ok(_) => Check::new("port", Verdict::Ok, "127.0.0.1:8080 is free", ""),
        Err(_) => Check::new(
            "port",
            Verdict::Warning,
            "127.0.0.1:8080 is taken",
            "modelet up takes the next free one",
        ),
    }
}

fn disk(data: &Path) -> Check {
    let existing = data.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_frsize;
            let verdict = if free < LOW_SPACE_BYTES { Verdict::Warning } else { Verdict::Ok };
            let found = format!("{} free for {}", output::size(free), data.display());
            Check::new("disk", verdict, found, "free some space, or choose another folder with --data")
        }
        Err(error) => Check::new(
            "disk",
            Verdict::Missing,
            format!("{}: {error}", data.display()),
            "choose another folder with --data",
        ),
    }
}
