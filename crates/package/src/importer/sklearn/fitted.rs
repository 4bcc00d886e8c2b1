//! What every fitted model says of itself.

use std::fmt;

use super::rows::Rows;
use super::{guests, parts};
use crate::importer::classes::Classes;
use crate::pickle::{Asked, Item};

/// The minor versions of scikit-learn 1 whose models are known, each by files that it wrote.
const KNOWN_MINORS: std::ops::RangeInclusive<u32> = 1..=9;
/// Most columns, and most classes or targets.
const MAX_WIDTH: usize = 1 << 18;

/// The version of scikit-learn that wrote a model: 1, and this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// The number after the first point.
    pub minor: u32,
    text: String,
}

/// A fitted model.
#[derive(Clone)]
pub(super) struct Fitted<'a> {
    /// Its attributes.
    pub item: Item<'a>,
    /// What wrote it.
    pub version: Version,
    /// How many numbers a row has.
    pub features: usize,
    /// The tensor that has the rows.
    pub input: String,
    /// How the rows come.
    pub rows: Rows,
    /// Within how many other models it is.
    pub depth: usize,
}

/// What a model that does not say how many columns it takes leaves the question to.
const ASKED: &[&str] = &["estimator_", "regressor_", "estimators_", "calibrated_classifiers_", "estimator"];
/// How far the question is passed on.
const MAX_ASKED: usize = 8;

impl<'a> Fitted<'a> {
    /// Reads what all models have. One of another library is of the version of the models around it.
    pub(super) fn read(item: &Item<'a>, input: &str, around: Option<&Version>) -> Asked<Self> {
        let version = match (item.find("_sklearn_version")?, around) {
            (None, Some(around)) => around.clone(),
            _ => Version::of(item)?,
        };
        let features = features(item, MAX_ASKED)?.ok_or_else(|| item.not("fitted"))?;
        if !(1..=MAX_WIDTH).contains(&features) {
            return Err(format!("it has {features} columns, the limit is {MAX_WIDTH}"));
        }
        let input = input.to_owned();
        Ok(Self { item: item.clone(), version, features, input, rows: Rows::All, depth: 0 })
    }

    /// Reads a step, which may not say of itself how many columns it takes.
    pub(super) fn read_step(item: &Item<'a>, width: usize) -> Asked<Self> {
        match item.find("n_features_in_")? {
            Some(_) => Self::read(item, "", None),
            None => {
                let (version, input) = (Version::of(item)?, String::new());
                Ok(Self { item: item.clone(), version, features: width, input, rows: Rows::All, depth: 0 })
            }
        }
    }

    /// The names of the columns, where it was fitted with some.
    pub(super) fn names(&self) -> Asked<Option<Vec<String>>> {
        let Some(names) = self.item.find("feature_names_in_")? else { return Ok(None) };
        let names = names.texts()?;
        if names.len() != self.features {
            return Err("it has not as many names of columns as columns".to_owned());
        }
        Ok(Some(names))
    }

    /// Its classes: at least two.
    pub(super) fn classes(&self) -> Asked<Classes> {
        let classes = Classes::read(&self.item.get("classes_")?)?;
        match classes.len() {
            0 | 1 => Err("it was fitted with fewer than two classes".to_owned()),
            2..=MAX_WIDTH => Ok(classes),
            many => Err(format!("it has {many} classes, the limit is {MAX_WIDTH}")),
        }
    }
}

/// How many columns a model was fitted with, as it says itself or the first of those that it is made of.
fn features(item: &Item, further: usize) -> Asked<Option<usize>> {
    if let Some(own) = item.find("n_features_in_")? {
        return own.count().map(Some);
    }
    if further == 0 {
        return Ok(None);
    }
    if let Some(own) = guests::features(item)? {
        return Ok(Some(own));
    }
    if item.find("X_thresholds_")?.is_some() || item.find("token_pattern")?.is_some() {
        // Isotonic regressions and vectorisers of texts do not say it: they take one.
        return Ok(Some(1));
    }
    if item.class()?.name == "Pipeline" {
        return features(&parts::of(item)?[0], further - 1);
    }
    if let Some(steps) = item.find("transformer_list")? {
        let first = steps.items()?.first().map(Item::items).transpose()?;
        return match first.as_deref() {
            Some([_, step]) if step.class().is_ok() => features(step, further - 1),
            _ => Ok(None),
        };
    }
    for name in ASKED {
        let Some(other) = item.find(name)? else { continue };
        let one = match other.items() {
            Ok(several) => several.into_iter().find(|one| one.class().is_ok()),
            Err(_) => Some(other),
        };
        return one.map_or(Ok(None), |one| features(&one, further - 1));
    }
    Ok(None)
}

impl Version {
    /// The version that an object says.
    pub(super) fn of(item: &Item) -> Asked<Self> {
        Self::parse(item.get("_sklearn_version")?.text()?)
    }

    fn parse(text: &str) -> Asked<Self> {
        let unknown = || {
            let (first, last) = (KNOWN_MINORS.start(), KNOWN_MINORS.end());
            format!("it was written by scikit-learn {text}; those of 1.{first} to 1.{last} are known")
        };
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([1, minor, _]) if KNOWN_MINORS.contains(minor) => {
                Ok(Self { minor: *minor, text: text.to_owned() })
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_were_not_tried_are_refused_by_name() {
        assert_eq!(Version::parse("1.5.2").unwrap().minor, 5);
        for other in ["0.24.2", "1.0.2", "1.10.0", "2.1.0", "1.6.dev0", "1.6.0rc1", "1.6", ""] {
            assert!(Version::parse(other).unwrap_err().contains(other), "{other}");
        }
    }
}
