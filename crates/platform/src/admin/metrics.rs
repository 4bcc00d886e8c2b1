//! `GET /metrics`: what the platform has counted since its start, and what there is at this moment, for Prometheus. A function
//! is there from its first call or instance until it is deleted; of its versions the last ones are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use modelet_core::{FunctionName, Usage, Version};
use modelet_scheduler::Counts as Standing;

use crate::admin::exposition::{Exposition, MEDIA_TYPE};
use crate::admin::{Admin, ApiError};
use crate::store::counts::{BOUNDS_S, Count, Durations};

/// The value of a label, and what it stands for.
type Labelled<From, Number> = (&'static str, fn(&From) -> Number);

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;
/// How a call can end, as in its record, and the sum that counts it.
const OUTCOMES: [Labelled<Usage, u64>; 4] = [
    ("ok", |u| u.invocations - u.errors_function - u.errors_platform - u.cancelled),
    ("function_error", |u| u.errors_function),
    ("platform_error", |u| u.errors_platform),
    ("cancelled", |u| u.cancelled),
];
/// States of instances.
const STATES: [Labelled<Standing, usize>; 3] =
    [("starting", |s| s.starting), ("ready", |s| s.ready), ("stopping", |s| s.stopping)];

pub(crate) async fn metrics(State(admin): State<Arc<Admin>>) -> Result<impl IntoResponse, ApiError> {
    let (counts, lost) = admin.dispatch.shared().logs.counts().await?;
    // The record of a call may come after the delete of its function.
    let is_there = |name: &FunctionName| admin.catalog.get(name).is_some();
    let counts: Vec<_> = counts.iter().filter(|(name, ..)| is_there(name)).map(Counted::of).collect();
    let mut page = Exposition::default();
    calls(&mut page, &counts);
    durations(&mut page, &counts);
    instances(&mut page, &counts);
    moment(&mut page, &admin);
    page.metric("modelet_records_lost_total", "counter", "Records that could not be written, ever.");
    page.sample("modelet_records_lost_total", &[], lost as f64);
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], page.into_text()))
}

/// A version and what was counted of it.
struct Counted<'a> {
    name: &'a FunctionName,
    version: String,
    count: &'a Count,
}

impl<'a> Counted<'a> {
    fn of((name, version, count): (&'a FunctionName, Version, &'a Count)) -> Self {
        Self { name, version: version.to_string(), count }
    }

    /// Whose it is, and one label more.
    fn labels<'b>(&'b self, more: (&'static str, &'b str)) -> [(&'static str, &'b str); 3] {
        let [function, version] = self.whose();
        [function, version, more]
    }

    fn whose(&self) -> [(&'static str, &str); 2] {
        [("function", self.name.as_str()), ("version", self.version.as_str())]
    }
}

fn calls(page: &mut Exposition, counts: &[Counted]) {
    const INVOCATIONS: &str = "modelet_invocations_total";
    page.metric(INVOCATIONS, "counter", "Calls, by how they ended.");
    for counted in counts {
        for (outcome, of) in OUTCOMES {
            page.sample(INVOCATIONS, &counted.labels(("outcome", outcome)), of(&counted.count.usage) as f64);
        }
    }
    by_version(
        page,
        counts,
        "modelet_cold_starts_total",
        "Calls that waited for an instance to start.",
        |u| u.cold_starts,
    );
}

fn durations(page: &mut Exposition, counts: &[Counted]) {
    const NAME: &str = "modelet_invocation_duration_seconds";
    page.metric(NAME, "histogram", "From the arrival of a call until its answer was there whole.");
    for counted in counts {
        let Durations { buckets, sum_s } = &counted.count.durations;
        let mut so_far = 0;
        let bounds = BOUNDS_S.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, calls) in bounds.zip(buckets) {
            so_far += calls;
            page.sample(&format!("{NAME}_bucket"), &counted.labels(("le", bound.as_str())), so_far as f64);
        }
        page.sample(&format!("{NAME}_sum"), &counted.whose(), *sum_s);
        page.sample(&format!("{NAME}_count"), &counted.whose(), so_far as f64);
    }
}

fn instances(page: &mut Exposition, counts: &[Counted]) {
    const ENDS: &str = "modelet_instance_ends_total";
    by_version(page, counts, "modelet_instance_starts_total", "Instances that were started.", |u| {
        u.instances
    });
    page.metric(ENDS, "counter", "Instances that ended, by why.");
    for counted in counts {
        for (reason, ends) in &counted.count.ends {
            page.sample(ENDS, &counted.labels(("reason", reason.as_str())), *ends as f64);
        }
    }
}

fn by_version(page: &mut Exposition, counts: &[Counted], metric: &str, help: &str, of: fn(&Usage) -> u64) {
    page.metric(metric, "counter", help);
    for counted in counts {
        page.sample(metric, &counted.whose(), of(&counted.count.usage) as f64);
    }
}

/// What there is now.
fn moment(page: &mut Exposition, admin: &Admin) {
    const INSTANCES: &str = "modelet_instances";
    const WAITING: &str = "modelet_calls_waiting";
    const IN_FLIGHT: &str = "modelet_calls_in_flight";
    const ASYNC: &str = "modelet_async_invocations_open";
    let standings = admin.dispatch.standings();
    page.metric(INSTANCES, "gauge", "Instances, by what they do.");
    for (name, standing) in &standings {
        for (state, of) in STATES {
            page.sample(INSTANCES, &[("function", name.as_str()), ("state", state)], of(standing) as f64);
        }
    }
    page.metric(WAITING, "gauge", "Calls that wait for an instance.");
    for (name, standing) in &standings {
        page.sample(WAITING, &[("function", name.as_str())], standing.waiting as f64);
    }
    page.metric(IN_FLIGHT, "gauge", "Calls that an instance works on.");
    for (name, standing) in &standings {
        page.sample(IN_FLIGHT, &[("function", name.as_str())], standing.in_flight as f64);
    }
    page.metric(ASYNC, "gauge", "Asynchronous invocations that have not ended.");
    for (name, waiting) in admin.asynchronous.lengths() {
        page.sample(ASYNC, &[("function", name.as_str())], waiting as f64);
    }
    let (charged_mib, budget_mib) = admin.dispatch.memory_mib();
    page.metric("modelet_memory_budget_bytes", "gauge", "Memory for instances: --memory-mib.");
    page.sample("modelet_memory_budget_bytes", &[], budget_mib as f64 * MIB);
    page.metric("modelet_memory_charged_bytes", "gauge", "Memory that instances hold, or are expected to.");
    page.sample("modelet_memory_charged_bytes", &[], charged_mib as f64 * MIB);
}
