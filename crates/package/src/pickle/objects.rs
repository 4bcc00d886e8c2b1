//! A pickled object with its whole content, as values: nothing is run, and nothing is guessed. Whoever asks for something says
//! what it has to be, and gets it or a sentence that names it.

use std::fmt;
use std::path::Path;

use modelet_core::FunctionError;

use crate::pickle::array::{self, Array};
use crate::pickle::container::Container;
use crate::pickle::inspection::ClassName;
use crate::pickle::layout;
use crate::pickle::limits::Keep;
use crate::pickle::machine::Machine;
use crate::pickle::stream::{Damage, Stream};
use crate::pickle::value::{Node, Value};
use crate::pickle::{damaged, skops, summary, unreadable};

/// What a file holds.
pub struct Pickled {
    machine: Machine,
    root: Value,
}

/// Something in it, with the way to it.
#[derive(Clone)]
pub struct Item<'a> {
    machine: &'a Machine,
    value: Value,
    path: String,
}

/// A thing that was asked for, or a sentence without its end about why it is not there.
pub type Asked<T> = Result<T, String>;

/// Reads all of a file of which [`inspect`](super::inspect) says that everything in it is known.
///
/// # Errors
/// `model-refused` when the file is damaged, or takes more memory than a model should.
pub fn read(path: &Path) -> Result<Pickled, FunctionError> {
    let container = Container::of(path).map_err(|error| unreadable(path, &error))?;
    if matches!(container, Container::Zip) {
        let read = skops::read(path).and_then(|found| found.ok_or_else(|| "it is no skops file".to_owned()));
        return read
            .map(|(machine, root)| Pickled { machine, root })
            .map_err(|why| super::refused(format!("{} is damaged: {why}", path.display())));
    }
    let mut machine = Machine::new(Keep::Whole);
    let read = container.read(path, |inner| machine.run(&mut Stream::new(inner, Keep::Whole)));
    let root: Result<Value, Damage> = read.map_err(|error| unreadable(path, &error))?.0;
    let root = root.map_err(|damage| damaged(path, &machine, &damage))?;
    Ok(Pickled { machine, root })
}

impl Pickled {
    /// What the file holds.
    pub fn root(&self) -> Item<'_> {
        let name = summary::class_of(&self.machine, self.root)
            .map_or_else(|| "the file".to_owned(), |class| class.name);
        Item { machine: &self.machine, value: self.root, path: name }
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.path)
    }
}

impl<'a> Item<'a> {
    fn at(&self, value: Value, step: &str) -> Self {
        Self { machine: self.machine, value, path: format!("{}{step}", self.path) }
    }

    /// Says that it is not what it has to be.
    pub fn not(&self, what: &str) -> String {
        format!("{} is not {what}", self.path)
    }

    fn or_not<T>(&self, found: Option<T>, what: &str) -> Asked<T> {
        found.ok_or_else(|| self.not(what))
    }

    /// The class of an object.
    pub fn class(&self) -> Asked<ClassName> {
        let is_object = self.machine.heap.as_object(self.value).is_some();
        let class = summary::class_of(self.machine, self.value).filter(|_| is_object);
        self.or_not(class, "an object of a class")
    }

    /// An attribute, or a value of a dict under a text; `None` where there is none of this name.
    pub fn find(&self, name: &str) -> Asked<Option<Self>> {
        let heap = &self.machine.heap;
        let attributes = match heap.as_node(self.value) {
            Some(Node::Object(object)) if object.builds == 1 && !object.has_items => object.state,
            Some(Node::Dict(_)) => self.value,
            _ => return Err(self.not("an object with plain attributes")),
        };
        match heap.as_node(attributes) {
            Some(Node::Dict(pairs)) if pairs.whole().is_some() => {}
            _ => return Err(self.not("an object with plain attributes")),
        }
        Ok(heap.key(attributes, name).map(|value| self.at(value, &format!(".{name}"))))
    }

    /// An attribute that has to be there.
    pub fn get(&self, name: &str) -> Asked<Self> {
        self.find(name)?.ok_or_else(|| format!("{} has no {name}", self.path))
    }

