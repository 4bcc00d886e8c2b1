//! What the trees, encoders and comparisons of a graph ask: the numbers that columns of its inputs are compared with. For rows
//! that tell whether two models are the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use modelet_core::{Data, FunctionError, Signature, Tensor};

use super::proto::{FullGraph, FullNode};
use super::{bounds, categories, constant, texts};
use crate::files::Files;
use crate::onnx::{refused, summarize};

/// Longest way from a tree to an input of the graph, in nodes.
const MAX_DEPTH: usize = 32;
/// Most terms that are told of a vocabulary.
const MAX_TERMS: usize = 500;
/// `nodes_modes` of a question whether a number is one of a set.
const MEMBER: u8 = 6;

/// What is asked of one column of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The input.
    pub input: String,
    /// The column along its last axis.
    pub column: usize,
    /// The numbers that it is compared with, ascending, each once.
    pub splits: Vec<f64>,
    /// The numbers of the sets that it is looked for in, ascending, each once.
    pub members: Vec<f64>,
    /// The terms that are looked for in its texts, some of them where they are many.
    pub terms: Vec<String>,
    /// Texts that are categories to the model, some of them where they are many.
    pub categories: Vec<String>,
}

/// What a model asks, by input and column. Questions behind what cannot be traced back are left out.
///
/// # Errors
/// `model-refused` when the file cannot be read, or its trees are damaged.
pub fn splits(model: &Path) -> Result<Vec<Asked>, FunctionError> {
    let signature = summarize(model)?.signature()?;
    let graph = super::read(&Files::Disk, model)?.graph.unwrap_or_default();
    let tracer = Tracer::new(&graph, &signature)?;
    let mut asked = BTreeMap::new();
    for node in &graph.node {
        if texts::is_terms(node) {
            let column = node.input.first().and_then(|input| tracer.columns(input, 0)?.into_iter().next()?);
            collect_terms(texts::vocabulary(node), column, &mut asked);
            continue;
        }
        if let Some(known) = categories::examples(node) {
            let column = node.input.first().and_then(|input| tracer.columns(input, 0)?.into_iter().next()?);
            if let Some(column) = column {
                place_of(&column, &mut asked).categories.extend(known.iter().map(|text| lossy(text)));
            }
            continue;
        }
        let questions = match node.op() {
            "TreeEnsemble" => Trees::of(node),
            "LabelEncoder" => Trees::of_keys(node),
            "Greater" | "GreaterOrEqual" => Ok(Trees::of_comparison(tracer.constant(node.input.get(1)))),
            _ => continue,
        };
        let columns = node.input.first().and_then(|input| tracer.columns(input, 0));
        let questions = questions.map_err(|why| refused(format!("{}: {why}", node.label())))?;
        questions.collect(columns.as_deref().unwrap_or_default(), &mut asked);
    }
    Ok(asked.into_values().map(sorted).collect())
}

fn sorted(mut asked: Asked) -> Asked {
    for numbers in [&mut asked.splits, &mut asked.members] {
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
    }
    asked
}

/// A column that trees see: `number = (value of the input - offset) / scale`.
#[derive(Debug, Clone)]
struct Column {
    input: String,
    column: usize,
    scale: f64,
    offset: f64,
}

/// The questions of one node, one of each list for each question.
struct Trees<'a> {
    features: Cow<'a, [i64]>,
    modes: Vec<u8>,
    splits: Vec<f64>,
    members: Vec<f64>,
}

impl<'a> Trees<'a> {
    fn of(node: &'a FullNode) -> Result<Self, String> {
        let attribute = |name: &str| node.attribute.iter().find(|one| one.name.as_deref() == Some(name));
        let list = |name: &str| match attribute(name).and_then(|one| one.t.as_ref()) {
            Some(proto) => numbers(&constant::tensor(proto)?),
            None => Ok(Vec::new()),
        };
        let modes = attribute("nodes_modes").and_then(|one| one.t.as_ref());
        Ok(Self {
            features: attribute("nodes_featureids").map_or(&[][..], |one| &one.ints).into(),
            modes: modes.map_or(Ok(Vec::new()), constant::bytes)?,
            splits: list("nodes_splits")?,
            members: list("membership_values")?,
        })
    }

