//! Model files as they lie on disk: weights beside them, damage, and things that are no models.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use modelet_core::{Code, EngineName, Tensor, Value};
use modelet_model::{engine, summarize};
use prost::Message;

use crate::build::{Built, F32, external, float32s, model, node, tensor};
use crate::options;

const ORT: EngineName = EngineName::Onnxruntime;
const RTEN: EngineName = EngineName::Rten;

fn with_external(location: &str) -> Built {
    model(
        vec![node("Add", &["x", "w"], &["y"], vec![])],
        vec![tensor("x", F32, &["2"])],
        vec![tensor("y", F32, &["2"])],
    )
    .with(vec![external("w", &[2], location, 8)])
}

fn weights(path: &Path) {
    let bytes: Vec<u8> = [10.0_f32, 20.0].iter().flat_map(|n| n.to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn weights_beside_the_model_are_found_or_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    for (name, location) in [(ORT, "w.bin"), (RTEN, "w.data"), (ORT, "./data/w.bin")] {
        let path = with_external(location).write(folder.path());
        let plain = location.trim_start_matches("./");
        assert_eq!(summarize(&path).unwrap().external_files(), [plain]);
        let load = || engine(name).load(&path, &options());
        let file = folder.path().join(plain);
        weights(&file);
        let answer =
            load().unwrap().predict(vec![("x".into(), Tensor::vector(vec![1.0_f32, 2.0]))], None).unwrap();
        assert_eq!(answer[0].1, Value::Tensor(Tensor::vector(vec![11.0_f32, 22.0])), "{name}");

        std::fs::write(&file, [0; 4]).unwrap();
        let error = load().map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("{plain} is cut: w needs 8 bytes of it, it has 4"));
        std::fs::rename(&file, folder.path().join("data/other.bin")).unwrap();
        let error = load().map(|_| ()).unwrap_err();
        let expected = format!("the model needs the weights file {plain}, which is not beside it");
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.code, Code::ModelRefused);
    }
}

#[test]
fn rten_says_which_weights_files_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    for location in ["w.bin", "data/w.data"] {
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        weights(&folder.path().join(location));
        let path = with_external(location).write(folder.path());
        let error = engine(RTEN).load(&path, &options()).map(|_| ()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("in the model's own folder, not from {location}")), "{error}");
    }
}

#[test]
fn weights_outside_the_folder_are_refused_before_loading() {
    let outer = tempfile::tempdir().unwrap();
    weights(&outer.path().join("w.bin"));
    let folder = outer.path().join("inner");
    std::fs::create_dir(&folder).unwrap();
    let absolute = outer.path().join("w.bin").to_string_lossy().into_owned();
    for location in ["../w.bin", &absolute, "a/../../w.bin", "", "*/_ORT_MEM_ADDR_/*"] {
        let path = with_external(location).write(&folder);
        assert!(
            summarize(&path).unwrap().external_files().is_empty(),
            "{location}: never offered to a packager"
        );
        for name in EngineName::ALL {
            let error = engine(*name).load(&path, &options()).map(|_| ()).unwrap_err();
            let expected = format!("weights of w are in {location:?}, outside the model's folder");
            assert_eq!(error.to_string(), expected, "{name}");
        }
    }
}

#[test]
fn what_is_not_a_model_is_told_by_its_looks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let sound = with_external("w.bin").model.encode_to_vec();
    let cut = &sound[..sound.len() / 2];
    for (bytes, expected) in [
        (&b""[..], "m.onnx is not an ONNX file: it looks like an empty file (0 bytes)"),
        (b"age,plan\n41,pro\n", "m.onnx is not an ONNX file: it looks like text"),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "m.onnx is not an ONNX file: it looks like a Python pickle"),
        (b"PK\x03\x04\x14\0\0\0", "m.onnx is not an ONNX file: it looks like a zip archive"),
        (b"\x89HDF\r\n\x1a\n\0\0", "m.onnx is not an ONNX file: it looks like HDF5"),
        (
            b"\x08\x01\x12\x05\x0a\x03abc",
            "m.onnx is not an ONNX file: it looks like a TensorFlow saved_model.pb",
        ),
        (&[0; 64], "m.onnx is not an ONNX file: it looks like zeros"),
        (cut, "m.onnx starts like an ONNX file but is damaged or cut"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        for name in EngineName::ALL {
            let error = engine(*name).load(&path, &options()).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert!(error.hint.is_some());
        }
    }
    let error = summarize(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("is a folder, not a model file"), "{error}");
    let error = summarize(&folder.path().join("nothing.onnx")).unwrap_err().to_string();
    assert!(error.starts_with("nothing.onnx cannot be read: "), "{error}");
}

/// Every cut and every flipped bit of a small model is refused or loaded, and nothing dies of it.
#[test]
fn damage_never_kills() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let built = model(
        vec![node("Add", &["x", "w"], &["y"], vec![])],
        vec![tensor("x", F32, &["2"])],
        vec![tensor("y", F32, &["2"])],
    )
    .with(vec![float32s("w", &[2], &[1.0, 2.0])]);
    let sound = built.model.encode_to_vec();
    for at in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[at] ^= 1 << (at % 8);
        for bytes in [&sound[..at], &flipped] {
            std::fs::write(&path, bytes).unwrap();
            for name in EngineName::ALL {
                let _ = engine(*name).load(&path, &options());
            }
        }
    }
}

/// How much this thread has read from files so far (`rchar` of proc_pid_io(5)).
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn a_summary_skips_gigabytes_of_weights() {
    const WEIGHT_BYTES: u64 = 1 << 30;
    let folder = tempfile::tempdir().unwrap();
    let mut built = model(
        vec![node("Add", &["x", "w"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![tensor("y", F32, &["n"])],
    );
    built.model.graph.as_mut().unwrap().name = None;
    let path = built.write(folder.path());
    // Another piece of the graph (protobuf merges pieces), whose one constant has a gigabyte of zeros in a file with a hole.
    let varint = |mut value: u64| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let field = |number: u8, length: u64| [vec![number << 3 | 2], varint(length)].concat();
    let raw = field(9, WEIGHT_BYTES);
    let head =
        [vec![0x08], varint(WEIGHT_BYTES / 4), vec![0x10, F32 as u8], field(8, 1), b"w".to_vec()].concat();
    let tensor_bytes = (head.len() + raw.len()) as u64 + WEIGHT_BYTES;
    let initializer = field(5, tensor_bytes);
    let graph = field(7, initializer.len() as u64 + tensor_bytes);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&[graph, initializer, head, raw].concat()).unwrap();
    let end = file.seek(SeekFrom::End(0)).unwrap();
    file.set_len(end + WEIGHT_BYTES).unwrap();

    let before = bytes_read();
    let summary = summarize(&path).unwrap();
    assert!(bytes_read() - before < 1 << 20, "{} bytes", bytes_read() - before);
    assert_eq!(summary.operators()[""].iter().collect::<Vec<_>>(), ["Add"]);
    assert_eq!(summary.producer.as_deref(), Some("modelet tests"));
}
