//! How plans, functions at a target and their calls look.

use modelet_cloud::plan::{Change, Plan};
use modelet_cloud::prices::{Month, Use};
use modelet_cloud::target::Status;
use modelet_cloud::traffic::{Traffic, words};

use crate::cli::Common;
use crate::output;

/// What has to be done, a line for each step, and what is to be known of it.
pub fn steps<A>(plan: &Plan<A>) {
    for step in &plan.steps {
        let word = match step.change {
            Change::Create => "create",
            Change::Change => "change",
            Change::Delete => "delete",
        };
        let why = if step.why.is_empty() { String::new() } else { format!(": {}", step.why) };
        output::card_line(word, format!("{}{why}", step.what));
    }
    for note in &plan.notes {
        output::card_line("note", note);
    }
}

/// What a month costs, and where that is from.
pub fn bill(month: &Month) {
    let Month { date, source, used, bill } = month;
    let Use { processor, calls, ms_per_call, memory_mb, .. } = used;
    output::card_line(
        "price",
        format!(
            "{:.2} USD a month, {:.2} with what is free: {calls} calls of {ms_per_call:.0} ms with {memory_mb} MB on {processor}",
            bill.usd, bill.usd_with_free
        ),
    );
    for (what, usd) in &bill.lines {
        output::card_line("", format!("{usd:.2} for {what}"));
    }
    output::card_line("", format!("prices of {date}: {source}"));
}

/// A function as it is there.
pub fn status(status: &Status) {
    output::line(format!("{}  {}", status.name, status.state));
    output::card_line("resource", &status.resource);
    match &status.traffic {
        Some(traffic) => output::card_line("calls", words(traffic)),
        None => output::card_line("calls", "no version is live yet: deploy again"),
    }
    output::card_line("versions", status.versions.join(", "));
    if let Some(url) = &status.url {
        let auth = status.auth.as_ref().map_or_else(String::new, |auth| format!(", {auth}"));
        output::card_line("address", format!("{url}{auth}"));
    }
    if let Some(artifact) = &status.artifact {
        output::card_line("newest", format!("sha256:{artifact}"));
    }
    for (name, value) in &status.settings {
        output::card_line(name, value);
    }
}

/// Who gets the calls.
pub fn traffic(common: &Common, traffic: &Traffic) {
    if common.json {
        output::json(traffic);
    } else {
        output::line(words(traffic));
    }
}
