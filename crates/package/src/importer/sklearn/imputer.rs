//! What fills in missing values, and what says where they were.

use modelet_core::{Data, Numbers, Tensor};
use modelet_model::onnx::write::{Attribute, ML};

use super::answer::Answer;
use super::categories::text_or_missing;
use super::fitted::Fitted;
use super::frame::{Frame, Kind};
use super::steps::matrix;
use super::table::{Table, Value};
use crate::pickle::{Asked, Item};

/// `TensorProto.DataType`
const DOUBLE: i64 = 11;

/// `SimpleImputer`: what is missing becomes the statistic of its column, and columns behind them may say where it was.
pub(super) fn simple(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let mut statistics = statistics(&item.get("statistics_")?)?;
    if statistics.len() != fitted.features {
        return Err(item.get("statistics_")?.not("a value for each column"));
    }
    // Since version 1.8 it fills in numbers of the type that it was fitted with.
    if item.find("_fill_dtype")?.map_or(Ok(false), |kind| kind.is_single_type())? {
        statistics.iter_mut().for_each(Value::round_to_single);
    }
    let missing = Missing::read(item)?;
    // A column in which nothing was known is left out.
    let kept: Vec<usize> = (0..statistics.len()).filter(|at| !statistics[*at].is_missing()).collect();
    if kept.len() < statistics.len()
        && item.find("keep_empty_features")?.is_some_and(|keep| keep.flag() == Ok(true))
    {
        return Err("it fills in nothing for a column in which nothing was known".to_owned());
    }
    let mut made = if statistics.iter().all(|value| matches!(value, Value::Number(_))) {
        let numbers = table.select(&kept, frame)?;
        let fills: Vec<&Value> = kept.iter().map(|at| &statistics[*at]).collect();
        missing.fill_numbers(&numbers, &fills, frame)?
    } else {
        let mut made = Table::default();
        for at in kept {
            let one = table.select(&[at], frame)?;
            made.append(missing.fill(&one, &statistics[at], frame)?);
        }
        made
    };
    let indicator = item.get("indicator_")?;
    if !indicator.is_none() {
        let places = indicator.get("features_")?;
        let is_text = |at: usize| matches!(statistics.get(at), Some(Value::Text(_)));
        for place in places_of(&places)? {
            made.append(missing.indicate(table, place, is_text(place), frame)?);
        }
    }
    Ok(made)
}

/// `MissingIndicator`: 1 where something is missing.
pub(super) fn indicator(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let missing = Missing::read(item)?;
    let places = places_of(&item.get("features_")?)?;
    let is_text =
        |column: Option<usize>, frame: &Frame| column.is_some_and(|at| frame.kind(at) == Some(Kind::Text));
    let mut made = Table::default();
    for place in &places {
        let origin = table.columns().nth(*place).and_then(|column| column.origin);
        made.append(missing.indicate(table, *place, is_text(origin, frame), frame)?);
    }
    if item.get("features")?.text()? == "missing-only" && item.get("error_on_new")?.flag()? {
        let others = table.columns().enumerate().filter(|(at, _)| !places.contains(at));
        let others: Vec<_> = others.map(|(_, column)| column.clone()).collect();
        if !missing.value.is_missing() && !others.is_empty() {
            return Err(
                "it refuses a value that is missing in a new column: set error_on_new=False".to_owned()
            );
        }
        others.iter().try_for_each(|column| column.takes(false, f64::MAX, frame))?;
    }
    Ok(made)
}

fn places_of(item: &Item) -> Asked<Vec<usize>> {
    let places = item.array()?.integers().ok_or_else(|| item.not("an array of places"))?;
    places.into_iter().map(|at| usize::try_from(at).map_err(|_| item.not("an array of places"))).collect()
}

/// What is filled in, by column.
fn statistics(item: &Item) -> Asked<Vec<Value>> {
    if let Ok(numbers) = item.numbers() {
        return Ok(numbers.into_iter().map(Value::Number).collect());
    }
    let value = |item: &Item| match item.number() {
        Ok(number) => Ok(Value::Number(number)),
        Err(_) => text_or_missing(item),
    };
    item.items()?.iter().map(value).collect()
}

/// What stands for a missing value.
struct Missing {
    value: Value,
}

impl Missing {
    fn read(fitted: &Item) -> Asked<Self> {
        let item = fitted.get("missing_values")?;
        let value = match (item.number(), item.text()) {
            (Ok(number), _) => Value::Number(number),
            (_, Ok("")) => return Err("the empty text is its missing value: fit it with NaN".to_owned()),
            (_, Ok(text)) => Value::Text(text.to_owned()),
            _ => return Err(item.not("NaN, a number or a text")),
        };
        Ok(Self { value })
    }

