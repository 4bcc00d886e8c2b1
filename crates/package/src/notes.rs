//! What a manifest adds to a model's signature, checked against the model.

use modelet_core::{Code, Dim, FunctionError, Manifest, OutputKind, Signature};

/// Adds the columns of inputs and the classes of outputs that a manifest names. Refused: a name that the model does not have,
/// as many names as the model has no room for, a name twice.
///
/// `columns`: what something beside the model calls them; they are its one input's, when they fit and nobody says others.
pub fn annotate(
    mut signature: Signature,
    manifest: &Manifest,
    columns: Option<&[String]>,
) -> Result<Signature, FunctionError> {
    if let ([input], Some(columns)) = (signature.inputs.as_mut_slice(), columns)
        && input.columns.is_none()
        && input
            .shape
            .as_ref()
            .is_some_and(|shape| shape.len() == 2 && shape[1].fixed() == Some(columns.len()))
        && check_names(Some(columns), None, "").is_ok()
    {
        input.columns = Some(columns.to_vec());
    }
    for (name, notes) in &manifest.inputs {
        let known: Vec<_> = signature.inputs.iter().map(|input| input.name.clone()).collect();
        let input = signature.inputs.iter_mut().find(|input| input.name == *name);
        let input = input.ok_or_else(|| unknown("input", name, &known))?;
        let axis = input.shape.as_ref().and_then(|shape| shape.last()?.fixed());
        check_names(notes.columns.as_deref(), axis, &format!("columns of the input {name:?}"))?;
        input.columns = notes.columns.clone().or(input.columns.take());
    }
    for (name, notes) in &manifest.outputs {
        let known: Vec<_> = signature.outputs.iter().map(|output| output.name.clone()).collect();
        let output = signature.outputs.iter_mut().find(|output| output.name == *name);
        let output = output.ok_or_else(|| unknown("output", name, &known))?;
        let axis = match &output.kind {
            OutputKind::Tensor { shape: Some(shape), .. } => shape.last().and_then(Dim::fixed),
            _ => None,
        };
        check_names(notes.classes.as_deref(), axis, &format!("classes of the output {name:?}"))?;
        output.classes = notes.classes.clone().or(output.classes.take());
    }
    Ok(signature)
}

fn unknown(kind: &str, name: &str, known: &[String]) -> FunctionError {
    let message = format!("modelet.toml describes the {kind} {name:?}, which the model does not have");
    FunctionError::new(Code::BadManifest, message).hint(format!("its {kind}s are {}", known.join(", ")))
}

fn check_names(names: Option<&[String]>, axis: Option<usize>, what: &str) -> Result<(), FunctionError> {
    let Some(names) = names else { return Ok(()) };
    let wrong =
        |why: String| Err(FunctionError::new(Code::BadManifest, format!("modelet.toml: the {what} {why}")));
    if let Some(axis) = axis.filter(|axis| *axis != names.len()) {
        return wrong(format!("are {}, the model has {axis} values there", names.len()));
    }
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    twice.map_or(Ok(()), |(_, name)| wrong(format!("have the name {name:?} twice")))
}

#[cfg(test)]
mod tests {
    use modelet_core::manifest::InputNotes;
    use modelet_core::{DType, InputSpec};

    use super::*;

    fn matrix() -> InputSpec {
        InputSpec {
            name: "x".into(),
            dtype: DType::F32,
            shape: Some(vec![Dim::Dynamic, Dim::Fixed(2)]),
            optional: false,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        }
    }

    fn with_columns(input: &str, columns: &[&str]) -> Result<Signature, FunctionError> {
        let x = matrix();
        let columns = Some(columns.iter().map(|column| (*column).to_owned()).collect());
        let mut manifest = Manifest::default();
        manifest.inputs.insert(input.to_owned(), InputNotes { columns });
        annotate(Signature::new(vec![x], vec![]), &manifest, Some(&["p".to_owned(), "q".to_owned()]))
    }

    #[test]
    fn names_from_beside_the_model_count_where_nobody_says_others() {
        assert_eq!(with_columns("x", &["a", "b"]).unwrap().inputs[0].columns.as_deref().unwrap(), ["a", "b"]);
        let x = Signature::new(vec![matrix()], vec![]);
        let named = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            annotate(x.clone(), &Manifest::default(), Some(&names)).unwrap().inputs[0].columns.clone()
        };
        assert_eq!(named(&["p", "q"]).unwrap(), ["p", "q"]);
        assert_eq!((named(&["p"]), named(&["p", "p"])), (None, None));
    }

    #[test]
    fn names_that_no_call_could_use_are_refused_at_deploy() {
        assert_eq!(with_columns("x", &["a", "b"]).unwrap().inputs[0].columns.as_ref().unwrap().len(), 2);
        for (input, columns, says) in [
            ("x", &["a", "b", "c"][..], "are 3, the model has 2"),
            ("x", &["a", "a"], "\"a\" twice"),
            ("y", &["a", "b"], "which the model does not have"),
        ] {
            let error = with_columns(input, columns).unwrap_err();
            assert!(error.message.contains(says), "{error}");
        }
    }
}
