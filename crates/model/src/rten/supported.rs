//! placeholder
use crate::onnx::OnnxSummary;
use modelet_core::FunctionError;
pub(super) fn check(_summary: &OnnxSummary) -> Result<(), FunctionError> {
    Ok(())
}
