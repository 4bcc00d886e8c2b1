//! A classifier whose numbers become scores of classes. Source of the formulas: the pipelines of `transformers`
//! (`text_classification.py`), computed in float64 and rounded to float32.

use modelet_core::steps::LabelStep;
use modelet_core::steps::labels::{SCORES_OUTPUT, Scores};
use modelet_core::{Code, DType, Data, Dim, FunctionError, OutputKind, OutputSpec, Signature, Tensor, Value};

use crate::binding::bind_outputs;
use crate::engine::Model;

/// A model with scores in the place of one of its outputs.
pub struct LabelModel {
    inner: Box<dyn Model>,
    step: LabelStep,
    signature: Signature,
}

impl LabelModel {
    /// Lays the step around a model, and the steps that it has already.
    pub fn around(inner: Box<dyn Model>, step: &LabelStep) -> Result<Self, FunctionError> {
        let mut signature = inner.signature().clone();
        let known: Vec<&str> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
        let missing =
            || refused(&format!("the model has no output {}, only {}", step.output, known.join(", ")));
        let place = signature.outputs.iter().position(|output| output.name == step.output);
        let place = place.ok_or_else(missing)?;
        if known.contains(&SCORES_OUTPUT) && step.output != SCORES_OUTPUT {
            return Err(refused(&format!(
                "the model has an output {SCORES_OUTPUT} of its own beside {}",
                step.output
            )));
        }
        let own = &signature.outputs[place];
        let OutputKind::Tensor { dtype: DType::F32, shape } = &own.kind else {
            return Err(refused(&format!("its output {} is no float32 tensor", own.name)));
        };
        let count = Dim::Fixed(step.names.len());
        let rows = match shape.as_deref() {
            None => Dim::Dynamic,
            Some([rows, classes]) if classes.accepts(step.names.len()) => rows.clone(),
            Some(shape) => {
                let shape = modelet_core::signature::shape_text(shape);
                return Err(refused(&format!(
                    "its output {} has the shape {shape}, and there are {count} names",
                    own.name
                )));
            }
        };
        let kind = OutputKind::Tensor { dtype: DType::F32, shape: Some(vec![rows, count]) };
        let (classes, ranking) = (Some(step.names.clone()), Some(step.ranking));
        signature.outputs[place] = OutputSpec { name: SCORES_OUTPUT.to_owned(), kind, classes, ranking };
        Ok(Self { inner, step: step.clone(), signature })
    }

    fn scores(&self, value: Value) -> Result<Value, FunctionError> {
        let classes = self.step.names.len();
        match value {
            Value::Tensor(tensor) => match (tensor.shape(), tensor.data()) {
                (shape @ [_, width], Data::F32(numbers)) if *width == classes => {
                    let rows = numbers.chunks_exact(classes.max(1));
                    let scores: Vec<f32> = rows.flat_map(|row| scored(row, self.step.scores)).collect();
                    Ok(Value::Tensor(
                        Tensor::new(shape.to_vec(), scores).map_err(|error| failed(error.to_string()))?,
                    ))
                }
                (shape, _) => Err(failed(format!("the model gave {shape:?} numbers for {classes} classes"))),
            },
            _ => Err(failed(format!("the model gave no numbers for {classes} classes"))),
        }
    }
}

impl Model for LabelModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        outputs: Option<&[String]>,
    ) -> Result<Vec<(String, Value)>, FunctionError> {
        let wanted = bind_outputs(&self.signature, outputs)?;
        let own = |place: &usize| self.inner.signature().outputs[*place].name.clone();
        let names: Vec<String> = wanted.iter().map(own).collect();
        let answered = self.inner.predict(inputs, Some(&names))?;
        let scored = answered.into_iter().map(|(name, value)| match name == self.step.output {
            true => Ok((SCORES_OUTPUT.to_owned(), self.scores(value)?)),
            false => Ok((name, value)),
        });
        scored.collect()
    }
}

/// The scores of one row.
fn scored(row: &[f32], scores: Scores) -> Vec<f32> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |number: &f32| (f64::from(*number) - f64::from(most)).exp();
    match scores {
        Scores::None => row.to_vec(),
        Scores::Sigmoid => {
            row.iter().map(|number| (1.0 / (1.0 + (-f64::from(*number)).exp())) as f32).collect()
        }
        Scores::Softmax => {
            let sum: f64 = row.iter().map(shifted).sum();
            row.iter().map(|number| (shifted(number) / sum) as f32).collect()
        }
    }
}

fn refused(message: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("[labels] does not fit: {message}"))
        .hint("[labels] output = \"NAME\" and names = [...] in modelet.toml say which; off = true gives the model's own numbers")
}

fn failed(message: String) -> FunctionError {
    FunctionError::new(Code::PredictionFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_shares_or_stand_by_themselves_also_of_large_numbers() {
        let shares = scored(&[1000.0, 1000.0, f32::NEG_INFINITY], Scores::Softmax);
        assert_eq!(shares, [0.5, 0.5, 0.0]);
        assert_eq!(scored(&[0.0, 1000.0, -1000.0], Scores::Sigmoid), [0.5, 1.0, 0.0]);
        assert_eq!(scored(&[3.0, -1.0], Scores::None), [3.0, -1.0]);
        assert!(scored(&[f32::NAN, 1.0], Scores::Softmax).iter().all(|score| score.is_nan()));
    }
}
