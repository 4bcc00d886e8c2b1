use modelet_core::{DType, Data, Dim, InputSpec, OutputSpec, Tensor};
use modelet_model::onnx::write::GraphWriter;

use super::original::Loader;
use super::wire::Refusal;
use super::*;

/// An original that doubles its number, and refuses what is missing; an imported model that may be wrong above 1, and may answer
/// what is missing.
#[derive(Default)]
struct Doubling {
    wrong: f32,
    answers_all: bool,
    unable: Option<&'static str>,
    silent: bool,
}

fn column(message: &Message) -> Vec<f32> {
    message.tail.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn answers(numbers: Vec<f32>, refused: Vec<Refusal>) -> Answers {
    let outputs = vec![("y".to_owned(), Tensor::new(vec![numbers.len()], numbers).unwrap())];
    Answers {
        outputs,
        refused,
        versions: vec![("numpy".into(), "2".into()), ("xgboost".into(), "3.2.0".into())],
    }
}

impl Doubling {
    fn answer(&self, question: &Message) -> Answers {
        let rows = column(question);
        let missing = rows.iter().enumerate().filter(|(_, x)| x.is_nan());
        let refused = missing.map(|(row, _)| Refusal { row, said: "ValueError: NaN".into() }).collect();
        let numbers = rows.iter().filter(|x| !x.is_nan()).map(|x| 2.0 * x).collect();
        let mut answers = answers(numbers, refused);
        if self.silent {
            answers.outputs.clear();
        }
        answers
    }
}

impl Witnesses for Doubling {
    fn original(&self, _: &Original, questions: &[Message]) -> Result<Testimony, String> {
        if let Some(reason) = self.unable {
            return Err(reason.to_owned());
        }
        let answers = questions.iter().map(|question| self.answer(question)).collect();
        Ok(Testimony { answers, rung: Rung::Namespaces })
    }

    fn imported(&self, requests: &[Message]) -> Result<Vec<Reply>, FunctionError> {
        let wrong = |x: f32| 2.0 * x + if x > 1.0 { self.wrong } else { 0.0 };
        let reply = |request: &Message| {
            let rows = column(request);
            if !self.answers_all && rows.iter().any(|x| x.is_nan()) {
                return Reply::Refused("X: expected numbers".into());
            }
            Reply::Answered(answers(rows.into_iter().map(wrong).collect(), vec![]))
        };
        Ok(requests.iter().map(reply).collect())
    }
}

fn proved(witnesses: &Doubling, sample: Option<&Sample>, tolerance: Option<f64>) -> Proof {
    proved_of(&[Dim::Dynamic, Dim::Fixed(1)], Loader::Xgboost, witnesses, sample, tolerance)
}

/// The proof of a model with one input.
fn proved_of(
    shape: &[Dim],
    loader: Loader,
    witnesses: &dyn Witnesses,
    sample: Option<&Sample>,
    tolerance: Option<f64>,
) -> Proof {
    let input = InputSpec {
        name: "X".into(),
        dtype: DType::F32,
        shape: Some(shape.to_vec()),
        optional: false,
        columns: Some(vec!["age".into()]),
        categories: None,
        numbers: None,
        table_rows: None,
        takes_integers: false,
        rules: vec![],
        file: None,
    };
    let output = OutputSpec {
        name: "y".into(),
        kind: OutputKind::Tensor { dtype: DType::F32, shape: None },
        classes: None,
        ranking: None,
    };
    let signature = Signature::new(vec![input], vec![output]);
    let mut graph = GraphWriter::default();
    graph.input("X", DType::F32, shape);
    graph.node(("", "Add"), &["X", "X"], "y", vec![]);
    graph.output("y", DType::F32, shape);
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::write(&model, graph.into_file()).unwrap();
    let original =
        Original { file: "m".into(), loader, framework: "xgboost".into(), version: None, guests: vec![] };
    let claim = Claim {
        original: &original,
        model: &model,
        signature: &signature,
        sample,
        tolerance,
        imported: vec![],
    };
    prove(&claim, witnesses).unwrap()
}

#[test]
fn what_answers_and_refuses_alike_is_proved() {
    let proof = proved(&Doubling::default(), None, None);
    let certificate = &proof.certificate;
    assert_eq!(certificate.verdict, Verdict::Proved);
    let rows = &certificate.rows;
    assert!(rows.refused > 0 && certificate.rows_compared() >= 1_000, "{rows:?}");
    assert_eq!((rows.refused_asked, rows.refused_answered), (rows.refused, 0));
    assert_eq!(certificate.original[0].name, "xgboost", "the framework first");
    assert_eq!(certificate.outputs[0].values, certificate.rows_compared());
    let again = proved(&Doubling::default(), None, None).certificate;
    assert_eq!(*certificate, again, "nothing in it depends on the moment");
}

#[test]
fn what_differs_is_shown_with_its_row_and_both_answers() {
    let proof = proved(&Doubling { wrong: 0.25, ..Doubling::default() }, None, None);
    assert_eq!(proof.certificate.verdict, Verdict::Differs);
    let error = refusal(&proof, "XGBoost");
    assert_eq!(error.code, Code::ConversionDiffers);
    assert!(error.message.contains("y is ") && error.message.contains("for age="), "{error}");
    assert!(error.hint.unwrap().contains("--tolerance"));
    let allowed = proved(&Doubling { wrong: 0.25, ..Doubling::default() }, None, Some(0.3)).certificate;
    assert_eq!(
        (allowed.verdict, &*allowed.tolerance.unwrap().reason),
        (Verdict::Proved, "chosen by --tolerance")
    );
}

#[test]
fn a_row_that_only_the_original_refuses_is_a_difference() {
    let proof = proved(&Doubling { answers_all: true, ..Doubling::default() }, None, Some(0.3));
    let rows = &proof.certificate.rows;
    assert_eq!((proof.certificate.verdict, rows.refused_answered), (Verdict::Differs, rows.refused));
    let error = refusal(&proof, "XGBoost");
    let said = "y is NaN, the original refuses with ValueError: NaN, for age=NaN";
    assert!(error.message.contains(said), "{error}");
    assert!(error.hint.unwrap().contains("--no-proof"));
}

#[test]
fn given_rows_are_compared_too() {
    let rows = vec![("X".to_owned(), Tensor::new(vec![2, 1], Data::F32(vec![0.25, 1e6])).unwrap())];
    let sample = Sample { inputs: rows, sha256: "abc".into() };
    let proof = proved(&Doubling { wrong: 1e6, ..Doubling::default() }, Some(&sample), None);
    assert_eq!(
        (proof.certificate.rows.given, proof.certificate.rows.sample_sha256.as_deref()),
        (2, Some("abc"))
    );
    assert!(proof.worst.iter().any(|row| row.contains("age=")), "{:?}", proof.worst);
}

/// An original that adds up each row of any length but 2, and an imported model that is right at some lengths.
struct Lengths {
    right: fn(usize) -> bool,
}

impl Lengths {
    fn sums(&self, question: &Message, of_imported: bool) -> Answers {
        let head: serde_json::Value = serde_json::from_slice(&question.json).unwrap();
        let size = head["inputs"][0]["shape"][1].as_u64().unwrap() as usize;
        let rows: Vec<f32> = column(question).chunks(size).map(|row| row.iter().sum()).collect();
        match (size, of_imported) {
            (2, of_imported) if !of_imported || (self.right)(2) => {
                let refusal = |row| Refusal { row, said: "ValueError: too short".into() };
                Answers { refused: (0..rows.len()).map(refusal).collect(), ..Answers::default() }
            }
            (_, true) if !(self.right)(size) => answers(vec![1e9; rows.len()], vec![]),
            _ => answers(rows, vec![]),
        }
    }
}

impl Witnesses for Lengths {
    fn original(&self, _: &Original, questions: &[Message]) -> Result<Testimony, String> {
        let answers = questions.iter().map(|question| self.sums(question, false)).collect();
        Ok(Testimony { answers, rung: Rung::Namespaces })
    }

    fn imported(&self, requests: &[Message]) -> Result<Vec<Reply>, FunctionError> {
        let reply = |request: &Message| match self.sums(request, true) {
            answers if answers.refused.is_empty() => Reply::Answered(answers),
            _ => Reply::Refused("X: too short".into()),
        };
        Ok(requests.iter().map(reply).collect())
    }
}

fn proved_lengths(right: fn(usize) -> bool) -> Proof {
    proved_of(&[Dim::Dynamic, Dim::Dynamic], Loader::Keras, &Lengths { right }, None, None)
}

#[test]
fn a_model_that_is_right_at_one_size_alone_is_caught_at_another() {
    let proof = proved_lengths(|size| size != 17);
    assert_eq!(proof.certificate.verdict, Verdict::Differs);
    assert!(proof.worst[0].ends_with(", at X [any, 17]"), "{:?}", proof.worst);
}

#[test]
fn a_size_that_only_the_original_refuses_is_a_difference() {
    let proof = proved_lengths(|size| size != 2);
    assert_eq!(proof.certificate.verdict, Verdict::Differs);
    assert_eq!(proof.certificate.rows.refused_answered, 100);
    assert!(proof.worst[0].contains("the original refuses with ValueError: too short"), "{:?}", proof.worst);
    assert!(proof.worst[0].ends_with(", at X [any, 2]"), "{:?}", proof.worst);
}

#[test]
fn sizes_that_were_proved_stand_in_the_certificate_and_those_that_the_original_refuses() {
    let certificate = proved_lengths(|_| true).certificate;
    assert_eq!(certificate.verdict, Verdict::Proved);
    let compared: Vec<_> = certificate.sizes.iter().map(|one| (&*one.inputs, one.compared)).collect();
    assert!(
        compared.contains(&("X [any, 33]", 100)) && compared.contains(&("X [any, 2]", 0)),
        "{compared:?}"
    );
    assert_eq!((certificate.rows.refused, certificate.rows.refused_asked), (100, 100));
    assert!(certificate.line().contains("sizes that the original refuses"), "{}", certificate.line());
}

#[test]
fn an_original_that_cannot_be_asked_is_no_proof() {
    let proof = proved(&Doubling { unable: Some("there is no uv"), ..Doubling::default() }, None, None);
    assert_eq!(
        (proof.certificate.verdict, proof.certificate.reason.as_deref()),
        (Verdict::NotProved, Some("there is no uv"))
    );
}

#[test]
fn an_original_that_answers_nothing_proves_nothing() {
    let proof = proved(&Doubling { silent: true, ..Doubling::default() }, None, None);
    assert_eq!(proof.certificate.verdict, Verdict::NotProved);
    assert!(proof.certificate.reason.unwrap().contains("does not answer what it was asked for"));
}
