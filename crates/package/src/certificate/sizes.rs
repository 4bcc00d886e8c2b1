//! Rows for what takes no tables: networks over series, texts and pictures. A size that is free behind the rows is tried at
//! several, for a converter may have written down the one that it saw; the values are ordinary ones, those of pictures, and
//! some from far.

use modelet_core::signature::shape_text;
use modelet_core::{Dim, InputSpec, Signature};
use modelet_model::examples;
use modelet_model::examples::Random;
use modelet_model::rows::{Inputs, count, merge, slice};

use super::rows::{MAX_CELLS, ORDINARY_ROWS, SEED};
use super::spread::spread;

/// What all free sizes are together, beside those of an example; where one has limits, the nearest within them.
const ALIKE: [usize; 5] = [1, 2, 3, 17, 33];
/// What they are in turn, where there are several: they may have to be alike, or not.
const UNLIKE: [[usize; 2]; 3] = [[2, 3], [17, 1], [1, 33]];
/// Rows at each of these.
const ROWS_OF_A_SIZE: usize = 100;

/// The rows, those of each size apart; those of an example first. None when no example can be made. Numbers from far lie within
/// `reach`.
pub fn made(signature: &Signature, reach: Option<f64>) -> Vec<Inputs> {
    let all: Vec<Vec<usize>> = match sized(signature, &[1]).1 {
        0 => vec![],
        1 => ALIKE.map(|size| vec![size]).into(),
        _ => ALIKE.map(|size| vec![size]).into_iter().chain(UNLIKE.map(Vec::from)).collect(),
    };
    let mut all: Vec<_> = all.iter().map(|sizes| sized(signature, sizes).0).collect();
    all.dedup();
    let half = if all.is_empty() { MAX_CELLS } else { MAX_CELLS / 2 };
    // Alike too: that is what they mostly have to be.
    let usual = usual_size(signature).map_or_else(|| signature.clone(), |size| sized(signature, &[size]).0);
    let usual = of_a_size(&usual, ORDINARY_ROWS, half, reach);
    let others = all.iter().map(|sized| of_a_size(sized, ROWS_OF_A_SIZE, half / all.len(), reach));
    std::iter::once(usual).chain(others).filter(|inputs| !inputs.is_empty()).collect()
}

/// The first free size behind the rows that an example has.
fn usual_size(signature: &Signature) -> Option<usize> {
    let one = examples(signature, 1, SEED);
    let mut sizes = one.iter().filter_map(|(name, tensor)| {
        let shape = signature.input(name)?.shape.as_ref()?;
        let free = shape.iter().zip(tensor.shape()).skip(1).find(|(dim, _)| dim.fixed().is_none());
        free.map(|(_, size)| *size)
    });
    sizes.next()
}

/// How many rows a call has, where it may have no others.
pub fn fixed_rows(signature: &Signature) -> Option<usize> {
    signature.inputs.iter().find(|input| !input.optional)?.shape.as_ref()?.first()?.fixed()
}

