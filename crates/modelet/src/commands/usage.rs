//! `modelet usage`: what functions used.

use modelet_platform::admin::views::UsagePage;
use modelet_platform::store::usage::{Period, UsageRow};

use crate::cli::{Common, Usage};
use crate::client::Client;
use crate::output;
use crate::report::Report;

/// MiB · ms in a GiB · s, the unit that clouds bill in.
const MIB_MS_PER_GIB_S: f64 = 1_024.0 * 1_000.0;

pub async fn run(common: &Common, usage: &Usage) -> Result<(), Report> {
    let client = Client::find(common)?;
    let by = match usage.by {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::All => "all",
    };
    let function = usage.name.as_ref().map_or_else(String::new, |name| format!("&function={name}"));
    let page: UsagePage =
        client.get(&format!("/api/v1/usage?hours={}&by={by}{function}", usage.hours)).await?;
    if common.json {
        output::json(&page);
    } else {
        print(&page);
    }
    if page.lost_records > 0 {
        output::say(format!(
            "{} records could not be written and are missing here: was the disk full? modelet doctor",
            page.lost_records
        ));
    }
    Ok(())
}

fn print(page: &UsagePage) {
    if page.rows.is_empty() {
        output::say(format!("nothing was used since {}", output::moment(page.from_ms)));
        return;
    }
    let head = [
        "from",
        "function",
        "version",
        "calls",
        "errors",
        "left",
        "cold",
        "billed",
        "GiB s",
        "cpu",
        "in",
        "out",
        "instances",
        "loading",
        "serving",
        "idle",
    ];
    output::table(&head, page.rows.iter().map(row));
    output::say(format!(
        "since {}: {} calls, billed {}, {:.3} GiB s",
        output::moment(page.from_ms),
        page.total.invocations,
        time(page.total.billed_ms as f64),
        page.total.billed_mib_ms as f64 / MIB_MS_PER_GIB_S,
    ));
}

fn row(row: &UsageRow) -> Vec<String> {
    let usage = &row.usage;
    vec![
        output::moment(row.from_ms),
        row.function.to_string(),
        row.version.to_string(),
        usage.invocations.to_string(),
        (usage.errors_function + usage.errors_platform).to_string(),
        usage.cancelled.to_string(),
        usage.cold_starts.to_string(),
        time(usage.billed_ms as f64),
        format!("{:.3}", usage.billed_mib_ms as f64 / MIB_MS_PER_GIB_S),
        time(usage.cpu_ms),
        output::size(usage.request_bytes),
        output::size(usage.response_bytes),
        usage.instances.to_string(),
        time(usage.loading_ms as f64),
        time(usage.serving_ms as f64),
        time(usage.idle_ms as f64),
    ]
}

/// Milliseconds for people.
fn time(ms: f64) -> String {
    match ms {
        ..1_000.0 => format!("{ms:.0} ms"),
        ..600_000.0 => format!("{:.1} s", ms / 1e3),
        ..36_000_000.0 => format!("{:.1} min", ms / 6e4),
        _ => format!("{:.1} h", ms / 3.6e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        assert_eq!(
            [0.4, 999.0, 1_500.0, 600_000.0, 36_000_000.0].map(time),
            ["0 ms", "999 ms", "1.5 s", "10.0 min", "10.0 h"]
        );
    }
}
