//! What real libraries wrote is read rightly, in every way in which they write it.

use modelet_package::pickle::{Inspection, Kind, inspect};

use crate::file;

fn read(name: &str) -> Inspection {
    inspect(&file(name)).unwrap().unwrap()
}

#[test]
fn a_pipeline_is_the_same_however_it_was_written() {
    for (name, words) in [
        ("pipeline.joblib", "pickled by joblib"),
        ("pipeline.zlib.joblib", "pickled by joblib, compressed by zlib"),
        ("pipeline.gzip.joblib", "pickled by joblib, compressed by gzip"),
        ("pipeline.0.pkl", "pickled with protocol 0"),
        ("pipeline.2.pkl", "pickled with protocol 2"),
        ("pipeline.5.pkl", "pickled with protocol 5"),
        ("pipeline.skops", "saved by skops"),
    ] {
        let found = read(name);
        let title = format!("a scikit-learn 1.5.2 Pipeline (StandardScaler, LogisticRegression), {words}");
        assert_eq!(found.title(), title, "{name}");
        assert_eq!(found.unknown(), Vec::<String>::new(), "{name}");
        assert_eq!(found.features, Some(4), "{name}");
        let names = ["sepal length", "sepal width", "petal length", "petal width"].map(str::to_owned);
        assert_eq!(found.feature_names.as_deref(), Some(&names[..]), "{name}");
        assert_eq!(found.steps[1].name, "logisticregression", "{name}");
        assert_eq!(found.steps[1].class.module, "sklearn.linear_model._logistic", "{name}");
        if found.kind != Kind::Skops {
            assert_eq!(found.classes_shape, Some(vec![3]), "{name}");
            let numpy = found.frameworks.iter().find(|one| one.name == "numpy").unwrap();
            assert_eq!(numpy.version.as_deref(), Some("<2"), "{name}");
        }
    }
}

#[test]
fn what_is_called_is_told_from_what_is_only_named() {
    let found = read("pipeline.5.pkl");
    let called = |name: &str| found.imports.iter().find(|import| import.name == name).unwrap().called;
    assert!(called("Pipeline") && called("_reconstruct"));
    assert!(!called("ndarray"));
    let found = read("pipeline.0.pkl");
    assert!(found.imports.iter().any(|import| import.name == "Pipeline" && import.called));
}

#[test]
fn boosters_frames_and_trees_are_known() {
    for (name, title) in [
        ("tree.joblib", "a scikit-learn 1.5.2 DecisionTreeClassifier, pickled by joblib"),
        ("xgboost.pkl", "an xgboost 2.1.4 XGBClassifier, pickled with protocol 4"),
        ("lightgbm.pkl", "a lightgbm LGBMClassifier, pickled with protocol 4"),
        ("frame.pkl", "a pandas DataFrame, pickled with protocol 4"),
    ] {
        let found = read(name);
        assert_eq!((found.title().as_str(), found.unknown()), (title, Vec::new()));
    }
}

#[test]
fn a_compression_that_is_not_read_is_named_with_what_to_do() {
    let error = inspect(&file("pipeline.xz.joblib")).unwrap_err();
    assert!(error.message.ends_with("is compressed by xz, which modelet does not read"), "{error}");
    assert!(error.hint.unwrap().contains("joblib.dump(model, \"pipeline.xz.joblib\", compress=0)"));
}

#[test]
fn what_is_no_python_model_is_left_to_others() {
    for bytes in [
        &b""[..],
        b"\x08\x09\x12\x07pytorch",
        b"tree\nversion=v4\n",
        b"{\"learner\": {}}",
        b"a,b\n1,2\n",
        b"\x1f\x8b\x08",
    ] {
        assert_eq!(crate::inspect_bytes(bytes).unwrap(), None, "{bytes:?}");
    }
}

#[test]
fn a_long_line_of_an_old_protocol_is_passed_over() {
    let line = [&b"V"[..], &b"x".repeat(3 << 20), b"\n."].concat();
    assert_eq!(crate::inspect_bytes(&line).unwrap().unwrap().unknown(), Vec::<String>::new());
    let line = [&b"c"[..], &b"x".repeat(3 << 20), b"\nsystem\n(tR."].concat();
    assert_eq!(crate::inspect_bytes(&line).unwrap(), None);
}