    /// The keys of a dict of texts.
    pub fn keys(&self) -> Asked<Vec<&'a str>> {
        let Some(Node::Dict(pairs)) = self.machine.heap.as_node(self.value) else {
            return Err(self.not("a dict"));
        };
        let keys = pairs.whole().and_then(|pairs| {
            pairs.iter().map(|(key, _)| self.machine.heap.as_text(*key)).collect::<Option<Vec<_>>>()
        });
        self.or_not(keys, "a dict of texts")
    }

    /// The texts and values of a dict.
    pub fn pairs(&self) -> Asked<Vec<(&'a str, Self)>> {
        let heap = &self.machine.heap;
        let Some(Node::Dict(pairs)) = heap.as_node(self.value) else { return Err(self.not("a dict")) };
        let pair = |(key, value): &(Value, Value)| Some((heap.as_text(*key)?, self.at(*value, "[…]")));
        let pairs = pairs.whole().and_then(|pairs| pairs.iter().map(pair).collect::<Option<Vec<_>>>());
        self.or_not(pairs, "a dict of texts")
    }

    /// What the object was made with.
    pub fn arguments(&self) -> Asked<Vec<Self>> {
        let object = self.or_not(self.machine.heap.as_object(self.value), "an object")?;
        self.at(object.args, "()").items()
    }

    /// What the object was told to be, where that is a tuple.
    pub fn state(&self) -> Asked<Vec<Self>> {
        let object = self.or_not(self.machine.heap.as_object(self.value), "an object")?;
        self.at(object.state, "'s state").items()
    }

    /// The items of a list, a tuple or an array of objects.
    pub fn items(&self) -> Asked<Vec<Self>> {
        let heap = &self.machine.heap;
        let items = match heap.as_node(self.value) {
            Some(Node::Many(items) | Node::Tuple(items)) => items.whole(),
            _ => array::array(self.machine, self.value).and_then(|array| array.objects()),
        };
        let items = self.or_not(items, "a list of objects")?;
        Ok(items.iter().enumerate().map(|(at, item)| self.at(*item, &format!("[{at}]"))).collect())
    }

    /// True for `None`.
    pub fn is_none(&self) -> bool {
        self.value == Value::None
    }

    /// A whole number.
    pub fn integer(&self) -> Asked<i64> {
        let found = match self.value {
            Value::Int(number) => Some(number),
            _ => array::scalar(self.machine, self.value).and_then(|one| one.integers()?.first().copied()),
        };
        self.or_not(found, "a whole number")
    }

    /// How many of something.
    pub fn count(&self) -> Asked<usize> {
        usize::try_from(self.integer()?).map_err(|_| self.not("a number of things"))
    }

    /// A number.
    pub fn number(&self) -> Asked<f64> {
        if let Value::Float(bits) = self.value {
            return Ok(f64::from_bits(bits));
        }
        if let Some(one) = array::scalar(self.machine, self.value) {
            return self.or_not(one.numbers().and_then(|one| one.first().copied()), "a number");
        }
        let whole = i32::try_from(self.integer()?).map_err(|_| self.not("a number of this size"))?;
        Ok(whole.into())
    }

    /// `True` or `False`.
    pub fn flag(&self) -> Asked<bool> {
        let found = match self.value {
            Value::Bool(flag) => Some(flag),
            _ => array::scalar(self.machine, self.value).and_then(|one| one.flags()?.first().copied()),
        };
        self.or_not(found, "True or False")
    }

    /// A text.
    pub fn text(&self) -> Asked<&'a str> {
        self.or_not(self.machine.heap.as_text(self.value), "a text")
    }

    /// The name of a class or a function that stands there itself: `numpy.float64`.
    pub fn named(&self) -> Asked<String> {
        let import = match self.value {
            Value::Global(place) => self.machine.findings.at(place),
            _ => None,
        };
        let name = import.map(|import| format!("{}.{}", import.module, import.name));
        self.or_not(name, "a class or a function by its name")
    }

    /// An array.
    pub fn array(&self) -> Asked<Array<'a>> {
        self.or_not(array::array(self.machine, self.value), "an array of numpy as models have them")
    }

    /// True for numpy's type of float32 numbers, false for others.
    pub fn is_single_type(&self) -> Asked<bool> {
        let layout = match self.machine.heap.as_node(self.value) {
            // skops writes a type as an array of it.
            Some(Node::Npy(npy)) => Some(npy.layout.clone()),
            Some(Node::Objects { .. }) => return Ok(false),
            _ => layout::layout(self.machine, self.value),
        };
        let layout = self.or_not(layout, "a type of numpy's that models are made of")?;
        Ok(layout.kind == layout::Kind::Float && layout.size == 4)
    }

    /// Refuses an array of float32: what a model works out from it in float32 would be worked out here in float64.
    pub fn is_double(&self) -> Asked<()> {
        match self.array()?.is_single() {
            true => {
                Err(format!("{} is of float32, which cannot be imported yet: fit it with float64", self.path))
            }
            false => Ok(()),
        }
    }

    /// An array's numbers.
    pub fn numbers(&self) -> Asked<Vec<f64>> {
        self.or_not(self.array()?.numbers(), "an array of numbers")
    }

    /// An array's texts: numpy's own, or Python's in it.
    pub fn texts(&self) -> Asked<Vec<String>> {
        let array = self.array()?;
        if let Some(texts) = array.texts() {
            return Ok(texts);
        }
        let owned = |item: &Value| self.machine.heap.as_text(*item).map(str::to_owned);
        let texts = array.objects().and_then(|items| items.iter().map(owned).collect());
        self.or_not(texts, "an array of texts")
    }

    /// Bytes, also within a call of `bytearray`.
    pub fn bytes(&self) -> Asked<&'a [u8]> {
        self.or_not(summary::raw_bytes(self.machine, self.value), "bytes")
    }
}
