//! The binary form, `.cbm`: a mark, a size, and a flatbuffer of that size. Fields are named by their numbers in the schema.

mod counted;

use serde_json::{Map, Value};

use super::flat::Table;
use super::saved::{Category, Fault, FloatFeature, Node, Notes, Saved, SavedTree, Split, Trees, asks_about};
use counted::Features;

/// How a file begins.
const MARK: &[u8] = b"CBM1";
/// How the layout is called that is known.
const FORMAT: &str = "FlabuffersModel_v1";

/// Fields of `TModelCore`.
mod core {
    pub const FORMAT_VERSION: usize = 0;
    pub const TREES: usize = 1;
    pub const NOTES: usize = 2;
    pub const PARTS: usize = 3;
}

/// Fields of `TModelTrees`.
mod trees {
    pub const TARGETS: usize = 0;
    pub const SPLITS: usize = 1;
    pub const SIZES: usize = 2;
    pub const STARTS: usize = 3;
    pub const CATEGORIES: usize = 4;
    pub const FLOATS: usize = 5;
    pub const ONE_HOT: usize = 6;
    pub const COUNTED: usize = 7;
    pub const LEAVES: usize = 8;
    pub const STEPS: usize = 10;
    pub const LEAF_NUMBERS: usize = 11;
    pub const TEXTS: usize = 12;
    pub const SCALE: usize = 14;
    pub const BIAS: usize = 15;
    pub const BIASES: usize = 16;
    pub const EMBEDDINGS: usize = 18;
}

/// Fields of `TFloatFeature`.
mod float {
    pub const NUMBER: usize = 1;
    pub const PLACE: usize = 2;
    pub const BORDERS: usize = 3;
    pub const NAME: usize = 4;
    pub const MISSING: usize = 5;
    /// `ENanValueTreatment`
    pub const AS_TRUE: u8 = 2;
}

/// Fields of `TCatFeature`.
mod category {
    pub const NUMBER: usize = 0;
    pub const PLACE: usize = 1;
    pub const NAME: usize = 2;
}

/// Fields of `TOneHotFeature`.
mod one_hot {
    pub const NUMBER: usize = 0;
    pub const CODES: usize = 1;
}

/// True for the beginning of such a file.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// Reads it.
pub(super) fn read(bytes: &[u8]) -> Result<Saved, Fault> {
    let damaged = || "an offset leads nowhere".to_owned();
    let (core, behind) = core_of(bytes).ok_or_else(damaged)?;
    let format = core.text(core::FORMAT_VERSION).ok_or_else(damaged)?;
    if format != FORMAT {
        return Err(Fault::NotBuilt(format!("has the layout {format:?}, where {FORMAT:?} is known")));
    }
    let table = core.table(core::TREES).flatten().ok_or_else(damaged)?;
    for (kind, field) in [("texts", trees::TEXTS), ("embeddings", trees::EMBEDDINGS)] {
        if !table.tables(field).ok_or_else(damaged)?.is_empty() {
            return Err(asks_about(kind));
        }
    }
    let (mut trees, features) = features(table).ok_or_else(damaged)?;
    if !table.tables(trees::COUNTED).ok_or_else(damaged)?.is_empty() {
        let parts = core.texts(core::PARTS).ok_or_else(damaged)?;
        counted::read(table, &features, &parts, behind, &mut trees)?;
    }
    trees.trees = Reading::of(table, questions(table, &features, &trees).ok_or_else(damaged)?, trees.targets)
        .and_then(|reading| reading.trees())
        .ok_or_else(damaged)?;
    notes(core)?.of(trees)
}

/// The flatbuffer, and what lies behind it.
fn core_of(bytes: &[u8]) -> Option<(Table<'_>, &[u8])> {
    let (size, rest) = bytes.strip_prefix(MARK)?.split_first_chunk()?;
    let (core, behind) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
    Some((Table::root(core)?, behind))
}

/// Pairs of a key and a text, which is JSON for some.
fn notes(core: Table<'_>) -> Result<Notes, String> {
    let mut all = Map::new();
    for pair in core.tables(core::NOTES).unwrap_or_default() {
        let (Some(key), Some(text)) = (pair.text(0), pair.text(1)) else { continue };
        let is_json = matches!(key, "params" | "class_params") && !text.is_empty();
        let value = if is_json { serde_json::from_str(text) } else { Ok(Value::from(text)) };
        all.insert(key.to_owned(), value.map_err(|error| format!("its note {key:?} is damaged: {error}"))?);
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| format!("its notes are damaged: {error}"))
}

