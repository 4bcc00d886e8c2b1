//! Models within models: each is written into a graph of its own, by whoever writes its class, and the graph is put into that of
//! the model around it under a name of its own.
//!
//! What is made there under these names is what the outer model can ask for: of a classifier `index` (of its class, in the
//! order of its classes), `probabilities` where it has some, `decision` where it has one (a number for two classes, else one
//! for each); of a regressor `prediction`; of others `label`.

use modelet_core::Numbers;
use modelet_model::onnx::write::GraphWriter;

use super::answer::Answer;
use super::fitted::Fitted;
use super::frame::INPUT;
use super::guests::Facts;
use super::{Around, Takes, write};
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::{Asked, Item};

/// Models within models are followed so deep.
const MAX_DEPTH: usize = 6;
/// Most models in a model.
pub(super) const MAX_MODELS: usize = 10_000;
/// How large the file of a model of many may become, in bytes.
const MAX_BYTES: usize = 1 << 30;

/// What models take that multiply numbers of a row with each other: beyond this, products could be no numbers.
pub(super) const LIMITED: Takes = Some(Numbers { missing: false, largest: 1e100 });

/// A model that was put into the graph of another one.
pub(super) struct Inner<'a> {
    /// The model itself, or the last of its steps.
    pub item: Item<'a>,
    /// Which numbers it takes.
    pub takes: Takes,
    prefix: String,
    outputs: Vec<&'static str>,
    /// Of a model of another library.
    guest: Option<Facts>,
    /// How many numbers a regressor gives; `None` where it is one that is no table.
    pub width: Option<usize>,
}

/// Modules whose classifiers have probabilities and no `decision_function`.
const WITHOUT_DECISION: &[&str] = &[
    "sklearn.tree.",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._voting",
    "sklearn.naive_bayes",
    "sklearn.neural_network",
    "sklearn.dummy",
    "sklearn.calibration",
    "sklearn.mixture",
    "sklearn.semi_supervised._label_propagation",
    "xgboost.",
    "lightgbm.",
    "catboost.",
];
/// What may be asked for.
const OUTPUTS: &[&str] = &["index", PROBABILITIES, "decision", "prediction", "label"];
/// What of it is numbers that a model may have in float32.
const NUMBERS: &[&str] = &[PROBABILITIES, "prediction"];
/// Behind the name of such numbers, for the same in float64.
const IN_DOUBLE: &str = " in double";

impl<'a> Inner<'a> {
    /// Puts a model into the graph of another one. It sees the rows of `input`, of so many columns; where these are not the rows
    /// that come in but what other models made of them, rows that it does not take are refused there.
    pub(super) fn write(
        model: &Item<'a>,
        outer: &Fitted,
        (input, columns): (&str, usize),
        (graph, prefix): (&mut GraphWriter, &str),
    ) -> Asked<Self> {
        if outer.depth == MAX_DEPTH {
            return Err(format!("it has more than {MAX_DEPTH} models within each other"));
        }
        let around = Around { version: &outer.version, rows: outer.rows, depth: outer.depth + 1 };
        let whole = write(model, &around)?;
        if whole.first.features != columns {
            return Err(model.not("a model of as many columns as it gets"));
        }
        if whole.first.version != outer.version {
            return Err(model.not("of the same version of scikit-learn as the model around it"));
        }
        let (own, takes) = whole.frame.within()?;
        graph
            .grow(own.size_bytes(), MAX_BYTES)
            .map_err(|size| format!("its models would take {size} bytes, the limit is {MAX_BYTES}"))?;
        let outputs: Vec<_> = OUTPUTS.iter().copied().filter(|name| own.makes(name)).collect();
        let width = own.output_columns("prediction");
        match takes {
            Some(numbers) if input != outer.input => {
                let seen = format!("{prefix} sees");
                graph.within(input, numbers, &seen);
                graph.put_in(own, &format!("{prefix}/"), (INPUT, &seen));
            }
            _ => graph.put_in(own, &format!("{prefix}/"), (INPUT, input)),
        }
        let item = whole.parts.last().unwrap_or(model).clone();
        let inner = Self { item, takes, prefix: prefix.to_owned(), outputs, guest: whole.guest, width };
        inner.widen(graph);
        Ok(inner)
    }

