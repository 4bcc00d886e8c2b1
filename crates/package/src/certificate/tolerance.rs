//! How far the answers of an imported model may be from the original's, by framework, and why.

use modelet_core::certificate::Tolerance;

/// Framework, relative and absolute tolerance, the reason.
const TOLERANCES: &[(&str, f64, f64, &str)] = &[
    (
        "xgboost",
        1e-6,
        1e-6,
        "XGBoost computes in float32, of which one step is 1.2e-7 of a number; sums over trees are equal, exp and softmax \
         differ by a few steps between libraries",
    ),
    (
        "lightgbm",
        1e-12,
        1e-12,
        "LightGBM computes in float64, of which one step is 2.2e-16 of a number; sums over trees are equal, exp and softmax \
         differ by a few steps between libraries",
    ),
    (
        "catboost",
        1e-12,
        1e-12,
        "CatBoost compares in float32 and computes in float64, of which one step is 2.2e-16 of a number; sums over trees differ by a \
         few steps, exp and softmax too",
    ),
    (
        "scikit-learn",
        1e-10,
        1e-10,
        "scikit-learn computes in float64; matrix products add up in an order that depends on the library and the processor, \
         so that the error goes with the largest summand",
    ),
    ("keras", 1e-5, 1e-5, NETWORK),
    ("tf-keras", 1e-5, 1e-5, NETWORK),
    ("tensorflow", 1e-5, 1e-5, NETWORK),
    ("torch", 1e-5, 1e-5, NETWORK),
];
const NETWORK: &str = "networks compute in float32, of which one step is 1.2e-7 of a number; each layer adds up products in an order \
     that is its library's own, and the error goes with the largest of them; a softmax passes on that of its sums";
/// For a framework that is not listed.
const OTHER: (f64, f64, &str) = (1e-6, 1e-6, "one step of float32 is 1.2e-7 of a number");

/// The tolerance of frameworks that answer together: the widest of theirs. `chosen` is the user's own.
pub fn of<'a>(frameworks: impl Iterator<Item = &'a str>, chosen: Option<f64>) -> Tolerance {
    if let Some(chosen) = chosen {
        let reason = "chosen by --tolerance".to_owned();
        return Tolerance { relative: chosen, absolute: chosen, by_sums: false, reason };
    }
    let of_one = |framework: &str| {
        let listed = TOLERANCES.iter().find(|(name, ..)| *name == framework);
        listed.map_or(OTHER, |(_, relative, absolute, reason)| (*relative, *absolute, *reason))
    };
    let widest = frameworks.map(of_one).max_by(|one, other| one.0.total_cmp(&other.0));
    let (relative, absolute, reason) = widest.unwrap_or(OTHER);
    Tolerance { relative, absolute, by_sums: reason == NETWORK, reason: reason.to_owned() }
}
