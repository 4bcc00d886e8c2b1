//! Follows a pickle's stack and memo exactly as Python's unpickler keeps them, and calls nothing.
//!
//! Python has two unpicklers, in C and in Python (joblib takes the latter), which differ on streams that no pickler writes;
//! those are refused as damaged. What is called must be an import: calling anything else is noted as unresolved, and so is
//! changing anything that was not made by this stream.

use crate::pickle::dtype;
use crate::pickle::findings::Findings;
use crate::pickle::limits::{Keep, MAX_OPCODES};
use crate::pickle::opcode::{self, Literal, Op};
use crate::pickle::stack::Stack;
use crate::pickle::stream::{Read, Stream};
use crate::pickle::value::{Heap, Items, Node, Object, Value};
use crate::pickle::wrapper;

/// About what an entry of the memo takes.
const MEMO_ENTRY_BYTES: u64 = 56;

/// How a stream is read: with arrays after their wrappers, or as plain pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The outer stream of joblib; a plain pickle looks the same until an array comes.
    Joblib,
    /// A pickle within such a stream.
    Nested,
}

/// The state of an unpickler.
pub struct Machine {
    /// Texts and nodes.
    pub heap: Heap,
    /// Imports.
    pub findings: Findings,
    /// The highest protocol that the stream says or needs.
    pub protocol: u8,
    /// How many arrays stood in the stream.
    pub arrays: u64,
    /// In which dialect the stream at hand is read.
    pub dialect: Dialect,
    keep: Keep,
    stack: Stack,
    opcodes: u64,
}

