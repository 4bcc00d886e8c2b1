//! The stack with its marks, and the memo, as Python's unpicklers keep them.

use std::collections::HashMap;

use crate::pickle::limits::{MAX_MEMO, MAX_STACK};
use crate::pickle::stream::{Read, Stream};
use crate::pickle::value::Value;

/// Stack and memo of one pickle.
#[derive(Debug, Default)]
pub struct Stack {
    values: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
}

impl Stack {
    /// Below this a value belongs to what was before the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// Puts a value on top.
    pub fn push(&mut self, value: Value, stream: &Stream) -> Read<()> {
        if self.values.len() == MAX_STACK {
            return Err(stream.damage(format!("it stacks more than {MAX_STACK} values")));
        }
        self.values.push(value);
        Ok(())
    }

    /// The value on top, which stays.
    pub fn top(&self, stream: &Stream) -> Read<Value> {
        match self.values.last() {
            Some(value) if self.values.len() > self.floor() => Ok(*value),
            _ => Err(stream.damage("the stack is empty")),
        }
    }

    /// Takes the value on top.
    pub fn pop(&mut self, stream: &Stream) -> Read<Value> {
        let value = self.top(stream)?;
        self.values.pop();
        Ok(value)
    }

    /// Takes so many values from the top, the lowest first.
    pub fn pop_many(&mut self, len: usize, stream: &Stream) -> Read<Vec<Value>> {
        let from = self.values.len().checked_sub(len).filter(|from| *from >= self.floor());
        Ok(self.values.split_off(from.ok_or_else(|| stream.damage("the stack is empty"))?))
    }

    /// Sets a mark.
    pub fn mark(&mut self, stream: &Stream) -> Read<()> {
        if self.marks.len() == MAX_STACK {
            return Err(stream.damage(format!("it sets more than {MAX_STACK} marks")));
        }
        self.marks.push(self.values.len());
        Ok(())
    }

    /// Takes what was put on top since the last mark, and the mark.
    pub fn pop_mark(&mut self, stream: &Stream) -> Read<Vec<Value>> {
        let from = self.marks.pop().ok_or_else(|| stream.damage("there is no mark"))?;
        Ok(self.values.split_off(from))
    }

    /// Takes the mark when it is on top, else the value there.
    pub fn pop_or_unmark(&mut self, stream: &Stream) -> Read<()> {
        if self.marks.last() == Some(&self.values.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop(stream).map(drop)
    }

    /// Remembers the value on top, at a place or, as `MEMOIZE` does, at the number of those remembered.
    pub fn put(&mut self, place: Option<u64>, stream: &Stream) -> Read<()> {
        let value = self.top(stream)?;
        if self.memo.len() == MAX_MEMO {
            return Err(stream.damage(format!("its memo has more than {MAX_MEMO} entries")));
        }
        self.memo.insert(place.unwrap_or(self.memo.len() as u64), value);
        Ok(())
    }

    /// What is remembered at a place.
    pub fn get(&self, place: u64, stream: &Stream) -> Read<Value> {
        self.memo
            .get(&place)
            .copied()
            .ok_or_else(|| stream.damage(format!("place {place} of the memo is empty")))
    }
}
