use std::fs::{self, File};
use std::io::Read;

use flate2::read::GzDecoder;
use modelet_core::{Handler, ModelCard, Processor, Settings};

use super::*;
use crate::shipment::{Content, Part, ShippedFile};

fn file(path: &str, content: &str, executable: bool) -> ShippedFile {
    let bytes = content.as_bytes().to_vec();
    ShippedFile {
        path: path.to_owned(),
        size_bytes: bytes.len() as u64,
        executable,
        content: Content::Bytes(bytes),
    }
}

/// A shipment with a runtime and a model.
fn shipment(model: &str) -> Shipment {
    let card = json!({
        "format_version": modelet_core::ArtifactCard::FORMAT_VERSION, "name": "churn", "source_sha256": "00",
        "manifest": { "env": { "MODE": "fast" } }, "settings": Settings::default(),
        "handler": Handler::Model(Box::new(model_card())), "files": [],
    });
    let part = |kind, files| Part { kind, files };
    Shipment {
        card: serde_json::from_value(card).unwrap(),
        processor: Processor::X86_64,
        parts: vec![
            part(PartKind::Runtime, vec![file(BOOTSTRAP, "#!", true)]),
            part(
                PartKind::Function,
                vec![file("artifact.json", "{}", false), file("files/a/m", model, false)],
            ),
        ],
    }
}

fn model_card() -> ModelCard {
    serde_json::from_value(json!({
        "file": "a/m", "format": "onnx", "engine": "tabular", "engine_version": "0",
        "signature": { "inputs": [], "outputs": [] },
    }))
    .unwrap()
}

fn written(shipment: &Shipment, base: Option<&Base>) -> (tempfile::TempDir, Layout, Image) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::create(folder.path().to_owned()).unwrap();
    let image = write(shipment, base, &layout).unwrap();
    (folder, layout, image)
}

fn read(layout: &Layout, blob: &Descriptor) -> Value {
    serde_json::from_slice(&fs::read(layout.place(&blob.digest).unwrap()).unwrap()).unwrap()
}

#[test]
fn the_same_shipment_is_the_same_image_and_a_new_model_leaves_the_runtime_as_it_is() {
    let (_a, layout, one) = written(&shipment("1"), None);
    let (_b, other_layout, other) = written(&shipment("1"), None);
    assert_eq!(one.manifest.digest, other.manifest.digest);
    let tars: Vec<_> = [(&layout, "a.tar"), (&other_layout, "b.tar")]
        .map(|(layout, name)| {
            let place = layout.folder().join(name);
            layout.archive(&place).unwrap();
            fs::read(place).unwrap()
        })
        .into();
    assert_eq!(tars[0], tars[1]);
    let (_c, _, new) = written(&shipment("2"), None);
    assert_eq!(one.layers[0].blob, new.layers[0].blob);
    assert_ne!(one.layers[1].blob, new.layers[1].blob);
}

#[test]
fn a_layer_has_folders_modes_and_nobody_as_owner() {
    let (_folder, layout, image) = written(&shipment("1"), None);
    let mut found = Vec::new();
    for layer in &image.layers {
        let blob = File::open(layout.place(&layer.blob.digest).unwrap()).unwrap();
        let mut tar = Vec::new();
        GzDecoder::new(blob).read_to_end(&mut tar).unwrap();
        let sum = modelet_core::digest::sha256(tar.as_slice()).unwrap().1;
        assert_eq!(layer.diff_id, format!("sha256:{sum}"));
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            found.push((entry.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
    }
    let expected = [
        ("tmp/", 0o1777),
        ("modelet/", 0o755),
        ("modelet/bootstrap", 0o755),
        ("modelet/", 0o755),
        ("modelet/artifact.json", 0o644),
        ("modelet/files/", 0o755),
        ("modelet/files/a/", 0o755),
        ("modelet/files/a/m", 0o644),
    ];
    assert_eq!(found, expected.map(|(path, mode)| (path.to_owned(), mode)));
}

#[test]
fn an_image_stands_on_the_layers_and_the_variables_of_another() {
    let docker = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let below = json!({ "mediaType": docker, "digest": format!("sha256:{}", "a".repeat(64)), "size": 7 });
    let config = json!({
        "os": "linux", "architecture": "amd64", "rootfs": { "diff_ids": ["sha256:below"] },
        "config": { "Env": ["PATH=/opt/bin", "MODE=slow", "LANG=C.UTF-8"], "Cmd": ["python3"] },
    });
    let base = |config: &Value| {
        let manifest = json!({ "layers": [below] }).to_string();
        Base::of("python:3.11", manifest.as_bytes(), config.to_string().as_bytes(), Processor::X86_64)
    };
    let (_folder, layout, image) = written(&shipment("1"), Some(&base(&config).unwrap()));
    let manifest = read(&layout, &image.manifest);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    assert_eq!(manifest["layers"][0]["mediaType"], LAYER);
    let own = read(&layout, &image.config);
    assert_eq!(own["rootfs"]["diff_ids"][0], "sha256:below");
    assert_eq!(own["config"]["Env"], json!(["PATH=/opt/bin", "LANG=C.UTF-8", "MODE=fast", "PORT=8080"]));
    assert_eq!(own["config"]["Cmd"], Value::Null);
    let mut other = config;
    other["architecture"] = json!("arm64");
    let refused = base(&other).unwrap_err();
    assert_eq!(refused.message, "the image python:3.11: it is for linux/arm64, and not for linux/amd64");
}

#[test]
fn an_image_says_what_it_runs_on_in_its_config_and_its_index() {
    for (processor, name) in [(Processor::X86_64, "amd64"), (Processor::Arm64, "arm64")] {
        let (_folder, layout, image) = written(&Shipment { processor, ..shipment("1") }, None);
        assert_eq!(read(&layout, &image.config)["architecture"], name);
        let index: Value =
            serde_json::from_slice(&fs::read(layout.folder().join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"][0]["platform"], json!({ "architecture": name, "os": "linux" }));
    }
}
