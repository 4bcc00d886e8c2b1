//! The limits of each target. What is not in a list is not limited there, or its limit is not known.
//!
//! They are from the vendors' documentation, and none was measured at a vendor's service.

/// What a limit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A request's body.
    Request,
    /// An answer's body.
    Answer,
    /// The longest time-out of a call.
    Timeout,
    /// The time-out of a call where nothing is asked for.
    DefaultTimeout,
    /// Until an instance is ready.
    Load,
    /// The least memory of an instance.
    LeastMemory,
    /// The most memory of an instance.
    MostMemory,
    /// What memory grows by, from the least on.
    MemoryStep,
    /// Memory where nothing is asked for.
    DefaultMemory,
    /// The largest /tmp.
    Tmp,
    /// /tmp where nothing is asked for.
    DefaultTmp,
    /// Names and values of all variables of the user's.
    Environment,
    /// Files and packages, unzipped.
    Unzipped,
    /// A zip that is sent with a call; a larger one has to travel otherwise.
    Zipped,
    /// A container image with all that is in it, uncompressed.
    Image,
    /// Open files of an instance.
    OpenFiles,
    /// Processes and threads of an instance.
    Processes,
}

impl Of {
    /// The unit of its values.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Request
            | Self::Answer
            | Self::Environment
            | Self::Unzipped
            | Self::Zipped
            | Self::Image => "bytes",
            Self::Timeout | Self::DefaultTimeout | Self::Load => "ms",
            Self::LeastMemory
            | Self::MostMemory
            | Self::MemoryStep
            | Self::DefaultMemory
            | Self::Tmp
            | Self::DefaultTmp => "MiB",
            Self::OpenFiles | Self::Processes => "",
        }
    }

    /// What it is of, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request body",
            Self::Answer => "answer body",
            Self::Timeout => "longest time-out",
            Self::DefaultTimeout => "default time-out",
            Self::Load => "start of an instance",
            Self::LeastMemory => "least memory",
            Self::MostMemory => "most memory",
            Self::MemoryStep => "step of memory",
            Self::DefaultMemory => "default memory",
            Self::Tmp => "largest /tmp",
            Self::DefaultTmp => "default /tmp",
            Self::Environment => "environment variables",
            Self::Unzipped => "files and packages, unzipped",
            Self::Zipped => "zip that is sent at once",
            Self::Image => "container image, uncompressed",
            Self::OpenFiles => "open files",
            Self::Processes => "processes and threads",
        }
    }
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What it is of.
    pub of: Of,
    /// Its value, in [`Of::unit`].
    pub value: u64,
    /// Where the value is from.
    pub source: &'static str,
}

const fn limit(of: Of, value: u64, source: &'static str) -> Limit {
    Limit { of, value, source }
}

const LAMBDA_QUOTAS: &str = "AWS Lambda Developer Guide, Lambda quotas";
const LAMBDA_SETTINGS: &str = "AWS Lambda Developer Guide, Configuring functions";
const LAMBDA_ENVIRONMENT: &str = "AWS Lambda Developer Guide, Execution environment: init phase";
const RUN_QUOTAS: &str = "Cloud Run documentation, Quotas and limits";
const RUN_SETTINGS: &str = "Cloud Run documentation, Configure services";
const AZURE_LIMITS: &str =
    "Azure Functions documentation, Scale and hosting: service limits, Consumption plan";
const AZURE_HOST: &str = "Azure Functions host, customHandler.initializationTimeout";
const VERTEX_PREDICT: &str = "gcloud ai endpoints predict, reference: payload limit";
const VERTEX_QUOTAS: &str = "Vertex AI documentation, Quotas and limits";
const SAGEMAKER_GUIDE: &str = "SageMaker AI Developer Guide, Serverless Inference";

/// AWS Lambda, from a zip. 6 MB of payload are 6 MiB there, 250 MB unzipped 250 MiB.
pub const AWS_LAMBDA: &[Limit] = &[
    limit(Of::Request, 6 << 20, LAMBDA_QUOTAS),
    limit(Of::Answer, 6 << 20, LAMBDA_QUOTAS),
    limit(Of::Timeout, 900_000, LAMBDA_QUOTAS),
    limit(Of::DefaultTimeout, 3_000, LAMBDA_SETTINGS),
    limit(Of::Load, 10_000, LAMBDA_ENVIRONMENT),
    limit(Of::LeastMemory, 128, LAMBDA_QUOTAS),
    limit(Of::MostMemory, 10_240, LAMBDA_QUOTAS),
    limit(Of::MemoryStep, 1, LAMBDA_QUOTAS),
    limit(Of::DefaultMemory, 128, LAMBDA_SETTINGS),
    limit(Of::Tmp, 10_240, LAMBDA_QUOTAS),
    limit(Of::DefaultTmp, 512, LAMBDA_QUOTAS),
    limit(Of::Environment, 4_096, LAMBDA_QUOTAS),
    limit(Of::Unzipped, 262_144_000, LAMBDA_QUOTAS),
    limit(Of::Zipped, 50 << 20, LAMBDA_QUOTAS),
    limit(Of::OpenFiles, 1_024, LAMBDA_QUOTAS),
    limit(Of::Processes, 1_024, LAMBDA_QUOTAS),
];

