//! Whether files and packages are small enough for a target, and what could be smaller.

use super::Target;
use super::limits::Of;
use crate::error::{Code, FunctionError};

/// How many of the largest packages are named.
const NAMED: usize = 10;
/// Packages that have a smaller form, by what they are imported as, and what to ask for instead.
const SMALLER: &[(&str, &str)] = &[
    ("torch", "torch from its CPU index (https://download.pytorch.org/whl/cpu)"),
    ("nvidia", "torch from its CPU index, which needs no nvidia-*"),
    ("tensorflow", "tensorflow-cpu, or ai-edge-litert for a converted model"),
    ("xgboost", "xgboost-cpu"),
    ("cv2", "opencv-python-headless"),
    ("onnxruntime", "the model alone: modelet deploy MODEL.onnx needs no packages"),
    ("sklearn", "the model alone: modelet deploy MODEL.joblib needs no packages"),
];

impl Target {
    /// Refuses files and packages that are too large together. `largest` names the packages, the largest first, with their bytes; it
    /// is asked only then.
    ///
    /// # Errors
    /// `packages-refused`, with sizes and two ways out.
    pub fn check_size(
        self,
        files_bytes: u64,
        packages_bytes: u64,
        largest: impl FnOnce() -> Vec<(String, u64)>,
    ) -> Result<(), FunctionError> {
        let all = files_bytes + packages_bytes;
        let (limit, form) = match self.limit(Of::Unzipped) {
            Some(limit) => (Some(limit), "unzipped"),
            None => (self.limit(Of::Image), "in an image"),
        };
        let Some(most) = limit.filter(|most| all > *most) else { return Ok(()) };
        let packages = largest();
        let mut list = String::new();
        for (name, bytes) in packages.iter().take(NAMED) {
            list.push_str(&format!("\n  {bytes:>13}  {name}"));
        }
        let message = format!(
            "{} takes {most} bytes {form}, these are {all}: {files_bytes} of the folder, {packages_bytes} of packages{list}",
            self.title()
        );
        let is_there = |name: &str| packages.iter().any(|(own, _)| own == name);
        let mut smaller: Vec<&str> =
            SMALLER.iter().filter(|(name, _)| is_there(name)).map(|(_, instead)| *instead).collect();
        smaller.dedup();
        let smaller = match (smaller.as_slice(), packages.first()) {
            ([], Some((largest, _))) => format!("do without the largest, {largest}"),
            ([], None) => "keep large files elsewhere, and load them at the start".to_owned(),
            (named, _) => named.join("; "),
        };
        let elsewhere = if self.limit(Of::Unzipped).is_some() {
            "ship it as a container image, which may have 10 GB (modelet dev --as cloud-run has no such limit either)"
        } else {
            "keep what is large in a storage of the cloud, and load it at the start"
        };
        Err(FunctionError::new(Code::PackagesRefused, message)
            .hint(format!("{elsewhere}; or make it smaller: {smaller}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_a_zip_is_refused_with_sizes_and_two_ways_out() {
        let packages = || vec![("xgboost".to_owned(), 200_000_000), ("numpy".to_owned(), 62_143_000)];
        assert_eq!(Target::AwsLambda.check_size(1_000, 262_143_000, packages), Ok(()));
        let error = Target::AwsLambda.check_size(1_001, 262_143_000, packages).unwrap_err();
        assert!(error.message.contains("takes 262144000 bytes unzipped, these are 262144001"), "{error:?}");
        assert!(error.message.contains("    200000000  xgboost"), "{error:?}");
        let hint = error.hint.unwrap();
        assert!(hint.contains("container image") && hint.contains("xgboost-cpu"), "{hint}");
        assert_eq!(Target::CloudRun.check_size(1 << 40, 0, packages), Ok(()));
        let image = Target::Sagemaker.check_size(1, 10 << 30, packages).unwrap_err();
        assert!(image.message.contains("takes 10737418240 bytes in an image"), "{image:?}");
        assert!(!image.hint.unwrap().contains("container image"));
        let unknown =
            Target::AwsLambda.check_size(0, 1 << 30, || vec![("blob".to_owned(), 1 << 30)]).unwrap_err();
        assert!(unknown.hint.unwrap().contains("do without the largest, blob"));
    }
}
