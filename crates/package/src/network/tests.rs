use std::fs;
use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn recognised(name: &str, bytes: &[u8]) -> Result<Option<Network>, FunctionError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    recognise(&path)
}

fn known(name: &str, bytes: &[u8]) -> (Loader, String, Option<String>) {
    let network = recognised(name, bytes).unwrap().unwrap();
    (network.original.loader, network.original.framework, network.original.version)
}

fn refusal(name: &str, bytes: &[u8]) -> String {
    let error = recognised(name, bytes).unwrap_err();
    format!("{} ({})", error.message, error.hint.unwrap_or_default())
}

/// An HDF5 file whose root has texts as attributes, the first of one length, the others of any, behind a continuation.
fn hdf5(attributes: &[(&str, &str)]) -> Vec<u8> {
    const ROOT: usize = 96;
    let padded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let message = |kind: u16, content: &[u8]| {
        let content = padded(content);
        [&kind.to_le_bytes()[..], &(content.len() as u16).to_le_bytes(), &[0; 4], &content].concat()
    };
    let heap_at = 4096_u64;
    let (mut messages, mut heap) = (Vec::new(), Vec::new());
    for (at, (name, text)) in attributes.iter().enumerate() {
        let place = at as u32 + 1;
        let (class, value) = match at {
            0 => (0x13, text.as_bytes().to_vec()),
            _ => (
                0x19,
                [&(text.len() as u32).to_le_bytes()[..], &heap_at.to_le_bytes(), &place.to_le_bytes()]
                    .concat(),
            ),
        };
        let kind = [&[class, 0, 0, 0][..], &(text.len() as u32).to_le_bytes()].concat();
        let mut content = vec![1, 0];
        content.extend(((name.len() + 1) as u16).to_le_bytes());
        content.extend([8, 0, 8, 0]);
        content.extend([padded(format!("{name}\0").as_bytes()), kind, vec![0; 8], value].concat());
        messages.extend(message(0x0c, &content));
        heap.extend(
            [&(place as u16).to_le_bytes()[..], &[0; 6], &(text.len() as u64).to_le_bytes()].concat(),
        );
        heap.extend(padded(text.as_bytes()));
    }
    let block_at = 512_u64;
    let continued = message(0x10, &[block_at.to_le_bytes(), (messages.len() as u64).to_le_bytes()].concat());
    let mut file = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec();
    file.resize(64, 0);
    file.extend((ROOT as u64).to_le_bytes());
    file.resize(ROOT, 0);
    file.extend([1, 0, 1, 0, 1, 0, 0, 0]);
    file.extend((continued.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(continued);
    file.resize(block_at as usize, 0);
    file.extend(messages);
    file.resize(heap_at as usize, 0);
    file.extend([&b"GCOL\x01\0\0\0"[..], &(heap.len() as u64 + 16).to_le_bytes(), &heap].concat());
    file
}

const CONFIG: &str = r#"{"class_name": "Sequential", "config": {"layers": []}}"#;

#[test]
fn each_form_is_known_by_its_content_whatever_its_name() {
    let metadata: &[u8] = br#"{"keras_version": "3.6.0"}"#;
    let keras =
        zip(&[("metadata.json", metadata), ("config.json", CONFIG.as_bytes()), ("model.weights.h5", b"")]);
    assert_eq!(known("a.zip", &keras), (Loader::Keras, "keras".into(), Some("3.6.0".into())));
    let new = hdf5(&[("keras_version", "3.15.1"), ("model_config", CONFIG)]);
    assert_eq!(known("a.bin", &new), (Loader::KerasHdf5, "keras".into(), Some("3.15.1".into())));
    let old = hdf5(&[("backend", "tensorflow"), ("model_config", CONFIG), ("keras_version", "2.3.0-tf")]);
    assert_eq!(known("a.h5", &old), (Loader::TfKerasHdf5, "tf-keras".into(), Some("2.3.0".into())));
    let script = zip(&[("m/data.pkl", b""), ("m/constants.pkl", b""), ("m/code/a.py", b"")]);
    assert_eq!(known("a.onnx", &script), (Loader::Torchscript, "torch".into(), None));
    let program: &[u8] = br#"{"torch_version": "2.15.0+cu132"}"#;
    for name in ["m/models/model.json", "serialized_exported_program.json"] {
        let exported = zip(&[("m/archive_format", b"pt2"), (name, program)]);
        assert_eq!(known("a.pt", &exported), (Loader::TorchExport, "torch".into(), Some("2.15.0".into())));
    }
    let saved = known("saved_model.pb", b"\x08\x01\x12\x0a\x0a\x08\x2a\x062.11.0");
    assert_eq!(saved, (Loader::SavedModel, "tensorflow".into(), Some("2.11.0".into())));
    assert_eq!(recognised("a.npz", &zip(&[("x.npy", b"")])).unwrap(), None);
    assert_eq!(recognised("a.pt", b"").unwrap(), None);
}

#[test]
fn what_holds_no_model_is_refused_with_what_to_save() {
    let pickled = |content: &[u8]| refusal("a.pt", &zip(&[("m/data.pkl", content), ("m/data/0", b"")]));
    let state = pickled(b"\x80\x02ccollections\nOrderedDict\n)R.");
    assert!(state.contains("is a state_dict") && state.contains("torch.jit.trace("), "{state}");
    assert!(pickled(b"\x80\x02cmine\nNet\n)\x81.").contains("is a pickled mine.Net"));
    assert!(pickled(b"\x80\x02}.").contains("wrote of a dict"));
    let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    assert!(refusal("a.pt", legacy).contains("from before 1.6"));
    let compiled = zip(&[("m/archive_format", b"pt2"), ("m/data/aotinductor/model/a.so", b"")]);
    assert!(refusal("a.pt2", &compiled).contains("one kind of processor"));
    assert!(refusal("a.h5", &hdf5(&[("backend", "tensorflow")])).contains("weights alone"));
    assert!(refusal("saved_model.pb", b"\xff").contains("damaged SavedModel"));
}

#[test]
fn damage_never_panics() {
    let whole = hdf5(&[("backend", "tensorflow"), ("model_config", CONFIG), ("keras_version", "3.6.0")]);
    for end in (0..whole.len()).step_by(7) {
        let _ = recognised("a.h5", &whole[..end]);
    }
    for at in (8..700).chain(4096..4160) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = recognised("a.h5", &bytes);
    }
}
