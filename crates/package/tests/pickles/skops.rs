//! skops files that name what they should not, or are not what they seem.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{distrusted, file, inspect_bytes};

fn pack(schema: &Value) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("schema.json", SimpleFileOptions::default()).unwrap();
    writer.write_all(schema.to_string().as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

fn node(module: &str, class: &str, loader: &str, content: &Value) -> Value {
    json!({"__module__": module, "__class__": class, "__loader__": loader, "content": content, "_skops_version": "0.11.0"})
}

#[test]
fn what_a_schema_names_is_named() {
    let list = |inner: Value| node("builtins", "list", "ListNode", &json!([inner]));
    for (schema, words) in [
        (node("os", "system", "FunctionNode", &json!({})), "os.system"),
        (list(node("os", "system", "TypeNode", &json!({}))), "os.system"),
        (list(node("subprocess", "Popen", "ObjectNode", &json!({}))), "subprocess.Popen"),
        (node("operator", "methodcaller", "OperatorFuncNode", &json!({})), "OperatorFuncNode"),
        (node("builtins", "method", "MethodNode", &json!({"func": "system"})), "MethodNode"),
        (node("builtins", "dict", "NewNode", &json!({})), "NewNode"),
        (json!({"__loader__": "ObjectNode", "__class__": 1, "_skops_version": "0.11.0"}), "without a class"),
        (
            json!({"__loader__": 3, "__class__": "dict", "__module__": "builtins", "_skops_version": "0"}),
            "kind",
        ),
    ] {
        let found = distrusted(&pack(&schema));
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn a_zip_that_names_a_file_in_two_ways_is_damage() {
    let real = std::fs::read(file("pipeline.skops")).unwrap();
    let at = real.windows(11).position(|window| window == b"schema.json").unwrap();
    let mut changed = real.clone();
    changed[at..at + 11].copy_from_slice(b"schemA.json");
    assert!(distrusted(&changed).contains("in two ways"));
}

#[test]
fn other_zips_are_left_to_others() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("data.pkl", SimpleFileOptions::default()).unwrap();
    let other = writer.finish().unwrap().into_inner();
    assert_eq!(inspect_bytes(&other).unwrap(), None);
    assert_eq!(inspect_bytes(&pack(&json!({"a": 1}))).unwrap(), None);
    assert_eq!(inspect_bytes(b"PK\x03\x04").unwrap(), None);
}

#[test]
fn a_schema_of_too_many_parts_is_not_taken_apart() {
    let many = "{},".repeat(500_000);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("schema.json", SimpleFileOptions::default()).unwrap();
    writer.write_all(format!("[{many}{{}}]").as_bytes()).unwrap();
    let found = distrusted(&writer.finish().unwrap().into_inner());
    assert!(found.contains("more parts than any model file should"), "{found}");
}
