//! Values as far as they are followed: enough to know names, states and shapes, and nothing of what they would do.

use crate::pickle::limits::Keep;
use crate::pickle::npy::Npy;

/// A value on the stack or in the memo. Copies of a [`Value::Node`] are the same object, as in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A float, by its bits.
    Float(u64),
    /// A text, by its place in the heap.
    Text(u32),
    /// Something with parts, by its place in the heap.
    Node(u32),
    /// What an import names, by its place among the imports.
    Global(u32),
    /// Something that is not followed.
    Other,
}

/// The first items of something, and how many there were.
#[derive(Debug, Clone, PartialEq)]
pub struct Items<T> {
    /// The first ones.
    pub kept: Vec<T>,
    /// All of them.
    pub count: u64,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), count: 0 }
    }
}

impl<T> Items<T> {
    /// Adds one.
    pub fn push(&mut self, item: T, keep: Keep) {
        self.count += 1;
        if self.kept.len() < keep.items() {
            self.kept.push(item);
        }
    }

    /// All items, unless some were not kept.
    pub fn whole(&self) -> Option<&[T]> {
        (self.count == self.kept.len() as u64).then_some(&self.kept)
    }
}

/// What a call made.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What was called.
    pub callee: Value,
    /// With what.
    pub args: Value,
    /// What it was told to be by `BUILD`.
    pub state: Value,
    /// How often it was told.
    pub builds: u32,
    /// True when items were put into it beside that.
    pub has_items: bool,
}

/// Something with parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A list, a set or a frozen set.
    Many(Items<Value>),
    /// A tuple.
    Tuple(Items<Value>),
    /// A dict.
    Dict(Items<(Value, Value)>),
    /// Bytes, or the head of them.
    Bytes(Vec<u8>),
    /// What a call made.
    Object(Object),
    /// An array whose bytes stood in the stream.
    Array(RawArray),
    /// An array of a file of its own.
    Npy(Npy),
    /// An array of objects in such a file, in C order.
    Objects { shape: Vec<usize>, items: Items<Value> },
}

/// An array behind its wrapper.
#[derive(Debug, Clone, PartialEq)]
pub struct RawArray {
    /// Its shape.
    pub shape: Vec<u64>,
    /// joblib's wrapper, which says the rest.
    pub wrapper: Value,
    /// Its bytes, where they are kept.
    pub bytes: Option<Vec<u8>>,
}

/// Where texts and nodes lie.
#[derive(Debug, Default)]
pub struct Heap {
    texts: Vec<Box<str>>,
    nodes: Vec<Node>,
    held_bytes: u64,
}

impl Heap {
    /// Keeps a text.
    pub fn text(&mut self, text: String) -> Value {
        self.hold(text.len() as u64 + 32);
        self.texts.push(text.into_boxed_str());
        Value::Text((self.texts.len() - 1) as u32)
    }

    /// Keeps something with parts.
    pub fn node(&mut self, node: Node) -> Value {
        let parts = match &node {
            Node::Many(items) | Node::Tuple(items) | Node::Objects { items, .. } => items.kept.len() * 16,
            Node::Dict(items) => items.kept.len() * 32,
            Node::Bytes(bytes) => bytes.len(),
            Node::Npy(array) => array.bytes.len(),
            Node::Array(array) => array.shape.len() * 8 + array.bytes.as_ref().map_or(0, Vec::len),
            Node::Object(_) => 0,
        };
        self.hold(parts as u64 + 80);
        self.nodes.push(node);
        Value::Node((self.nodes.len() - 1) as u32)
    }

    /// Counts memory that is held for this stream.
    pub fn hold(&mut self, bytes: u64) {
        self.held_bytes += bytes;
    }

    /// True when more is held than a file may take.
    pub fn is_full(&self, keep: Keep) -> bool {
        self.held_bytes > keep.held_bytes()
    }

    /// The text.
    pub fn as_text(&self, value: Value) -> Option<&str> {
        match value {
            Value::Text(at) => self.texts.get(at as usize).map(|text| &**text),
            _ => None,
        }
    }

    /// The node.
    pub fn as_node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(at) => self.nodes.get(at as usize),
            _ => None,
        }
    }

    /// The node, to be changed.
    pub fn as_node_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(at) => self.nodes.get_mut(at as usize),
            _ => None,
        }
    }

    /// The object.
    pub fn as_object(&self, value: Value) -> Option<&Object> {
        match self.as_node(value) {
            Some(Node::Object(object)) => Some(object),
            _ => None,
        }
    }

    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = Value> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, node)| matches!(node, Node::Object(_))).map(|(at, _)| Value::Node(at as u32))
    }

    /// Every item of a tuple, if all were kept.
    pub fn as_tuple(&self, value: Value) -> Option<&[Value]> {
        match self.as_node(value) {
            Some(Node::Tuple(items)) => items.whole(),
            _ => None,
        }
    }

    /// The first items of a list.
    pub fn as_list(&self, value: Value) -> Option<&Items<Value>> {
        match self.as_node(value) {
            Some(Node::Many(items)) => Some(items),
            _ => None,
        }
    }

    /// The value under a key of a dict that is a plain text; the last one counts.
    pub fn key(&self, dict: Value, key: &str) -> Option<Value> {
        match self.as_node(dict) {
            Some(Node::Dict(pairs)) => {
                pairs.kept.iter().rev().find(|(name, _)| self.as_text(*name) == Some(key)).map(|pair| pair.1)
            }
            _ => None,
        }
    }

    /// An attribute that an object's state gives it.
    pub fn attribute(&self, value: Value, name: &str) -> Option<Value> {
        let state = self.as_object(value)?.state;
        self.key(state, name).or_else(|| self.as_tuple(state)?.iter().find_map(|part| self.key(*part, name)))
    }

    /// The whole numbers of a tuple.
    pub fn as_shape(&self, value: Value) -> Option<Vec<u64>> {
        let whole = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        self.as_tuple(value)?.iter().map(whole).collect()
    }
}
