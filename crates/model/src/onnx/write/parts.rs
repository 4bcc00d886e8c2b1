//! Graphs that are put together of others, and what of a graph is needed.

use std::collections::HashSet;

use prost::Message;

use super::{GraphWriter, NodeProto, ValueInfoProto};

impl GraphWriter {
    /// Puts another graph's nodes and constants into this one; what it said of its inputs and outputs is left out. Its names get
    /// a prefix, but for one of its inputs (the first of `input`), which is another value here (the second).
    pub fn put_in(&mut self, part: Self, prefix: &str, input: (&str, &str)) {
        let renamed = |name: &str| match name {
            "" => String::new(),
            name if name == input.0 => input.1.to_owned(),
            name => format!("{prefix}{name}"),
        };
        for mut constant in part.graph.initializer {
            constant.name.iter_mut().for_each(|name| *name = renamed(name));
            self.graph.initializer.push(constant);
        }
        for mut node in part.graph.node {
            node.input.iter_mut().chain(&mut node.output).chain(&mut node.name).for_each(|name| {
                *name = renamed(name);
            });
            self.graph.node.push(node);
        }
    }

    /// True when a node makes a value of this name.
    pub fn makes(&self, name: &str) -> bool {
        self.graph.node.iter().flat_map(|node| &node.output).any(|output| output == name)
    }

    /// Leaves out nodes and constants that no output needs.
    pub fn keep_needed(&mut self) {
        let outputs = self.graph.output.iter().filter_map(|output| output.name.clone());
        let mut needed: HashSet<String> = outputs.collect();
        let mut kept: Vec<NodeProto> = Vec::new();
        // Nodes come behind those that make their inputs.
        for node in std::mem::take(&mut self.graph.node).into_iter().rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.graph.node = kept;
        self.graph.initializer.retain(|constant| constant.name.as_ref().is_some_and(|n| needed.contains(n)));
    }

    /// How many columns an output has that is a table; `None` where it is none, or no output.
    pub fn output_columns(&self, name: &str) -> Option<usize> {
        columns(&self.graph.output, name)
    }

    /// How many columns an input has that is a table.
    pub fn input_columns(&self, name: &str) -> Option<usize> {
        columns(&self.graph.input, name)
    }

    /// Puts another graph's nodes, constants and outputs into this one, under the names that they have; its input is another
    /// value here (the second of `input`).
    pub fn take_over(&mut self, part: Self, input: (&str, &str)) {
        self.graph.output.extend(part.graph.output.iter().cloned());
        self.put_in(part, "", input);
    }

    /// Counts bytes that are put in; an error where they are more than a limit, which is how many they would be.
    ///
    /// # Errors
    /// The sum that is beyond the limit.
    pub fn grow(&mut self, bytes: usize, limit: usize) -> Result<(), usize> {
        self.held_bytes += bytes;
        if self.held_bytes > limit { Err(self.held_bytes) } else { Ok(()) }
    }

    /// How large the graph is in a file, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.graph.encoded_len()
    }
}

/// How many columns an input or an output has that is a table.
fn columns(values: &[ValueInfoProto], name: &str) -> Option<usize> {
    let value = values.iter().find(|value| value.name.as_deref() == Some(name))?;
    let shape = value.r#type.as_ref()?.tensor.as_ref()?.shape.as_ref()?;
    usize::try_from(shape.dim.get(1)?.value?).ok()
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Dim, Tensor};

    use super::*;

    fn doubled() -> GraphWriter {
        let mut graph = GraphWriter::default();
        graph.input("X", DType::F64, &[Dim::Named("rows".to_owned())]);
        graph.constant("two", &Tensor::vector(vec![2.0]));
        graph.node(("", "Mul"), &["X", "two"], "doubled", vec![]);
        graph
    }

    #[test]
    fn a_graph_put_into_another_keeps_its_names_apart() {
        let mut graph = doubled();
        graph.put_in(doubled(), "again/", ("X", "doubled"));
        let inputs: Vec<_> = graph.graph.node.iter().map(|node| node.input.join(" ")).collect();
        assert_eq!(inputs, ["X two", "doubled again/two"]);
        assert!(graph.makes("again/doubled") && !graph.makes("again/X"));
    }

    #[test]
    fn what_no_output_needs_is_left_out() {
        let mut graph = doubled();
        graph.put_in(doubled(), "again/", ("X", "doubled"));
        graph.output("doubled", DType::F64, &[Dim::Named("rows".to_owned())]);
        graph.keep_needed();
        assert!(graph.makes("doubled") && !graph.makes("again/doubled"));
        assert_eq!(graph.graph.initializer.len(), 1);
    }
}
