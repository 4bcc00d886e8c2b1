//! The classes that a classifier chooses from, and its answer: `label`, and `probabilities` in the order of the classes.

use modelet_core::{DType, Data, Dim, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};

use crate::pickle::{Asked, Item};

/// The name of the answer's first part.
pub(super) const LABEL: &str = "label";
/// The name of its second part, which the caller writes.
pub(super) const PROBABILITIES: &str = "probabilities";

/// What stands for each class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Classes(Data);

impl Classes {
    /// Reads an array of classes: texts, whole numbers, truths or numbers.
    pub(super) fn read(item: &Item) -> Asked<Self> {
        let array = item.array()?;
        if array.shape.len() != 1 {
            return Err(item.not("a list of classes"));
        }
        let numbers = || array.integers().map(Data::I64).or_else(|| array.numbers().map(Data::F64));
        let data = numbers().or_else(|| array.flags().map(Data::Bool));
        match data {
            Some(data) => Ok(Self(data)),
            None => item.texts().map(|texts| Self(Data::Str(texts))),
        }
    }

    /// Those of another kind of file, in their order.
    pub(super) const fn of(data: Data) -> Self {
        Self(data)
    }

    /// Classes that are the numbers of their places.
    pub(super) fn indices(len: usize) -> Self {
        Self(Data::I64((0..len as i64).collect()))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The type of the labels.
    pub(super) fn dtype(&self) -> DType {
        self.0.dtype()
    }

    /// Writes the classes as a constant.
    pub(super) fn constant(self, graph: &mut GraphWriter, name: &str) {
        graph.constant(name, &Tensor::vector(self.0));
    }

    /// The classes as float64 numbers; `None` where they are texts.
    pub(super) fn numbers(&self) -> Option<Vec<f64>> {
        match &self.0 {
            Data::I64(classes) => Some(classes.iter().map(|class| *class as f64).collect()),
            Data::F64(classes) => Some(classes.clone()),
            Data::Bool(classes) => Some(classes.iter().map(|class| f64::from(u8::from(*class))).collect()),
            _ => None,
        }
    }

    /// For each class, which one it is of others; `None` where one is none of them.
    pub(super) fn places_in(&self, others: &Self) -> Option<Vec<usize>> {
        fn places<T: PartialEq>(own: &[T], others: &[T]) -> Option<Vec<usize>> {
            own.iter().map(|class| others.iter().position(|other| other == class)).collect()
        }
        match (&self.0, &others.0) {
            (Data::I64(own), Data::I64(others)) => places(own, others),
            (Data::F64(own), Data::F64(others)) => places(own, others),
            (Data::Bool(own), Data::Bool(others)) => places(own, others),
            (Data::Str(own), Data::Str(others)) => places(own, others),
            _ => None,
        }
    }

    /// Writes the label: the class whose index is the largest of [`PROBABILITIES`], of equal ones the first.
    pub(super) fn choose(self, graph: &mut GraphWriter) {
        let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        graph.node(("", "ArgMax"), &[PROBABILITIES], "index", axis);
        self.write(graph, "index");
    }

    /// Writes the answer: the class at an index, and its probabilities, which are there.
    pub(super) fn write(self, graph: &mut GraphWriter, index: &str) {
        let shape = [Dim::Named("rows".to_owned()), Dim::Fixed(self.len())];
        self.label(graph, index);
        graph.output(PROBABILITIES, DType::F64, &shape);
    }

    /// Writes the class at an index.
    pub(super) fn label(self, graph: &mut GraphWriter, index: &str) {
        let dtype = self.0.dtype();
        if self.are_indices() {
            graph.node(("", "Identity"), &[index], LABEL, vec![]);
        } else {
            graph.constant("classes", &Tensor::vector(self.0));
            graph.node(("", "Gather"), &["classes", index], LABEL, vec![("axis", Attribute::Int(0))]);
        }
        graph.output(LABEL, dtype, &[Dim::Named("rows".to_owned())]);
    }

    /// True where each class is the number of its place.
    pub(super) fn are_indices(&self) -> bool {
        matches!(&self.0, Data::I64(classes) if classes.iter().copied().eq(0..classes.len() as i64))
    }
}
