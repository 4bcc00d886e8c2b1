//! Checks a call against a signature, before an engine sees it: engines say too little about what does not fit.

use std::collections::HashMap;

use modelet_core::{Code, FunctionError, InputSpec, Signature, Tensor};

/// The tensors of a call in the order of the signature's inputs; `None` for an optional one that was left out.
pub(crate) fn bind_inputs<'a>(
    signature: &Signature,
    inputs: &'a [(String, Tensor)],
) -> Result<Vec<Option<&'a Tensor>>, FunctionError> {
    let mut given = HashMap::with_capacity(inputs.len());
    for (name, tensor) in inputs {
        if signature.input(name).is_none() {
            return Err(FunctionError::bad_input(
                name,
                expected_names(signature),
                "an input of no such name",
            ));
        }
        if given.insert(name.as_str(), tensor).is_some() {
            return Err(FunctionError::bad_input(name, "one value", "the same input twice"));
        }
    }
    let mut sizes = HashMap::new();
    let bound = signature.inputs.iter().map(|spec| match given.get(spec.name.as_str()) {
        Some(tensor) => check(spec, tensor, &mut sizes).map(|()| Some(*tensor)),
        None if spec.optional => Ok(None),
        None => Err(FunctionError::bad_input(&spec.name, describe(spec), "nothing")),
    });
    bound.collect()
}

/// The positions of the outputs that a call wants, in the order wanted.
pub(crate) fn bind_outputs(
    signature: &Signature,
    wanted: Option<&[String]>,
) -> Result<Vec<usize>, FunctionError> {
    let Some(wanted) = wanted else { return Ok((0..signature.outputs.len()).collect()) };
    let position = |name: &String| {
        signature.outputs.iter().position(|output| output.name == *name).ok_or_else(|| {
            let known: Vec<_> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
            FunctionError::bad_input("outputs", format!("names out of {}", known.join(", ")), name.clone())
        })
    };
    wanted.iter().map(position).collect()
}

/// An engine's own words, as one line that fits a response.
pub(crate) fn one_line(message: &str) -> String {
    const LONGEST: usize = 400;
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// Runs an engine's code; a panic in it becomes a failure of this call alone.
pub(crate) fn guarded<T>(
    code: Code,
    engine: &str,
    run: impl FnOnce() -> Result<T, FunctionError>,
) -> Result<T, FunctionError> {
    // The engines' own state is only ever read after a panic to be dropped, or to run again from its inputs.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str);
        let reason = reason.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(FunctionError::new(code, format!("{engine} gave up: {}", one_line(reason))))
    })
}

fn check<'s>(
    spec: &'s InputSpec,
    tensor: &Tensor,
    sizes: &mut HashMap<&'s str, (usize, &'s str)>,
) -> Result<(), FunctionError> {
    if tensor.dtype() != spec.dtype || !spec.accepts_shape(tensor.shape()) {
        let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
        return Err(FunctionError::bad_input(&spec.name, describe(spec), found));
    }
    for (dim, size) in spec.shape.iter().flatten().zip(tensor.shape()) {
        let Some(dim) = dim.name() else { continue };
        let (first, input) = *sizes.entry(dim).or_insert((*size, &spec.name));
        if first != *size {
            let expected = format!("{dim} = {first}, as in {input}");
            return Err(FunctionError::bad_input(&spec.name, expected, format!("{dim} = {size}")));
        }
    }
    Ok(())
}

fn describe(spec: &InputSpec) -> String {
    format!("{} {}", spec.dtype, spec.shape_text())
}

fn expected_names(signature: &Signature) -> String {
    let names: Vec<_> = signature.inputs.iter().map(|input| input.name.as_str()).collect();
    format!("one of the inputs {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Dim};

    use super::*;

    fn input(name: &str, dtype: DType, shape: Vec<Dim>, optional: bool) -> InputSpec {
        InputSpec {
            name: name.into(),
            dtype,
            shape: Some(shape),
            optional,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        }
    }

    fn signature() -> Signature {
        let rows = || Dim::Named("rows".into());
        Signature {
            inputs: vec![
                input("x", DType::F32, vec![rows(), Dim::Fixed(2)], false),
                input("y", DType::I64, vec![rows()], true),
            ],
            outputs: vec![],
            ..Signature::default()
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_expectation_and_finding() {
        let x = |rows: usize| ("x".to_owned(), Tensor::zeros(DType::F32, vec![rows, 2]).unwrap());
        let y = |rows: usize| ("y".to_owned(), Tensor::zeros(DType::I64, vec![rows]).unwrap());
        let signature = signature();
        let bind = |inputs: Vec<_>| {
            bind_inputs(&signature, &inputs)
                .map(|found| found.iter().filter(|t| t.is_some()).count())
                .map_err(|error| error.to_string())
        };
        assert_eq!(bind(vec![y(3), x(3)]), Ok(2), "any order");
        assert_eq!(bind(vec![x(0)]), Ok(1), "zero rows, the optional one left out");
        assert_eq!(bind(vec![]), Err("x: expected float32 [rows, 2], got nothing".into()));
        assert_eq!(bind(vec![x(3), y(2)]), Err("y: expected rows = 3, as in x, got rows = 2".into()));
        assert_eq!(bind(vec![x(1), x(1)]), Err("x: expected one value, got the same input twice".into()));
        let wrong = ("x".to_owned(), Tensor::zeros(DType::F64, vec![1, 2]).unwrap());
        assert_eq!(bind(vec![wrong]), Err("x: expected float32 [rows, 2], got float64 [1, 2]".into()));
        let unknown = ("z".to_owned(), Tensor::vector(vec![1_i64]));
        let error = bind(vec![x(1), unknown]).unwrap_err();
        assert_eq!(error, "z: expected one of the inputs x, y, got an input of no such name");
    }

    #[test]
    fn messages_become_one_line_and_panics_an_error() {
        assert_eq!(one_line("a\n  b\t c"), "a b c");
        assert!(one_line(&"é".repeat(900)).len() < 410);
        let error = guarded::<()>(Code::PredictionFailed, "rten", || panic!("index 4")).unwrap_err();
        assert_eq!(error.to_string(), "rten gave up: index 4");
    }
}
