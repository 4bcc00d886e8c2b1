//! A list of arrivals: a CSV file with a column TIMESTAMP, such as the Azure LLM inference traces. The file is the function.
//!
//! How long a call takes is said on the command line, or estimated from the tokens: each one read takes
//! [`TOKEN_READ`] and each one written [`TOKEN_WRITTEN`], as on one current accelerator. This is a guess of ours; the
//! traces do not say it.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::rows::{Column, Row, Rows};
use super::source::Unsaid;
use super::trace::Recorder;
use crate::report::Report;

/// 4,000 tokens of a prompt in a second.
const TOKEN_READ: Duration = Duration::from_micros(250);
/// 40 tokens of an answer in a second.
const TOKEN_WRITTEN: Duration = Duration::from_millis(25);

pub fn read(file: &Path, unsaid: Unsaid, recorder: &mut Recorder) -> Result<(), Report> {
    let mut rows = Rows::open(file)?;
    let timestamp = rows.column("TIMESTAMP")?;
    let tokens = rows.find("ContextTokens").zip(rows.find("GeneratedTokens"));
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let function = recorder.function(&name, || name.clone())?;
    while let Some(row) = rows.next()? {
        let moment = moment(row.text(timestamp)?);
        let at_ns = moment.and_then(|moment| i64::try_from(moment.as_nanosecond()).ok());
        let at_ns = at_ns.ok_or_else(|| row.wrong(timestamp, "a time such as 2023-11-16 18:17:03.97"))?;
        let duration = match (unsaid.duration, tokens) {
            (None, Some((read, written))) => computing(row, read, written)?,
            _ => unsaid.duration(),
        };
        recorder.call(function, at_ns, duration)?;
    }
    Ok(())
}

/// With an offset, or without one in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let with_offset = text.parse::<Timestamp>().ok();
    with_offset.or_else(|| Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

fn computing(row: Row<'_>, read: Column, written: Column) -> Result<Duration, Report> {
    let seconds =
        row.number(read)? * TOKEN_READ.as_secs_f64() + row.number(written)? * TOKEN_WRITTEN.as_secs_f64();
    Duration::try_from_secs_f64(seconds).map_err(|_| row.wrong(written, "a count of tokens"))
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::{NOTHING, problem, trace, trace_with};
    use super::*;

    const SAMPLE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                          2023-11-16 18:17:03.9799600,4808,10\n\
                          2023-11-16 18:17:04.0319600,3180,8\n";

    #[test]
    fn the_file_is_the_function_and_tokens_take_time() {
        let trace = trace(&[("code.csv", SAMPLE)]);
        assert_eq!(trace.functions[0].name, "code");
        let calls: Vec<_> = trace.arrivals().map(|a| (a.at, a.duration)).collect();
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        assert_eq!(calls, [(ms(0), us(1_202_000 + 250_000)), (ms(52), us(795_000 + 200_000))]);
    }

    #[test]
    fn a_duration_that_is_said_counts_and_offsets_are_times_too() {
        let text = "timestamp\n2024-05-10 00:00:01+00:00\n2024-05-10T02:00:03+02:00\n";
        let unsaid = Unsaid { duration: Some(Duration::from_millis(7)), ..NOTHING };
        let said = trace_with(&[("a.csv", text), ("b.csv", SAMPLE)], unsaid);
        assert!(said.arrivals().all(|arrival| arrival.duration == Duration::from_millis(7)));
        let alone: Vec<_> = trace(&[("a.csv", text)]).arrivals().map(|a| (a.at, a.duration)).collect();
        let hundred = Duration::from_millis(100);
        assert_eq!(alone, [(Duration::ZERO, hundred), (Duration::from_secs(2), hundred)]);
    }

    #[test]
    fn a_time_that_is_none_is_named() {
        let bad = problem(&[("a.csv", "TIMESTAMP\nyesterday\n")]);
        assert!(bad.contains("a.csv:2, column TIMESTAMP: expected a time such as"), "{bad}");
    }
}