    /// Writes what it makes in float32 in float64, too.
    fn widen(&self, graph: &mut GraphWriter) {
        for output in NUMBERS.iter().filter(|_| self.is_single()) {
            if let Some(single) = self.single(output) {
                graph.as_numbers(&single, &format!("{single}{IN_DOUBLE}"));
            }
        }
    }

    /// The name of what it makes, in float64 where it is of numbers; `None` where it does not.
    pub(super) fn find(&self, output: &str) -> Option<String> {
        let name = self.single(output)?;
        Some(if self.is_single() && NUMBERS.contains(&output) { format!("{name}{IN_DOUBLE}") } else { name })
    }

    /// The name of what it makes, in float32 where the model itself answers in that; `None` where it does not.
    pub(super) fn single(&self, output: &str) -> Option<String> {
        self.outputs.contains(&output).then(|| format!("{}/{output}", self.prefix))
    }

    /// True where the model itself answers in float32.
    pub(super) fn is_single(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.is_single)
    }

    /// The name of what it makes.
    pub(super) fn get(&self, output: &str) -> Asked<String> {
        self.find(output).ok_or_else(|| self.item.not(&format!("a model that gives {output}")))
    }

    /// Its probabilities, of one that scikit-learn asks for nothing else because it has no `decision_function`.
    pub(super) fn probabilities_alone(&self) -> Asked<String> {
        let module = self.item.class()?.module;
        match WITHOUT_DECISION.iter().any(|one| module.starts_with(one)) {
            true => self.get(PROBABILITIES),
            false => Err(self.item.not("a model whose decision_function is known")),
        }
    }

    /// Its numbers as a table, and how many columns that has.
    pub(super) fn table(&self, graph: &mut GraphWriter) -> Asked<(String, usize)> {
        let name = self.get("prediction")?;
        Ok(match self.width {
            Some(width) => (name, width),
            None => (graph.as_column(&name), 1),
        })
    }

    /// Its classes.
    pub(super) fn classes(&self) -> Asked<Classes> {
        if let Some(guest) = &self.guest {
            return guest.classes.clone().ok_or_else(|| self.item.not("a model that chooses one class"));
        }
        let classes = self.item.find("classes_")?;
        let of_binarizer = || self.item.get("_label_binarizer")?.get("classes_");
        Classes::read(&classes.map_or_else(of_binarizer, Ok)?)
    }
}

/// All models of a list, each with the rows themselves.
pub(super) fn write_all<'a>(
    models: &[Item<'a>],
    outer: &Fitted,
    graph: &mut GraphWriter,
) -> Asked<Vec<Inner<'a>>> {
    if models.is_empty() || models.len() > MAX_MODELS {
        return Err(format!("it has {} models, the limit is {MAX_MODELS}", models.len()));
    }
    let one = |(number, model): (usize, &Item<'a>)| {
        Inner::write(model, outer, (&outer.input, outer.features), (&mut *graph, &format!("model{number}")))
    };
    models.iter().enumerate().map(one).collect()
}

/// What several models take: what each of them does.
pub(super) fn takes_of(models: &[Inner]) -> Takes {
    models.iter().map(|model| model.takes).reduce(both).flatten()
}

/// What two models take.
pub(super) fn both(one: Takes, other: Takes) -> Takes {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(Numbers { missing: one.missing && other.missing, largest: one.largest.min(other.largest) })
        }
        (some, None) | (None, some) => some,
    }
}

/// What a model takes that itself refuses what is missing or infinite.
pub(super) fn finite(takes: Takes) -> Takes {
    both(takes, Some(Numbers { missing: false, largest: f64::MAX }))
}
