//! The rows as clients send them: one matrix of numbers, or columns by name where some are texts or truths. Which of the two,
//! and what each column takes, follows from what the steps do with it.

use std::collections::BTreeMap;

use modelet_core::steps::TEXT_INPUT;
use modelet_core::{DType, Dim, EngineName, Known, Numbers, Rule};
use modelet_model::onnx::write::{Attribute, GraphWriter};
use modelet_model::onnx::{COLUMNS_KEY, ENGINE_KEY, FRAME_KEY, TAKEN_KEY, Taken};

use super::Takes;
use super::table::{Table, Value};
use crate::pickle::Asked;

/// The one input of a model of numbers.
pub(super) const INPUT: &str = "X";
/// `TensorProto.DataType`
const DOUBLE: i64 = 11;

/// What a column of the frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    /// A text that is one of some.
    Text,
    /// A text that is read.
    Words,
    Truth,
}

/// What is known of a column of the frame.
#[derive(Debug, Clone)]
struct Taking {
    kind: Option<Kind>,
    /// The empty text: `Some(true)` where it stands for a missing one, `Some(false)` where it is a text like others.
    empty_is_missing: Option<bool>,
    missing: bool,
    largest: f64,
    /// The only values beside missing ones.
    only: Option<Vec<Value>>,
}

/// The frame, and the graph that is written for it.
pub(super) struct Frame {
    pub graph: GraphWriter,
    names: Option<Vec<String>>,
    columns: Vec<Taking>,
    is_matrix: bool,
    made: usize,
}

impl Frame {
    /// A frame of which nothing is known but the width, and the names where it has some.
    pub(super) fn new(width: usize, names: Option<Vec<String>>) -> Self {
        let nothing =
            Taking { kind: None, empty_is_missing: None, missing: true, largest: f64::INFINITY, only: None };
        Self { graph: GraphWriter::default(), names, columns: vec![nothing; width], is_matrix: true, made: 0 }
    }

    /// The same frame before anything was written, of columns whose kinds are known. Those that nothing looks at may be of
    /// anything, so they are no part of a matrix of numbers; but where a model is `within` another, that one has made them.
    pub(super) fn again(&self, within: bool) -> Self {
        let mut again = Self::new(self.columns.len(), self.names.clone());
        for (column, known) in again.columns.iter_mut().zip(&self.columns) {
            column.kind = known.kind;
        }
        again.is_matrix = self.columns.iter().all(|column| match column.kind {
            Some(kind) => kind == Kind::Number,
            None => within || self.names.is_none(),
        });
        again
    }

    /// Writes the inputs.
    pub(super) fn table(&mut self) -> Asked<Table> {
        let width = self.columns.len();
        if self.is_matrix {
            self.graph.input(INPUT, DType::F64, &[Dim::Named("rows".to_owned()), Dim::Fixed(width)]);
            return Ok(Table::of_frame(vec![INPUT.to_owned()], width));
        }
        if let (None, [Taking { kind: Some(Kind::Words), .. }]) = (&self.names, &self.columns[..]) {
            self.graph.input(TEXT_INPUT, DType::Str, &[Dim::Named("rows".to_owned())]);
            return Ok(Table::of_frame(vec![TEXT_INPUT.to_owned()], width));
        }
        let names = self.names.clone().ok_or(
            "it was fitted with texts, and with columns that have no names: fit it with a pandas DataFrame",
        )?;
        let tensors = names.iter().enumerate().map(|(at, name)| self.input(at, name)).collect();
        Ok(Table::of_frame(tensors, width))
    }

    /// Writes the input of one column, unless no step uses it.
    fn input(&mut self, at: usize, name: &str) -> String {
        let reference = format!("column {at} of the frame");
        match self.columns[at].kind {
            None => {}
            Some(Kind::Text | Kind::Words) => self.graph.column(&reference, name, DType::Str),
            Some(Kind::Number) => self.graph.column(&reference, name, DType::F64),
            Some(Kind::Truth) => {
                self.graph.column(&reference, name, DType::Bool);
                let number = self.fresh("truth");
                let to = vec![("to", Attribute::Int(DOUBLE))];
                self.graph.node(("", "Cast"), &[&reference], &number, to);
                return number;
            }
        }
        reference
    }

