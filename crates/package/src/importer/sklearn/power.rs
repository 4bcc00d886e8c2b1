//! `PowerTransformer` by Yeo and Johnson: powers that make columns more even.

use modelet_core::Numbers;

use super::answer::Answer;
use super::fitted::Fitted;
use super::frame::Frame;
use super::steps;
use super::table::{Effect, Table};
use crate::pickle::Asked;

/// Powers are kept within this, which leaves room for steps behind and for float32, which trees take.
const LARGEST_POWER: f64 = 1e30;
/// An exponent below this in size, which is not none, is refused: scikit-learn's versions round there in other ways.
const LEAST_EXPONENT: f64 = 1e-5;
/// How much larger what is lost by rounding may become: it stays within 1e-11.
const MAX_GROWTH: f64 = 1e4;

pub(super) fn yeo_johnson(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let method = item.get("method")?;
    match method.text()? {
        "yeo-johnson" => {}
        "box-cox" => {
            return Err(
                "box-cox refuses numbers that are not above 0, which cannot be imported yet: use yeo-johnson"
                    .to_owned(),
            );
        }
        _ => return Err(method.not("a method that is known")),
    }
    let lambdas = item.get("lambdas_")?;
    let exponents = numbers_of(&lambdas.numbers()?, fitted.features)
        .ok_or_else(|| lambdas.not("a number for each column"))?;
    let scaler = if item.get("standardize")?.flag()? { Some(item.get("_scaler")?) } else { None };
    let mut made = Table::default();
    for (place, lambda) in exponents.iter().enumerate() {
        let exponents = [Exponent::read(*lambda)?, Exponent::read(2.0 - lambda)?];
        let lost = exponents.iter().map(Exponent::growth).fold(1.0, f64::max);
        let (middle, width) = match &scaler {
            Some(scaler) => {
                (at(&scaler.get("mean_")?.numbers()?, place)?, at(&scaler.get("scale_")?.numbers()?, place)?)
            }
            None => (0.0, 1.0),
        };
        let growth = (lost + middle.abs()) / width.abs();
        if growth.is_nan() || growth > MAX_GROWTH {
            return Err(format!(
                "its column {place} (counted from 0) becomes so narrow that rounding would show: scale it first"
            ));
        }
        made.append(column(&table.select(&[place], frame)?, &exponents, frame)?);
    }
    match scaler {
        Some(scaler) => steps::estimator(&scaler, &made, frame),
        None => Ok(made),
    }
}

fn numbers_of(numbers: &[f64], count: usize) -> Option<Vec<f64>> {
    (numbers.len() == count && numbers.iter().all(|number| number.is_finite())).then(|| numbers.to_vec())
}

fn at(numbers: &[f64], place: usize) -> Asked<f64> {
    numbers.get(place).copied().ok_or_else(|| "its scaler has other columns than itself".to_owned())
}

/// To what power 1 and a number are raised.
enum Exponent {
    /// To none: what is taken is the logarithm.
    Zero,
    Is(f64),
}

impl Exponent {
    fn read(exponent: f64) -> Asked<Self> {
        match exponent.abs() {
            size if size < f64::EPSILON => Ok(Self::Zero),
            size if size < LEAST_EXPONENT => {
                Err(format!("it raises to the power of {exponent}, so near to 0 that rounding would show"))
            }
            _ => Ok(Self::Is(exponent)),
        }
    }

    /// How much larger becomes what was lost.
    fn growth(&self) -> f64 {
        match self {
            Self::Zero => 1.0,
            Self::Is(exponent) => 1.0 / exponent.abs(),
        }
    }

    fn power(&self) -> f64 {
        match self {
            Self::Zero => 0.0,
            Self::Is(exponent) => *exponent,
        }
    }

    /// `(from ** exponent - 1) / exponent`
    fn write(&self, from: &str, frame: &mut Frame) -> String {
        let [exponent, power, unit, less, to] =
            ["exponent", "power", "unit", "less", "even"].map(|what| frame.fresh(what));
        match self {
            Self::Zero => frame.graph.apply("Log", &[from], &to),
            Self::Is(number) => {
                frame.graph.scalar(&exponent, *number);
                frame.graph.scalar(&unit, 1.0);
                frame.graph.apply("Pow", &[from, &exponent], &power);
                frame.graph.apply("Sub", &[&power, &unit], &less);
                frame.graph.apply("Div", &[&less, &exponent], &to);
            }
        }
        to
    }
}

/// Writes one column: by the first exponent from 0 on, by the other one below, with the sign turned twice.
fn column(table: &Table, exponents: &[Exponent; 2], frame: &mut Frame) -> Asked<Table> {
    let highest = exponents.iter().map(Exponent::power).fold(1.0, f64::max);
    let largest = LARGEST_POWER.powf(1.0 / highest);
    let from = steps::matrix(table, Numbers { missing: true, largest }, frame)?;
    let [unit, nothing, size, more, below, is_below, to] =
        ["unit", "nothing", "size", "more", "below", "is below", "power"].map(|what| frame.fresh(what));
    frame.graph.scalar(&unit, 1.0);
    frame.graph.scalar(&nothing, 0.0);
    frame.graph.apply("Abs", &[&from], &size);
    frame.graph.apply("Add", &[&size, &unit], &more);
    let [above, other] = exponents.each_ref().map(|exponent| exponent.write(&more, frame));
    frame.graph.apply("Neg", &[&other], &below);
    frame.graph.apply("Less", &[&from, &nothing], &is_below);
    frame.graph.apply("Where", &[&is_below, &below, &above], &to);
    let growth = exponents.iter().map(Exponent::growth).fold(1.0, f64::max);
    Ok(table.after(to, &Effect { stretch: 0.0, shift: (1.0 + largest).powf(highest) * growth }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_of_nearly_nothing_is_refused_and_of_nothing_a_logarithm() {
        assert!(matches!(Exponent::read(0.0), Ok(Exponent::Zero)));
        assert!(matches!(Exponent::read(-0.5), Ok(Exponent::Is(_))));
        assert!(Exponent::read(1e-9).is_err_and(|why| why.contains("rounding")));
    }
}
