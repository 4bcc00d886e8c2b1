//! Tree to tensor: the shape is read off the first elements, and everything else must agree with it.

use modelet_core::{DType, Data, InputSpec, Tensor};

use super::Json;
use crate::cast::{self, Misfit};

/// What does not belong into a tensor, and where it stands.
#[derive(Debug)]
pub(crate) struct Misplaced {
    /// The indices of the place, outermost first.
    pub(crate) indices: Vec<usize>,
    pub(crate) misfit: Misfit,
}

impl Misplaced {
    fn under(mut self, index: usize) -> Self {
        self.indices.insert(0, index);
        self
    }
}

impl From<Misfit> for Misplaced {
    fn from(misfit: Misfit) -> Self {
        Self { indices: Vec::new(), misfit }
    }
}

/// Indices as a path shows them: `[3][2]`.
pub(crate) fn index_text(indices: &[usize]) -> String {
    indices.iter().map(|i| format!("[{i}]")).collect()
}

/// The value as a tensor of an element type, with the shape that it is written in.
pub(crate) fn tensor(json: &Json, dtype: DType) -> Result<Tensor, Misplaced> {
    let shape = shape(json);
    let mut data = Data::empty(dtype);
    fill(json, &shape, &mut data)?;
    Tensor::new(shape, data).map_err(|error| {
        Misfit { expected: "a regular list".to_owned(), found: error.to_string(), hint: None }.into()
    })
}

/// The value as a tensor of an input's type. `null` is a text only where the input says that texts may be missing, and a whole
/// number where it says that it takes those.
pub(crate) fn tensor_for(json: &Json, spec: &InputSpec) -> Result<Tensor, Misplaced> {
    if spec.takes_integers {
        tensor(&with_integers_as_texts(json), spec.dtype).map_err(|misplaced| Misplaced {
            misfit: Misfit { hint: Some(CATEGORY_HINT), ..misplaced.misfit },
            ..misplaced
        })
    } else if spec.has_missing_texts() {
        tensor(&with_missing_texts(json), spec.dtype)
    } else {
        tensor(json, spec.dtype)
    }
}

/// What a category may be.
pub(crate) const CATEGORY_HINT: &str =
    "a category is a text or a whole number; send what stood for a missing one when the model was trained";

/// The text of each whole number, and of true and false that of 1 and 0.
fn with_integers_as_texts(json: &Json) -> Json {
    match json {
        Json::Bool(flag) => Json::Text(i32::from(*flag).to_string()),
        Json::Number(number) => {
            number.whole().map_or_else(|| json.clone(), |whole| Json::Text(whole.to_string()))
        }
        Json::List(list) => Json::List(list.iter().map(with_integers_as_texts).collect()),
        Json::Dense(dense) => {
            Json::List((0..dense.shape[0]).map(|at| with_integers_as_texts(&dense.element(at))).collect())
        }
        other => other.clone(),
    }
}

/// The empty text in the place of each `null`.
fn with_missing_texts(json: &Json) -> Json {
    match json {
        Json::Null => Json::Text(String::new()),
        Json::List(list) => Json::List(list.iter().map(with_missing_texts).collect()),
        // Nulls alone are read as numbers.
        Json::Dense(dense) => {
            Json::List((0..dense.shape[0]).map(|at| with_missing_texts(&dense.element(at))).collect())
        }
        other => other.clone(),
    }
}

/// The shape that the first elements speak of.
fn shape(json: &Json) -> Vec<usize> {
    match json {
        Json::Dense(dense) => dense.shape.clone(),
        Json::List(list) => [vec![list.len()], list.first().map(shape).unwrap_or_default()].concat(),
        _ => Vec::new(),
    }
}

fn fill(json: &Json, shape: &[usize], data: &mut Data) -> Result<(), Misplaced> {
    match (json, shape) {
        (Json::Dense(dense), _) if dense.shape == shape => cast::extend_numbers(data, &dense.numbers)
            .map_err(|(at, misfit)| Misplaced { indices: unravel(at, shape), misfit }),
        (Json::List(list), [len, inner @ ..]) if list.len() == *len => list
            .iter()
            .enumerate()
            .try_for_each(|(i, element)| fill(element, inner, data).map_err(|m| m.under(i))),
        (_, []) => match json.scalar() {
            Some(scalar) => Ok(cast::push(data, scalar)?),
            None => Err(irregular(json, shape)),
        },
        _ => Err(irregular(json, shape)),
    }
}

fn irregular(json: &Json, shape: &[usize]) -> Misplaced {
    let expected = match shape {
        [] => "a single value, as in the elements before it".to_owned(),
        [n] => format!("a list of {n} values, as in the elements before it"),
        shape => format!("values of shape {shape:?}, as in the elements before it"),
    };
    Misfit { expected, found: json.what(), hint: Some("all lists at one level must have one length") }.into()
}

