//! All that a .skops file holds, as the values that a pickle of the same would have.

use std::collections::HashMap;
use std::io::Read;

use serde_json::Value as Json;

use super::{Archive, class_of};
use crate::pickle::limits::{Keep, MAX_WHOLE_BYTES};
use crate::pickle::machine::Machine;
use crate::pickle::npy;
use crate::pickle::value::{Items, Node, Object, Value};

/// Reads it. An error says what is wrong with it, after "is damaged:".
pub fn read(mut archive: Archive, root: &Json) -> Result<(Machine, Value), String> {
    let mut reader =
        Reader { machine: Machine::new(Keep::Whole), archive: &mut archive, made: HashMap::new() };
    let root = reader.value(root)?;
    Ok((reader.machine, root))
}

struct Reader<'a> {
    machine: Machine,
    archive: &'a mut Archive,
    /// What was made of a node, by its number, by which others say that they are the same.
    made: HashMap<u64, Value>,
}

impl Reader<'_> {
    /// A node's value. Of kinds that models are not made of, nothing that could be asked for.
    fn value(&mut self, node: &Json) -> Result<Value, String> {
        let id = match &node["__id__"] {
            Json::Null => None,
            id => Some(id.as_u64().filter(|id| *id > 0).ok_or("a node has no number")?),
        };
        // The first one counts, as to skops, whatever else is said of the same.
        if let Some(made) = id.and_then(|id| self.made.get(&id)) {
            return Ok(*made);
        }
        // One that holds itself is of no model.
        self.made.extend(id.map(|id| (id, Value::Other)));
        let loader = node["__loader__"].as_str().unwrap_or_default();
        let content = &node["content"];
        let value = match loader {
            "JsonNode" => self.plain(content.as_str().unwrap_or_default()),
            "TypeNode" => self.global(node)?,
            "ListNode" | "SetNode" => {
                let items = self.items(content)?;
                self.machine.heap.node(Node::Many(items))
            }
            "TupleNode" if node["__class__"] == "tuple" => {
                let items = self.items(content)?;
                self.machine.heap.node(Node::Tuple(items))
            }
            "DictNode" if node["__class__"] == "dict" => self.dict(node)?,
            "ObjectNode" | "TreeNode" | "LossNode" => self.object(node)?,
            "NdArrayNode" => self.array(node)?,
            // An array of the type.
            "DTypeNode" => self.value(content)?,
            _ => Value::Other,
        };
        if self.machine.heap.is_full(Keep::Whole) {
            return Err("it takes more memory than a model should".to_owned());
        }
        self.made.extend(id.map(|id| (id, value)));
        Ok(value)
    }

    /// A value that Python's JSON wrote, numbers that are none included.
    fn plain(&mut self, text: &str) -> Value {
        match text {
            "NaN" => return Value::Float(f64::NAN.to_bits()),
            "Infinity" => return Value::Float(f64::INFINITY.to_bits()),
            "-Infinity" => return Value::Float(f64::NEG_INFINITY.to_bits()),
            _ => {}
        }
        match serde_json::from_str(text) {
            Ok(Json::Null) => Value::None,
            Ok(Json::Bool(flag)) => Value::Bool(flag),
            Ok(Json::String(text)) => self.machine.heap.text(text),
            Ok(Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Value::Int(whole),
                (None, Some(number)) => Value::Float(number.to_bits()),
                (None, None) => Value::Other,
            },
            _ => Value::Other,
        }
    }

    fn global(&mut self, node: &Json) -> Result<Value, String> {
        let class = class_of(node).ok_or("a node has no class")?;
        let place = self.machine.findings.import(&class.module, &class.name);
        place.map(Value::Global).ok_or_else(|| "it has more imports than any model file should".to_owned())
    }

    fn items(&mut self, content: &Json) -> Result<Items<Value>, String> {
        let mut items = Items::default();
        for node in content.as_array().ok_or("a list has no items")? {
            let value = self.value(node)?;
            items.push(value, Keep::Whole);
        }
        Ok(items)
    }

    /// Keys are written as texts, whatever they were; what they were stands beside them.
    fn dict(&mut self, node: &Json) -> Result<Value, String> {
        let types = node["key_types"]["content"].as_array().map_or(&[][..], Vec::as_slice);
        let pairs = node["content"].as_object().ok_or("a dict has no content")?;
        if !types.iter().all(|kind| kind["__class__"] == "str") {
            return Ok(Value::Other);
        }
        let mut items = Items::default();
        for (key, node) in pairs {
            let value = self.value(node)?;
            items.push((self.machine.heap.text(key.clone()), value), Keep::Whole);
        }
        Ok(self.machine.heap.node(Node::Dict(items)))
    }

    /// An object: its class, what that was called with, and its attributes.
    fn object(&mut self, node: &Json) -> Result<Value, String> {
        let callee = self.global(node)?;
        let args = match node.get("__reduce__") {
            Some(reduce) => self.value(&reduce["args"])?,
            None => self.machine.heap.node(Node::Tuple(Items::default())),
        };
        let state = match node.get("content") {
            Some(content) => self.value(content)?,
            None => Value::None,
        };
        let builds = u32::from(state != Value::None);
        Ok(self.machine.heap.node(Node::Object(Object { callee, args, state, builds, has_items: false })))
    }

    /// An array of objects: lists within lists, as deep as it has dimensions.
    fn objects(&mut self, node: &Json) -> Result<Value, String> {
        let size = |size: &Json| size["content"].as_str()?.parse::<usize>().ok();
        let shape = node["shape"]["content"].as_array().and_then(|sizes| sizes.iter().map(size).collect());
        let shape: Vec<usize> = shape.ok_or("an array has no shape")?;
        if shape.is_empty() {
            return Ok(Value::Other);
        }
        let mut rows = vec![&node["content"]];
        for _ in 1..shape.len() {
            let lists = rows.iter().flat_map(|row| row.as_array().into_iter().flatten());
            rows = lists.map(|list| &list["content"]).collect();
        }
        let mut items = Items::default();
        for row in rows {
            for item in self.items(row)?.kept {
                items.push(item, Keep::Whole);
            }
        }
        if shape.iter().try_fold(1_usize, |size, len| size.checked_mul(*len)) != Some(items.kept.len()) {
            return Err("an array has more or fewer items than its shape says".to_owned());
        }
        Ok(self.machine.heap.node(Node::Objects { shape, items }))
    }

    fn array(&mut self, node: &Json) -> Result<Value, String> {
        if node["type"] != "numpy" {
            return self.objects(node);
        }
        let name = node["file"].as_str().ok_or("an array names no file")?;
        let mut bytes = Vec::new();
        let file = self.archive.by_name(name).map_err(|error| format!("{name:?}: {error}"))?;
        let read = file.take(MAX_WHOLE_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("{name:?}: {error}"))?;
        if bytes.len() as u64 > MAX_WHOLE_BYTES {
            return Err(format!("{name:?} has more than {MAX_WHOLE_BYTES} bytes"));
        }
        Ok(npy::read(&bytes).map_or(Value::Other, |npy| self.machine.heap.node(Node::Npy(npy))))
    }
}
