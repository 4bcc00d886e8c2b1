//! What a model counted of categories, in the JSON form.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::Features;
use crate::importer::catboost::counted::{Alike, Counted, Counts, Kind, Table};
use crate::importer::catboost::saved::Notes;

/// A key that stands for none.
const NONE: u64 = u64::MAX;

/// A number that is made of what was counted.
#[derive(Deserialize)]
pub(super) struct Made {
    borders: Vec<f64>,
    ctr_type: Kind,
    elements: Vec<Element>,
    /// The name of its table.
    identifier: String,
    prior_numerator: f64,
    prior_denomerator: f64,
    shift: f64,
    scale: f64,
    target_border_idx: usize,
}

/// What rows are alike in.
#[derive(Deserialize)]
#[serde(tag = "combination_element")]
enum Element {
    #[serde(rename = "cat_feature_value")]
    Category { cat_feature_index: usize },
    #[serde(rename = "float_feature")]
    Above { float_feature_index: usize, border: f64 },
    #[serde(rename = "cat_feature_exact_value")]
    Is { cat_feature_index: usize, value: i32 },
}

/// A table.
#[derive(Deserialize)]
pub(super) struct Tabled {
    #[serde(default)]
    counter_denominator: i32,
    /// Keys as texts, each with its counts behind it.
    hash_map: Vec<Value>,
    /// How far it is from one key to the next.
    hash_stride: usize,
}

/// The questions about what was counted, in the order in which trees number them.
pub(super) struct Questions {
    /// How many other questions come first.
    first: usize,
    counted: Vec<(usize, f32)>,
}

impl Questions {
    pub(super) fn of(features: &Features) -> Self {
        let borders: usize = features.float_features.iter().map(|float| float.borders.len()).sum();
        let codes: usize = features.categorical_features.iter().map(|one| one.values.len()).sum();
        let counted = features.ctrs.iter().enumerate();
        let counted =
            counted.flat_map(|(at, made)| made.borders.iter().map(move |border| (at, *border as f32)));
        Self { first: borders + codes, counted: counted.collect() }
    }

    /// What a question is about; `None` where its border is another.
    pub(super) fn counted(&self, number: usize, border: f32) -> Option<usize> {
        let (counted, known) = self.counted.get(number.checked_sub(self.first)?)?;
        (*known == border).then_some(*counted)
    }
}

/// True where targets were put into classes in more than one way for counts of one kind: a table's name does not say which way, and
/// CatBoost's JSON keeps one table for a name.
pub(super) fn lost_tables(notes: &Notes) -> bool {
    let params = &notes.params.cat_feature_params;
    let of_features = params["per_feature_ctrs"].as_object().into_iter().flat_map(|all| all.values());
    let lists = [&params["simple_ctrs"], &params["combinations_ctrs"]].into_iter().chain(of_features);
    let ways = |list: &Value| {
        let ways = list.as_array().into_iter().flatten();
        ways.map(|way| (way["ctr_type"].to_string(), way["target_binarization"].to_string()))
            .collect::<Vec<_>>()
    };
    let differ = |ways: Vec<(String, String)>| {
        ways.iter().any(|(kind, way)| ways.iter().any(|(other, another)| kind == other && way != another))
    };
    notes.has_several_targets() || lists.map(ways).any(differ)
}

/// The tables that numbers are made of, and how.
pub(super) fn read(
    made: &[Made],
    tables: &HashMap<String, Tabled>,
) -> Result<(Vec<Table>, Vec<Counted>), String> {
    let (mut names, mut read) = (Vec::new(), Vec::new());
    let mut counted = Vec::with_capacity(made.len());
    for one in made {
        let place = names.iter().position(|name| *name == one.identifier);
        let place = match place {
            Some(place) => place,
            None => {
                let table = tables.get(&one.identifier).ok_or("a table of its categories is missing")?;
                names.push(&*one.identifier);
                let table = table.read(alike(&one.elements), one.ctr_type);
                read.push(table.ok_or("a table of its categories is damaged")?);
                names.len() - 1
            }
        };
        let prior = [one.prior_numerator, one.prior_denomerator, one.shift, one.scale];
        let prior = prior.map(|number| number as f32);
        counted.push(Counted { table: place, of: one.target_border_idx, prior });
    }
    Ok((read, counted))
}

fn alike(elements: &[Element]) -> Alike {
    let mut alike = Alike::default();
    for element in elements {
        match element {
            Element::Category { cat_feature_index } => alike.categories.push(*cat_feature_index),
            Element::Above { float_feature_index, border } => {
                alike.above.push((*float_feature_index, *border as f32));
            }
            Element::Is { cat_feature_index, value } => alike.is.push((*cat_feature_index, *value)),
        }
    }
    alike
}

impl Tabled {
    fn read(&self, alike: Alike, kind: Kind) -> Option<Table> {
        let classes = self.hash_stride.checked_sub(1).filter(|classes| *classes > 0)?;
        let int = |value: &Value| i32::try_from(value.as_i64()?).ok();
        let (mut keys, mut counts, mut means) = (Vec::new(), Vec::new(), Vec::new());
        let entries = self.hash_map.chunks_exact(self.hash_stride);
        if !entries.remainder().is_empty() || kind.is_mean() && classes != 2 {
            return None;
        }
        for entry in entries {
            let key: u64 = entry[0].as_str()?.parse().ok()?;
            if key == NONE {
                continue;
            }
            keys.push((key.cast_signed(), keys.len()));
            if kind.is_mean() {
                means.push((entry[1].as_f64()? as f32, int(&entry[2])?));
            } else {
                counts.extend(entry[1..].iter().map(int).collect::<Option<Vec<_>>>()?);
            }
        }
        keys.sort_unstable();
        let counts = if kind.is_mean() { Counts::Means(means) } else { Counts::Classes(counts, classes) };
        Some(Table { alike, kind, counts, most: self.counter_denominator, keys })
    }
}
