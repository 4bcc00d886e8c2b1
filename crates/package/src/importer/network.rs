//! Networks of Keras, TensorFlow and PyTorch: recognised, and given to their converter.

use std::path::Path;

use modelet_core::FunctionError;

use crate::importer::converted::MODEL_FILE;
use crate::importer::onnx::Onnx;
use crate::importer::{Imported, Importer, Workshop};
use crate::{conversion, network};

pub(super) struct Network;

impl Importer for Network {
    fn stands_out(&self, path: &Path) -> bool {
        network::stands_out(path)
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let Some(network) = network::recognise(model)? else { return Ok(None) };
        let target = workshop.folder.join(MODEL_FILE);
        let converter = conversion::convert(&network, workshop.converter, &target)?;
        // From here on it is as any ONNX file.
        let imported = Onnx.import(&target, workshop)?;
        Ok(imported.map(|imported| Imported {
            origin: Some(network.title),
            original: Some(network.original),
            converter: Some(converter),
            ..imported
        }))
    }
}
