//! What flows between two steps: columns side by side, of numbers or of texts. Numbers are computed as matrices; texts stay the
//! columns of the frame that they are until an encoder makes numbers of them.

use std::rc::Rc;

use modelet_core::Tensor;
use modelet_model::onnx::write::Attribute;

use super::frame::{Frame, Kind};
use crate::pickle::Asked;

/// A value of a column. A missing one is NaN, and among texts the empty text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    /// A number becomes the nearest of float32.
    pub(super) fn round_to_single(&mut self) {
        if let Self::Number(number) = self {
            *number = f64::from(*number as f32);
        }
    }

    /// What stands for a missing one of its kind.
    pub(super) fn missing(&self) -> Self {
        match self {
            Self::Number(_) => Self::Number(f64::NAN),
            Self::Text(_) => Self::Text(String::new()),
        }
    }

    /// True when they are the same value; missing ones are.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one == other || one.is_nan() && other.is_nan(),
            _ => self == other,
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        self.is(&self.missing())
    }
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The column of the frame that it is, but for [`Self::filled`].
    pub origin: Option<usize>,
    /// What imputers put in the place of what.
    pub filled: Vec<(Value, Value)>,
    /// True when a number of it may be missing, where one of the frame is.
    missing: bool,
    /// True when unknown categories become missing numbers.
    unknown_is_missing: bool,
    /// The columns of the frame that it is computed from …
    sources: Rc<[usize]>,
    /// … of which it is at most so many times as large …
    stretch: f64,
    /// … and so much larger.
    shift: f64,
}

impl Column {
    /// A column of the frame.
    fn of_frame(at: usize) -> Self {
        Self { origin: Some(at), missing: true, sources: Rc::from([at]), shift: 0.0, ..Self::within(0.0) }
    }

    /// Numbers that are at most so large, whatever the row.
    pub(super) fn within(largest: f64) -> Self {
        Self {
            origin: None,
            filled: Vec::new(),
            missing: false,
            unknown_is_missing: false,
            sources: Rc::from([]),
            stretch: 1.0,
            shift: largest,
        }
    }

    /// The codes of its categories, which are at most so large.
    pub(super) fn coded(self, largest: f64, missing: bool, unknown_is_missing: bool) -> Self {
        let missing = missing && self.missing;
        Self { sources: self.sources, stretch: 0.0, missing, unknown_is_missing, ..Self::within(largest) }
    }

    /// What an imputer makes of it.
    pub(super) fn fill(mut self, from: Value, to: Value) -> Self {
        self.missing &= !from.is_missing();
        self.unknown_is_missing &= !from.is_missing();
        if let Value::Number(number) = to {
            self.shift = self.shift.max(number.abs());
        }
        self.filled.push((from, to));
        self
    }

    /// What becomes of a value of the frame.
    pub(super) fn of_value(&self, value: Value) -> Value {
        self.filled.iter().fold(value, |value, (from, to)| if value.is(from) { to.clone() } else { value })
    }
}

/// What a step does to numbers.
pub(super) struct Effect {
    /// A number becomes at most so many times as large …
    pub stretch: f64,
    /// … and so much larger.
    pub shift: f64,
}

/// A tensor `[rows, columns]`.
#[derive(Debug, Clone)]
struct Block {
    tensor: String,
    columns: Vec<Column>,
}

/// Columns side by side.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    blocks: Vec<Block>,
}

impl Table {
    /// The columns of a frame, as a tensor of all of them or as one each.
    pub(super) fn of_frame(tensors: Vec<String>, columns: usize) -> Self {
        let all = (0..columns).map(Column::of_frame);
        let blocks = match <[String; 1]>::try_from(tensors) {
            Ok([tensor]) => vec![Block { tensor, columns: all.collect() }],
            Err(tensors) => {
                let each = tensors.into_iter().zip(all);
                each.map(|(tensor, column)| Block { tensor, columns: vec![column] }).collect()
            }
        };
        Self { blocks }
    }

    /// What a step made: one tensor.
    pub(super) fn of(tensor: String, columns: Vec<Column>) -> Self {
        Self { blocks: vec![Block { tensor, columns }] }
    }

    pub(super) fn width(&self) -> usize {
        self.columns().count()
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.blocks.iter().flat_map(|block| &block.columns)
    }

    /// Puts other columns behind its own.
    pub(super) fn append(&mut self, other: Self) {
        self.blocks.extend(other.blocks);
    }

