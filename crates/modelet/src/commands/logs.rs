//! `modelet logs`: calls, output of instances, events.

use modelet_cloud::target::LogLine;
use modelet_core::{InstanceRecord, InvocationRecord};
use modelet_platform::admin::views::LogPage;
use modelet_platform::store::logs::{LogRecord, LogRow};

use crate::cli::{Common, Logs};
use crate::client::Client;
use crate::output;
use crate::report::Report;

/// How long a follower waits for news in one request.
const FOLLOW_WAIT_MS: u64 = 30_000;

pub async fn run(common: &Common, logs: &Logs) -> Result<(), Report> {
    if let Some(to) = &logs.elsewhere.to {
        return super::target::logs::run(common, to, logs).await;
    }
    let client = Client::find(common)?;
    let path = format!("/api/v1/functions/{}/logs", logs.name);
    let wanted = wanted(logs);
    let page: LogPage = client.get(&format!("{path}?limit={}{wanted}", logs.lines)).await?;
    let mut last = print(common, &page.rows).unwrap_or(0);
    if !logs.follow {
        return Ok(());
    }
    loop {
        let page: LogPage =
            client.get(&format!("{path}?after={last}&wait_ms={FOLLOW_WAIT_MS}{wanted}")).await?;
        last = print(common, &page.rows).unwrap_or(last);
    }
}

/// What is to be shown, as the end of a query.
fn wanted(logs: &Logs) -> String {
    let since = logs.since.map(|ms| ms.to_string());
    let call = logs.call.as_ref().map(|call| call.0.as_str());
    let asked = [("level", logs.level.as_deref()), ("call", call), ("within_ms", since.as_deref())];
    asked.iter().filter_map(|(name, value)| Some(format!("&{name}={}", (*value)?))).collect()
}

/// Prints rows, one line each; gives the seq of the last.
fn print(common: &Common, rows: &[LogRow]) -> Option<i64> {
    for row in rows {
        if common.json {
            output::line(serde_json::to_string(row).unwrap_or_default());
        } else {
            let LogLine { at_ms, instance, text, .. } = line(row);
            let whole = format!("{} {instance} {text}", output::moment(at_ms));
            for (number, line) in whole.lines().enumerate() {
                // What belongs to a record stands below its first line.
                let indent = if number == 0 { "" } else { "    " };
                output::line(format!("{indent}{}", output::plain(line)));
            }
        }
    }
    rows.last().map(|row| row.seq)
}

/// A record as a line: when, by which instance, and what.
pub fn line(row: &LogRow) -> LogLine {
    let (at_ms, instance, text) = match &row.record {
        LogRecord::Invocation(call) => (call.arrived_at_ms, call.instance.as_ref(), invocation(call)),
        LogRecord::Instance(record) => (record.at_ms, Some(&record.id), instance(record)),
        LogRecord::Line { at_ms, instance, invocation, stream, level, text, .. } => {
            let call = invocation.as_ref().map_or_else(String::new, |id| format!("{id} "));
            let source = level.as_ref().unwrap_or(stream);
            (*at_ms, Some(instance), format!("{call}{source}: {text}"))
        }
        LogRecord::Event { at_ms, instance, text, .. } => (*at_ms, Some(instance), text.clone()),
    };
    let instance = instance.map_or_else(|| "-".to_owned(), ToString::to_string);
    LogLine { id: row.seq.to_string(), at_ms, instance, text }
}

fn invocation(call: &InvocationRecord) -> String {
    let code = call.code.map_or_else(String::new, |code| format!(" {code}"));
    let attempt = call.attempt.map_or_else(String::new, |attempt| format!(" attempt {attempt}"));
    let cold = if call.cold_start {
        format!(", cold start: start {:.1}, load {:.1}", call.phases.start_ms, call.phases.load_ms)
    } else {
        String::new()
    };
    format!(
        "{} {}{attempt} {}{code} {:.2} ms (queue {:.2}, instance {:.2}{cold}), billed {} ms, {} in, {} out",
        call.id,
        call.protocol,
        call.status,
        call.phases.total_ms,
        call.phases.queue_ms,
        call.phases.handler_ms,
        call.billed_ms,
        output::size(call.request_bytes),
        output::size(call.response_bytes),
    )
}

fn instance(record: &InstanceRecord) -> String {
    format!(
        "{}: {} calls; loading {} ms, serving {} ms, idle {} ms; processor {} ms, at most {}",
        record.end.as_deref().unwrap_or("runs"),
        record.calls,
        record.loading_ms,
        record.serving_ms,
        record.idle_ms,
        record.cpu_ms,
        output::size(record.peak_memory_kib << 10),
    )
}
