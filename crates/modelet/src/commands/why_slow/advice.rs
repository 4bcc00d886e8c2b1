//! What to do about the largest part of a function's cold starts.

use modelet_core::{EngineName, InvocationRecord};
use modelet_package::evidence::Evidence;
use modelet_platform::admin::views::FunctionView;

use super::parts::Part;
use crate::output;

/// A model below this size is loaded in no time, compared with the library of ONNX Runtime (24 MB).
const SMALL_MODEL_BYTES: u64 = 1_000_000;

/// Sentences on a part, the most useful first.
pub fn on(part: Part, view: &FunctionView, cold_starts: &[InvocationRecord]) -> Vec<String> {
    let mut advice = match part {
        Part::Receive => vec![receive(cold_starts)],
        Part::Queue => vec![queue(view)],
        Part::Start => vec![start(cold_starts)],
        Part::Load => load(view, cold_starts),
        Part::FirstInference => vec![first_inference(view)],
        Part::Rest => vec![rest(cold_starts)],
    };
    if matches!(part, Part::Start | Part::Load | Part::FirstInference) {
        advice.extend(keep_ready(view));
    }
    advice
}

fn receive(cold_starts: &[InvocationRecord]) -> String {
    format!(
        "The client sent up to {} and took its time; binary bodies (npy) are smaller and read sooner than JSON.",
        largest_body(cold_starts)
    )
}

fn queue(view: &FunctionView) -> String {
    let settings = &view.settings;
    format!(
        "All instances were busy, or no further one could be started: raise max_instances (now {}), or the memory of the \
         machine that they share.",
        settings.max_instances
    )
}

fn start(cold_starts: &[InvocationRecord]) -> String {
    let from = cold_starts.last().and_then(|call| call.started_from.as_deref()).unwrap_or("a new process");
    format!(
        "The last instance came from {from}; a machine that is busy starts processes slowly: modelet doctor."
    )
}

fn engine(view: &FunctionView) -> Option<EngineName> {
    view.card.model().map(|model| model.engine)
}

fn load(view: &FunctionView, cold_starts: &[InvocationRecord]) -> Vec<String> {
    let size_bytes = view.card.size_bytes();
    let size = output::size(size_bytes);
    let Some(engine) = engine(view) else {
        return vec![format!(
            "The code imports its packages and loads what it loads at the top level of its module ({size} of files): \
             modelet logs shows the packages that took the longest."
        )];
    };
    let mut advice: Vec<_> = other_engine(view).into_iter().collect();
    let from = cold_starts.last().and_then(|call| call.started_from.as_deref()).unwrap_or_default();
    // A stem cell has loaded the library already.
    let with_library = engine == EngineName::Onnxruntime && from != "a stem cell";
    advice.push(if with_library && size_bytes < SMALL_MODEL_BYTES {
        format!("The instance came from {from}: it is the library of onnxruntime that takes the time, not the {size} of model.")
    } else {
        format!("{engine} prepares {size} of model; a smaller or quantised model is ready sooner.")
    });
    advice
}

/// What was measured at the deploy of the engines that were not taken: the one that starts fastest, or why there is none.
fn other_engine(view: &FunctionView) -> Option<String> {
    let evidence: Evidence = serde_json::from_value(view.evidence.clone()).ok()?;
    let chosen = evidence.chosen()?;
    let cold_ms = |load_ms: f64, first_ms: f64| load_ms + first_ms;
    let chosen_ms = cold_ms(chosen.load_ms, chosen.first_ms);
    let others = || evidence.engines.iter().filter(|other| Some(other.engine) != engine(view));
    let serving = others().filter_map(|other| Some((other, other.measured.as_ref()?)));
    let timed = serving.map(|(other, m)| (other, m, cold_ms(m.load_ms, m.first_ms)));
    let Some((other, measured, other_ms)) = timed.min_by(|a, b| a.2.total_cmp(&b.2)) else {
        let refused = others().find_map(|other| Some((other.engine, other.refused.as_ref()?)));
        return refused.map(|(engine, why)| format!("{engine} cannot take its place: {why}."));
    };
    (other_ms < chosen_ms).then(|| {
        format!(
            "At deploy {} was ready with its first answer after {other_ms:.0} ms, {} after {chosen_ms:.0} ms (warm calls: \
             {:.2} ms and {:.2} ms): deploy it with --engine {}.",
            other.engine, evidence.chosen, measured.warm_ms, chosen.warm_ms, other.engine
        )
    })
}