    /// Columns by their places, in this order.
    pub(super) fn select(&self, places: &[usize], frame: &mut Frame) -> Asked<Self> {
        let mut starts = Vec::new();
        for (number, block) in self.blocks.iter().enumerate() {
            starts.extend((0..block.columns.len()).map(|at| (number, at)));
        }
        let mut runs: Vec<(usize, Vec<usize>)> = Vec::new();
        for place in places {
            let (block, at) = *starts.get(*place).ok_or("a step takes a column that is not there")?;
            match runs.last_mut() {
                Some((last, run)) if *last == block => run.push(at),
                _ => runs.push((block, vec![at])),
            }
        }
        let blocks = runs.into_iter().map(|(block, run)| self.blocks[block].pick(&run, frame));
        Ok(Self { blocks: blocks.collect() })
    }

    /// One column: its tensor `[rows, 1]`, and what is known of it.
    pub(super) fn column(&self, place: usize, frame: &mut Frame) -> Asked<(String, Column)> {
        let one = self.select(&[place], frame)?;
        let block = one.blocks.into_iter().next().ok_or("a column that is not there")?;
        let column = block.columns.into_iter().next().ok_or("a column that is not there")?;
        Ok((block.tensor, column))
    }

    /// All of it as one matrix of numbers.
    pub(super) fn numbers(&self, frame: &mut Frame) -> Asked<String> {
        for column in self.columns() {
            if let Some(at) = column.origin {
                frame.is_of(at, Kind::Number)?;
            }
        }
        match &self.blocks[..] {
            [] => Err("a step is left without columns".to_owned()),
            [block] => Ok(block.tensor.clone()),
            blocks => {
                let to = frame.fresh("columns");
                let tensors: Vec<&str> = blocks.iter().map(|block| &*block.tensor).collect();
                frame.graph.node(("", "Concat"), &tensors, &to, vec![("axis", Attribute::Int(1))]);
                Ok(to)
            }
        }
    }

    /// Notes what a step takes of these columns; what it would refuse is refused where it comes in.
    pub(super) fn takes(&self, missing: bool, largest: f64, frame: &mut Frame) -> Asked<()> {
        for column in self.columns() {
            column.takes(missing, largest, frame)?;
        }
        Ok(())
    }

    /// Columns that a step makes of all columns, none of which may be missing, by an effect on the largest of them.
    pub(super) fn mixed(&self, tensor: String, width: usize, effect: &Effect) -> Self {
        let mut sources: Vec<usize> =
            self.columns().flat_map(|column| column.sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        let largest = |of: fn(&Column) -> f64| self.columns().map(of).fold(0.0, f64::max);
        let one = Column {
            sources: Rc::from(sources),
            stretch: largest(|column| column.stretch) * effect.stretch,
            shift: largest(|column| column.shift) * effect.stretch + effect.shift,
            ..Column::within(0.0)
        };
        Self::of(tensor, vec![one; width])
    }

    /// The same columns after a step that works number by number, in its tensor.
    pub(super) fn after(&self, tensor: String, effect: &Effect) -> Self {
        let change = |column: &Column| Column {
            origin: None,
            filled: Vec::new(),
            stretch: column.stretch * effect.stretch,
            shift: column.shift * effect.stretch + effect.shift,
            ..column.clone()
        };
        Self::of(tensor, self.columns().map(change).collect())
    }
}

impl Column {
    /// True where its numbers follow from numbers that come in, not from texts alone.
    pub(super) fn follows_numbers(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Notes what a step takes of this column.
    pub(super) fn takes(&self, missing: bool, largest: f64, frame: &mut Frame) -> Asked<()> {
        if !missing && self.unknown_is_missing {
            return Err(
                "unknown categories become NaN, which a step behind refuses: use unknown_value=-1".to_owned()
            );
        }
        let left = largest - self.shift;
        if left < 0.0 || left == 0.0 && self.stretch > 0.0 && !self.sources.is_empty() {
            return Err("its steps make numbers larger than float64 can hold".to_owned());
        }
        let largest = if self.stretch > 0.0 { (left / self.stretch).min(f64::MAX) } else { f64::INFINITY };
        for source in self.sources.iter() {
            frame.takes(*source, missing || !self.missing, largest);
        }
        Ok(())
    }
}

impl Block {
    /// Some of its columns.
    fn pick(&self, places: &[usize], frame: &mut Frame) -> Self {
        if places.iter().copied().eq(0..self.columns.len()) {
            return self.clone();
        }
        let (picked, tensor) = (frame.fresh("places"), frame.fresh("picked"));
        frame
            .graph
            .constant(&picked, &Tensor::vector(places.iter().map(|at| *at as i64).collect::<Vec<_>>()));
        frame.graph.node(
            ("", "Gather"),
            &[&self.tensor, &picked],
            &tensor,
            vec![("axis", Attribute::Int(1))],
        );
        Self { tensor, columns: places.iter().map(|at| self.columns[*at].clone()).collect() }
    }
}
