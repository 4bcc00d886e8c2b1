//! The Azure Functions invocation trace of 2021: a row for each call, with its end and its duration in seconds.
//!
//! Source: AzurePublicDataset, AzureFunctionsInvocationTrace2021.md. A call came when it ended less its duration.

use std::path::Path;
use std::time::Duration;

use super::rows::Rows;
use super::trace::{Recorder, ns};
use crate::report::Report;

/// So many characters of a hash name a thing for people.
const HASH_SHOWN: usize = 8;

pub fn read(file: &Path, recorder: &mut Recorder) -> Result<(), Report> {
    let mut rows = Rows::open(file)?;
    let (app, func) = (rows.column("app")?, rows.column("func")?);
    let (end, duration) = (rows.column("end_timestamp")?, rows.column("duration")?);
    while let Some(row) = rows.next()? {
        let (app, func) = (row.text(app)?, row.text(func)?);
        let function = recorder.function(&format!("{app}/{func}"), || short(app, func))?;
        let (end_s, duration_s) = (row.number(end)?, row.number(duration)?);
        let taken = Duration::try_from_secs_f64(duration_s).map_err(|_| row.wrong(duration, "seconds"))?;
        recorder.call(function, ns(end_s - duration_s), taken)?;
    }
    Ok(())
}

/// An application and a function of it, for people.
pub fn short(app: &str, func: &str) -> String {
    let head = |hash: &str| hash.chars().take(HASH_SHOWN).collect::<String>();
    format!("{}/{}", head(app), head(func))
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::{problem, trace};
    use super::*;

    #[test]
    fn a_call_came_when_it_ended_less_its_duration() {
        let text =
            "app,func,end_timestamp,duration\naaaaaaaaaa,f,10.5,9.5\nb,g,2.0,0.25\naaaaaaaaaa,f,11,0\n";
        let trace = trace(&[("t.csv", text)]);
        let names: Vec<_> = trace.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["aaaaaaaa/f", "b/g"]);
        let calls: Vec<_> = trace.arrivals().map(|a| (a.at, a.function, a.duration)).collect();
        let ms = Duration::from_millis;
        assert_eq!(calls, [(ms(0), 0, ms(9_500)), (ms(750), 1, ms(250)), (ms(10_000), 0, ms(0))]);
    }

    #[test]
    fn errors_name_file_line_column_and_what_was_expected() {
        let bad = problem(&[("t.csv", "app,func,end_timestamp,duration\na,f,1,0.5\na,f,soon,0.5\n")]);
        assert!(
            bad.ends_with("t.csv:3, column end_timestamp: expected a number, 0 or more, found \"soon\""),
            "{bad}"
        );
        let bad = problem(&[("t.csv", "app,func,end_timestamp,duration\na,f,1\n")]);
        assert!(bad.ends_with("t.csv:2, column duration: expected a value, found nothing"), "{bad}");
        let bad = problem(&[("t.csv", "app,name,end_timestamp,duration\na,f,1,0.5\n")]);
        assert!(bad.contains("t.csv:1: expected a column func, found app, name"), "{bad}");
        let bad = problem(&[("t.csv", "app,func,end_timestamp,duration\na,f,1,-3\n")]);
        assert!(bad.contains("found \"-3\""), "{bad}");
        let bad = problem(&[("t.csv", "app,func,end_timestamp,duration\n")]);
        assert_eq!(bad, "there is no call in the trace");
    }
}
