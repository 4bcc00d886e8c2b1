//! The comparison for people: policies side by side, and what that means.

use std::collections::BTreeMap;

use super::compare::{Comparison, Figures, PolicyFigures};
use crate::output;

/// Functions in the table by function.
const FUNCTIONS_SHOWN: usize = 20;

/// Prints everything.
pub fn print(comparison: &Comparison) {
    let Comparison { calls, functions, span_s, policies } = comparison;
    let (calls, functions) = (counted(*calls, "call"), counted(*functions, "function"));
    output::line(format!("{calls} of {functions} in {}", span(*span_s)));
    output::line("");
    let head: Vec<_> = std::iter::once("").chain(policies.iter().map(|p| p.policy.as_str())).collect();
    output::table(&head, rows(policies));
    if policies.iter().any(|policy| !policy.by_function.is_empty()) {
        output::line("");
        by_function(policies);
    }
    for sentence in sentences(policies) {
        output::line("");
        output::line(sentence);
    }
}

fn rows(policies: &[PolicyFigures]) -> Vec<Vec<String>> {
    let row = |name: &str, cell: &dyn Fn(&PolicyFigures) -> String| {
        std::iter::once(name.to_owned()).chain(policies.iter().map(cell)).collect::<Vec<_>>()
    };
    let share = |share: f64| format!("{:.2} %", share * 100.0);
    let wait = |p: &PolicyFigures| {
        let wait = &p.total.wait_ms;
        format!("{:.0} / {:.0} / {:.0} / {:.0}", wait.p50, wait.p95, wait.p99, wait.max)
    };
    vec![
        row("cold starts", &|p| {
            format!("{} ({})", whole(p.total.cold_starts as f64), share(p.total.cold_share))
        }),
        row("of the median function", &|p| share(p.function_cold_share.p50)),
        row("75th percentile function", &|p| share(p.function_cold_share.p75)),
        row("wait p50/p95/p99/max, ms", &wait),
        row("rejected", &|p| reasons(&p.total.rejected)),
        row("failed", &|p| reasons(&p.total.failed)),
        row("instances started", &|p| whole(p.total.starts as f64)),
        row("most at once", &|p| whole(p.total.peak_instances as f64)),
        row("memory at most, MiB", &|p| whole(p.total.peak_memory_mib as f64)),
        row("memory, GiB·s", &|p| whole(p.total.memory_gib_s.total)),
        row("of which idle", &|p| idle(&p.total)),
        row("evictions", &|p| whole(p.total.evictions as f64)),
    ]
}

fn idle(figures: &Figures) -> String {
    let memory = &figures.memory_gib_s;
    let percent = if memory.total > 0.0 { memory.idle / memory.total * 100.0 } else { 0.0 };
    format!("{} ({percent:.0} %)", whole(memory.idle))
}

fn reasons(reasons: &BTreeMap<&'static str, u64>) -> String {
    if reasons.is_empty() {
        return "0".to_owned();
    }
    let each: Vec<_> = reasons.iter().map(|(reason, n)| format!("{} {reason}", whole(*n as f64))).collect();
    each.join(", ")
}

/// Those with the most cold starts under the first policy.
fn by_function(policies: &[PolicyFigures]) {
    let Some(first) = policies.first() else { return };
    let mut order: Vec<_> = (0..first.by_function.len()).collect();
    order.sort_by_key(|n| {
        let figures = &first.by_function[*n].figures;
        std::cmp::Reverse((figures.cold_starts, figures.calls))
    });
    let left_out = order.len().saturating_sub(FUNCTIONS_SHOWN);
    order.truncate(FUNCTIONS_SHOWN);
    let of_policy = policies.iter().flat_map(|p| [format!("cold {}", p.policy), "GiB·s".to_owned()]);
    let head: Vec<_> = ["function".to_owned(), "calls".to_owned()].into_iter().chain(of_policy).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let row = |n: usize| {
        let function = &first.by_function[n];
        let cells = policies.iter().filter_map(|policy| policy.by_function.get(n)).flat_map(|of| {
            let figures = &of.figures;
            [whole(figures.cold_starts as f64), format!("{:.1}", figures.memory_gib_s.total)]
        });
        [function.function.clone(), whole(function.figures.calls as f64)].into_iter().chain(cells).collect()
    };
    output::table(&head, order.into_iter().map(row));
    if left_out > 0 {
        output::line(format!("and {left_out} functions with fewer cold starts; --json has all"));
    }
}

/// What each further policy means against the first.
fn sentences(policies: &[PolicyFigures]) -> Vec<String> {
    let Some((first, others)) = policies.split_first() else { return Vec::new() };
    others.iter().map(|other| sentence(first, other)).collect()
}

fn sentence(first: &PolicyFigures, other: &PolicyFigures) -> String {
    let cold = (first.total.cold_starts as f64, other.total.cold_starts as f64);
    let memory = (first.total.memory_gib_s.total, other.total.memory_gib_s.total);
    let meaning = match (cold.1 - cold.0, memory.1 - memory.0) {
        (0.0, 0.0) => "it makes no difference".to_owned(),
        (more, cost) if more <= 0.0 && cost <= 0.0 => "better".to_owned(),
        (more, cost) if more >= 0.0 && cost >= 0.0 => "worse".to_owned(),
        (more, cost) if more < 0.0 => format!("each cold start avoided costs {:.1} GiB·s", cost / -more),
        (more, cost) => format!("each further cold start saves {:.1} GiB·s", -cost / more),
    };
    format!(
        "{} against {}: {} cold starts instead of {} ({}), {} GiB·s instead of {} ({}): {meaning}.",
        other.policy,
        first.policy,
        whole(cold.1),
        whole(cold.0),
        change(cold),
        whole(memory.1),
        whole(memory.0),
        change(memory),
    )
}

fn change((before, after): (f64, f64)) -> String {
    if before.round() == after.round() {
        return "the same".to_owned();
    }
    if before == 0.0 {
        return "from none".to_owned();
    }
    format!("{:+.1} %", (after / before - 1.0) * 100.0)
}

fn counted(n: usize, what: &str) -> String {
    format!("{} {what}{}", whole(n as f64), if n == 1 { "" } else { "s" })
}

/// A whole number with its thousands apart.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let head = digits.len() % 3;
    let groups = digits.as_bytes()[head..].chunks(3).map(String::from_utf8_lossy);
    let head = (head > 0).then(|| digits[..head].into());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s >= 2.0 * 86_400.0 => format!("{:.1} days", s / 86_400.0),
        s if s >= 7_200.0 => format!("{:.1} hours", s / 3_600.0),
        s if s >= 120.0 => format!("{:.1} minutes", s / 60.0),
        s => format!("{s:.1} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        let shown = [0.0, 999.4, 1_000.0, 12_345.0, 123_456_789.0].map(whole);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "123,456,789"]);
        assert_eq!(
            [59.0, 600.0, 7_200.0, 864_000.0].map(span),
            ["59.0 seconds", "10.0 minutes", "2.0 hours", "10.0 days"]
        );
        assert_eq!([change((100.0, 45.0)), change((10.0, 11.0))], ["-55.0 %", "+10.0 %"]);
        assert_eq!([counted(1, "call"), counted(2_000, "call")], ["1 call", "2,000 calls"]);
        assert_eq!([change((0.0, 0.0)), change((0.0, 1.0))], ["the same", "from none"]);
    }
}
