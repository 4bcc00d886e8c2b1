//! Text to tree in one pass.
//!
//! Every list starts out *flat*: its numbers go into one buffer that is shared with the lists inside it and around it, and
//! only the lengths are kept. The first thing that does not fit (a text, an object, a list of another length) cuts what is
//! already in the buffer into elements, and the rest of that list is read one by one. So a tensor costs one push a number,
//! and whatever else a client sends costs no second pass.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use modelet_core::FunctionError;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::place::not_json;
use super::{Dense, Json};
use crate::limit::NODE_LIMIT;
use crate::number::{Number, Numbers};
use crate::text::quoted;

/// Reads a whole body.
pub(crate) fn parse(body: &[u8]) -> Result<Json, FunctionError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let budget = Cell::new(NODE_LIMIT);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let tree = value(&budget).deserialize(&mut reader).and_then(|tree| reader.end().map(|()| tree));
    tree.map_err(|error| not_json(body, &error))
}

/// What a value turned out to be, for the list around it.
enum Node {
    /// Its numbers are at the end of the shared buffer.
    Flat,
    Tree(Json),
}

/// The buffer of one regular block, and what is known of its shape so far.
#[derive(Default)]
struct Flat {
    numbers: Numbers,
    /// The length of the lists at each depth, once one has ended.
    lengths: Vec<Option<usize>>,
    /// The depth at which numbers stand, once one was seen.
    rank: Option<usize>,
}

impl Flat {
    /// A number or null at a depth; false when it cannot stand there.
    fn push(&mut self, number: Number, depth: usize) -> bool {
        let fits = depth == *self.rank.get_or_insert(depth);
        if fits {
            self.numbers.push(number);
        }
        fits
    }

    /// The end of a list that began at `start` in the buffer.
    fn close(&mut self, depth: usize, start: usize, count: usize) -> Node {
        let rank = *self.rank.get_or_insert(depth + 1);
        if self.lengths.len() < rank {
            self.lengths.resize(rank, None);
        }
        if *self.lengths[depth].get_or_insert(count) == count {
            return Node::Flat;
        }
        let inner = if count == 0 { Vec::new() } else { self.shape(depth + 1) };
        Node::Tree(Json::dense([vec![count], inner].concat(), self.numbers.split_off(start)))
    }

    /// The shape of what stands at a depth.
    fn shape(&self, depth: usize) -> Vec<usize> {
        self.lengths.iter().skip(depth).map(|n| n.unwrap_or(0)).collect()
    }

    /// Takes the `count` elements from `start` on out of the buffer, as trees.
    fn cut(&mut self, depth: usize, start: usize, count: usize) -> Vec<Json> {
        if count == 0 {
            return Vec::new();
        }
        let shape = [vec![count], self.shape(depth)].concat();
        let block = Dense { shape, numbers: self.numbers.split_off(start) };
        (0..count).map(|i| block.element(i)).collect()
    }

    /// The whole buffer.
    fn into_json(self) -> Json {
        Json::dense(self.shape(0), self.numbers)
    }
}

/// Reads one value by itself, sharing no buffer.
fn value(budget: &Cell<usize>) -> ValueSeed<'_> {
    ValueSeed { budget }
}

struct ValueSeed<'a> {
    budget: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        let mut flat = Flat::default();
        Ok(match (NodeSeed { budget: self.budget, flat: &mut flat, depth: 0 }).deserialize(reader)? {
            Node::Tree(tree) => tree,
            Node::Flat => flat.into_json(),
        })
    }
}

/// Reads one value that may join the block of numbers around it. Depth is the number of lists it stands in.
struct NodeSeed<'a> {
    budget: &'a Cell<usize>,
    flat: &'a mut Flat,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node, D::Error> {
        reader.deserialize_any(self)
    }
}

