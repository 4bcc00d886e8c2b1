//! `modelet simulate`: a trace through the scheduler, once for each policy. It needs no platform.

use std::time::Duration;

use modelet_core::settings::SettingsPatch;
use modelet_core::{Code, Settings};
use modelet_scheduler::Machine;

use crate::cli::Common;
use crate::cli::simulate::{By, Kind, Simulate};
use crate::output::{self, Progress};
use crate::report::Report;
use crate::simulate::compare::{Frame, compare};
use crate::simulate::source::{self, Unsaid};
use crate::simulate::trace::Trace;
use crate::simulate::{generate, print};

/// More than any machine has: memory is never short.
const ENOUGH_MIB: u64 = 1 << 40;

pub fn run(common: &Common, simulate: &Simulate) -> Result<(), Report> {
    let frame = frame(simulate)?;
    let comparison = {
        let progress = Progress::start("reading the trace");
        let trace = trace(simulate)?;
        progress.next(format!("simulating {} calls, {} times", trace.len(), simulate.policy.len()));
        compare(&trace, &frame, &simulate.policy, simulate.by == Some(By::Function))
    };
    if common.json {
        output::json(&comparison);
    } else {
        print::print(&comparison);
    }
    Ok(())
}

fn trace(simulate: &Simulate) -> Result<Trace, Report> {
    match simulate.generate {
        Some(Kind::AzureLike) => generate::azure_like(simulate.functions, simulate.days, simulate.seed),
        None => {
            let duration = simulate.duration_ms.map(Duration::from_millis);
            source::read(&simulate.traces, Unsaid { duration, seed: simulate.seed })
        }
    }
}

fn frame(simulate: &Simulate) -> Result<Frame, Report> {
    let refused = |why| Report::new(Code::BadManifest, why);
    let mut patch = SettingsPatch::default();
    for (name, value) in &simulate.settings {
        patch.set(name, *value).map_err(refused)?;
    }
    Ok(Frame {
        settings: patch.over(&Settings::default()).map_err(refused)?,
        machine: Machine {
            memory_mib: simulate.memory_mib.unwrap_or(ENOUGH_MIB),
            max_calls: simulate.max_calls as usize,
            max_starting: simulate.max_starting as usize,
        },
        cold_start: Duration::from_millis(simulate.cold_start_ms),
        memory_mib: simulate.function_memory_mib,
    })
}
