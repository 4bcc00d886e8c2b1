//! TensorFlow's SavedModel: a folder with `saved_model.pb`, and its variables and assets beside it. Source: TensorFlow's
//! `saved_model.proto` and `meta_graph.proto`.

use std::path::Path;

use modelet_core::FunctionError;
use modelet_model::onnx::wire::Fields;

use super::{Network, original, refused};
use crate::certificate::original::Loader;
use crate::importer::read;

/// The file that makes a folder a SavedModel.
pub(super) const FILE: &str = "saved_model.pb";
/// Fields: `SavedModel.meta_graphs`, `MetaGraphDef.meta_info_def`, `MetaInfoDef.tensorflow_version`.
const PATH_TO_VERSION: [u32; 3] = [2, 1, 5];

pub(super) fn is_saved_model(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE)
}

pub(super) fn of(path: &Path) -> Result<Option<Network>, FunctionError> {
    let content = read(path)?;
    let again =
        "save it again: model.export(\"folder\"), or tf.saved_model.save(model, \"folder\", signatures=…)";
    let version = version(&content).ok_or_else(|| refused(path, "is a damaged SavedModel").hint(again))?;
    Ok(Some(Network {
        title: format!("SavedModel of TensorFlow {version}"),
        original: original(path, Loader::SavedModel, "tensorflow", Some(version)),
    }))
}

fn version(content: &[u8]) -> Option<String> {
    let found = PATH_TO_VERSION.iter().try_fold(content, |message, number| {
        Fields(message)
            .map_while(|field| field)
            .find(|field| field.number == *number)
            .map(|field| field.content)
    });
    String::from_utf8(found?.to_vec()).ok().filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_lies_three_messages_deep() {
        assert_eq!(version(b"\x08\x01\x12\x0a\x0a\x08\x2a\x062.21.0").as_deref(), Some("2.21.0"));
        assert_eq!(version(b"\x08\x01\x12\x02\x0a\x00"), None);
        assert_eq!(version(b"\xff\xff"), None);
    }
}
