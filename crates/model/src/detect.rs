//! Says what a file that is not ONNX looks like, so that a refusal can say what to do.

/// A kind of file that people mistake for an ONNX model.
#[derive(Debug, PartialEq, Eq)]
pub struct Format {
    /// Completes "it looks like …".
    pub looks_like: &'static str,
    /// What to do next.
    pub hint: &'static str,
}

const EXPORT: &str = "export the model to ONNX, or give the file that its own library saved: scikit-learn, XGBoost, LightGBM, \
                      CatBoost, Keras, TensorFlow and PyTorch (torch.export, TorchScript) are taken as they are";
const AGAIN: &str = "the file did not arrive whole: copy or download it again";

/// Where a mark is, the mark, and what it means; from most to least reliable.
const MAGIC: &[(usize, &[u8], Format)] = &[
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        Format { looks_like: "HDF5 (a Keras model)", hint: "deploy the file that Keras saved" },
    ),
    (
        0,
        b"version https://git-lfs.github.com/",
        Format { looks_like: "a Git LFS pointer, not the file itself", hint: "run git lfs pull" },
    ),
    (0, b"\x93NUMPY", Format { looks_like: "a numpy array", hint: EXPORT }),
    (0, b"\x7fELF", Format { looks_like: "a program", hint: EXPORT }),
    (4, b"TFL3", Format { looks_like: "a TensorFlow Lite model", hint: "convert it with tf2onnx --tflite" }),
    (
        4,
        b"ORTM",
        Format {
            looks_like: "ONNX Runtime's own .ort format",
            hint: "deploy the .onnx file it was made from",
        },
    ),
    (0, b"GGUF", Format { looks_like: "a GGUF language model", hint: EXPORT }),
    (
        0,
        b"PK\x03\x04",
        Format {
            looks_like: "a zip archive (a PyTorch checkpoint, a Keras 3 model or an npz)",
            hint: "load it in its framework and save the model with its graph: torch.export.save, model.save",
        },
    ),
    (0, b"\x1f\x8b", Format { looks_like: "gzip", hint: "unpack it first" }),
    (0, b"\x28\xb5\x2f\xfd", Format { looks_like: "zstd", hint: "unpack it first" }),
    (0, b"BZh", Format { looks_like: "bzip2", hint: "unpack it first" }),
    (0, b"\xfd7zXZ", Format { looks_like: "xz", hint: "unpack it first" }),
    (0, b"\x80\x05\x95", PICKLE),
    (0, b"\x80\x04\x95", PICKLE),
    (0, b"\x80\x03", PICKLE),
    (0, b"\x80\x02", PICKLE),
    (0, b"binf", Format { looks_like: "an old XGBoost model", hint: "convert it with onnxmltools" }),
    (0, b"<!DOCTYPE", HTML),
    (0, b"<!doctype", HTML),
    (0, b"<html", HTML),
    (0, b"<?xml", Format { looks_like: "XML (a PMML model?)", hint: EXPORT }),
    (8, b"{\"", Format { looks_like: "safetensors: weights without a graph", hint: EXPORT }),
];

const PICKLE: Format = Format {
    looks_like: "a Python pickle (a scikit-learn or PyTorch model)",
    hint: "convert it with skl2onnx, or torch.onnx.export",
};
const HTML: Format = Format { looks_like: "a web page: the download was refused", hint: AGAIN };
const EMPTY: Format = Format { looks_like: "an empty file (0 bytes)", hint: AGAIN };
const SAVED_MODEL: Format = Format { looks_like: "a TensorFlow saved_model.pb", hint: "deploy its folder" };
const JSON: Format = Format { looks_like: "JSON", hint: EXPORT };
const TEXT: Format = Format { looks_like: "text", hint: EXPORT };
const ZEROS: Format = Format { looks_like: "zeros", hint: AGAIN };
const UNKNOWN: Format = Format { looks_like: "no format that we know, or a damaged file", hint: EXPORT };

/// The format that the head of a file certainly shows; `None` when it may be ONNX.
pub fn other_format(head: &[u8]) -> Option<&'static Format> {
    if head.is_empty() {
        return Some(&EMPTY);
    }
    let has = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    MAGIC.iter().find(|(at, mark, _)| has(*at, mark)).map(|(_, _, format)| format)
}

/// The best guess about a file that turned out not to be ONNX.
pub fn guess(head: &[u8]) -> &'static Format {
    if let Some(format) = other_format(head) {
        return format;
    }
    if starts_like_saved_model(head) {
        return &SAVED_MODEL;
    }
    if head.iter().all(|byte| *byte == 0) {
        return &ZEROS;
    }
    // A window may end inside a character.
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return &UNKNOWN,
    };
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return &UNKNOWN;
    }
    if text.trim_start().starts_with(['{', '[']) { &JSON } else { &TEXT }
}

/// True when a file starts with field 1, the number 1, and field 2: the schema version and the graph of a SavedModel. (An
/// ONNX file of IR version 1 may start so too, but then it can be read.)
pub fn starts_like_saved_model(head: &[u8]) -> bool {
    head.starts_with(b"\x08\x01\x12")
}

/// True when a file starts with field 1, a number below 128, as every ONNX writer starts with the IR version.
pub fn starts_like_onnx(head: &[u8]) -> bool {
    matches!(head, [0x08, version, next, ..] if (1..0x80).contains(version) && [0x12, 0x1a, 0x22, 0x28, 0x3a, 0x42].contains(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_marks() {
        for (head, expected) in [
            (&b""[..], "empty"),
            (b"\x80\x04\x95\x01\x02", "pickle"),
            (b"PK\x03\x04rest", "zip"),
            (b"\x89HDF\r\n\x1a\nrest", "HDF5"),
            (b"\x08\x01\x12\x93\x01", "saved_model"),
            (b"{\"learner\": 1}", "JSON"),
            ("Größe\tWert\n".as_bytes(), "text"),
            (b"\x12\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\"", "safetensors"),
            (b"<!DOCTYPE html><p>404", "web page"),
            (b"\x00\x00\x00\x00", "zeros"),
            (b"\xff\xfe\xfa\x01", "no format"),
        ] {
            assert!(guess(head).looks_like.contains(expected), "{head:?}: {}", guess(head).looks_like);
        }
        assert_eq!(other_format(b"\x08\x0a\x12\x07pytorch"), None, "an ONNX file");
        assert!(starts_like_onnx(b"\x08\x0a\x12\x07pytorch"));
    }
}
