//! The classes of a classifier: what the manifest says, and what Hugging Face's `config.json` beside the model does.

use modelet_core::manifest::LabelNotes;
use modelet_core::steps::LabelStep;
use modelet_core::steps::labels::{Ranking, Scores};
use modelet_core::{Code, FunctionError, OutputKind, OutputSpec, Signature};
use serde_json::Value;

use super::Said;

const CONFIG: &str = "config.json";
/// What exporters call the numbers of a classifier.
const LOGITS: &str = "logits";
/// Classes of a picture or a sound that are listed, as their pipelines of `transformers` do.
const TOP_OF_MEDIA: u32 = 5;
/// Classes of a text that are listed, as its pipeline does.
const TOP_OF_TEXT: u32 = 1;

/// What a classifier takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Texts,
    Pictures,
    Sounds,
}

/// The step of a model, if it has one.
pub fn find(
    notes: Option<&LabelNotes>,
    said: &Said<'_>,
    signature: &Signature,
    takes: Takes,
) -> Result<Option<LabelStep>, FunctionError> {
    let own = notes.cloned().unwrap_or_default();
    let config = said.json(CONFIG);
    let numbers = own.output.clone().or_else(|| numbers(signature).map(|output| output.name.clone()));
    if own.off || (notes.is_none() && (!is_classifier(&config) || numbers.is_none())) {
        return Ok(None);
    }
    let bad = |why: &str| FunctionError::new(Code::BadManifest, format!("[labels] {why}"));
    let output = numbers.ok_or_else(|| {
        bad("needs output = \"NAME\": no output of the model is its only matrix of numbers")
    })?;
    let names = match own.names.or_else(|| names(&config)) {
        Some(names) if !names.is_empty() => names,
        _ => {
            return Err(bad("needs names: config.json has no id2label that counts from 0")
                .hint("names = [\"cat\", \"dog\"]"));
        }
    };
    let scores = own.scores.or_else(|| scores(&config, names.len(), takes));
    let scores = scores.ok_or_else(|| bad("needs scores: softmax, sigmoid or none"))?;
    let default = if takes == Takes::Texts { TOP_OF_TEXT } else { TOP_OF_MEDIA };
    let ranking = Ranking { top: Some(own.top.unwrap_or(default)), threshold: own.threshold };
    Ok(Some(LabelStep { output, names, scores, ranking }))
}

/// True for a model that its authors call a classifier, and whose classes they name.
fn is_classifier(config: &Value) -> bool {
    let kinds = config["architectures"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut classifiers = kinds.filter(|kind| {
        ["ForImageClassification", "ForSequenceClassification"].iter().any(|ending| kind.ends_with(ending))
    });
    classifiers.next().is_some() && names(config).is_some()
}

/// The output that has one number for each class: as exporters call it, or the only matrix.
fn numbers(signature: &Signature) -> Option<&OutputSpec> {
    let is_matrix = |output: &&OutputSpec| matches!(&output.kind, OutputKind::Tensor { shape: Some(shape), .. } if shape.len() == 2);
    let mut matrices = signature.outputs.iter().filter(is_matrix);
    let named = signature.output(LOGITS).filter(|output| is_matrix(output));
    named.or_else(|| matrices.next().filter(|_| matrices.next().is_none()))
}

/// `{"0": "cat", "1": "dog"}` in the order of its numbers.
fn names(config: &Value) -> Option<Vec<String>> {
    let named = config["id2label"].as_object()?;
    (0..named.len()).map(|id| Some(named.get(&id.to_string())?.as_str()?.to_owned())).collect()
}

/// As the pipelines of version 4.49 choose: that of pictures knows no regression. Nothing for a word that they do not know, and for
/// sounds where versions choose otherwise.
fn scores(config: &Value, classes: usize, takes: Takes) -> Option<Scores> {
    match config["problem_type"].as_str() {
        Some("single_label_classification") | None if takes == Takes::Sounds && classes > 1 => {
            Some(Scores::Softmax)
        }
        _ if takes == Takes::Sounds => None,
        Some("regression") if takes == Takes::Texts => Some(Scores::None),
        Some("multi_label_classification") => Some(Scores::Sigmoid),
        Some("regression" | "single_label_classification") | None if classes == 1 => Some(Scores::Sigmoid),
        Some("regression" | "single_label_classification") | None => Some(Scores::Softmax),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scores_are_made_as_the_pipelines_make_them() {
        for (problem, classes, of_texts, of_pictures) in [
            (json!(null), 2, Scores::Softmax, Scores::Softmax),
            (json!(null), 1, Scores::Sigmoid, Scores::Sigmoid),
            (json!("multi_label_classification"), 2, Scores::Sigmoid, Scores::Sigmoid),
            (json!("single_label_classification"), 1, Scores::Sigmoid, Scores::Sigmoid),
            (json!("regression"), 1, Scores::None, Scores::Sigmoid),
            (json!("regression"), 2, Scores::None, Scores::Softmax),
        ] {
            let config = json!({"problem_type": problem, "function_to_apply": "none"});
            assert_eq!(scores(&config, classes, Takes::Texts), Some(of_texts), "{config}");
            assert_eq!(scores(&config, classes, Takes::Pictures), Some(of_pictures), "{config}");
            let of_sounds =
                (problem != "regression" && of_pictures == Scores::Softmax).then_some(Scores::Softmax);
            assert_eq!(scores(&config, classes, Takes::Sounds), of_sounds, "{config}");
        }
        assert_eq!(scores(&json!({"problem_type": "another"}), 2, Takes::Pictures), None);
    }

    #[test]
    fn names_are_in_the_order_of_their_numbers_and_none_is_missing() {
        let named = |id2label: Value| names(&json!({ "id2label": id2label }));
        let eleven: serde_json::Map<_, _> =
            (0..11).map(|id| (id.to_string(), json!(format!("n{id}")))).collect();
        assert_eq!(named(eleven.into()).unwrap()[10], "n10");
        assert_eq!(named(json!({"0": "a", "2": "b"})), None);
        assert_eq!(names(&json!({})), None);
    }
}
