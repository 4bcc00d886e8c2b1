//! A fitted model of a tree library within one of scikit-learn, as a pipeline's last step or among others: its graph, and what those
//! around it have to know.

use modelet_core::DType;
use modelet_model::onnx::write::GraphWriter;

use crate::importer::classes::Classes;

/// A model of a tree library.
pub(super) struct Guest {
    /// Computes the answer of one input of rows, called [`INPUT`]; its outputs are called as those of
    /// [`inner`](super::sklearn) models are.
    pub graph: GraphWriter,
    /// What it rounds the numbers of its rows to.
    pub precision: DType,
    /// How many numbers a row has.
    pub features: usize,
    /// What a classifier chooses from.
    pub classes: Option<Classes>,
    /// True where it answers in float32.
    pub is_single: bool,
    /// What a zero is to it that a sparse matrix does not hold.
    pub unheld: Unheld,
}

/// The input of a guest's graph.
pub(super) const INPUT: &str = "X";

/// What is taken for a number that a sparse matrix does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheld {
    /// A missing one.
    Missing,
    /// Zero.
    Zero,
    /// Zero, but a held one so near to it that it is taken for zero elsewhere is not.
    ZeroAlone,
}