    /// A name that nothing else in the graph has.
    pub(super) fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what} {}", self.made)
    }

    /// How a message calls a column.
    pub(super) fn called(&self, at: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(at)) {
            Some(name) => format!("column {name:?}"),
            None => format!("column {at} (counted from 0)"),
        }
    }

    /// What a column is of, as far as it is known.
    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.columns[at].kind
    }

    /// Notes what a column is of; truths may be used as numbers.
    pub(super) fn is_of(&mut self, at: usize, kind: Kind) -> Asked<()> {
        let called = self.called(at);
        let known = &mut self.columns[at].kind;
        match (*known, kind) {
            (Some(Kind::Truth), Kind::Number) => {}
            (None | Some(Kind::Number), Kind::Number | Kind::Truth) | (None, Kind::Text | Kind::Words) => {
                *known = Some(kind);
            }
            (Some(known), kind) if known == kind => {}
            (Some(Kind::Text | Kind::Words), Kind::Text | Kind::Words) => {
                return Err(format!("its {called} is used as categories and as texts that are read"));
            }
            _ => return Err(format!("its {called} is used as texts and as numbers")),
        }
        Ok(())
    }

    /// Notes what the empty text is in a column of texts.
    pub(super) fn empty_is_missing(&mut self, at: usize, is_missing: bool) -> Asked<()> {
        let called = self.called(at);
        let said = &mut self.columns[at].empty_is_missing;
        if said.is_some_and(|said| said != is_missing) {
            return Err(format!("the empty text is a missing value and a text in its {called}"));
        }
        *said = Some(is_missing);
        Ok(())
    }

    /// Notes which numbers a column takes at most.
    pub(super) fn takes(&mut self, at: usize, missing: bool, largest: f64) {
        let column = &mut self.columns[at];
        column.missing &= missing;
        column.largest = column.largest.min(largest);
    }

    /// Notes which values a column takes at most, beside missing ones.
    pub(super) fn takes_only(&mut self, at: usize, values: &[Value]) {
        let only = &mut self.columns[at].only;
        match only {
            Some(only) => only.retain(|one| values.iter().any(|value| value.is(one))),
            None => *only = Some(values.to_vec()),
        }
    }

    /// The graph of a model within another one, which sees numbers, and which of them it takes.
    pub(super) fn within(self) -> Asked<(GraphWriter, Takes)> {
        if !self.is_matrix || self.columns.iter().any(|column| column.only.is_some()) {
            return Err(
                "a model within it takes texts or categories, which cannot be imported yet".to_owned()
            );
        }
        // What one column takes and another one does not is refused in both.
        let missing = self.columns.iter().all(|column| column.missing);
        let largest = self.columns.iter().map(|column| column.largest).fold(f64::INFINITY, f64::min);
        let is_limited = !missing || largest.is_finite();
        let takes = is_limited.then_some(Numbers { missing, largest: largest.min(f64::MAX) });
        Ok((self.graph, takes))
    }

    /// Notes what the platform has to know: names, what columns take, and the engine that rounds as scikit-learn does.
    pub(super) fn finish(mut self) -> Asked<GraphWriter> {
        if let Some(name) = self.graph.name_given_twice() {
            return Err(format!(
                "{name:?} is the name of two columns, or of one and of a part of the answer: rename it"
            ));
        }
        let mut taken = BTreeMap::new();
        if self.is_matrix {
            if let Some(names) = &self.names {
                // Plain texts and data, which always become JSON.
                self.graph.metadata(COLUMNS_KEY, &serde_json::to_string(names).unwrap_or_default());
            }
            taken.insert(INPUT.to_owned(), taken_by(&self.columns));
        } else {
            if self.columns.iter().any(|column| column.kind.is_none()) {
                self.graph.metadata(FRAME_KEY, &serde_json::to_string(&self.names).unwrap_or_default());
            }
            for (name, column) in self.names.iter().flatten().zip(&self.columns) {
                if column.kind.is_some() {
                    taken.insert(name.clone(), taken_by(std::slice::from_ref(column)));
                }
            }
        }
        taken.retain(|_, taken| *taken != Taken::default());
        if !taken.is_empty() {
            self.graph.metadata(TAKEN_KEY, &serde_json::to_string(&taken).unwrap_or_default());
        }
        self.graph.metadata(ENGINE_KEY, EngineName::Tabular.as_str());
        Ok(self.graph)
    }
}

