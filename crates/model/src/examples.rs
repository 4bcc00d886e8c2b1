//! Example rows out of a signature: what a deploy asks every engine, and what the page of a function shows.

use std::collections::HashMap;

use half::{bf16, f16};
use modelet_core::{Data, Dim, FileKind, InputSpec, Limited, Signature, Tensor, base64, wav};

use crate::steps::noise;

/// Rows for every input that a call must have, the same for the same seed. `rows` is the size of a free first axis; free
/// axes of one name are alike, those of pictures and signals large enough for a few strides, others small.
///
/// Floats lie in [-2, 2), integers are 0 or 1 (they may be indices of two kinds, or masks) unless the model knows
/// categories, of which texts are taken too, or how many rows the table has that an input is looked up in. Empty when a row would have more than [`ELEMENT_LIMIT`] values.
pub fn examples(signature: &Signature, rows: usize, seed: u64) -> Vec<(String, Tensor)> {
    let mut random = Random(seed);
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    // First axes come first: a name that counts rows in one input counts rows in all of them.
    for input in &signature.inputs {
        if let Some(name) = input.shape.iter().flatten().next().and_then(Dim::name) {
            sizes.insert(name, rows);
        }
    }
    let wanted = signature.inputs.iter().filter(|input| !input.optional);
    let made = wanted.map(|input| Some((input.name.clone(), example(input, rows, &mut sizes, &mut random)?)));
    made.collect::<Option<_>>().unwrap_or_default()
}

/// Values that an example of one input may have.
pub const ELEMENT_LIMIT: usize = 1 << 24;

/// Samples of a signal, and pixels of a picture's side: a few strides of the usual networks.
const SIGNAL: usize = 512;
const PICTURE: usize = 64;
/// Samples of a sound at 16,000 a second: a quarter of a second, some frames of networks for speech.
const SOUND: usize = 4_096;

fn example<'a>(
    input: &'a InputSpec,
    rows: usize,
    sizes: &mut HashMap<&'a str, usize>,
    random: &mut Random,
) -> Option<Tensor> {
    let mut size = || match (input.dtype.is_float(), input.shape.as_ref().map_or(0, Vec::len)) {
        (true, 2) => SIGNAL,
        (true, 3..=4) => PICTURE,
        _ => random.in_range(2..5) as usize,
    };
    let shape: Vec<usize> = match &input.shape {
        None => vec![rows],
        Some(dims) => dims
            .iter()
            .enumerate()
            .map(|(axis, dim)| match dim {
                Dim::Fixed(size) => *size,
                Dim::Dynamic if axis == 0 => rows,
                Dim::Dynamic => size(),
                Dim::Named(name) | Dim::Limited(Limited { name, .. }) => {
                    *sizes.entry(name).or_insert_with(|| dim.nearest(size()))
                }
            })
            .collect(),
    };
    let count = shape.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
    let mut data = Data::zeros(input.dtype, count.filter(|count| *count <= ELEMENT_LIMIT)?);
    match (&mut data, input.file, input.table_rows) {
        (Data::Str(files), Some(FileKind::Image), _) => files.fill_with(|| example_picture(random)),
        (Data::Str(files), Some(FileKind::Audio), _) => files.fill_with(|| example_sound(random)),
        (data, _, Some(rows)) => fill_with_places(data, rows, random),
        (data, ..) => fill(data, input.categories.as_deref(), random),
    }
    Tensor::new(shape, data).ok()
}

/// A picture of noise, of a size of its own.
fn example_picture(random: &mut Random) -> String {
    let mut size = || random.in_range(32..97) as u32;
    let (width, height) = (size(), size());
    base64::encode(&noise(width, height, || random.in_range(0..256) as u8))
}

/// A sound of noise; all are of one length, since those of one call are.
fn example_sound(random: &mut Random) -> String {
    let samples: Vec<u8> = (0..SOUND).map(|_| random.in_range(0..256) as u8).collect();
    base64::encode(&wav::of(&samples))
}