/// Cloud Run, over HTTP/1. What lies in /tmp is memory there, as here.
pub const CLOUD_RUN: &[Limit] = &[
    limit(Of::Request, 32 << 20, RUN_QUOTAS),
    limit(Of::Answer, 32 << 20, RUN_QUOTAS),
    limit(Of::Timeout, 3_600_000, RUN_QUOTAS),
    limit(Of::DefaultTimeout, 300_000, RUN_SETTINGS),
    limit(Of::Load, 240_000, RUN_SETTINGS),
    limit(Of::LeastMemory, 128, RUN_QUOTAS),
    limit(Of::MostMemory, 32_768, RUN_QUOTAS),
    limit(Of::MemoryStep, 1, RUN_QUOTAS),
    limit(Of::DefaultMemory, 512, RUN_SETTINGS),
];

/// Azure Functions on the Consumption plan: 10 minutes for other triggers, 230 s for HTTP, which is what is called here.
pub const AZURE_FUNCTIONS: &[Limit] = &[
    limit(Of::Request, 210 << 20, AZURE_LIMITS),
    limit(Of::Timeout, 230_000, AZURE_LIMITS),
    limit(Of::DefaultTimeout, 230_000, AZURE_LIMITS),
    limit(Of::Load, 30_000, AZURE_HOST),
    limit(Of::LeastMemory, 1_536, AZURE_LIMITS),
    limit(Of::MostMemory, 1_536, AZURE_LIMITS),
    limit(Of::DefaultMemory, 1_536, AZURE_LIMITS),
    limit(Of::Tmp, 512, AZURE_LIMITS),
    limit(Of::DefaultTmp, 512, AZURE_LIMITS),
];

/// SageMaker's Serverless Inference.
pub const SAGEMAKER: &[Limit] = &[
    limit(Of::Request, 4 << 20, SAGEMAKER_GUIDE),
    limit(Of::Answer, 4 << 20, SAGEMAKER_GUIDE),
    limit(Of::Timeout, 60_000, SAGEMAKER_GUIDE),
    limit(Of::DefaultTimeout, 60_000, SAGEMAKER_GUIDE),
    limit(Of::Load, 480_000, SAGEMAKER_GUIDE),
    limit(Of::LeastMemory, 1_024, SAGEMAKER_GUIDE),
    limit(Of::MostMemory, 6_144, SAGEMAKER_GUIDE),
    limit(Of::MemoryStep, 1_024, SAGEMAKER_GUIDE),
    limit(Of::DefaultMemory, 2_048, SAGEMAKER_GUIDE),
    limit(Of::Tmp, 5_120, SAGEMAKER_GUIDE),
    limit(Of::DefaultTmp, 5_120, SAGEMAKER_GUIDE),
    limit(Of::Image, 10 << 30, SAGEMAKER_GUIDE),
];

/// Vertex AI's online prediction from a container, on a shared public endpoint. Memory is that of the machine which one chooses.
pub const VERTEX: &[Limit] = &[
    limit(Of::Request, 1_500_000, VERTEX_PREDICT),
    limit(Of::Timeout, 60_000, VERTEX_QUOTAS),
    limit(Of::DefaultTimeout, 60_000, VERTEX_QUOTAS),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn every_limit_stands_once_with_a_value_a_name_and_a_source() {
        for target in Target::ALL {
            for (at, limit) in target.limits().iter().enumerate() {
                assert!(
                    limit.value > 0 && !limit.of.name().is_empty() && limit.source.len() > 20,
                    "{limit:?}"
                );
                let twice = target.limits()[at + 1..].iter().any(|other| other.of == limit.of);
                assert!(!twice, "{target}: {limit:?}");
            }
        }
    }

    #[test]
    fn defaults_are_within_the_limits() {
        for target in Target::ALL {
            let limit = |of| target.limit(of);
            assert!(limit(Of::DefaultTimeout) <= limit(Of::Timeout), "{target}");
            assert!(limit(Of::LeastMemory) <= limit(Of::DefaultMemory), "{target}");
            assert!(limit(Of::DefaultMemory) <= limit(Of::MostMemory), "{target}");
            assert!(limit(Of::DefaultTmp) <= limit(Of::Tmp), "{target}");
        }
    }
}