/// The free sizes that inputs have: `tokens [any, 17], mask [any, 17]`. `None` when none is free.
pub fn in_words(signature: &Signature, inputs: &Inputs) -> Option<String> {
    let mut words = Vec::new();
    for (name, tensor) in inputs {
        let Some(shape) = signature.input(name).and_then(|input| input.shape.as_ref()) else { continue };
        if shape.iter().skip(1).all(|dim| dim.fixed().is_some()) {
            continue;
        }
        let own = tensor.shape().iter().enumerate();
        let own = own.map(|(axis, size)| if axis == 0 { Dim::Dynamic } else { Dim::Fixed(*size) });
        words.push(format!("{name} {}", shape_text(&own.collect::<Vec<_>>())));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The signature with sizes for those that are free, in turn, and how many that are. Sizes of one name are one; one that counts
/// the rows of an input stays what it is.
fn sized(signature: &Signature, sizes: &[usize]) -> (Signature, usize) {
    let first = |input: &InputSpec| input.shape.as_ref()?.first().cloned();
    let rows: Vec<Dim> = signature.inputs.iter().filter_map(first).collect();
    let mut sized = signature.clone();
    let mut free: Vec<Dim> = Vec::new();
    for input in sized.inputs.iter_mut().filter(|input| !input.optional) {
        for dim in input.shape.iter_mut().flatten().skip(1) {
            let is_named = dim.name().is_some();
            if dim.fixed().is_some() || is_named && rows.contains(dim) {
                continue;
            }
            let known = free.iter().position(|other| is_named && other == dim);
            let place = known.unwrap_or_else(|| {
                free.push(dim.clone());
                free.len() - 1
            });
            *dim = Dim::Fixed(dim.nearest(sizes[place % sizes.len()]));
        }
    }
    (sized, free.len())
}

/// So many rows of one size, or fewer where they have too many values; of calls with so many rows and no others, whole calls.
fn of_a_size(signature: &Signature, rows: usize, cells: usize, reach: Option<f64>) -> Inputs {
    let one: usize = examples(signature, 1, SEED).iter().map(|(_, tensor)| tensor.len()).sum();
    let fixed = fixed_rows(signature);
    let of_a_call = fixed.unwrap_or(1).max(1);
    let calls = (cells / one.max(1)).clamp(1, rows.div_ceil(of_a_call));
    let made = match fixed {
        None => examples(signature, calls, SEED),
        Some(rows) => {
            let calls: Vec<_> =
                (0..calls as u64).map(|call| examples(signature, rows, SEED + call)).collect();
            merge(&calls.iter().collect::<Vec<_>>()).unwrap_or_default()
        }
    };
    let mut random = Random(SEED);
    let spread = made.into_iter().map(|(name, tensor)| {
        let is_free = signature.input(&name).is_some_and(|input| {
            input.table_rows.is_none() && input.categories.is_none() && input.file.is_none()
        });
        let tensor = if is_free { spread(tensor, reach, &mut random) } else { tensor };
        (name, tensor)
    });
    spread.collect()
}

/// Whole calls of so many rows: the last one is filled up with copies of its last row.
pub fn filled(inputs: &Inputs, rows_of_a_call: Option<usize>) -> Inputs {
    let Some(rows) = count(inputs).filter(|rows| *rows > 0) else { return inputs.clone() };
    let missing = rows_of_a_call.map_or(0, |own| rows.next_multiple_of(own.max(1)) - rows);
    let last: Inputs =
        inputs.iter().map(|(name, tensor)| (name.clone(), slice(tensor, rows - 1..rows))).collect();
    let parts: Vec<&Inputs> = std::iter::once(inputs).chain(std::iter::repeat_n(&last, missing)).collect();
    merge(&parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Limited, Tensor};

    use super::*;

    fn input(name: &str, dtype: DType, shape: &[Dim]) -> InputSpec {
        InputSpec {
            name: name.into(),
            dtype,
            shape: Some(shape.to_vec()),
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

    fn named(name: &str) -> Dim {
        Dim::Named(name.into())
    }

    fn shapes(inputs: Vec<InputSpec>) -> Vec<Vec<Vec<usize>>> {
        let of = |inputs: &Inputs| inputs.iter().map(|(_, tensor)| tensor.shape().to_vec()).collect();
        made(&Signature::new(inputs, vec![]), Some(1e3)).iter().map(of).collect()
    }

    #[test]
    fn a_free_size_is_tried_at_several_and_one_name_is_one_size() {
        let tokens = |name: &str| input(name, DType::I64, &[named("batch"), named("length")]);
        let found = shapes(vec![tokens("tokens"), tokens("mask")]);
        assert_eq!(found.len(), 1 + ALIKE.len());
        assert_eq!(found[0][0][0], ORDINARY_ROWS);
        for (shapes, size) in found[1..].iter().zip(ALIKE) {
            assert_eq!(*shapes, [[ROWS_OF_A_SIZE, size], [ROWS_OF_A_SIZE, size]]);
        }
    }

    #[test]
    fn a_size_with_limits_is_tried_at_their_ends() {
        let limited = Limited { name: "length".into(), min: 3, max: Some(20) };
        let found = shapes(vec![input("tokens", DType::I64, &[named("batch"), Dim::Limited(limited)])]);
        assert_eq!(found[1..].iter().map(|shapes| shapes[0][1]).collect::<Vec<_>>(), [3, 17, 20]);
        assert!((3..=20).contains(&found[0][0][1]));
    }

    #[test]
    fn sizes_that_may_have_to_agree_are_tried_alike_and_unlike() {
        let one = |name: &str| input(name, DType::F32, &[Dim::Dynamic, Dim::Dynamic, Dim::Fixed(3)]);
        let found = shapes(vec![one("a"), one("b")]);
        assert_eq!(found[0][0][1], found[0][1][1], "an example's too");
        let lengths: Vec<_> = found[1..].iter().map(|shapes| (shapes[0][1], shapes[1][1])).collect();
        assert_eq!(lengths, [(1, 1), (2, 2), (3, 3), (17, 17), (33, 33), (2, 3), (17, 1), (1, 33)]);
    }

    #[test]
    fn what_is_fixed_stays_and_a_large_size_has_fewer_rows() {
        let picture = input("picture", DType::F32, &[Dim::Dynamic, Dim::Fixed(16), Dim::Fixed(16)]);
        assert_eq!(shapes(vec![picture]), [[[ORDINARY_ROWS, 16, 16]]]);
        let wide = input("x", DType::F32, &[Dim::Dynamic, Dim::Dynamic, Dim::Fixed(1 << 18)]);
        for shapes in shapes(vec![wide]) {
            let cells: usize = shapes[0].iter().product();
            assert!(cells <= MAX_CELLS / 2 || shapes[0][0] == 1, "{shapes:?}");
        }
        let pair = input("pair", DType::F32, &[Dim::Fixed(3), Dim::Fixed(5)]);
        assert_eq!(shapes(vec![pair]), [[[1_002, 5]]], "whole calls");
    }

    #[test]
    fn free_sizes_are_said_in_words() {
        let signature = Signature::new(
            vec![
                input("tokens", DType::I64, &[named("batch"), named("length")]),
                input("x", DType::F32, &[named("batch"), Dim::Fixed(3)]),
            ],
            vec![],
        );
        let all = made(&signature, None);
        assert_eq!(in_words(&signature, &all[4]).unwrap(), "tokens [any, 17]");
        let table = Signature::new(vec![signature.inputs[1].clone()], vec![]);
        assert_eq!(in_words(&table, &made(&table, None)[0]), None);
    }

    #[test]
    fn a_call_that_is_not_full_is_filled_with_copies() {
        let rows = |numbers: &[f32]| {
            vec![("x".to_owned(), Tensor::new(vec![numbers.len(), 1], numbers.to_vec()).unwrap())]
        };
        assert_eq!(filled(&rows(&[1.0, 2.0, 3.0]), Some(2)), rows(&[1.0, 2.0, 3.0, 3.0]));
        assert_eq!(filled(&rows(&[1.0, 2.0]), Some(2)), rows(&[1.0, 2.0]));
        assert_eq!(filled(&rows(&[1.0]), None), rows(&[1.0]));
    }
}
