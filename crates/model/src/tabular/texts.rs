//! Operators of a domain of our own: texts become numbers as scikit-learn's vectorisers make them, beside other columns of a frame.
//! (ONNX has operators for tokens and n-grams; their words are not Python's.)
//!
//! - [`analyzer`]: from a text to its terms
//! - [`characters`]: which characters mean the same in every version of Python
//! - [`hashing`]: terms that are counted by a hash

mod analyzer;
mod characters;
mod hashing;

use std::collections::HashMap;

use modelet_core::{DType, Data, FunctionError, Signature, Tensor};

use super::operators::Entry;
use super::proto::{FullGraph, FullNode};
use super::shape::{count, make};
use super::site::{Compiled, Site};
use crate::onnx::write::OWN;
use analyzer::Analyzer;
use characters::Known;
use hashing::Buckets;

/// Name, first version, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[(TERMS, 1, terms)];
/// How often each term of a vocabulary is in a text.
const TERMS: &str = "Terms";
/// The attribute with the terms, by the places of their columns.
const VOCABULARY: &str = "vocabulary";
/// … and the one with how many columns hashes have, where there is no vocabulary.
const BUCKETS: &str = "buckets";
/// Numbers in one table that is made of texts, at most: of more texts, some are computed after the others.
const MAX_NUMBERS_AT_ONCE: usize = 4 << 20;

/// `Terms`: a row for each text, a column for each term or hash.
fn terms(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, &[DType::Str])?;
    site.at_most(1)?;
    let analyzer = Analyzer::read(site)?;
    let columns = Columns::read(site)?;
    let is_binary = site.int("binary").unwrap_or(0) != 0;
    Compiled::new(DType::F64, move |arguments| {
        let Data::Str(texts) = arguments.get(0)?.data() else { return Err("an input of numbers".into()) };
        let shape = vec![texts.len(), columns.width()];
        let mut numbers = vec![0.0; count(&shape)?];
        for (text, row) in texts.iter().zip(numbers.chunks_exact_mut(columns.width())) {
            analyzer.each(text, &mut |term| columns.count(term, is_binary, row));
        }
        make(shape, Data::F64(numbers))
    })
}

/// What columns count.
enum Columns {
    /// The terms of a vocabulary.
    Known(HashMap<String, usize>),
    /// Hashes of terms.
    Hashed(Buckets),
}

impl Columns {
    fn read(site: &Site<'_>) -> Result<Self, String> {
        let vocabulary = site.texts(VOCABULARY)?;
        let hashed = site.int("signed").unwrap_or(0) != 0;
        match site.int(BUCKETS) {
            Some(buckets) if vocabulary.is_empty() => Buckets::new(buckets, hashed).map(Self::Hashed),
            None if !vocabulary.is_empty() => {
                let terms = vocabulary.len();
                let places: HashMap<_, _> =
                    vocabulary.into_iter().enumerate().map(|(at, term)| (term, at)).collect();
                if places.len() == terms {
                    Ok(Self::Known(places))
                } else {
                    Err("a term that stands twice".into())
                }
            }
            _ => Err("not either a vocabulary or buckets".into()),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Known(places) => places.len(),
            Self::Hashed(buckets) => buckets.width(),
        }
    }

    /// Counts a term, or notes only that it is there.
    fn count(&self, term: &str, is_binary: bool, row: &mut [f64]) {
        let (at, by) = match self {
            Self::Known(places) => match places.get(term) {
                Some(at) => (*at, 1.0),
                None => return,
            },
            Self::Hashed(buckets) => buckets.place(term),
        };
        if is_binary { row[at] = 1.0 } else { row[at] += by }
    }
}

/// The inputs of a graph that are read as texts, and how wide the widest table is that is made of one.
#[derive(Debug, Default)]
pub(super) struct Documents {
    inputs: Vec<usize>,
    widest: usize,
    known: Option<Known>,
}

impl Documents {
    pub(super) fn of(graph: &FullGraph, signature: &Signature) -> Self {
        let mut documents = Self::default();
        for node in graph.node.iter().filter(|node| is_terms(node)) {
            let name = node.input.first().map(String::as_str).unwrap_or_default();
            documents.inputs.extend(signature.inputs.iter().position(|input| input.name == name));
            documents.widest = documents.widest.max(width(node));
            documents.known.get_or_insert_with(Known::new);
        }
        documents
    }

    /// Refuses texts with a character that versions of Python take for different things.
    pub(super) fn check(
        &self,
        signature: &Signature,
        inputs: &[Option<&Tensor>],
    ) -> Result<(), FunctionError> {
        let Some(known) = &self.known else { return Ok(()) };
        for at in &self.inputs {
            let Some(Data::Str(texts)) = inputs[*at].map(Tensor::data) else { continue };
            for (row, text) in texts.iter().enumerate() {
                if let Some(character) = known.first_doubtful(text) {
                    let found = format!("U+{:04X} in row {row} (counted from 0)", u32::from(character));
                    let name = &signature.inputs[*at].name;
                    return Err(FunctionError::bad_input(name, characters::EXPECTED, found));
                }
            }
        }
        Ok(())
    }

    /// How many rows are computed at once; `None` for all.
    pub(super) fn rows_at_once(&self) -> Option<usize> {
        (self.widest > 0).then(|| (MAX_NUMBERS_AT_ONCE / self.widest).max(1))
    }
}

/// True for a node that counts terms.
pub(super) fn is_terms(node: &FullNode) -> bool {
    node.op_domain() == OWN && node.op() == TERMS
}

/// The terms that a node counts; none where it hashes them.
pub(super) fn vocabulary(node: &FullNode) -> &[Vec<u8>] {
    let list = node.attribute.iter().find(|one| one.name.as_deref() == Some(VOCABULARY));
    list.map_or(&[], |list| &list.strings)
}

fn width(node: &FullNode) -> usize {
    let buckets = node.attribute.iter().find(|one| one.name.as_deref() == Some(BUCKETS));
    let buckets = buckets.and_then(|one| usize::try_from(one.i?).ok());
    buckets.unwrap_or_else(|| vocabulary(node).len())
}
