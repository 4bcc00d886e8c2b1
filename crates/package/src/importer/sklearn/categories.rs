//! What encoders look values up in: the categories that a column was fitted with.

use modelet_core::{Data, Tensor};
use modelet_model::onnx::write::{Attribute, ML};

use super::frame::{Frame, Kind};
use super::table::{Column, Value};
use crate::pickle::{Asked, Item};

/// The categories of one column, in their order.
pub(super) struct Categories {
    pub values: Vec<Value>,
    kind: Kind,
}

impl Categories {
    /// Reads an array of them: numbers, truths, or texts, of which one may be missing.
    pub(super) fn read(item: &Item) -> Asked<Self> {
        let array = item.array()?;
        if let Some(numbers) = array.numbers() {
            return Ok(Self::of(numbers.into_iter().map(Value::Number), Kind::Number));
        }
        if let Some(flags) = array.flags() {
            return Ok(Self::of(flags.into_iter().map(|flag| Value::Number(flag.into())), Kind::Truth));
        }
        if let Some(texts) = array.texts() {
            return Self::of(texts.into_iter().map(Value::Text), Kind::Text).checked(item);
        }
        let items = item.items()?;
        let is_text = |item: &Item| item.text().is_ok();
        let is_truth = |item: &Item| item.flag().is_ok();
        if items.iter().any(is_text) {
            let values = items.iter().map(text_or_missing).collect::<Asked<Vec<_>>>()?;
            return Self::of(values.into_iter(), Kind::Text).checked(item);
        }
        let kind = if items.iter().any(is_truth) { Kind::Truth } else { Kind::Number };
        let number = |item: &Item| match item.flag() {
            Ok(flag) => Ok(Value::Number(flag.into())),
            Err(_) => item.number().map(Value::Number),
        };
        Ok(Self::of(items.iter().map(number).collect::<Asked<Vec<_>>>()?.into_iter(), kind))
    }

    fn of(values: impl Iterator<Item = Value>, kind: Kind) -> Self {
        Self { values: values.collect(), kind }
    }

    /// Refuses what cannot be told apart from a missing text.
    fn checked(self, item: &Item) -> Asked<Self> {
        let empty = self.values.iter().filter(|value| value.is_missing()).count();
        let is_said =
            item.items().is_ok_and(|items| items.iter().any(|one| one.number().is_ok_and(f64::is_nan)));
        if empty > usize::from(is_said) {
            return Err(
                "the empty text is one of its categories, which stands for a missing text here: fit it with a word"
                    .to_owned(),
            );
        }
        Ok(self)
    }

    /// The place of a value.
    pub(super) fn place(&self, value: &Value) -> Option<usize> {
        self.values.iter().position(|one| one.is(value))
    }

    /// True when the last one is a missing value, as scikit-learn has it.
    pub(super) fn has_missing(&self) -> bool {
        self.values.last().is_some_and(Value::is_missing)
    }

    /// Notes what a column of the frame is of.
    pub(super) fn note(&self, column: &Column, frame: &mut Frame) -> Asked<()> {
        let Some(at) = column.origin else {
            return if self.kind == Kind::Text {
                Err("texts are made of numbers".to_owned())
            } else {
                Ok(())
            };
        };
        frame.is_of(at, self.kind)?;
        if self.kind == Kind::Text {
            frame.empty_is_missing(at, true)?;
        }
        column.takes(true, f64::MAX, frame)
    }

    /// The values of the frame that become a category, each with the place of that: imputers may stand between.
    fn of_frame(&self, column: &Column) -> Vec<(Value, usize)> {
        let place = |value: &Value, own: Option<usize>| {
            let becomes = column.of_value(value.clone());
            if becomes.is(value) { own } else { self.place(&becomes) }
        };
        let known = self.values.iter().enumerate();
        let mut found: Vec<(Value, usize)> =
            known.filter_map(|(at, value)| Some((value.clone(), place(value, Some(at))?))).collect();
        let mut others: Vec<&Value> = Vec::new();
        for (from, _) in &column.filled {
            if self.place(from).is_none() && !others.iter().any(|other| other.is(from)) {
                others.push(from);
                found.extend(place(from, None).map(|place| (from.clone(), place)));
            }
        }
        found
    }

    /// Has values refused that are no category.
    pub(super) fn only(&self, column: &Column, frame: &mut Frame) -> Asked<()> {
        let Some(at) = column.origin else {
            return Err(
                "it refuses unknown values of a column that another step made: use handle_unknown=\"ignore\""
                    .to_owned(),
            );
        };
        let values: Vec<Value> = self.of_frame(column).into_iter().map(|(value, _)| value).collect();
        frame.takes(at, values.iter().any(Value::is_missing), f64::MAX);
        frame.takes_only(at, &values);
        Ok(())
    }

    /// Writes what becomes of each value: that of its category, or the last one, of what is none.
    pub(super) fn look_up(
        &self,
        (tensor, column): (&str, &Column),
        becomes: &Data,
        frame: &mut Frame,
    ) -> Asked<String> {
        // Numbers are filled in where they are computed, texts where they are looked up.
        let keys = match self.kind {
            Kind::Text => self.of_frame(column),
            _ => self.values.iter().cloned().zip(0..).collect(),
        };
        let to = frame.fresh("code");
        let mut choices = Data::empty(becomes.dtype());
        for (_, place) in &keys {
            choices.append(&becomes.slice(*place..place + 1));
        }
        let default = becomes.slice(becomes.len() - 1..becomes.len());
        let list = Attribute::Tensor(Tensor::vector(choices));
        let attributes = vec![
            keys_attribute(keys),
            ("values_tensor", list),
            ("default_tensor", Attribute::Tensor(Tensor::vector(default))),
        ];
        frame.graph.node((ML, "LabelEncoder"), &[tensor], &to, attributes);
        Ok(to)
    }
}

fn keys_attribute(keys: Vec<(Value, usize)>) -> (&'static str, Attribute) {
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for (key, _) in keys {
        match key {
            Value::Text(text) => texts.push(text),
            Value::Number(number) => numbers.push(number),
        }
    }
    if texts.is_empty() {
        ("keys_tensor", Attribute::Tensor(Tensor::vector(numbers)))
    } else {
        ("keys_strings", Attribute::Texts(texts))
    }
}

/// A text, or what stands for a missing one.
pub(super) fn text_or_missing(item: &Item) -> Asked<Value> {
    if item.is_none() {
        return Err(
            "None is one of its values, which is not told apart from NaN here: fit it with NaN".to_owned()
        );
    }
    match item.text() {
        Ok(text) => Ok(Value::Text(text.to_owned())),
        Err(_) if item.number().is_ok_and(f64::is_nan) => Ok(Value::Text(String::new())),
        Err(_) => Err(item.not("a text, as the other values of its column are")),
    }
}
