//! The Azure Functions trace of 2019: calls a minute of each function, a file for each day; and, if they are there, the
//! percentiles of durations and of memory.
//!
//! Source: AzurePublicDataset, AzureFunctionsDataset2019.md. What it does not say is filled in:
//!
//! - Within its minute a call of a timer comes at the full minute, several at equal distances; others by chance.
//! - Durations are drawn between the percentiles, evenly between one and the next.
//! - Memory is known of applications, not of functions: each function gets its application's average.
//! - The days are those of the files, in the order in which they are given; a folder's in that of their names.

mod tables;

use std::path::{Path, PathBuf};

use modelet_core::Code;

use super::azure2021::short;
use super::random::Random;
use super::rows::{Column, Rows};
use super::source::Unsaid;
use super::trace::Recorder;
use crate::report::Report;
use tables::{Durations, Tables};

/// Minutes of a day, a column each.
const MINUTES: i64 = 1_440;
const MINUTE_NS: i64 = 60_000_000_000;
/// What a file of the trace is about.
enum Part {
    Invocations,
    Durations,
    Memory,
}

pub fn read(files: &[PathBuf], unsaid: Unsaid, recorder: &mut Recorder) -> Result<(), Report> {
    let mut tables = Tables::default();
    let mut days = Vec::new();
    for file in files {
        match part(file)? {
            Part::Invocations => days.push(file),
            Part::Durations => tables.read_durations(file)?,
            Part::Memory => tables.read_memory(file)?,
        }
    }
    if days.is_empty() {
        let what = "there are durations or memory of an Azure Functions trace of 2019, and no invocations";
        return Err(Report::new(Code::BadTrace, what).hint("add the file of invocations, or its folder"));
    }
    let mut random = Random::new(unsaid.seed);
    for (day, file) in (0_i64..).zip(days) {
        Day { start_ns: day * MINUTES * MINUTE_NS, tables: &tables, unsaid }.read(
            file,
            &mut random,
            recorder,
        )?;
    }
    Ok(())
}

fn part(file: &Path) -> Result<Part, Report> {
    let rows = Rows::open(file)?;
    Ok(if rows.find("percentile_Average_50").is_some() {
        Part::Durations
    } else if rows.find("AverageAllocatedMb").is_some() {
        Part::Memory
    } else {
        Part::Invocations
    })
}

struct Day<'a> {
    start_ns: i64,
    tables: &'a Tables,
    unsaid: Unsaid,
}

impl Day<'_> {
    fn read(&self, file: &Path, random: &mut Random, recorder: &mut Recorder) -> Result<(), Report> {
        let mut rows = Rows::open(file)?;
        let names = [rows.column("HashOwner")?, rows.column("HashApp")?, rows.column("HashFunction")?];
        let trigger = rows.column("Trigger")?;
        let minutes = minutes(&rows)?;
        while let Some(row) = rows.next()? {
            let [owner, app, func] = [row.text(names[0])?, row.text(names[1])?, row.text(names[2])?];
            let key = format!("{owner}/{app}/{func}");
            let function = recorder.function(&key, || short(app, func))?;
            if let Some(memory_mib) = self.tables.memory_mib(owner, app, func) {
                recorder.set_memory(function, memory_mib);
            }
            let of = Called {
                function,
                is_timer: row.text(trigger)? == "timer",
                durations: self.tables.durations(&key),
            };
            for (minute, column) in &minutes {
                let calls = row.number(*column)?;
                if calls.fract() != 0.0 {
                    return Err(row.wrong(*column, "a count of calls"));
                }
                self.minute(&of, *minute, calls as u64, random, recorder)?;
            }
        }
        Ok(())
    }

    fn minute(
        &self,
        of: &Called<'_>,
        minute: i64,
        calls: u64,
        random: &mut Random,
        recorder: &mut Recorder,
    ) -> Result<(), Report> {
        for call in 0..calls {
            let share = if of.is_timer { call as f64 / calls as f64 } else { random.unit() };
            let within_ns = (share * MINUTE_NS as f64) as i64;
            let drawn = of.durations.map(|durations| durations.draw(random));
            let duration = drawn.unwrap_or_else(|| self.unsaid.duration());
            recorder.call(of.function, self.start_ns + minute * MINUTE_NS + within_ns, duration)?;
        }
        Ok(())
    }
}

/// A function of the trace.
struct Called<'a> {
    function: u32,
    is_timer: bool,
    durations: Option<&'a Durations>,
}

/// The columns of the minutes, each with how many were before it.
fn minutes(rows: &Rows) -> Result<Vec<(i64, Column)>, Report> {
    rows.column("1")?;
    let named = (1..=MINUTES).map(|minute| (minute - 1, rows.find(&minute.to_string())));
    Ok(named.map_while(|(before, column)| Some((before, column?))).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::source::tests::{problem, trace};

    const DAY: &str = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,timer,2,0,1\no,a,g,queue,0,50,0\n";
    const DURATIONS: &str = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,\
        percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,\
        percentile_Average_99,percentile_Average_100\no,a,g,100,5,10,400,10,20,50,100,200,300,400\n";
    /// Without a column HashFunction, as published.
    const MEMORY: &str =
        "HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct1\no,a,9,170.4,100\n";

    fn seconds(calls: &super::super::trace::Trace, function: u32) -> Vec<f64> {
        calls.arrivals().filter(|a| a.function == function).map(|a| a.at.as_secs_f64()).collect()
    }

    #[test]
    fn timers_are_on_the_minute_others_within_theirs_and_days_follow_each_other() {
        let trace = trace(&[("d01.csv", DAY), ("d02.csv", DAY)]);
        assert_eq!(seconds(&trace, 0), [0.0, 30.0, 120.0, 86_400.0, 86_430.0, 86_520.0]);
        let queue = seconds(&trace, 1);
        assert_eq!(queue.len(), 100);
        assert!(queue[..50].iter().all(|at| (60.0..120.0).contains(at)), "{queue:?}");
        assert!(trace.arrivals().all(|a| a.duration == Duration::from_millis(100)), "nothing is said");
    }

    #[test]
    fn durations_are_drawn_between_the_percentiles_and_memory_is_the_applications() {
        let trace = trace(&[("durations.csv", DURATIONS), ("invocations.csv", DAY), ("memory.csv", MEMORY)]);
        let mut drawn: Vec<_> =
            trace.arrivals().filter(|a| a.function == 1).map(|a| a.duration.as_secs_f64() * 1e3).collect();
        drawn.sort_by(f64::total_cmp);
        assert!(drawn[0] >= 10.0 && drawn[49] <= 400.0, "{drawn:?}");
        assert!((50.0..200.0).contains(&drawn[25]), "the median is about 100: {drawn:?}");
        assert!(trace.functions.iter().all(|function| function.memory_mib == Some(171)), "170.4 rounded up");
    }

    #[test]
    fn a_count_that_is_none_is_named_and_calls_must_be_there() {
        let bad = problem(&[("i.csv", "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,1,x\n")]);
        assert!(bad.contains("i.csv:2, column 2: expected a number, 0 or more, found \"x\""), "{bad}");
        let bad = problem(&[("i.csv", "HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,1.5\n")]);
        assert!(bad.contains("expected a count of calls, found \"1.5\""), "{bad}");
        assert!(problem(&[("memory.csv", MEMORY)]).contains("and no invocations"));
    }
}
