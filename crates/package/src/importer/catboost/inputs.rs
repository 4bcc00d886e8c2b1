//! The rows as clients send them: one matrix where all are numbers; where some are categories, a frame, whose columns have the
//! names of the training, or else their places.

use std::collections::BTreeMap;

use modelet_core::{DType, Dim, EngineName, FunctionError};
use modelet_model::onnx::write::{Attribute, GraphWriter, OWN};
use modelet_model::onnx::{COLUMNS_KEY, ENGINE_KEY, TAKEN_KEY, Taken};
use modelet_model::tabular::categories::EXAMPLES;

use super::saved::{Split, Trees};
use super::{damaged, examples, statistics};
use crate::importer::converted::refused;
use crate::importer::guest::INPUT;

/// What the trees see, in float64: numbers, codes of categories, and what was counted of those.
pub(super) const SEEN: &str = "seen";
/// Most columns of a row.
const MAX_COLUMNS: usize = 1 << 20;
/// The numbers of a frame, and the codes of its categories.
pub(super) const NUMBERS: &str = "numbers";
pub(super) const CODES: &str = "codes";
/// `double`, as ONNX numbers types.
const DOUBLE: i64 = 11;

/// Where the trees find what they ask about.
pub(super) struct Seen {
    /// How many numbers they see of a row.
    pub width: usize,
    floats: Vec<usize>,
    categories: usize,
    counted: Vec<usize>,
}

impl Seen {
    /// The place of what a question is about; `None` where there is no such thing.
    pub(super) fn place(&self, split: Split) -> Option<usize> {
        match split {
            Split::Above { float, .. } => self.floats.get(float).copied(),
            Split::Is { category, .. } => Some(self.categories + category),
            Split::Counted { counted, .. } => self.counted.get(counted).copied(),
        }
    }
}

/// Writes the inputs of a graph, and what the trees see of them.
pub(super) fn write(trees: &Trees, graph: &mut GraphWriter) -> Result<Seen, FunctionError> {
    let places = trees.floats.iter().map(|float| float.place);
    let places = places.chain(trees.categories.iter().map(|category| category.place));
    let width = places.map(|place| place.saturating_add(1)).max().unwrap_or(0);
    if width > MAX_COLUMNS {
        return Err(refused(format!("the model has {width} columns, the limit is {MAX_COLUMNS}")));
    }
    if trees.categories.is_empty() { Ok(matrix(trees, width, graph)) } else { frame(trees, width, graph) }
}

fn cast(from: &str, to: &str, graph: &mut GraphWriter) {
    graph.node(("", "Cast"), &[from], to, vec![("to", Attribute::Int(DOUBLE))]);
}

fn concat(parts: &[String], to: &str, graph: &mut GraphWriter) {
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    graph.node(("", "Concat"), &parts, to, vec![("axis", Attribute::Int(1))]);
}

fn matrix(trees: &Trees, width: usize, graph: &mut GraphWriter) -> Seen {
    graph.input(INPUT, DType::F32, &[Dim::Named("rows".to_owned()), Dim::Fixed(width)]);
    cast(INPUT, SEEN, graph);
    let names: Vec<_> = trees.floats.iter().map(|float| float.name.as_str()).collect();
    if names.len() == width && names.iter().all(|name| !name.is_empty()) {
        // Plain texts, which always become JSON.
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&names).unwrap_or_default());
    }
    let floats = trees.floats.iter().map(|float| float.place).collect();
    Seen { width, floats, categories: width, counted: Vec::new() }
}

/// What a column of a frame is.
#[derive(Clone, Copy)]
enum Column {
    Number(usize),
    Category(usize),
}

fn frame(trees: &Trees, width: usize, graph: &mut GraphWriter) -> Result<Seen, FunctionError> {
    let columns = columns(trees, width)?;
    write_columns(trees, &columns, graph);
    let (floats, categories) = (trees.floats.len(), trees.categories.len());
    let mut parts = Vec::new();
    for (part, name, columns) in [(NUMBERS, number as fn(usize) -> String, floats), (CODES, code, categories)]
    {
        if columns > 0 {
            let wide = format!("{part} in float64");
            concat(&(0..columns).map(name).collect::<Vec<_>>(), part, graph);
            cast(part, &wide, graph);
            parts.push(wide);
        }
    }
    let mut seen = Seen {
        width: floats + categories,
        floats: (0..floats).collect(),
        categories: floats,
        counted: vec![0; trees.counted.len()],
    };
    for (number, table) in trees.tables.iter().enumerate() {
        let mut own = Vec::new();
        for (at, counted) in trees.counted.iter().enumerate().filter(|(_, counted)| counted.table == number) {
            seen.counted[at] = seen.width;
            seen.width += 1;
            own.push(counted);
        }
        if !own.is_empty() {
            let name = format!("counted {number}");
            statistics::write(trees, table, &own, &name, graph)?;
            parts.push(name);
        }
    }
    concat(&parts, SEEN, graph);
    graph.metadata(ENGINE_KEY, EngineName::Tabular.as_str());
    Ok(seen)
}

/// Writes the columns in the order of the training, and the codes of categories.
fn write_columns(trees: &Trees, columns: &[Column], graph: &mut GraphWriter) {
    let known = known_codes(trees);
    let mut taken = BTreeMap::new();
    for (place, column) in columns.iter().enumerate() {
        let called = |name: &str| if name.is_empty() { place.to_string() } else { name.to_owned() };
        match *column {
            Column::Number(at) => graph.column(&number(at), &called(&trees.floats[at].name), DType::F32),
            Column::Category(at) => {
                let name = called(&trees.categories[at].name);
                graph.column(&category(at), &name, DType::Str);
                let texts = Attribute::Texts(examples::texts(known[at].clone()));
                let attributes = vec![(EXAMPLES, texts)];
                graph.node((OWN, "CategoryCode"), &[&category(at)], &code(at), attributes);
                taken.insert(name, Taken { takes_integers: true, ..Taken::default() });
            }
        }
    }
    // Plain data, which always becomes JSON.
    graph.metadata(TAKEN_KEY, &serde_json::to_string(&taken).unwrap_or_default());
}

fn number(at: usize) -> String {
    format!("number {at} of the frame")
}

fn category(at: usize) -> String {
    format!("category {at} of the frame")
}

fn code(at: usize) -> String {
    format!("code {at} of the frame")
}

/// What each place of a row has.
fn columns(trees: &Trees, width: usize) -> Result<Vec<Column>, FunctionError> {
    let mut columns = vec![None; width];
    let floats = trees.floats.iter().enumerate().map(|(at, float)| (float.place, Column::Number(at)));
    let categories = trees.categories.iter().enumerate();
    for (place, column) in floats.chain(categories.map(|(at, one)| (one.place, Column::Category(at)))) {
        if columns[place].replace(column).is_some() {
            return Err(damaged(&format!("two of its columns stand at the place {place}")));
        }
    }
    columns
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| damaged("it does not say what all its columns are"))
}

/// The codes that the model knows of each column of categories.
fn known_codes(trees: &Trees) -> Vec<Vec<i32>> {
    let mut known = vec![Vec::new(); trees.categories.len()];
    for table in &trees.tables {
        let asked = table.alike.is.iter().copied();
        let counted = table.codes().into_iter().map(|code| (table.alike.categories[0], code));
        for (category, code) in asked.chain(counted) {
            known[category].push(code);
        }
    }
    for split in trees.splits() {
        if let Split::Is { category, code } = split {
            known[category].push(code);
        }
    }
    known
}