    /// The numbers that an encoder looks for in each of its columns, as one set.
    fn of_keys(node: &FullNode) -> Result<Self, String> {
        let keys = node.attribute.iter().find(|one| one.name.as_deref() == Some("keys_tensor"));
        let keys = keys.and_then(|one| one.t.as_ref()).map(|proto| numbers(&constant::tensor(proto)?));
        let members = keys.transpose()?.unwrap_or_default().into_iter().filter(|key| !key.is_nan());
        Ok(Self {
            features: vec![0].into(),
            modes: vec![MEMBER],
            splits: vec![0.0],
            members: members.collect(),
        })
    }

    /// The numbers that a column is compared with.
    fn of_comparison(numbers: &[f64]) -> Self {
        let (modes, splits) = (vec![0; numbers.len()], numbers.to_vec());
        Self { features: vec![0; numbers.len()].into(), modes, splits, members: Vec::new() }
    }

    fn collect(&self, columns: &[Option<Column>], asked: &mut BTreeMap<(String, usize), Asked>) {
        // Sets stand one after the other, in the order of their questions, each ended by NaN.
        let mut sets = self.members.split(|member| member.is_nan());
        for ((feature, mode), split) in self.features.iter().zip(&self.modes).zip(&self.splits) {
            let set = if *mode == MEMBER { sets.next() } else { None };
            let Some(Some(column)) = usize::try_from(*feature).ok().and_then(|at| columns.get(at)) else {
                continue;
            };
            let of_input = |number: &f64| number * column.scale + column.offset;
            let place = place_of(column, asked);
            match set {
                Some(set) => place.members.extend(set.iter().map(of_input)),
                None => place.splits.push(of_input(split)),
            }
        }
    }
}

/// What is known to be asked of a column.
fn place_of<'a>(column: &Column, asked: &'a mut BTreeMap<(String, usize), Asked>) -> &'a mut Asked {
    asked.entry((column.input.clone(), column.column)).or_insert_with(|| Asked {
        input: column.input.clone(),
        column: column.column,
        splits: Vec::new(),
        members: Vec::new(),
        terms: Vec::new(),
        categories: Vec::new(),
    })
}