/// What an input of these columns takes: numbers of all, and of single columns what is less.
fn taken_by(columns: &[Taking]) -> Taken {
    let some_missing = columns.iter().any(|column| column.missing);
    let largest = columns.iter().map(|column| column.largest).fold(f64::INFINITY, f64::min);
    let is_text = |column: &Taking| matches!(column.kind, Some(Kind::Text | Kind::Words));
    let is_limited = |column: &Taking| !is_text(column) && column.largest.is_finite();
    let are_limited = columns.iter().all(is_limited);
    let numbers = are_limited.then_some(Numbers { missing: some_missing, largest });
    let rule = |(at, column): (usize, &Taking)| {
        let limit = (is_limited(column) && !are_limited).then_some(column.largest);
        let says = column.empty_is_missing == Some(true)
            || column.only.is_some()
            || limit.is_some()
            || !column.missing && (some_missing || !are_limited);
        let only = column.only.as_deref().map(known);
        says.then_some(Rule { column: at, missing: column.missing, only, largest: limit })
    };
    Taken { numbers, rules: columns.iter().enumerate().filter_map(rule).collect(), ..Taken::default() }
}

/// Values as a set.
fn known(values: &[Value]) -> Known {
    let mut numbers = Vec::new();
    let mut texts = Vec::new();
    for value in values.iter().filter(|value| !value.is_missing()) {
        match value {
            Value::Number(number) => numbers.push(number + 0.0),
            Value::Text(text) => texts.push(text.clone()),
        }
    }
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    texts.sort();
    texts.dedup();
    if texts.is_empty() { Known::Numbers(numbers) } else { Known::Texts(texts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_columns_take_is_said_once_where_it_is_the_same_for_all() {
        let mut frame = Frame::new(2, None);
        frame.takes(0, true, 9.0);
        frame.takes(1, true, 5.0);
        let numbers = |missing| Some(Numbers { missing, largest: 5.0 });
        assert_eq!(
            taken_by(&frame.columns),
            Taken { numbers: numbers(true), rules: vec![], ..Taken::default() }
        );
        frame.takes(1, false, 7.0);
        let strict = Rule { column: 1, missing: false, only: None, largest: None };
        assert_eq!(
            taken_by(&frame.columns),
            Taken { numbers: numbers(true), rules: vec![strict], ..Taken::default() }
        );
        frame.takes(0, false, 9.0);
        assert_eq!(
            taken_by(&frame.columns),
            Taken { numbers: numbers(false), rules: vec![], ..Taken::default() }
        );
        let mut frame = Frame::new(2, None);
        frame.takes(1, true, 5.0);
        let own = Rule { column: 1, missing: true, only: None, largest: Some(5.0) };
        let taken = Taken { rules: vec![own], ..Taken::default() };
        assert_eq!(taken_by(&frame.columns), taken, "the other column takes all");
    }

    #[test]
    fn of_two_sets_of_values_what_both_know_is_left() {
        let mut frame = Frame::new(1, None);
        let values = |values: &[f64]| values.iter().map(|value| Value::Number(*value)).collect::<Vec<_>>();
        frame.takes_only(0, &values(&[3.0, -0.0, f64::NAN, 1.0]));
        frame.takes_only(0, &values(&[0.0, 3.0, 2.0]));
        let [rule] = &taken_by(&frame.columns).rules[..] else { panic!("no rule") };
        assert_eq!(rule.only, Some(Known::Numbers(vec![0.0, 3.0])));
        assert!(rule.takes_number(-0.0) && !rule.takes_number(1.0));
    }

    #[test]
    fn a_column_is_of_one_kind() {
        let mut frame = Frame::new(1, Some(vec!["sex".to_owned()]));
        frame.is_of(0, Kind::Text).unwrap();
        assert!(frame.is_of(0, Kind::Number).unwrap_err().contains("\"sex\""));
        frame.empty_is_missing(0, true).unwrap();
        assert!(frame.empty_is_missing(0, false).is_err());
    }
}
