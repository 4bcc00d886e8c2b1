//! Which processors a target has.
//!
//! From documentation; none was looked at on a vendor's service.

use super::Target;
use super::finding::{About, Finding, Verdict};
use crate::processor::Processor::{self, Arm64, X86_64};

impl Target {
    /// Those that a function can have, and where that is from.
    pub const fn processors(self) -> (&'static [Processor], &'static str) {
        match self {
            Self::AwsLambda => (
                &[X86_64, Arm64],
                "AWS Lambda Developer Guide, Selecting and configuring an instruction set architecture",
            ),
            Self::CloudRun => {
                (&[X86_64], "Cloud Run documentation, Container runtime contract: Linux x86_64")
            }
            Self::AzureFunctions => {
                (&[X86_64], "Azure Functions documentation, Consumption plan: a processor cannot be chosen")
            }
            Self::Sagemaker => (
                &[X86_64],
                "SageMaker API reference, ProductionVariantServerlessConfig: a processor cannot be chosen",
            ),
            Self::Vertex => (
                &[X86_64],
                "Vertex AI documentation, Configure compute resources for inference: machine types",
            ),
        }
    }

    /// Refuses a processor that it does not have.
    ///
    /// # Errors
    /// One sentence that names those that it has.
    pub fn check_processor(self, processor: Processor) -> Result<(), String> {
        let (has, _) = self.processors();
        if has.contains(&processor) {
            return Ok(());
        }
        let has: Vec<_> = has.iter().map(|processor| processor.as_str()).collect();
        Err(format!("{} has {} alone, not {processor}", self.title(), has.join(" and ")))
    }

    /// The same, as what is found out about a function.
    pub fn of_processor(self, processor: Processor) -> Option<Finding> {
        let refused = self.check_processor(processor).err()?;
        let (_, source) = self.processors();
        Some(
            Finding::new(Verdict::Breaks, About::Machine, refused)
                .rule("its processors", source)
                .fix("leave --arch out, or choose a target that has it: aws-lambda"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_alone_has_arm64_and_all_have_x86_64() {
        for target in Target::ALL {
            assert_eq!(target.check_processor(X86_64), Ok(()));
            assert_eq!(target.of_processor(Arm64).is_none(), target == Target::AwsLambda, "{target}");
            assert!(target.processors().1.len() > 20, "{target}");
        }
        assert_eq!(
            Target::CloudRun.check_processor(Arm64),
            Err("Cloud Run has x86_64 alone, not arm64".to_owned())
        );
    }
}