/// Notes terms of a vocabulary, evenly chosen. A column of texts stands there also where none are known.
fn collect_terms(terms: &[Vec<u8>], column: Option<Column>, asked: &mut BTreeMap<(String, usize), Asked>) {
    let Some(column) = column else { return };
    let some = terms.iter().step_by(terms.len().div_ceil(MAX_TERMS).max(1));
    place_of(&column, asked).terms.extend(some.map(|term| lossy(term)));
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Finds the columns of the inputs behind a value of the graph.
struct Tracer<'a> {
    graph: &'a FullGraph,
    inputs: Vec<(&'a str, usize)>,
    constants: BTreeMap<&'a str, Vec<f64>>,
    places: BTreeMap<&'a str, Vec<i64>>,
}

impl<'a> Tracer<'a> {
    fn new(graph: &'a FullGraph, signature: &'a Signature) -> Result<Self, FunctionError> {
        let width = |shape: &[modelet_core::Dim]| match shape {
            [_, columns] => columns.fixed(),
            [_] => Some(1),
            _ => None,
        };
        let inputs = signature.inputs.iter();
        let inputs =
            inputs.filter_map(|input| Some((&*input.name, width(input.shape.as_deref()?)?))).collect();
        let mut tracer = Self { graph, inputs, constants: BTreeMap::new(), places: BTreeMap::new() };
        for proto in &graph.initializer {
            let (name, tensor) = (proto.name.as_deref().unwrap_or_default(), constant::tensor(proto));
            match tensor.as_ref().map(|tensor| (tensor.data(), numbers(tensor))) {
                Ok((_, Ok(numbers))) => drop(tracer.constants.insert(name, numbers)),
                Ok((Data::I64(places), _)) => drop(tracer.places.insert(name, places.clone())),
                _ => {}
            }
        }
        Ok(tracer)
    }

    /// The numbers of a constant; none of anything else.
    fn constant(&self, name: Option<&String>) -> &[f64] {
        name.and_then(|name| self.constants.get(name.as_str())).map_or(&[], Vec::as_slice)
    }

    /// The columns of a value; `None` among them stands for one that is computed in another way.
    fn columns(&self, value: &str, depth: usize) -> Option<Vec<Option<Column>>> {
        if let Some((name, width)) = self.inputs.iter().find(|(name, _)| *name == value) {
            let column = |column| Column { input: (*name).to_owned(), column, scale: 1.0, offset: 0.0 };
            return Some((0..*width).map(column).map(Some).collect());
        }
        let node = self.graph.node.iter().find(|node| node.output.iter().any(|output| output == value))?;
        if depth == MAX_DEPTH {
            return None;
        }
        if let Some(width) = categories::width(node) {
            return Some(vec![None; width]);
        }
        let behind = |input: &String| self.columns(input, depth + 1);
        match node.op() {
            "Concat" => Some(node.input.iter().map(behind).collect::<Option<Vec<_>>>()?.concat()),
            "Identity" | "Cast" | "Reshape" | "Flatten" | "Imputer" | bounds::WITHIN => {
                behind(node.input.first()?)
            }
            "Gather" => {
                let columns = behind(node.input.first()?)?;
                let places = self.places.get(node.input.get(1)?.as_str())?.iter();
                places.map(|at| columns.get(usize::try_from(*at).ok()?).cloned()).collect()
            }
            "LabelEncoder" | "IsNaN" => Some(vec![None; behind(node.input.first()?)?.len()]),
            "OneHot" => {
                let width = self.places.get(node.input.get(1)?.as_str())?.first()?;
                Some(vec![None; usize::try_from(*width).ok()?])
            }
            // The other branch is a constant that takes the place of some numbers.
            "Where" => node.input.iter().skip(1).find_map(behind),
            "Sub" | "Add" | "Div" | "Mul" => {
                let columns = behind(node.input.first()?)?;
                self.undone(node.op(), columns, self.constants.get(node.input.get(1)?.as_str())?)
            }
            "Scaler" => scaled(node, behind(node.input.first()?)?),
            _ => None,
        }
    }

    /// The columns behind an operation with a constant, which is one number, or one for each column.
    fn undone(&self, op: &str, columns: Vec<Option<Column>>, by: &[f64]) -> Option<Vec<Option<Column>>> {
        let number = |at: usize| if by.len() == 1 { by.first() } else { by.get(at) }.copied();
        let undo = |(at, column): (usize, Option<Column>)| {
            let by = number(at)?;
            Some(column.map(|column| match op {
                "Sub" => Column { offset: column.offset + by * column.scale, ..column },
                "Add" => Column { offset: column.offset - by * column.scale, ..column },
                "Div" => Column { scale: column.scale * by, ..column },
                _ => Column { scale: column.scale / by, ..column },
            }))
        };
        columns.into_iter().enumerate().map(undo).collect()
    }
}

/// `ai.onnx.ml.Scaler`: `(x - offset) × scale`.
fn scaled(node: &FullNode, columns: Vec<Option<Column>>) -> Option<Vec<Option<Column>>> {
    let list = |name: &str| node.attribute.iter().find(|one| one.name.as_deref() == Some(name));
    let (offsets, scales) = (&list("offset")?.floats, &list("scale")?.floats);
    let number = |list: &[f32], at: usize| if list.len() == 1 { list.first() } else { list.get(at) }.copied();
    let undo = |(at, column): (usize, Option<Column>)| {
        let (offset, scale) = (f64::from(number(offsets, at)?), f64::from(number(scales, at)?));
        Some(column.map(|column| {
            let (offset, scale) = (column.offset + offset * column.scale, column.scale / scale);
            Column { scale, offset, ..column }
        }))
    };
    columns.into_iter().enumerate().map(undo).collect()
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, String> {
    match tensor.data() {
        Data::F32(numbers) => Ok(numbers.iter().map(|number| f64::from(*number)).collect()),
        Data::F64(numbers) => Ok(numbers.clone()),
        other => Err(format!("numbers of type {}", other.dtype())),
    }
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Dim};

    use super::*;
    use crate::onnx::write::{Attribute, GraphWriter, ML};

    /// Two questions, one of a set, behind `(x - [1, 2, 3]) / 2`.
    fn asked_by(behind: &str) -> Vec<Asked> {
        let mut graph = GraphWriter::default();
        graph.input("X", DType::F64, &[Dim::Dynamic, Dim::Fixed(3)]);
        graph.constant("mean", &Tensor::vector(vec![1.0, 2.0, 3.0]));
        graph.constant("deviation", &Tensor::vector(vec![2.0]));
        graph.node(("", "Sub"), &["X", "mean"], "centred", vec![]);
        graph.node(("", "Div"), &["centred", "deviation"], "scaled", vec![]);
        let list = |numbers: Vec<f64>| Attribute::Tensor(Tensor::vector(numbers));
        let attributes = vec![
            ("nodes_featureids", Attribute::Ints(vec![0, 2, 0])),
            ("nodes_modes", Attribute::Tensor(Tensor::vector(vec![0_u8, MEMBER, 1]))),
            ("nodes_splits", list(vec![0.5, 0.0, -0.5])),
            ("membership_values", list(vec![4.0, 1.0, f64::NAN])),
        ];
        graph.node((ML, "TreeEnsemble"), &[behind], "y", attributes);
        graph.output("y", DType::F64, &[Dim::Dynamic, Dim::Fixed(1)]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, graph.into_file()).unwrap();
        splits(&path).unwrap()
    }

    #[test]
    fn questions_are_told_by_column_of_the_input() {
        let of_input = asked_by("X");
        let both: Vec<_> =
            of_input.iter().map(|asked| (asked.column, &*asked.splits, &*asked.members)).collect();
        assert_eq!(both, [(0, &[-0.5, 0.5][..], &[][..]), (2, &[], &[1.0, 4.0])]);
        let scaled = asked_by("scaled");
        assert_eq!((&*scaled[0].splits, &*scaled[1].members), (&[0.0, 2.0][..], &[5.0, 11.0][..]));
    }

    #[test]
    fn columns_beside_those_of_an_encoder_are_traced_and_its_keys_are_told() {
        let mut graph = GraphWriter::default();
        graph.input("X", DType::F64, &[Dim::Dynamic, Dim::Fixed(3)]);
        let places = |places: &[i64]| Tensor::vector(places.to_vec());
        let axis = |axis| vec![("axis", Attribute::Int(axis))];
        graph.constant("second", &places(&[1]));
        graph.constant("others", &places(&[2, 0]));
        graph.constant("width", &places(&[2]));
        graph.constant("off and on", &Tensor::vector(vec![0.0, 1.0]));
        graph.constant("edges", &Tensor::vector(vec![7.0, 8.0]));
        graph.node(("", "Gather"), &["X", "second"], "class", axis(1));
        graph.node(("", "Gather"), &["X", "others"], "rest", axis(1));
        let keys = Attribute::Tensor(Tensor::vector(vec![3.0, 1.0, f64::NAN]));
        graph.node((ML, "LabelEncoder"), &["class"], "code", vec![("keys_tensor", keys)]);
        graph.node(("", "OneHot"), &["code", "width", "off and on"], "spread", axis(-1));
        graph.node(("", "Flatten"), &["spread"], "one hot", axis(1));
        graph.node(("", "GreaterOrEqual"), &["class", "edges"], "reached", vec![]);
        graph.node(("", "Concat"), &["one hot", "rest"], "all", axis(1));
        let attributes = vec![
            ("nodes_featureids", Attribute::Ints(vec![0, 3])),
            ("nodes_modes", Attribute::Tensor(Tensor::vector(vec![0_u8, 0]))),
            ("nodes_splits", Attribute::Tensor(Tensor::vector(vec![0.5, 4.0]))),
        ];
        graph.node((ML, "TreeEnsemble"), &["all"], "y", attributes);
        graph.output("y", DType::F64, &[Dim::Dynamic, Dim::Fixed(1)]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, graph.into_file()).unwrap();
        let asked = splits(&path).unwrap();
        let both: Vec<_> =
            asked.iter().map(|asked| (asked.column, &*asked.splits, &*asked.members)).collect();
        assert_eq!(both, [(0, &[4.0][..], &[][..]), (1, &[7.0, 8.0], &[1.0, 3.0])]);
    }

    #[test]
    fn trees_behind_what_cannot_be_traced_are_left_out() {
        assert_eq!(asked_by("nowhere"), []);
    }
}
