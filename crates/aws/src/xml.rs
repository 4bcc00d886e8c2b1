//! Answers of XML: what stands in an element, and elements as they stand.

use std::ops::Range;

/// A document that was read.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
}

impl Document {
    /// Reads a document; `None` where it is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.to_owned();
        roxmltree::Document::parse(&text).is_ok().then_some(Self { text })
    }

    /// The text in the first element of this name.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// The texts in all elements of this name, in their order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let Ok(document) = roxmltree::Document::parse(&self.text) else { return Vec::new() };
        let named = document.descendants().filter(|node| node.tag_name().name() == name);
        named.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
    }

    /// The children of the outermost element as they stand in the document, each with the text in its `Id`.
    pub fn children(&self) -> Vec<(Option<String>, &str)> {
        let Ok(document) = roxmltree::Document::parse(&self.text) else { return Vec::new() };
        let mut found = Vec::new();
        for child in document.root_element().children().filter(roxmltree::Node::is_element) {
            let id = child.children().find(|node| node.tag_name().name() == "Id");
            let id = id.and_then(|node| node.text()).map(str::to_owned);
            found.push((id, child.range()));
        }
        found.into_iter().map(|(id, range): (_, Range<usize>)| (id, &self.text[range])).collect()
    }

    /// Pairs of `Key` and `Value`, as tags are told.
    pub fn tags(&self) -> std::collections::BTreeMap<String, String> {
        self.all("Key").into_iter().zip(self.all("Value")).collect()
    }
}

/// A text as it stands in an element.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name_and_given_as_they_stand() {
        let text = r#"<A xmlns="urn:x"><B><Id>one</Id><C a="1">x &amp; y</C></B><D/></A>"#;
        let document = Document::read(text.as_bytes()).unwrap();
        assert_eq!(document.text("C").as_deref(), Some("x & y"));
        let children = document.children();
        assert_eq!(children[0], (Some("one".to_owned()), r#"<B><Id>one</Id><C a="1">x &amp; y</C></B>"#));
        assert_eq!(children[1], (None, "<D/>"));
        assert!(Document::read(b"<html>").is_none());
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