impl Machine {
    /// An unpickler with nothing read.
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            heap: Heap::default(),
            findings: Findings::default(),
            protocol: 0,
            arrays: 0,
            dialect: Dialect::Joblib,
            stack: Stack::default(),
            opcodes: 0,
        }
    }

    /// Reads one pickle up to its end and returns what it holds. Stack and memo are its own, what is found is shared.
    pub fn run(&mut self, stream: &mut Stream) -> Read<Value> {
        let outer = std::mem::take(&mut self.stack);
        let value = loop {
            self.opcodes += 1;
            if self.opcodes > MAX_OPCODES || self.heap.is_full(self.keep) {
                return Err(stream.damage("it takes more than any model file should"));
            }
            if stream.peek()?.is_some_and(opcode::is_binary) {
                self.protocol = self.protocol.max(1);
            }
            match opcode::next(stream)? {
                Op::Stop => break self.stop(stream)?,
                op => self.step(op, stream)?,
            }
        };
        self.stack = outer;
        Ok(value)
    }

    fn stop(&mut self, stream: &Stream) -> Read<Value> {
        if stream.is_in_frame() {
            return Err(stream.damage("it ends within a frame"));
        }
        self.stack.pop(stream)
    }

    fn step(&mut self, op: Op, stream: &mut Stream) -> Read<()> {
        match op {
            Op::Stop => {}
            Op::Proto(protocol) => self.protocol = self.protocol.max(protocol),
            Op::Frame(len) => stream.begin_frame(len)?,
            Op::Push(literal) => {
                let value = self.literal(literal);
                self.stack.push(value, stream)?;
            }
            Op::Mark => self.stack.mark(stream)?,
            Op::Pop => self.stack.pop_or_unmark(stream)?,
            Op::PopMark => drop(self.stack.pop_mark(stream)?),
            Op::Dup => self.stack.push(self.stack.top(stream)?, stream)?,
            Op::Put(place) => self.memoize(Some(place), stream)?,
            Op::Memoize => self.memoize(None, stream)?,
            Op::Get(place) => {
                let value = self.stack.get(place, stream)?;
                self.stack.push(value, stream)?;
            }
            Op::EmptyTuple | Op::Tuple | Op::TupleOf(_) => self.tuple(&op, stream)?,
            Op::EmptyList | Op::EmptySet | Op::List | Op::FrozenSet => self.many(&op, stream)?,
            Op::EmptyDict => self.push_node(Node::Dict(Items::default()), stream)?,
            Op::Dict => {
                let values = self.stack.pop_mark(stream)?;
                let dict = self.heap.node(Node::Dict(Items::default()));
                self.stack.push(dict, stream)?;
                self.set_items(&values, stream)?;
            }
            Op::Append => {
                let value = self.stack.pop(stream)?;
                self.extend(&[value], stream)?;
            }
            Op::Appends | Op::AddItems => {
                let values = self.stack.pop_mark(stream)?;
                self.extend(&values, stream)?;
            }
            Op::SetItem => {
                let (value, key) = (self.stack.pop(stream)?, self.stack.pop(stream)?);
                self.set_items(&[key, value], stream)?;
            }
            Op::SetItems => {
                let values = self.stack.pop_mark(stream)?;
                self.set_items(&values, stream)?;
            }
            Op::PersistentId { .. } | Op::Extension(_) | Op::NextBuffer | Op::ReadonlyBuffer => {
                self.outside(&op, stream)?;
            }
            _ => self.import_or_call(op, stream)?,
        }
        Ok(())
    }

    fn import_or_call(&mut self, op: Op, stream: &mut Stream) -> Read<()> {
        match op {
            Op::Global { module, name } => {
                let global = self.global(&module, &name, stream)?;
                self.stack.push(global, stream)
            }
            Op::StackGlobal => self.stack_global(stream),
            Op::Inst { module, name } => {
                let args = self.stack.pop_mark(stream)?;
                let class = self.global(&module, &name, stream)?;
                let args = self.tuple_of(&args, stream);
                self.call(class, args, stream)
            }
            Op::Obj => {
                let parts = self.stack.pop_mark(stream)?;
                let [class, args @ ..] = parts.as_slice() else {
                    return Err(stream.damage("an object has no class"));
                };
                let args = self.tuple_of(args, stream);
                self.call(*class, args, stream)
            }
            Op::NewObjEx => {
                let (keywords, args, class) =
                    (self.stack.pop(stream)?, self.stack.pop(stream)?, self.stack.pop(stream)?);
                self.contained(keywords, stream);
                self.call(class, args, stream)
            }
            Op::NewObj => {
                let (args, class) = (self.stack.pop(stream)?, self.stack.pop(stream)?);
                if wrapper::is_wrapper_class(self, class) && self.heap.as_tuple(args) == Some(&[]) {
                    return self.push_called(class, args, stream);
                }
                self.call(class, args, stream)
            }
            Op::Reduce => {
                let (args, callee) = (self.stack.pop(stream)?, self.stack.pop(stream)?);
                self.call(callee, args, stream)
            }
            _ => self.build(stream),
        }
    }

    /// What the opcode asks of somebody outside of the stream.
    fn outside(&mut self, op: &Op, stream: &mut Stream) -> Read<()> {
        let what = match op {
            Op::PersistentId { on_stack } => {
                if *on_stack {
                    self.stack.pop(stream)?;
                }
                "an object that is kept elsewhere (a persistent id)"
            }
            Op::Extension(_) => "an import by its number in a registry (copyreg extension)",
            Op::NextBuffer => "a buffer that is kept elsewhere (out of band)",
            _ => return self.stack.top(stream).map(drop),
        };
        self.findings.unresolved(stream.offset(), what);
        self.stack.push(Value::Other, stream)
    }

    fn memoize(&mut self, place: Option<u64>, stream: &Stream) -> Read<()> {
        self.heap.hold(MEMO_ENTRY_BYTES);
        self.stack.put(place, stream)
    }

    fn literal(&mut self, literal: Literal) -> Value {
        match literal {
            Literal::None => Value::None,
            Literal::Bool(flag) => Value::Bool(flag),
            Literal::Int(number) => Value::Int(number),
            Literal::Float(bits) => Value::Float(bits),
            Literal::Text(text) => self.heap.text(text),
            Literal::Bytes(bytes) => self.heap.node(Node::Bytes(bytes)),
            Literal::Other => Value::Other,
        }
    }

    fn global(&mut self, module: &str, name: &str, stream: &Stream) -> Read<Value> {
        let place = self.findings.import(module, name);
        place
            .map(Value::Global)
            .ok_or_else(|| stream.damage("it has more imports than any model file should"))
    }

    fn stack_global(&mut self, stream: &Stream) -> Read<()> {
        let (name, module) = (self.stack.pop(stream)?, self.stack.pop(stream)?);
        let texts = self.heap.as_text(module).zip(self.heap.as_text(name));
        let Some((module, name)) = texts.map(|(module, name)| (module.to_owned(), name.to_owned())) else {
            self.findings.unresolved(stream.offset(), "an import whose name is not written in the file");
            return self.stack.push(Value::Other, stream);
        };
        let global = self.global(&module, &name, stream)?;
        self.stack.push(global, stream)
    }

    /// Notes a call and puts what it makes on the stack.
    fn call(&mut self, callee: Value, args: Value, stream: &Stream) -> Read<()> {
        if wrapper::is_wrapper_class(self, callee) {
            self.findings.unresolved(stream.offset(), wrapper::ODD_WRAPPER);
        }
        if self.heap.as_node(args).is_none_or(|args| !matches!(args, Node::Tuple(_))) {
            self.findings.unresolved(stream.offset(), "a call with something that is not a plain tuple");
        }
        self.push_called(callee, args, stream)
    }

    fn push_called(&mut self, callee: Value, args: Value, stream: &Stream) -> Read<()> {
        match callee {
            Value::Global(place) => {
                self.findings.called(place);
                self.called_by_helper(place, args);
            }
            _ => self.findings.unresolved(stream.offset(), "a call of something that is not an import"),
        }
        self.push_node(
            Node::Object(Object { callee, args, state: Value::None, builds: 0, has_items: false }),
            stream,
        )
    }

    /// copyreg's helpers call the class that they are given first.
    fn called_by_helper(&mut self, callee: u32, args: Value) {
        let is_helper = self.findings.at(callee).is_some_and(|import| import.module.starts_with("copy"));
        match self.heap.as_tuple(args) {
            Some([Value::Global(class), ..]) if is_helper => self.findings.called(*class),
            _ => {}
        }
    }

    fn build(&mut self, stream: &mut Stream) -> Read<()> {
        let state = self.stack.pop(stream)?;
        self.contained(state, stream);
        let target = self.stack.top(stream)?;
        let Some(Node::Object(object)) = self.heap.as_node_mut(target) else {
            self.findings.unresolved(stream.offset(), "a change of something that this file did not make");
            return Ok(());
        };
        object.state = state;
        object.builds += 1;
        let callee = object.callee;
        if dtype::is_dtype(self, target) && dtype::content(self, target).is_none() {
            self.findings.unresolved(stream.offset(), dtype::ODD_DTYPE);
        }
        if wrapper::is_wrapper_class(self, callee) {
            let array = wrapper::read_array(self, target, stream)?;
            self.stack.pop(stream)?;
            self.stack.push(array, stream)?;
        }
        Ok(())
    }

    fn extend(&mut self, values: &[Value], stream: &Stream) -> Read<()> {
        let target = self.stack.top(stream)?;
        for value in values {
            self.contained(*value, stream);
        }
        self.heap.hold(values.len() as u64 * 16);
        let keep = self.keep;
        match self.heap.as_node_mut(target) {
            Some(Node::Many(items)) => values.iter().for_each(|value| items.push(*value, keep)),
            Some(Node::Object(object)) => object.has_items = true,
            _ => self.findings.unresolved(stream.offset(), "items for something that this file did not make"),
        }
        Ok(())
    }

    fn set_items(&mut self, values: &[Value], stream: &Stream) -> Read<()> {
        if !values.len().is_multiple_of(2) {
            return Err(stream.damage("a key has no value"));
        }
        let target = self.stack.top(stream)?;
        for value in values {
            self.contained(*value, stream);
        }
        self.heap.hold(values.len() as u64 * 16);
        let keep = self.keep;
        match self.heap.as_node_mut(target) {
            Some(Node::Dict(pairs)) => {
                values.chunks_exact(2).for_each(|pair| pairs.push((pair[0], pair[1]), keep));
            }
            Some(Node::Object(object)) => object.has_items = true,
            _ => self.findings.unresolved(stream.offset(), "items for something that this file did not make"),
        }
        Ok(())
    }

    fn tuple(&mut self, op: &Op, stream: &Stream) -> Read<()> {
        let values = match op {
            Op::EmptyTuple => Vec::new(),
            Op::TupleOf(len) => self.stack.pop_many(*len, stream)?,
            _ => self.stack.pop_mark(stream)?,
        };
        let tuple = self.tuple_of(&values, stream);
        self.stack.push(tuple, stream)
    }

    fn tuple_of(&mut self, values: &[Value], stream: &Stream) -> Value {
        let items = self.items(values, stream);
        self.heap.node(Node::Tuple(items))
    }

    fn many(&mut self, op: &Op, stream: &Stream) -> Read<()> {
        let values = if matches!(op, Op::EmptyList | Op::EmptySet) {
            Vec::new()
        } else {
            self.stack.pop_mark(stream)?
        };
        let items = self.items(&values, stream);
        self.push_node(Node::Many(items), stream)
    }

    fn items(&mut self, values: &[Value], stream: &Stream) -> Items<Value> {
        let mut items = Items::default();
        for value in values {
            self.contained(*value, stream);
            items.push(*value, self.keep);
        }
        items
    }

    /// Notes a class whose objects are followed closely, where it could get into one that this reader takes for another.
    fn contained(&mut self, value: Value, stream: &Stream) {
        let Value::Global(place) = value else { return };
        let Some(import) = self.findings.at(place) else { return };
        let odd = match (&*import.module, &*import.name) {
            wrapper::CLASS => wrapper::ODD_WRAPPER,
            dtype::CLASS => dtype::ODD_DTYPE,
            _ => return,
        };
        self.findings.unresolved(stream.offset(), odd);
    }

    fn push_node(&mut self, node: Node, stream: &Stream) -> Read<()> {
        let value = self.heap.node(node);
        self.stack.push(value, stream)
    }
}
