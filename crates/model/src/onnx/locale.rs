//! Makes text models independent of the machine's languages.
//!
//! `StringNormalizer` changes case by the rules of a locale, `en_US` unless the model says otherwise; ONNX Runtime asks
//! the C library for `en_US.UTF-8`, which a slim Debian does not have, and then refuses the model. `C.UTF-8` has the same
//! rules of case (both come from the same table of glibc) and is always there, so the node is made to say `C.UTF-8`.

use super::OnnxSummary;
use super::wire::{Field, Fields, put};

/// The locale that a rewritten node names.
pub const LOCALE: &str = "C.UTF-8";

/// Fields of a protobuf message that are walked, by number.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
}

impl OnnxSummary {
    /// True when [`rewrite_locale`] would change the file.
    pub fn needs_locale_rewrite(&self) -> bool {
        let mut needs = false;
        self.each_node(&mut |node| {
            needs |= node.op() == "StringNormalizer" && is_english(node.text("locale").unwrap_or_default());
        });
        needs
    }
}

/// The file with every English `StringNormalizer` made to say `C.UTF-8`; `None` when there is none, or the bytes are not
/// a protobuf message.
pub fn rewrite_locale(bytes: &[u8]) -> Option<Vec<u8>> {
    rewrite(bytes, Kind::Model)
}

fn is_english(locale: &str) -> bool {
    matches!(locale, "" | "en_US" | "en_US.UTF-8" | "en_US.utf8" | "en-US")
}

/// Walks one message; `None` when nothing in it changed.
fn rewrite(message: &[u8], kind: Kind) -> Option<Vec<u8>> {
    if let Kind::Node = kind
        && let Some(node) = rewrite_normalizer(message)
    {
        return Some(node);
    }
    let mut written = Vec::with_capacity(message.len() + 32);
    let mut changed = false;
    for field in Fields(message) {
        let field = field?;
        let inner = match (kind, field.number) {
            (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => rewrite(field.content, Kind::Graph),
            (Kind::Model, 25) => rewrite_function(field.content),
            (Kind::Graph, 1) => rewrite(field.content, Kind::Node),
            (Kind::Node, 5) => rewrite(field.content, Kind::Attribute),
            _ => None,
        };
        match inner {
            Some(inner) => {
                changed = true;
                put(&mut written, field.number, &inner);
            }
            None => written.extend_from_slice(field.whole),
        }
    }
    changed.then_some(written)
}

/// A function of the model keeps its nodes in field 7.
fn rewrite_function(message: &[u8]) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(message.len() + 32);
    let mut changed = false;
    for field in Fields(message) {
        let field = field?;
        match (field.number == 7).then(|| rewrite(field.content, Kind::Node)).flatten() {
            Some(inner) => {
                changed = true;
                put(&mut written, field.number, &inner);
            }
            None => written.extend_from_slice(field.whole),
        }
    }
    changed.then_some(written)
}

/// The node with another `locale` attribute, if it is an English `StringNormalizer`.
fn rewrite_normalizer(node: &[u8]) -> Option<Vec<u8>> {
    const OP_TYPE: u32 = 4;
    const ATTRIBUTE: u32 = 5;
    let fields: Vec<Field<'_>> = Fields(node).collect::<Option<_>>()?;
    let is_locale =
        |field: &&Field<'_>| field.number == ATTRIBUTE && attribute_text(field.content).0 == b"locale";
    let locale = fields.iter().find(is_locale).map_or(&b""[..], |field| attribute_text(field.content).1);
    let is_normalizer = fields.iter().any(|f| f.number == OP_TYPE && f.content == b"StringNormalizer");
    if !is_normalizer || !is_english(std::str::from_utf8(locale).ok()?) {
        return None;
    }
    let mut written = Vec::with_capacity(node.len() + 32);
    for field in fields.iter().filter(|field| !is_locale(field)) {
        written.extend_from_slice(field.whole);
    }
    let mut attribute = Vec::new();
    put(&mut attribute, 1, b"locale");
    put(&mut attribute, 4, LOCALE.as_bytes());
    attribute.extend([20 << 3, 1, 3]); // field 20, a number: AttributeProto.type = STRING
    put(&mut written, ATTRIBUTE, &attribute);
    Some(written)
}

/// The name of an attribute and its text.
fn attribute_text(attribute: &[u8]) -> (&[u8], &[u8]) {
    let mut found = (&b""[..], &b""[..]);
    for field in Fields(attribute).flatten() {
        match field.number {
            1 => found.0 = field.content,
            4 => found.1 = field.content,
            _ => {}
        }
    }
    found
}
