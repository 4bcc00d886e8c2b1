//! Two answers to the same rows, compared: an original's and an imported model's.
//!
//! Numbers may be apart as the tolerance says, NaN is NaN, an infinity is itself; probabilities that a softmax made of large sums are
//! as uncertain as those. Labels (texts, integers, booleans) must be
//! equal, unless the original itself was undecided: then it is a tie.

use modelet_core::certificate::{OutputProof, Tolerance};
use modelet_core::{Data, Tensor};

use super::softmax::Softmax;

/// Differences that are kept to be shown.
pub(super) const MAX_WORST: usize = 3;
/// Beyond so many, all but the worst are forgotten.
const MAX_KEPT: usize = 256;

/// Two answers that differ by too much.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The row, counted among those that were compared.
    pub row: usize,
    /// The output.
    pub output: String,
    /// What the original said.
    pub original: String,
    /// What the imported model said.
    pub imported: String,
    /// How far apart, in relation to what may be; infinite for labels.
    pub(super) size: f64,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// By output of the original.
    pub outputs: Vec<OutputProof>,
    /// The worst differences, each of another row.
    pub worst: Vec<Difference>,
}

/// Compares answers by output.
///
/// # Errors
/// A sentence, when an output is missing or is of another size: then nothing can be compared.
pub fn compare(
    original: &[(String, Tensor)],
    imported: &[(String, Tensor)],
    tolerance: &Tolerance,
) -> Result<Compared, String> {
    let mut compared = Compared::default();
    for (name, wanted) in original {
        let found = imported.iter().find(|(own, _)| own == name);
        let (_, found) = found.ok_or_else(|| format!("the imported model has no output {name}"))?;
        let rows = wanted.shape().first().copied().unwrap_or_default();
        if found.shape().first() != Some(&rows) || found.len() != wanted.len() {
            return Err(format!(
                "{name} has the shape {:?}, the original's has {:?}",
                found.shape(),
                wanted.shape()
            ));
        }
        let pair =
            Pair { name, original: wanted, imported: found, width: wanted.len() / rows.max(1), tolerance };
        let proof = match (floats(wanted), floats(found)) {
            (Some(wanted), Some(found)) => pair.numbers(&wanted, &found, &mut compared.worst),
            _ => pair.labels(original, &mut compared.worst),
        };
        compared.outputs.push(proof);
    }
    keep_worst(&mut compared.worst);
    Ok(compared)
}

/// The worst of each row, and of these the worst.
fn keep_worst(worst: &mut Vec<Difference>) {
    worst.sort_by(|a, b| b.size.total_cmp(&a.size).then(a.row.cmp(&b.row)));
    let mut rows = Vec::new();
    worst.retain(|difference| {
        let is_new = !rows.contains(&difference.row) && rows.len() < MAX_WORST;
        if is_new {
            rows.push(difference.row);
        }
        is_new
    });
}

/// One output of both.
struct Pair<'a> {
    name: &'a str,
    original: &'a Tensor,
    imported: &'a Tensor,
    /// Values of one row.
    width: usize,
    tolerance: &'a Tolerance,
}

impl Pair<'_> {
    fn difference(&self, at: usize, size: f64, worst: &mut Vec<Difference>) {
        if worst.len() >= MAX_KEPT {
            keep_worst(worst);
        }
        worst.push(Difference {
            row: at / self.width.max(1),
            output: if self.width > 1 {
                format!("{}[{}]", self.name, at % self.width)
            } else {
                self.name.to_owned()
            },
            original: shown(self.original.data(), at),
            imported: shown(self.imported.data(), at),
            size,
        });
    }

    fn numbers(&self, original: &[f64], imported: &[f64], worst: &mut Vec<Difference>) -> OutputProof {
        let mut proof = OutputProof { name: self.name.to_owned(), ..OutputProof::default() };
        let softmax = self.tolerance.by_sums.then(|| Softmax::of(self.original, original)).flatten();
        for (at, (wanted, found)) in original.iter().zip(imported).enumerate() {
            proof.values += 1;
            let moved =
                softmax.as_ref().map_or(0.0, |softmax| softmax.moved(at, *wanted, self.tolerance.relative));
            let allowed = allowed(self.tolerance, *wanted) + moved;
            match (wanted.is_finite(), found.is_finite()) {
                _ if wanted.is_nan() && found.is_nan() => proof.nan += 1,
                (false, false) if wanted == found => proof.infinite += 1,
                (true, true) => {
                    let apart = (wanted - found).abs().min(f64::MAX);
                    proof.largest_absolute = proof.largest_absolute.max(apart);
                    if wanted.abs() > self.tolerance.absolute {
                        proof.largest_relative =
                            proof.largest_relative.max((apart / wanted.abs()).min(f64::MAX));
                    }
                    if apart > allowed {
                        proof.beyond += 1;
                        self.difference(at, apart / allowed, worst);
                    }
                }
                _ => {
                    proof.beyond += 1;
                    self.difference(at, f64::INFINITY, worst);
                }
            }
        }
        proof
    }

    fn labels(&self, answers: &[(String, Tensor)], worst: &mut Vec<Difference>) -> OutputProof {
        let mut proof = OutputProof { name: self.name.to_owned(), ..OutputProof::default() };
        let scores = answers.iter().filter_map(|(_, tensor)| Scores::of(tensor, self)).next();
        for at in 0..self.original.len() {
            proof.values += 1;
            if label(self.original.data(), at) == label(self.imported.data(), at) {
                continue;
            }
            if scores.as_ref().is_some_and(|scores| scores.is_tie(at, self.tolerance)) {
                proof.ties += 1;
                continue;
            }
            proof.labels_differ += 1;
            self.difference(at, f64::INFINITY, worst);
        }
        proof
    }
}

