//! The library of ONNX Runtime: missing, foreign, cut, of another version.

use std::path::{Path, PathBuf};

use modelet_core::{Code, EngineName, FunctionError};
use modelet_model::library::{FILE_NAME, PINNED, Place, Places, WHEELS, locate, verify};
use modelet_model::{LoadOptions, engine};

use crate::build::{F32, model, node, tensor};
use crate::{library, options};

fn load_with(path: Option<PathBuf>) -> FunctionError {
    let folder = tempfile::tempdir().unwrap();
    let built = model(
        vec![node("Neg", &["x"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![tensor("y", F32, &["n"])],
    );
    let options = LoadOptions { onnxruntime_library: path, ..LoadOptions::default() };
    let ort = engine(EngineName::Onnxruntime);
    let error = ort.load(&built.write(folder.path()), &options).map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::EngineMissing);
    assert!(error.hint.as_ref().is_none_or(|hint| hint.starts_with("run modelet engines install")));
    error
}

#[test]
fn a_library_that_does_not_fit_is_an_error_and_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load_with(Some(path.clone())).to_string()
    };
    assert_eq!(load_with(None).to_string(), "the library of ONNX Runtime was not found on this machine");
    let error = load_with(Some("/nowhere/lib.so".into())).to_string();
    assert!(error.starts_with("/nowhere/lib.so cannot be read: "), "{error}");
    assert!(with(b"").ends_with("is not a shared library"));
    assert!(
        with(b"#!/bin/sh\necho hello, this is a text that is longer than one header of an ELF file\n")
            .ends_with("is not a shared library")
    );

    let sound = std::fs::read(library()).unwrap();
    for length in [64, 100_000, sound.len() / 2, sound.len() - 1_000] {
        let error = with(&sound[..length]);
        assert!(error.ends_with("is cut: the file is shorter than its own headers say"), "{length}: {error}");
    }
    let name = format!("VERS_{PINNED}").into_bytes();
    let at = sound.windows(name.len()).position(|window| window == name).unwrap();
    let mut newer = sound;
    newer[at..at + name.len()].copy_from_slice(b"VERS_1.32.0");
    let error = with(&newer);
    assert!(error.contains("is ONNX Runtime 1.32.0; modelet uses 1.28.0 and no other"), "{error}");
    let program = std::fs::read("/bin/true").unwrap();
    assert!(
        with(&program).ends_with("is a shared library, but not one of ONNX Runtime"),
        "{}",
        with(&program)
    );
}

#[test]
fn the_library_has_the_bytes_that_were_pinned() {
    let wheel = WHEELS.iter().find(|wheel| wheel.processor == modelet_core::Processor::HERE).unwrap();
    assert_eq!(verify(&library(), wheel.library_sha256), Ok(()));
    assert!(verify(&library(), "00").unwrap_err().starts_with("has the SHA-256 "));
}

#[test]
fn one_process_has_one_library() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(FILE_NAME);
    std::fs::copy(library(), &copy).unwrap();
    assert_eq!(engine(EngineName::Onnxruntime).version(&options()), Ok(PINNED.to_owned()));
    crate::load(
        EngineName::Onnxruntime,
        &model(
            vec![node("Neg", &["x"], &["y"], vec![])],
            vec![tensor("x", F32, &["n"])],
            vec![tensor("y", F32, &["n"])],
        ),
    )
    .unwrap();
    let error = load_with(Some(copy.clone())).to_string();
    assert!(
        error.contains("this process already uses") && error.contains(&*copy.to_string_lossy()),
        "{error}"
    );
}

#[test]
fn places_are_searched_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let link = |place: &str| {
        let folder = folder.path().join(place);
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(library(), folder.join(FILE_NAME)).unwrap();
        folder
    };
    let cache = folder.path().to_owned();
    link(modelet_model::library::CACHE_FOLDER);
    let (artifact, executable) = (link("artifact"), link("executable"));
    let mut places = Places {
        artifact: Some(artifact),
        executable: Some(executable),
        cache: Some(cache),
        ..Places::default()
    };
    let found = |places: &Places| locate(places).unwrap().place;
    assert_eq!(found(&places), Place::Artifact);
    places.artifact = Some(Path::new("/nowhere").into());
    assert_eq!(found(&places), Place::Executable);
    places.executable = None;
    assert_eq!(found(&places), Place::Cache);
    assert_eq!(locate(&places).unwrap().version, PINNED);
    places.setting = Some(library());
    assert_eq!(found(&places), Place::Setting);
}
