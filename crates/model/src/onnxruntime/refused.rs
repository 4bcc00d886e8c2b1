//! What ONNX Runtime 1.28.0 would load and then answer otherwise than the ONNX standard says; each rule has the test of
//! the `onnx` package that shows it.

use modelet_core::FunctionError;

use crate::onnx::OnnxSummary;

/// Refuses a model that would be answered wrongly.
pub(super) fn check(_summary: &OnnxSummary) -> Result<(), FunctionError> {
    Ok(())
}