fn allowed(tolerance: &Tolerance, number: f64) -> f64 {
    tolerance.absolute + tolerance.relative * number.abs()
}

/// The scores that labels follow from.
struct Scores {
    numbers: Vec<f64>,
    width: usize,
    /// One score for each label, which is a flag; else labels are the best of a row.
    are_flags: bool,
}

impl Scores {
    fn of(tensor: &Tensor, labels: &Pair<'_>) -> Option<Self> {
        let [_, width] = *tensor.shape() else { return None };
        let are_flags = labels.width > 1 && labels.width == width;
        let numbers = floats(tensor).filter(|_| width > 1 && (labels.width == 1 || are_flags))?;
        Some(Self { numbers, width, are_flags })
    }

    fn is_tie(&self, at: usize, tolerance: &Tolerance) -> bool {
        if self.are_flags {
            return self.numbers.get(at).is_some_and(|score| (score - 0.5).abs() <= allowed(tolerance, 0.5));
        }
        let Some(row) = self.numbers.chunks_exact(self.width).nth(at) else { return false };
        let mut sorted = row.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted[0] - sorted[1] <= allowed(tolerance, sorted[0])
    }
}

/// Numbers of a floating-point type.
fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    match tensor.data() {
        Data::F32(numbers) => Some(numbers.iter().map(|number| f64::from(*number)).collect()),
        Data::F64(numbers) => Some(numbers.clone()),
        Data::F16(numbers) => Some(numbers.iter().map(|number| f64::from(*number)).collect()),
        _ => None,
    }
}

/// A label, whatever the type of number it was written as.
#[derive(Debug, PartialEq)]
enum Label {
    Number(f64),
    Integer(i128),
    Text(String),
}

fn label(data: &Data, at: usize) -> Label {
    let whole = |number: f64| {
        // Exact up to 2^53, and labels that are floats are small.
        if number.fract() == 0.0 { Label::Integer(number as i128) } else { Label::Number(number) }
    };
    match data {
        Data::Bool(v) => Label::Integer(v[at].into()),
        Data::I8(v) => Label::Integer(v[at].into()),
        Data::I16(v) => Label::Integer(v[at].into()),
        Data::I32(v) => Label::Integer(v[at].into()),
        Data::I64(v) => Label::Integer(v[at].into()),
        Data::U8(v) => Label::Integer(v[at].into()),
        Data::U16(v) => Label::Integer(v[at].into()),
        Data::U32(v) => Label::Integer(v[at].into()),
        Data::U64(v) => Label::Integer(v[at].into()),
        Data::F16(v) => whole(v[at].into()),
        Data::BF16(v) => whole(v[at].into()),
        Data::F32(v) => whole(v[at].into()),
        Data::F64(v) => whole(v[at]),
        Data::Str(v) => Label::Text(v[at].clone()),
    }
}

/// A value as it is shown to people.
pub(super) fn shown(data: &Data, at: usize) -> String {
    match data {
        Data::F32(v) => format!("{:?}", v[at]),
        Data::F64(v) => format!("{:?}", v[at]),
        Data::Str(v) => format!("{:?}", v[at]),
        other => match label(other, at) {
            Label::Number(number) => number.to_string(),
            Label::Integer(number) => number.to_string(),
            Label::Text(text) => text,
        },
    }
}

#[cfg(test)]
mod tests;
