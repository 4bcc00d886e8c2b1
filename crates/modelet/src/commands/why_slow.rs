//! `modelet why-slow`: where the time of the last cold starts went, which part of it is the largest, and what to do about it.
//!
//! - [`parts`]: the parts of a cold start
//! - [`advice`]: what to do about each
//! - [`failed`]: starts that failed

mod advice;
mod failed;
mod parts;

use modelet_core::InvocationRecord;
use modelet_platform::admin::views::{ColdStarts, FunctionView};
use serde_json::json;

use crate::cli::{Common, WhySlow};
use crate::client::Client;
use crate::output;
use crate::report::Report;
use parts::Largest;

/// Columns of the longest bar.
const BAR_COLUMNS: usize = 50;

pub async fn run(common: &Common, why: &WhySlow) -> Result<(), Report> {
    let client = Client::find(common)?;
    let function = format!("/api/v1/functions/{}", why.name);
    let view: FunctionView = client.get(&function).await?;
    let page: ColdStarts = client.get(&format!("{function}/cold-starts?limit={}", why.last)).await?;
    let largest = parts::largest(&page.cold_starts);
    let advice = largest.as_ref().map(|largest| advice::on(largest.part, &view, &page.cold_starts));
    if common.json {
        output::json(&json!({
            "function": view.name,
            "engine": view.card.computed_by(),
            "cold_starts": page.cold_starts,
            "failed_starts": page.failed_starts,
            "largest": largest,
            "advice": advice.unwrap_or_default(),
        }));
        return Ok(());
    }
    failed::print(&page.failed_starts);
    let (Some(largest), Some(advice)) = (largest, advice) else {
        if !page.failed_starts.is_empty() {
            return Ok(());
        }
        output::say(format!(
            "no call of {} has waited for an instance yet, as far as the log goes back",
            view.name
        ));
        return Ok(());
    };
    print(&page.cold_starts);
    summary(&largest, page.cold_starts.len(), &advice);
    Ok(())
}

fn print(cold_starts: &[InvocationRecord]) {
    let longest_ms = cold_starts.iter().map(|call| call.phases.total_ms).fold(0.0, f64::max);
    for call in cold_starts {
        let from = call.started_from.as_deref().unwrap_or("a new process");
        output::line(output::plain(&format!(
            "{}  {}  {:.1} ms to the answer, from {from}",
            output::moment(call.arrived_at_ms),
            call.id,
            call.phases.total_ms
        )));
        let mut begin_ms = 0.0;
        for (part, part_ms) in parts::of(&call.phases) {
            if part_ms > 0.0 {
                output::line(format!(
                    "  {:<16}{part_ms:>9.1} ms  {}",
                    part.words(),
                    bar(begin_ms, part_ms, longest_ms)
                ));
            }
            begin_ms += part_ms;
        }
        output::line("");
    }
}

fn summary(largest: &Largest, count: usize, advice: &[String]) {
    let these = if count == 1 { "this cold start".to_owned() } else { format!("these {count} cold starts") };
    output::line(format!(
        "largest: {}, {:.0} % of the time of {these}, {:.1} ms in the middle",
        largest.part.words(),
        largest.share * 100.0,
        largest.median_ms
    ));
    for sentence in advice {
        output::line(output::plain(&format!("  {sentence}")));
    }
}

/// A bar that begins where the part before it ended; at least one column.
fn bar(begin_ms: f64, part_ms: f64, longest_ms: f64) -> String {
    let columns = |ms: f64| (ms / longest_ms.max(f64::MIN_POSITIVE) * BAR_COLUMNS as f64).round() as usize;
    let begin = columns(begin_ms).min(BAR_COLUMNS - 1);
    let length = columns(begin_ms + part_ms).clamp(begin + 1, BAR_COLUMNS) - begin;
    format!("{}{}", " ".repeat(begin), "█".repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_each_other_and_stay_within_their_columns() {
        assert_eq!(bar(0.0, 50.0, 100.0).chars().count(), 25);
        assert_eq!(bar(50.0, 50.0, 100.0).trim_start().chars().count(), 25);
        for (begin, part) in [(0.0, 0.001), (99.99, 0.01), (100.0, 5.0), (0.0, 1e9)] {
            let bar = bar(begin, part, 100.0);
            assert!(bar.ends_with('█') && bar.chars().count() <= BAR_COLUMNS, "{begin} {part}: {bar:?}");
        }
    }
}