impl NodeSeed<'_> {
    #[inline]
    fn number<E>(self, number: Number) -> Result<Node, E> {
        if self.depth > 0 && self.flat.push(number, self.depth) {
            return Ok(Node::Flat);
        }
        Ok(Node::Tree(Json::Number(number)))
    }

    fn tree<E: Error>(self, tree: Json) -> Result<Node, E> {
        spend(self.budget, TEXT)?;
        Ok(Node::Tree(tree))
    }
}

/// What the nodes of a tree count for, in texts of the same size in memory.
const TEXT: usize = 1;
const BLOCK: usize = 3;
const OBJECT: usize = 2;

fn spend<E: Error>(budget: &Cell<usize>, nodes: usize) -> Result<(), E> {
    budget.set(budget.get().checked_sub(nodes).ok_or_else(|| {
        E::custom(format_args!(
            "the body holds more than {NODE_LIMIT} texts, objects and irregular lists; send it in parts, or as CSV or npy"
        ))
    })?);
    Ok(())
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_i64<E>(self, n: i64) -> Result<Node, E> {
        self.number(Number::I64(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Node, E> {
        self.number(i64::try_from(n).map_or(Number::U64(n), Number::I64))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Node, E> {
        self.number(Number::F64(n))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        if self.depth > 0 && self.flat.push(Number::F64(f64::NAN), self.depth) {
            return Ok(Node::Flat);
        }
        Ok(Node::Tree(Json::Null))
    }

    fn visit_bool<E: Error>(self, b: bool) -> Result<Node, E> {
        self.tree(Json::Bool(b))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.tree(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let Self { budget, flat, depth } = self;
        if flat.rank.is_some_and(|rank| depth >= rank) {
            return own_block(budget, seq);
        }
        let (start, mut count) = (flat.numbers.len(), 0);
        loop {
            match seq.next_element_seed(NodeSeed { budget, flat: &mut *flat, depth: depth + 1 })? {
                Some(Node::Flat) => count += 1,
                Some(Node::Tree(tree)) => {
                    spend(budget, count * if flat.rank == Some(depth + 1) { TEXT } else { BLOCK })?;
                    let mut list = flat.cut(depth + 1, start, count);
                    list.push(tree);
                    return rest(budget, seq, list);
                }
                None => return Ok(flat.close(depth, start, count)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            spend(self.budget, TEXT)?;
            pairs.push((key, map.next_value_seed(value(self.budget))?));
        }
        match repeated(&pairs) {
            Some(key) => {
                Err(A::Error::custom(format_args!("the key {} comes twice in one object", quoted(key))))
            }
            None => {
                spend(self.budget, OBJECT)?;
                Ok(Node::Tree(Json::Object(pairs)))
            }
        }
    }
}

/// A list where the block around it has a number: a block of its own.
#[inline(never)]
fn own_block<'de, A: SeqAccess<'de>>(budget: &Cell<usize>, seq: A) -> Result<Node, A::Error> {
    spend(budget, BLOCK)?;
    let mut flat = Flat::default();
    Ok(match (NodeSeed { budget, flat: &mut flat, depth: 0 }).visit_seq(seq)? {
        Node::Flat => Node::Tree(flat.into_json()),
        tree @ Node::Tree(_) => tree,
    })
}

/// The elements of a list that has turned out to be irregular, behind those already read.
#[inline(never)]
fn rest<'de, A: SeqAccess<'de>>(
    budget: &Cell<usize>,
    mut seq: A,
    mut list: Vec<Json>,
) -> Result<Node, A::Error> {
    while let Some(tree) = seq.next_element_seed(value(budget))? {
        spend(budget, TEXT)?;
        list.push(tree);
    }
    Ok(Node::Tree(Json::List(list)))
}

/// A key that comes twice. Most objects are small enough that looking back beats hashing.
fn repeated(pairs: &[(String, Json)]) -> Option<&str> {
    const FEW: usize = 16;
    let mut keys = pairs.iter().map(|(key, _)| key.as_str());
    if pairs.len() <= FEW {
        return keys
            .enumerate()
            .find(|(i, key)| pairs[..*i].iter().any(|(k, _)| k == key))
            .map(|(_, key)| key);
    }
    let mut seen = HashSet::with_capacity(pairs.len());
    keys.find(|key| !seen.insert(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        parse(text.as_bytes()).unwrap()
    }

    fn ints(shape: &[usize], numbers: &[i64]) -> Json {
        Json::dense(shape.to_vec(), Numbers::I64(numbers.to_vec()))
    }

    #[test]
    fn regular_lists_of_numbers_become_one_block() {
        assert_eq!(read("[[1,2],[3,4]]"), ints(&[2, 2], &[1, 2, 3, 4]));
        assert_eq!(read("[]"), ints(&[0], &[]));
        assert_eq!(read("[[],[]]"), ints(&[2, 0], &[]));
        assert_eq!(read("[[[]]]"), ints(&[1, 1, 0], &[]));
        assert_eq!(read("[1, 2.5]"), Json::dense(vec![2], Numbers::F64(vec![1.0, 2.5])));
        assert_eq!(read("7"), Json::Number(Number::I64(7)));
        assert_eq!(read("null"), Json::Null);
    }

    #[test]
    fn a_null_among_numbers_is_a_missing_value() {
        let Json::Dense(block) = read("[[1,null],[3,4]]") else { panic!("not dense") };
        assert_eq!(block.shape, [2, 2]);
        assert!(matches!(block.numbers.get(1), Number::F64(f) if f.is_nan()));
    }

    #[test]
    fn whatever_is_irregular_is_cut_into_its_elements() {
        let text = |t: &str| Json::Text(t.to_owned());
        let one = |n| Json::Number(Number::I64(n));
        for (source, tree) in [
            (r#"[1,2,"a",3]"#, vec![one(1), one(2), text("a"), one(3)]),
            (r#"[null,"a"]"#, vec![Json::Null, text("a")]),
            ("[[1,2],[3]]", vec![ints(&[2], &[1, 2]), ints(&[1], &[3])]),
            ("[[1],[2],[]]", vec![ints(&[1], &[1]), ints(&[1], &[2]), ints(&[0], &[])]),
            ("[[],5]", vec![ints(&[0], &[]), one(5)]),
            ("[5,[]]", vec![one(5), ints(&[0], &[])]),
            ("[[],[[]]]", vec![ints(&[0], &[]), Json::List(vec![ints(&[0], &[])])]),
            ("[[[1]],[]]", vec![ints(&[1, 1], &[1]), ints(&[0], &[])]),
            ("[true]", vec![Json::Bool(true)]),
            (
                r#"[[1,2],[3,"a"],[4,5]]"#,
                vec![ints(&[2], &[1, 2]), Json::List(vec![one(3), text("a")]), ints(&[2], &[4, 5])],
            ),
            (
                "[[[1,2],[3,4]],[[5,6],[7]]]",
                vec![ints(&[2, 2], &[1, 2, 3, 4]), Json::List(vec![ints(&[2], &[5, 6]), ints(&[1], &[7])])],
            ),
        ] {
            assert_eq!(read(source), Json::List(tree), "{source}");
        }
    }

    #[test]
    fn integers_of_64_bits_survive_beside_anything() {
        let Json::List(list) = read(r#"[18446744073709551615, -9223372036854775808, 0.5, "a"]"#) else {
            panic!("a list")
        };
        assert_eq!(list[0], Json::Number(Number::U64(u64::MAX)));
        assert_eq!(list[1], Json::Number(Number::I64(i64::MIN)));
    }

    #[test]
    fn a_repeated_key_is_an_error_that_names_it() {
        let many: Vec<_> = (0..20).map(|i| format!("\"k{i}\":1")).collect();
        for text in [r#"{"a":1,"b":2,"a":3}"#.to_owned(), format!("{{{},\"k3\":2}}", many.join(","))] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.message.contains("comes twice"), "{error}");
        }
    }
}