/// The columns, and all else but what was counted and the trees.
fn features(table: Table<'_>) -> Option<(Trees, Features)> {
    let targets = usize::try_from(table.scalar(trees::TARGETS, 0_i32)?).ok()?;
    let (mut floats, mut categories, mut features) = (Vec::new(), Vec::new(), Features::default());
    for feature in table.tables(trees::FLOATS)? {
        features.floats.push(feature.scalar(float::NUMBER, -1_i32)?);
        floats.push(FloatFeature {
            place: usize::try_from(feature.scalar(float::PLACE, -1_i32)?).ok()?,
            name: feature.text(float::NAME)?.to_owned(),
            missing_is_large: feature.scalar(float::MISSING, 0_u8)? == float::AS_TRUE,
        });
    }
    for feature in table.tables(trees::CATEGORIES)? {
        features.categories.push(feature.scalar(category::NUMBER, -1_i32)?);
        categories.push(Category {
            place: usize::try_from(feature.scalar(category::PLACE, -1_i32)?).ok()?,
            name: feature.text(category::NAME)?.to_owned(),
        });
    }
    let mut bias = table.scalars::<f64>(trees::BIASES)?;
    if bias.is_empty() {
        bias = vec![table.scalar(trees::BIAS, 0.0)?; targets];
    }
    let scale = table.scalar(trees::SCALE, 1.0)?;
    let (tables, counted, trees) = (Vec::new(), Vec::new(), Vec::new());
    Some((Trees { floats, categories, tables, counted, trees, targets, scale, bias }, features))
}

/// All questions, in the order in which trees number them: about numbers, categories, and what was counted.
fn questions(table: Table<'_>, features: &Features, trees: &Trees) -> Option<Vec<Split>> {
    let mut questions = Vec::new();
    for (float, feature) in table.tables(trees::FLOATS)?.into_iter().enumerate() {
        let borders = feature.scalars::<f32>(float::BORDERS)?;
        questions.extend(borders.into_iter().map(|border| Split::Above { float, border }));
    }
    for feature in table.tables(trees::ONE_HOT)? {
        let category = features.category(feature.scalar(one_hot::NUMBER, -1_i32)?)?;
        let codes = feature.scalars::<i32>(one_hot::CODES)?;
        questions.extend(codes.into_iter().map(|code| Split::Is { category, code }));
    }
    for (counted, borders) in counted::borders(table)?.into_iter().enumerate().take(trees.counted.len()) {
        questions.extend(borders.into_iter().map(|border| Split::Counted { counted, border }));
    }
    Some(questions)
}

/// The lists in which all trees lie one behind the other.
struct Reading {
    /// What splits are numbers of.
    questions: Vec<Split>,
    splits: Vec<i32>,
    sizes: Vec<i32>,
    starts: Vec<i32>,
    leaves: Vec<f64>,
    /// How far it is to the nodes that follow on a no and on a yes; 0: this is the end. Empty where trees are symmetric.
    steps: Vec<(u16, u16)>,
    /// Which leaf a node is the end with.
    leaf_numbers: Vec<u32>,
    targets: usize,
}

impl Reading {
    fn of(table: Table<'_>, questions: Vec<Split>, targets: usize) -> Option<Self> {
        let steps = table.scalars::<u32>(trees::STEPS)?;
        Some(Self {
            questions,
            splits: table.scalars(trees::SPLITS)?,
            sizes: table.scalars(trees::SIZES)?,
            starts: table.scalars(trees::STARTS)?,
            leaves: table.scalars(trees::LEAVES)?,
            // Two numbers of 16 bits, the first the lower.
            steps: steps.into_iter().map(|both| (both as u16, (both >> 16) as u16)).collect(),
            leaf_numbers: table.scalars(trees::LEAF_NUMBERS)?,
            targets,
        })
    }

    fn trees(&self) -> Option<Vec<SavedTree>> {
        let (mut trees, mut leaf) = (Vec::with_capacity(self.sizes.len()), 0_usize);
        for (start, size) in self.starts.iter().zip(&self.sizes) {
            let (start, size) = (usize::try_from(*start).ok()?, usize::try_from(*size).ok()?);
            if self.steps.is_empty() {
                let splits =
                    (start..start.checked_add(size)?).map(|at| self.split(at)).collect::<Option<_>>()?;
                let count = 1_usize.checked_shl(u32::try_from(size).ok()?)?.checked_mul(self.targets)?;
                let leaves = self.leaves.get(leaf..leaf.checked_add(count)?)?.to_vec();
                leaf += count;
                trees.push(SavedTree::Symmetric { splits, leaves });
            } else {
                trees.push(SavedTree::Free(self.free(start, start.checked_add(size)?)?));
            }
        }
        Some(trees)
    }

    fn split(&self, at: usize) -> Option<Split> {
        self.questions.get(usize::try_from(*self.splits.get(at)?).ok()?).copied()
    }

    /// The nodes of a tree that is not symmetric, each in its place, and behind them leaves of those that end on one side only.
    fn free(&self, start: usize, end: usize) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        let mut ends = Vec::new();
        for at in start..end {
            let (no, yes) = *self.steps.get(at)?;
            if (no, yes) == (0, 0) {
                nodes.push(self.leaf(at)?);
                continue;
            }
            let mut follow = |step: u16| match step {
                0 => {
                    ends.push(at);
                    end - start + ends.len() - 1
                }
                step => at - start + usize::from(step),
            };
            let (no, yes) = (follow(no), follow(yes));
            nodes.push(Node::Split { split: self.split(at)?, no, yes });
        }
        for at in ends {
            nodes.push(self.leaf(at)?);
        }
        Some(nodes)
    }

    fn leaf(&self, at: usize) -> Option<Node> {
        // Of the numbers of all trees, and so of all leaves: where a leaf has several numbers, that of its first.
        let first = *self.leaf_numbers.get(at)? as usize;
        Some(Node::Leaf(self.leaves.get(first..first.checked_add(self.targets)?)?.to_vec()))
    }
}
