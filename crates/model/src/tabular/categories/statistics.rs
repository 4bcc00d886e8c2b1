//! What was counted of categories in the training, and of categories together with answers to questions about numbers and
//! other categories. Formulas: CatBoost's documentation, "Transforming categorical features to numerical features".

use modelet_core::{DType, Data, Tensor};

use crate::tabular::proto::FullNode;
use crate::tabular::shape::{make, matrix};
use crate::tabular::site::{Compiled, Site};

/// The attribute with which part of a table each column of the answer is made of.
const PARTS: &str = "parts";
/// What hashes are multiplied by when one more is mixed in.
const MIX: u64 = 0x4906_ba49_4954_cb65;
/// A prior: its two parts, and how a share is moved and scaled.
const PRIOR: usize = 4;

/// `CategoryStatistics`: of codes `[rows, categories]` and, where it asks about them, numbers `[rows, numbers]`, a column for
/// each of `parts`.
pub(super) fn statistics(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, &[DType::I64])?;
    site.at_most(2)?;
    let key = Key::read(site)?;
    if key.has_numbers() {
        site.dtype_of(1, &[DType::F32])?;
    }
    let table = Table::read(site)?;
    Compiled::new(DType::F64, move |arguments| {
        let codes = arguments.get(0)?;
        let Data::I64(of_codes) = codes.data() else { return Err("codes that are no integers".into()) };
        let (rows, width) = matrix(codes.shape())?;
        let numbers = arguments.optional(1).map(of_numbers).transpose()?.unwrap_or_default();
        let (of_numbers, numbers_width) = numbers;
        let mut answers = Vec::with_capacity(rows * table.answers.len());
        for row in 0..rows {
            let codes = &of_codes[row * width..(row + 1) * width];
            let numbers = of_numbers.get(row * numbers_width..(row + 1) * numbers_width);
            let key = key.of(codes, numbers.unwrap_or_default()).ok_or("a column is missing")?;
            table.answer(key, &mut answers);
        }
        make(vec![rows, table.answers.len()], Data::F64(answers))
    })
}

/// Numbers, and how many a row has.
fn of_numbers(tensor: &Tensor) -> Result<(&[f32], usize), String> {
    let Data::F32(numbers) = tensor.data() else { return Err("numbers that are not float32".into()) };
    Ok((numbers, matrix(tensor.shape())?.1))
}

/// How many columns a node makes.
pub(super) fn width(node: &FullNode) -> Option<usize> {
    let list = node.attribute.iter().find(|one| one.name.as_deref() == Some(PARTS))?;
    Some(list.ints.len())
}

/// A column, and something that is asked about it.
type Asked<T> = Vec<(usize, T)>;

/// How the key of a row is made, by which its place in a table is found.
struct Key {
    categories: Vec<usize>,
    /// Is a number above another one? And is a missing one?
    above: Asked<(f32, bool)>,
    /// Is a category that of a code?
    is: Asked<i64>,
}

impl Key {
    fn read(site: &Site<'_>) -> Result<Self, String> {
        let borders = floats(site, "borders")?;
        let missing = site.ints("missing").iter().map(|flag| *flag != 0);
        Ok(Self {
            categories: places(site.ints("categories"))?,
            above: together(site.ints("numbers"), borders.into_iter().zip(missing))?,
            is: together(site.ints("others"), site.ints("codes").iter().copied())?,
        })
    }

    fn has_numbers(&self) -> bool {
        !self.above.is_empty()
    }

    /// The key of a row; `None` where it has fewer columns.
    fn of(&self, codes: &[i64], numbers: &[f32]) -> Option<i64> {
        let mut key = 0_u64;
        let mut mix = |part: u64| key = MIX.wrapping_mul(key.wrapping_add(MIX.wrapping_mul(part)));
        for at in &self.categories {
            mix(codes.get(*at)?.cast_unsigned());
        }
        for (at, (border, missing)) in &self.above {
            let number = *numbers.get(*at)?;
            mix(u64::from(if number.is_nan() { *missing } else { number > *border }));
        }
        for (at, code) in &self.is {
            mix(u64::from(codes.get(*at)? == code));
        }
        Some(key.cast_signed())
    }
}

/// What was counted.
struct Table {
    /// Ascending.
    keys: Vec<i64>,
    /// For each key, and behind them for a row that none was like, a pair for each part: what was counted, and of how many.
    counted: Vec<f32>,
    all: Vec<f32>,
    parts: usize,
    /// What is answered: of which part, with which prior.
    answers: Vec<(usize, [f32; PRIOR])>,
}

impl Table {
    fn read(site: &Site<'_>) -> Result<Self, String> {
        let Some((_, Data::I64(keys))) = site.tensor("keys")?.map(Tensor::into_parts) else {
            return Err("a table without keys".into());
        };
        let (counted, all) = (floats(site, "counted")?, floats(site, "all")?);
        let priors = floats(site, "priors")?;
        let (priors, rest) = priors.as_chunks::<PRIOR>();
        let answers = together(site.ints(PARTS), priors.iter().copied())?;
        let parts = counted.len() / (keys.len() + 1);
        let fits = rest.is_empty()
            && counted.len() == all.len()
            && counted.len() == parts * (keys.len() + 1)
            && answers.iter().all(|(part, _)| *part < parts);
        if !fits || !keys.is_sorted_by(|one, next| one < next) {
            return Err("a table whose lists do not fit together".into());
        }
        Ok(Self { keys, counted, all, parts, answers })
    }

    /// What is answered to a key, in float32, as CatBoost computes it.
    fn answer(&self, key: i64, answers: &mut Vec<f64>) {
        let place = self.keys.binary_search(&key).unwrap_or(self.keys.len()) * self.parts;
        answers.extend(self.answers.iter().map(|(part, [some, of, shift, scale])| {
            let share = (self.counted[place + part] + some) / (self.all[place + part] + of);
            f64::from((share + shift) * scale)
        }));
    }
}

fn floats<'a>(site: &Site<'a>, name: &'a str) -> Result<Vec<f32>, String> {
    match site.tensor(name)?.map(Tensor::into_parts) {
        None => Ok(Vec::new()),
        Some((_, Data::F32(numbers))) => Ok(numbers),
        Some(_) => Err(format!("{name} that are not float32")),
    }
}

fn places(list: &[i64]) -> Result<Vec<usize>, String> {
    list.iter().map(|at| usize::try_from(*at).map_err(|_| format!("column {at}"))).collect()
}

/// Places with what belongs to each.
fn together<T>(list: &[i64], with: impl ExactSizeIterator<Item = T>) -> Result<Asked<T>, String> {
    if list.len() != with.len() {
        return Err("lists that do not fit together".into());
    }
    Ok(places(list)?.into_iter().zip(with).collect())
}