/// Places in a table.
fn fill_with_places(data: &mut Data, rows: u64, random: &mut Random) {
    let mut place = || random.in_range(0..rows.max(1));
    match data {
        Data::I32(v) => v.fill_with(|| place() as i32),
        Data::I64(v) => v.fill_with(|| place() as i64),
        Data::F32(v) => v.fill_with(|| place() as f32),
        Data::F64(v) => v.fill_with(|| place() as f64),
        // Nothing else is looked up.
        _ => {}
    }
}

fn fill(data: &mut Data, categories: Option<&[String]>, random: &mut Random) {
    let known: Vec<i64> = categories.iter().copied().flatten().filter_map(|text| text.parse().ok()).collect();
    let integer = |random: &mut Random| match known.is_empty() {
        true => random.in_range(0..2) as i64,
        false => known[random.in_range(0..known.len() as u64) as usize],
    };
    match data {
        Data::Bool(v) => v.fill_with(|| random.in_range(0..2) == 1),
        Data::I8(v) => v.fill_with(|| random.in_range(0..2) as i8),
        Data::I16(v) => v.fill_with(|| random.in_range(0..2) as i16),
        Data::I32(v) => v.fill_with(|| integer(random) as i32),
        Data::I64(v) => v.fill_with(|| integer(random)),
        Data::U8(v) => v.fill_with(|| random.in_range(0..2) as u8),
        Data::U16(v) => v.fill_with(|| random.in_range(0..2) as u16),
        Data::U32(v) => v.fill_with(|| random.in_range(0..2) as u32),
        Data::U64(v) => v.fill_with(|| random.in_range(0..2)),
        Data::F16(v) => v.fill_with(|| f16::from_f64(random.float())),
        Data::BF16(v) => v.fill_with(|| bf16::from_f64(random.float())),
        Data::F32(v) => v.fill_with(|| random.float() as f32),
        Data::F64(v) => v.fill_with(|| random.float()),
        Data::Str(v) => v.fill_with(|| text(categories, random)),
    }
}

fn text(categories: Option<&[String]>, random: &mut Random) -> String {
    const WORDS: [&str; 6] = ["the quick brown fox", "a", "Grüße", "42", "yes", "New York"];
    match categories.filter(|known| !known.is_empty()) {
        Some(known) => known[random.in_range(0..known.len() as u64) as usize].clone(),
        None => WORDS[random.in_range(0..WORDS.len() as u64) as usize].to_owned(),
    }
}

/// SplitMix64: small, and the same everywhere.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number of a range that is not empty.
    pub fn in_range(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// In [-2, 2).
    pub fn float(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 51) as f64 - 2.0
    }
}

#[cfg(test)]
mod tests {
    use modelet_core::DType;

    use super::*;

    #[test]
    fn rows_are_the_same_for_a_seed_and_fit_the_signature() {
        let input = |name: &str, dtype, shape, categories: Option<Vec<String>>| InputSpec {
            name: name.into(),
            dtype,
            shape: Some(shape),
            optional: false,
            columns: None,
            categories,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        };
        let named = |name: &str| Dim::Named(name.into());
        let signature = Signature {
            inputs: vec![
                input("ids", DType::I64, vec![named("batch"), named("length")], None),
                input("mask", DType::I64, vec![named("batch"), named("length")], None),
                input("plan", DType::Str, vec![named("batch"), Dim::Fixed(1)], Some(vec!["pro".into()])),
                input("x", DType::F32, vec![Dim::Dynamic, Dim::Fixed(3)], None),
                InputSpec { optional: true, ..input("t", DType::F32, vec![], None) },
            ],
            outputs: vec![],
            ..Signature::default()
        };
        let rows = examples(&signature, 7, 1);
        assert_eq!(rows, examples(&signature, 7, 1));
        assert_ne!(rows, examples(&signature, 7, 2));
        let names: Vec<_> = rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ids", "mask", "plan", "x"], "optional inputs are left out");
        assert_eq!(rows[0].1.shape(), rows[1].1.shape());
        assert!(crate::binding::bind_inputs(&signature, &rows).is_ok());
        assert_eq!(rows[2].1.data(), &Data::Str(vec!["pro".into(); 7]));
        let Data::F32(x) = rows[3].1.data() else { panic!("x is float32") };
        assert!(x.iter().all(|x| (-2.0..2.0).contains(x)) && x.iter().any(|x| *x < 0.0));
    }
}
