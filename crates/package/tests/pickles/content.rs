//! What real libraries wrote is read with all of its content, in every way in which they write it.

use modelet_package::pickle::{Pickled, read};

use crate::assemble::{all, import, pickle, text};
use crate::file;

fn content(name: &str) -> Pickled {
    read(&file(name)).unwrap()
}

#[test]
fn numbers_and_texts_are_the_same_however_they_were_written() {
    let written = content("pipeline.joblib");
    let wanted = numbers(&written);
    assert_eq!(wanted.0.len(), 12);
    assert!(
        (wanted.0[0] + 1.076_592_383_408_972_6).abs() < 1e-12,
        "setosa, by sepal length: {}",
        wanted.0[0]
    );
    for name in ["pipeline.zlib.joblib", "pipeline.gzip.joblib", "pipeline.2.pkl", "pipeline.5.pkl"] {
        assert_eq!(numbers(&content(name)), wanted, "{name}");
    }
}

/// Of the pipeline: coefficients, classes, and what a number beside them is.
fn numbers(pickled: &Pickled) -> (Vec<f64>, Vec<String>, f64, i64) {
    let steps = pickled.root().get("steps").unwrap().items().unwrap();
    let step = steps[1].items().unwrap();
    assert_eq!(step[0].text().unwrap(), "logisticregression");
    let model = &step[1];
    assert_eq!(model.class().unwrap().name, "LogisticRegression");
    let coefficients = model.get("coef_").unwrap();
    assert_eq!(coefficients.array().unwrap().shape, [3, 4]);
    (
        coefficients.numbers().unwrap(),
        model.get("classes_").unwrap().texts().unwrap(),
        model.get("tol").unwrap().number().unwrap(),
        model.get("n_features_in_").unwrap().integer().unwrap(),
    )
}

#[test]
fn records_are_read_by_their_fields() {
    let pickled = content("tree.joblib");
    let tree = pickled.root().get("tree_").unwrap();
    let nodes = tree.get("nodes").unwrap().array().unwrap();
    assert_eq!(nodes.shape, [5]);
    assert_eq!(nodes.field("left_child").unwrap().integers().unwrap(), [1, -1, 3, -1, -1]);
    assert_eq!(nodes.field("feature").unwrap().integers().unwrap()[0], 3);
    let threshold = nodes.field("threshold").unwrap().numbers().unwrap()[0];
    assert!((threshold - 0.8).abs() < 1e-6, "{threshold}");
    assert!(nodes.field("threshold").unwrap().integers().is_none());
    assert!(nodes.field("nothing").is_none());
    assert_eq!(tree.get("values").unwrap().array().unwrap().shape, [5, 1, 3]);
    assert_eq!(tree.arguments().unwrap()[0].integer().unwrap(), 4);
}

#[test]
fn what_is_not_as_it_is_asked_for_is_named_with_the_way_to_it() {
    let pickled = content("tree.joblib");
    let root = pickled.root();
    let tree = root.get("tree_").unwrap();
    assert_eq!(root.get("coef_").unwrap_err(), "DecisionTreeClassifier has no coef_");
    assert_eq!(
        tree.get("values").unwrap().text().unwrap_err(),
        "DecisionTreeClassifier.tree_.values is not a text"
    );
    assert!(root.get("max_depth").unwrap().array().is_err());
    assert!(root.get("criterion").unwrap().integer().is_err());
    assert!(root.get("class_weight").unwrap().is_none());
    assert!(tree.get("nodes").unwrap().numbers().is_err());
}

/// A pickle of an array of one dimension, as numpy writes it, with what comes behind it.
fn array(dtype: &str, order: &str, len: u8, bytes: &[u8], behind: &[u8]) -> Pickled {
    let dtype = all(&[
        &import("numpy", "dtype"),
        &text(dtype),
        b"\x89\x88\x87R(K\x03",
        &text(order),
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
    ]);
    let made = all(&[
        &import("numpy._core.multiarray", "_reconstruct"),
        &import("numpy", "ndarray"),
        b"K\0\x85C\x01b\x87R(K\x01K",
        &[len],
        b"\x85",
        &dtype,
        b"\x89C",
        &[u8::try_from(bytes.len()).unwrap()],
        bytes,
        b"tb",
        behind,
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array.pkl");
    std::fs::write(&path, pickle(&made)).unwrap();
    read(&path).unwrap()
}

#[test]
fn arrays_are_read_exactly_or_not_at_all() {
    let both = [3, 0, 0, 1];
    assert_eq!(array("i2", "<", 2, &both, b"").root().numbers().unwrap(), [3.0, 256.0]);
    assert_eq!(array("i2", ">", 2, &both, b"").root().numbers().unwrap(), [768.0, 1.0]);
    assert_eq!(array("f8", "<", 0, b"", b"").root().numbers().unwrap(), [0.0; 0]);
    assert!(array("i2", "<", 3, &both, b"").root().array().is_err(), "more than there is");
    assert!(array("i2", "=", 2, &both, b"").root().array().is_err(), "an order of this machine");
    assert!(array("c8", "<", 0, b"", b"").root().array().is_err(), "complex numbers");
    assert!(array("i2", "<", 2, &both, b"K\0K\x07s").root().array().is_err(), "changed after it was made");
}
