//! What an operator knows of its place in the graph when it is made ready: its settings and the types of its inputs.

use std::cell::RefCell;
use std::collections::HashSet;

use modelet_core::{DType, Numbers, Tensor};

use super::constant;
use super::proto::{FullAttribute, FullNode};

/// Why a run has no answer.
#[derive(Debug, PartialEq)]
pub(super) enum Stop {
    /// The model refuses a row: of it, it works out a number that it does not go on with.
    Row {
        /// Counted from 0.
        row: usize,
        /// The number.
        found: f64,
        /// With which it goes on.
        takes: Numbers,
    },
    /// Something that should not happen.
    Failed(String),
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

impl From<&str> for Stop {
    fn from(reason: &str) -> Self {
        Self::Failed(reason.to_owned())
    }
}

/// What a run of an operator gives: one tensor for each output, or why there is none.
pub(super) type Answer = Result<Vec<Tensor>, Stop>;
/// An operator made ready.
pub(super) type Run = Box<dyn Fn(&Arguments<'_>) -> Answer + Send>;

/// An operator made ready, and the element types of its outputs.
pub(super) struct Compiled {
    pub(super) run: Run,
    pub(super) types: Vec<DType>,
}

impl Compiled {
    /// An operator with one output.
    pub(super) fn new(
        dtype: DType,
        run: impl Fn(&Arguments<'_>) -> Result<Tensor, String> + Send + 'static,
    ) -> Result<Self, String> {
        Self::many(vec![dtype], move |arguments| Ok(vec![run(arguments)?]))
    }

    /// An operator with one output, which may refuse a row.
    pub(super) fn refusing(
        dtype: DType,
        run: impl Fn(&Arguments<'_>) -> Result<Tensor, Stop> + Send + 'static,
    ) -> Result<Self, String> {
        Ok(Self { run: Box::new(move |arguments| Ok(vec![run(arguments)?])), types: vec![dtype] })
    }

    /// An operator with any number of outputs.
    pub(super) fn many(
        types: Vec<DType>,
        run: impl Fn(&Arguments<'_>) -> Result<Vec<Tensor>, String> + Send + 'static,
    ) -> Result<Self, String> {
        Ok(Self { run: Box::new(move |arguments| Ok(run(arguments)?)), types })
    }
}

/// The inputs of one run.
pub(super) struct Arguments<'a>(pub(super) Vec<Option<&'a Tensor>>);

impl<'a> Arguments<'a> {
    /// An input that must be there.
    pub(super) fn get(&self, index: usize) -> Result<&'a Tensor, String> {
        self.optional(index).ok_or_else(|| format!("input {index} is missing"))
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Tensor> {
        self.0.get(index).copied().flatten()
    }
}

/// An operator's place in the graph.
pub(super) struct Site<'a> {
    pub(super) node: &'a FullNode,
    /// The version of the node's domain.
    pub(super) opset: i64,
    /// Types of the inputs; `None` for one that is left out.
    pub(super) types: Vec<Option<DType>>,
    /// Columns of the first input, where they are known.
    pub(super) columns: Option<usize>,
    read: RefCell<HashSet<&'a str>>,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        node: &'a FullNode,
        opset: i64,
        types: Vec<Option<DType>>,
        columns: Option<usize>,
    ) -> Self {
        Self { node, opset, types, columns, read: RefCell::default() }
    }

    /// The type of an input that must be there.
    pub(super) fn dtype(&self, index: usize) -> Result<DType, String> {
        self.types.get(index).copied().flatten().ok_or_else(|| format!("input {index} is missing"))
    }

    /// The type of an input, refused unless it is one of these.
    pub(super) fn dtype_of(&self, index: usize, allowed: &[DType]) -> Result<DType, String> {
        let found = self.dtype(index)?;
        if allowed.contains(&found) { Ok(found) } else { Err(format!("an input of type {found}")) }
    }

    /// The type that all inputs share.
    pub(super) fn one_dtype(&self, allowed: &[DType]) -> Result<DType, String> {
        let first = self.dtype_of(0, allowed)?;
        match self.types.iter().flatten().find(|dtype| **dtype != first) {
            Some(other) => Err(format!("inputs of types {first} and {other}")),
            None => Ok(first),
        }
    }

    /// Refuses more inputs than the operator knows.
    pub(super) fn at_most(&self, inputs: usize) -> Result<(), String> {
        if self.types.len() > inputs { Err(format!("{} inputs", self.types.len())) } else { Ok(()) }
    }

    fn attribute(&self, name: &'a str) -> Option<&'a FullAttribute> {
        self.read.borrow_mut().insert(name);
        self.node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    /// True when the setting is there.
    pub(super) fn has(&self, name: &'a str) -> bool {
        self.attribute(name).is_some()
    }

    pub(super) fn int(&self, name: &'a str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i.unwrap_or_default())
    }

    pub(super) fn float(&self, name: &'a str) -> Option<f32> {
        self.attribute(name).map(|attribute| attribute.f.unwrap_or_default())
    }

    pub(super) fn text(&self, name: &'a str) -> Result<Option<String>, String> {
        let attribute = self.attribute(name);
        attribute.map(|attribute| constant::utf8(attribute.s.as_deref().unwrap_or_default())).transpose()
    }

    /// A list of integers; empty when it is not there.
    pub(super) fn ints(&self, name: &'a str) -> &'a [i64] {
        self.attribute(name).map_or(&[], |attribute| &attribute.ints)
    }

    /// A list of floats; empty when it is not there.
    pub(super) fn floats(&self, name: &'a str) -> &'a [f32] {
        self.attribute(name).map_or(&[], |attribute| &attribute.floats)
    }

    /// A list of texts; empty when it is not there.
    pub(super) fn texts(&self, name: &'a str) -> Result<Vec<String>, String> {
        let list = self.attribute(name).map_or(&[][..], |attribute| &attribute.strings);
        list.iter().map(|text| constant::utf8(text)).collect()
    }

    pub(super) fn tensor(&self, name: &'a str) -> Result<Option<Tensor>, String> {
        let Some(attribute) = self.attribute(name) else { return Ok(None) };
        let proto = attribute.t.as_ref().ok_or_else(|| format!("{name} is not a tensor"))?;
        constant::tensor(proto).map(Some)
    }

    /// A tensor of bytes.
    pub(super) fn bytes(&self, name: &'a str) -> Result<Option<Vec<u8>>, String> {
        let Some(attribute) = self.attribute(name) else { return Ok(None) };
        let proto = attribute.t.as_ref().ok_or_else(|| format!("{name} is not a tensor"))?;
        constant::bytes(proto).map(Some)
    }

    /// Settings that do not change an answer.
    pub(super) fn ignore(&self, names: &[&'a str]) {
        self.read.borrow_mut().extend(names);
    }

    /// Refuses a setting that the operator did not ask for: its meaning is not known.
    pub(super) fn check_settings(&self) -> Result<(), String> {
        let names = self.node.attribute.iter().filter_map(|attribute| attribute.name.as_deref());
        match names.into_iter().find(|name| !self.read.borrow().contains(name)) {
            Some(name) => Err(format!("its setting {name}")),
            None => Ok(()),
        }
    }
}