/// The indices of an element by its place in the buffer.
fn unravel(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut indices: Vec<usize> = shape
        .iter()
        .rev()
        .map(|len| {
            let index = at % len;
            at /= len;
            index
        })
        .collect();
    indices.reverse();
    indices
}

#[cfg(test)]
mod tests {
    use modelet_core::Rule;

    use super::super::parse;
    use super::*;

    fn read(text: &str, dtype: DType) -> Result<Tensor, (String, Misfit)> {
        tensor(&parse(text.as_bytes()).unwrap(), dtype).map_err(|m| (index_text(&m.indices), m.misfit))
    }

    #[test]
    fn a_category_may_be_a_whole_number_and_may_not_be_missing() {
        let spec =
            InputSpec { takes_integers: true, ..crate::tests::input("s", DType::Str, &[None, Some(1)]) };
        let read = |text: &str| tensor_for(&parse(text.as_bytes()).unwrap(), &spec);
        let texts = ["7", "-7", "18446744073709551615", "3", "1", "0", "007", ""].map(str::to_owned);
        let wanted = Tensor::vector(texts.to_vec());
        assert_eq!(read(r#"[7,-7,18446744073709551615,3.0,true,false,"007",""]"#).unwrap(), wanted);
        assert_eq!(read("[7, -7]").unwrap(), Tensor::vector(vec!["7".to_owned(), "-7".to_owned()]));
        for (missing, at) in [("[7, 1.5]", 1), (r#"["a", null]"#, 1), ("[null]", 0)] {
            let misplaced = read(missing).unwrap_err();
            assert_eq!(
                (misplaced.indices, misplaced.misfit.hint),
                (vec![at], Some(CATEGORY_HINT)),
                "{missing}"
            );
        }
    }

    #[test]
    fn lists_become_tensors_of_their_shape() {
        let texts = read(r#"[["a"],["001"]]"#, DType::Str).unwrap();
        assert_eq!(texts, Tensor::new(vec![2, 1], vec!["a".to_owned(), "001".to_owned()]).unwrap());
        assert_eq!(read("5", DType::I8).unwrap(), Tensor::new(vec![], vec![5_i8]).unwrap());
        assert_eq!(read("[[],[]]", DType::Str).unwrap().shape(), [2, 0]);
        assert_eq!(
            read(r#"[1.5, "-Infinity"]"#, DType::F64).unwrap(),
            Tensor::vector(vec![1.5, f64::NEG_INFINITY])
        );
    }

    #[test]
    fn a_null_is_a_text_only_where_texts_may_be_missing() {
        let mut spec = crate::tests::input("s", DType::Str, &[None, Some(1)]);
        let read = |text: &str, spec: &InputSpec| tensor_for(&parse(text.as_bytes()).unwrap(), spec);
        assert_eq!(read(r#"["a", null]"#, &spec).unwrap_err().indices, [1]);
        spec.rules = vec![Rule { column: 0, missing: true, only: None, largest: None }];
        let texts =
            |texts: &[&str]| Tensor::vector(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#"["a", null]"#, &spec).unwrap(), texts(&["a", ""]));
        assert_eq!(read("[null, null]", &spec).unwrap(), texts(&["", ""]));
        assert_eq!(read(r#"["a", 1]"#, &spec).unwrap_err().misfit.found, "1");
        assert!(read("[1, null]", &spec).is_err());
    }

    #[test]
    fn a_misfit_is_found_at_its_indices() {
        for (text, dtype, place, expected, found) in [
            ("[[1,2],[3,1.5]]", DType::I64, "[1][1]", "a whole number", "1.5"),
            ("[[1,2],[3]]", DType::F32, "[1]", "a list of 2 values", "a list of 1 numbers"),
            ("[[1,2],3]", DType::F32, "[1]", "a list of 2 values", "3"),
            ("[1,[2]]", DType::F32, "[1]", "a single value", "a list of 1 numbers"),
            (r#"[["a"],[7]]"#, DType::Str, "[1][0]", "a text", "7"),
            (r#"[1,{"a":1}]"#, DType::F32, "[1]", "a single value", "an object"),
            (r#"{"a":1}"#, DType::F32, "", "a single value", "an object"),
        ] {
            let (at, misfit) = read(text, dtype).unwrap_err();
            assert_eq!(at, place, "{text}");
            assert!(
                misfit.expected.starts_with(expected) && misfit.found.starts_with(found),
                "{text}: {misfit:?}"
            );
        }
    }
}