fn first_inference(view: &FunctionView) -> String {
    format!(
        "{} does at the first call what it put off while loading, such as laying out memory; fewer rows in one call, or a \
         smaller model, shorten it.",
        view.card.computed_by()
    )
}

fn rest(cold_starts: &[InvocationRecord]) -> String {
    format!(
        "Reading the request (up to {}) and writing the answer took longer than the model: send and ask for npy \
         (application/x-npy) in the place of JSON.",
        largest_body(cold_starts)
    )
}

fn keep_ready(view: &FunctionView) -> Vec<String> {
    let settings = &view.settings;
    let mut advice = Vec::new();
    if settings.min_instances == 0 {
        advice.push("To have none of it: --set min_instances=1 keeps an instance ready.".to_owned());
    } else if settings.prewarmed_instances == 0 {
        advice.push(
            "To have an instance ready beyond those that are busy: --set prewarmed_instances=1.".to_owned(),
        );
    }
    advice.push(format!(
        "To have it less often: raise idle_timeout_ms (now {}), after which an instance without a call is stopped.",
        settings.idle_timeout_ms
    ));
    advice
}

fn largest_body(cold_starts: &[InvocationRecord]) -> String {
    output::size(cold_starts.iter().map(|call| call.request_bytes).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use modelet_core::{ArtifactCard, Settings, Traffic, Version};
    use serde_json::json;

    use super::super::parts::tests::cold_start;
    use super::*;

    fn view(engine: EngineName, rten: &serde_json::Value) -> FunctionView {
        let card: ArtifactCard = serde_json::from_value(json!({
            "format_version": 1, "name": "iris", "source_sha256": "", "manifest": {}, "settings": {},
            "handler": {"kind": "model", "file": "m.onnx", "format": "onnx", "engine": engine, "engine_version": "1",
                        "signature": {"inputs": [], "outputs": []}},
            "files": [{"path": "m.onnx", "size_bytes": 2_500_000, "sha256": ""}],
        }))
        .unwrap();
        let measured =
            json!({"version": "1", "load_ms": 30.0, "first_ms": 2.0, "warm_ms": 0.1, "memory_mib": 40});
        FunctionView {
            name: "iris".parse().unwrap(),
            version: Version(1),
            traffic: Traffic::all(Version(1)),
            url: String::new(),
            versions: Vec::new(),
            card,
            settings: Settings::default(),
            evidence: json!({
                "engines": [{"engine": "onnxruntime", "measured": measured}, rten],
                "chosen": "onnxruntime",
                "reason": "",
            }),
            instances: Vec::new(),
            warning: None,
        }
    }

    #[test]
    fn a_long_load_is_answered_with_what_was_measured() {
        let measured =
            json!({"version": "1", "load_ms": 5.0, "first_ms": 1.0, "warm_ms": 0.3, "memory_mib": 9});
        let faster = view(EngineName::Onnxruntime, &json!({"engine": "rten", "measured": measured}));
        let advice = on(Part::Load, &faster, &[]);
        assert!(
            advice[0].contains("rten was ready with its first answer after 6 ms, onnxruntime after 32 ms"),
            "{advice:?}"
        );
        assert!(advice[0].ends_with("--engine rten."));
        assert!(advice[1].contains("2.5 MB"));
        assert!(advice[2].contains("min_instances=1"));
        let refused = view(EngineName::Onnxruntime, &json!({"engine": "rten", "refused": "no ai.onnx.ml"}));
        assert_eq!(on(Part::Load, &refused, &[])[0], "rten cannot take its place: no ai.onnx.ml.");
    }

    #[test]
    fn each_part_has_advice_of_its_own() {
        let view = view(EngineName::Onnxruntime, &json!({"engine": "rten", "refused": "no"}));
        let mut call = cold_start(1.0, 1.0, 1.0, 1.0);
        call.started_from = Some("a new process: no stem cell was free".into());
        let first = |part| on(part, &view, std::slice::from_ref(&call)).remove(0);
        assert!(first(Part::Start).contains("no stem cell was free"));
        assert!(first(Part::Queue).contains("max_instances (now 4)"));
        assert!(first(Part::FirstInference).contains("first call"));
        assert!(first(Part::Rest).contains("npy"));
        assert!(first(Part::Receive).contains("npy"));
    }
}