    /// The missing value among texts.
    fn among_texts(&self) -> Asked<Value> {
        match &self.value {
            Value::Number(number) if number.is_nan() => Ok(Value::Text(String::new())),
            Value::Number(_) => Err("a number is the missing value of texts".to_owned()),
            Value::Text(text) => Ok(Value::Text(text.clone())),
        }
    }

    fn number(&self) -> Asked<f64> {
        match &self.value {
            Value::Number(number) => Ok(*number),
            Value::Text(_) => Err("a text is the missing value of numbers".to_owned()),
        }
    }

    /// One column with something in the place of what is missing.
    fn fill(&self, table: &Table, with: &Value, frame: &mut Frame) -> Asked<Table> {
        let Value::Text(_) = with else { return self.fill_numbers(table, &[with], frame) };
        let from = self.among_texts()?;
        let (tensor, column) = table.column(0, frame)?;
        let at = column.origin.ok_or("it fills in texts among numbers that another step made")?;
        frame.is_of(at, Kind::Text)?;
        frame.empty_is_missing(at, true)?;
        // With a missing value of its own it refuses what is missing otherwise.
        column.takes(from.is_missing(), f64::MAX, frame)?;
        Ok(Table::of(tensor, vec![column.fill(from, with.clone())]))
    }

    fn fill_numbers(&self, table: &Table, with: &[&Value], frame: &mut Frame) -> Asked<Table> {
        let number = self.number()?;
        let from = matrix(table, Numbers { missing: number.is_nan(), largest: f64::MAX }, frame)?;
        let fills = with.iter().map(|value| match value {
            Value::Number(number) => Ok(*number),
            Value::Text(_) => Err("it fills in texts among numbers".to_owned()),
        });
        let [names, to] = ["fills", "filled"].map(|what| frame.fresh(what));
        frame.graph.constant(&names, &Tensor::vector(fills.collect::<Asked<Vec<f64>>>()?));
        let missing = self.are_missing(&from, number, frame);
        frame.graph.apply("Where", &[&missing, &names, &from], &to);
        let filled = table.columns().zip(with);
        let filled = filled.map(|(column, with)| column.clone().fill(self.value.clone(), (*with).clone()));
        Ok(Table::of(to, filled.collect()))
    }

    /// Writes where a number is missing.
    fn are_missing(&self, from: &str, number: f64, frame: &mut Frame) -> String {
        let missing = frame.fresh("missing");
        if number.is_nan() {
            frame.graph.apply("IsNaN", &[from], &missing);
        } else {
            let name = frame.fresh("missing value");
            frame.graph.scalar(&name, number);
            frame.graph.apply("Equal", &[from, &name], &missing);
        }
        missing
    }

    /// A column that says where another misses a value.
    fn indicate(&self, table: &Table, place: usize, is_text: bool, frame: &mut Frame) -> Asked<Table> {
        let one = table.select(&[place], frame)?;
        let to = frame.fresh("indicator");
        if is_text {
            let (tensor, column) = one.column(0, frame)?;
            let at = column.origin.ok_or("it looks for texts among numbers that another step made")?;
            frame.is_of(at, Kind::Text)?;
            frame.empty_is_missing(at, true)?;
            let missing = self.among_texts()?;
            column.takes(missing.is_missing(), f64::MAX, frame)?;
            let Value::Text(text) = &missing else { return Err("no text is missing".to_owned()) };
            if !column.filled.is_empty() {
                return Err("it looks for missing texts where another step filled them in".to_owned());
            }
            let attributes = vec![
                ("keys_strings", Attribute::Texts(vec![text.clone()])),
                ("values_tensor", Attribute::Tensor(Tensor::vector(vec![1.0]))),
                ("default_tensor", Attribute::Tensor(Tensor::vector(Data::F64(vec![0.0])))),
            ];
            frame.graph.node((ML, "LabelEncoder"), &[&tensor], &to, attributes);
        } else {
            let number = self.number()?;
            let from = matrix(&one, Numbers { missing: number.is_nan(), largest: f64::MAX }, frame)?;
            let missing = self.are_missing(&from, number, frame);
            frame.graph.node(("", "Cast"), &[&missing], &to, vec![("to", Attribute::Int(DOUBLE))]);
        }
        Ok(Table::of(to, vec![super::table::Column::within(1.0)]))
    }
}
