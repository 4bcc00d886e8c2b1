//! Clouds that a function may be meant for, and what they allow: data with its sources, and what follows from it for a function.
//!
//! - [`limits`]: every limit, with its value, its unit and where it is from
//! - [`environment`]: the variables that a target sets, and those that it keeps for itself
//! - [`size`]: whether files and packages are small enough
//! - [`finding`]: what is found out about a function that is to leave this machine
//! - [`measured`]: whether what it took when it was run is within the limits
//! - [`asked`]: what it means that code asked its machine for something
//! - [`host`]: what a host has, and what it has not; [`processors`]: which processors

pub mod asked;
pub mod environment;
pub mod finding;
pub mod host;
pub mod limits;
pub mod measured;
pub mod processors;
pub mod size;
mod wanted;

use std::fmt;
use std::str::FromStr;

use crate::error::Code;
use crate::settings::SettingsPatch;
use limits::{Limit, Of};

/// What /tmp has where nobody says how much it has, MiB.
const UNKNOWN_TMP_MIB: u64 = 2_048;

/// A cloud's way to run a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// AWS Lambda, from a zip.
    AwsLambda,
    /// Google Cloud Run.
    CloudRun,
    /// Azure Functions on the Consumption plan.
    AzureFunctions,
    /// Amazon SageMaker's Serverless Inference.
    Sagemaker,
    /// Google's Vertex AI, on a shared public endpoint.
    Vertex,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 5] =
        [Self::AwsLambda, Self::CloudRun, Self::AzureFunctions, Self::Sagemaker, Self::Vertex];

    /// The name on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsLambda => "aws-lambda",
            Self::CloudRun => "cloud-run",
            Self::AzureFunctions => "azure-functions",
            Self::Sagemaker => "sagemaker",
            Self::Vertex => "vertex",
        }
    }

    /// The name in sentences.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AwsLambda => "AWS Lambda",
            Self::CloudRun => "Cloud Run",
            Self::AzureFunctions => "Azure Functions (Consumption)",
            Self::Sagemaker => "SageMaker Serverless Inference",
            Self::Vertex => "Vertex AI",
        }
    }

    /// All its limits.
    pub const fn limits(self) -> &'static [Limit] {
        match self {
            Self::AwsLambda => limits::AWS_LAMBDA,
            Self::CloudRun => limits::CLOUD_RUN,
            Self::AzureFunctions => limits::AZURE_FUNCTIONS,
            Self::Sagemaker => limits::SAGEMAKER,
            Self::Vertex => limits::VERTEX,
        }
    }

    /// The value of one of its limits; `None` where it has none, or none that is known.
    pub fn limit(self, of: Of) -> Option<u64> {
        self.bound(of).map(|limit| limit.value)
    }

    /// One of its limits, with where it is from.
    pub fn bound(self, of: Of) -> Option<&'static Limit> {
        self.limits().iter().find(|limit| limit.of == of)
    }

    /// What it has and a platform of ours does not impose, in words.
    pub const fn not_imposed(self) -> &'static [&'static str] {
        match self {
            Self::AwsLambda => &[
                "processors: AWS Lambda gives one for 1,769 MB of memory, here there is at least one",
                "network: AWS Lambda has one whatever modelet.toml says, here code has it with network = true",
            ],
            Self::CloudRun => &[
                "disk: Cloud Run lets code write anywhere, into its memory; here into /tmp alone",
                "network: Cloud Run has one whatever modelet.toml says, here code has it with network = true",
            ],
            Self::AzureFunctions => &[
                "disk: Azure Functions has a share at /home; here code can write into /tmp alone",
                "network: Azure Functions has one whatever modelet.toml says, here code has it with network = true",
            ],
            Self::Sagemaker => &[
                "headers: SageMaker passes on the content type and custom attributes alone, here all come through",
                "network: an endpoint has one whatever modelet.toml says, here code has it with network = true",
                "paths: SageMaker calls /invocations and /ping and lays the model at /opt/ml/model; here it is /fn/NAME",
            ],
            Self::Vertex => &[
                "memory: Vertex AI gives that of the machine which one chooses, here it is memory_mib",
                "idle: Vertex AI keeps at least one machine, and bills it; here nothing runs without calls",
                "request body: Vertex AI takes 1.5 MB, here it is 2 MiB",
                "network: an endpoint has one whatever modelet.toml says, here code has it with network = true",
            ],
        }
    }

    /// Lays its limits under what a function asks for: where it asks for nothing it gets the target's default.
    ///
    /// # Errors
    /// One sentence that names the setting, the value and the limit, when it asks for what the target does not have.
    pub fn impose(self, asked: &mut SettingsPatch) -> Result<(), String> {
        let mut fitted = asked.clone();
        if let Some(refused) = self.fit(&mut fitted).into_iter().next() {
            return Err(refused);
        }
        *asked = fitted;
        Ok(())
    }

    /// The same, but what the target does not have becomes the nearest that it has. Gives a sentence for each of those.
    pub fn fit(self, asked: &mut SettingsPatch) -> Vec<String> {
        let mut refused = Vec::new();
        let memory = asked.memory_mib.get_or_insert(self.limit(Of::DefaultMemory).unwrap_or(1_024));
        refused.extend(self.fit_memory(memory));
        let memory_mib = *memory;
        let timeout =
            asked.request_timeout_ms.get_or_insert(self.limit(Of::DefaultTimeout).unwrap_or(60_000));
        refused.extend(self.at_most(Of::Timeout, "request_timeout_ms", timeout));
        let timeout_ms = *timeout;
        if let Some(load_ms) = self.limit(Of::Load) {
            // Lambda: what is not ready in time is begun again within the first call, under that one's time-out.
            let load_ms = if self == Self::AwsLambda { load_ms.max(timeout_ms) } else { load_ms };
            let asked = asked.load_timeout_ms.get_or_insert(load_ms);
            *asked = load_ms.min(*asked);
        }
        // What lies in memory meets that limit first.
        let own_tmp =
            if self.keeps_tmp_in_memory() { Some(4 * memory_mib) } else { self.limit(Of::DefaultTmp) };
        let tmp = asked.tmp_mib.get_or_insert(own_tmp.unwrap_or(UNKNOWN_TMP_MIB));
        refused.extend(self.at_most(Of::Tmp, "tmp_mib", tmp));
        for (of, setting, asked) in [
            (Of::Request, "body_limit_mib", &mut asked.body_limit_mib),
            (Of::Answer, "response_limit_mib", &mut asked.response_limit_mib),
            (Of::OpenFiles, "open_files_limit", &mut asked.open_files_limit),
            (Of::Processes, "processes_limit", &mut asked.processes_limit),
        ] {
            if let Some(most) = self.setting(of) {
                refused.extend(self.at_most(of, setting, asked.get_or_insert(most)));
            }
        }
        refused
    }

    /// A limit in the unit of the settings. One that is no whole number of them is the next larger, so that nothing is refused which the
    /// target takes.
    fn setting(self, of: Of) -> Option<u64> {
        let value = self.limit(of)?;
        Some(if matches!(of, Of::Request | Of::Answer) { value.div_ceil(1 << 20) } else { value })
    }

    fn at_most(self, of: Of, setting: &str, asked: &mut u64) -> Option<String> {
        let most = self.setting(of).filter(|most| *asked > *most)?;
        let refused = format!("{} has {setting} up to {most}, not {asked}", self.title());
        *asked = most;
        Some(refused)
    }

    fn fit_memory(self, asked: &mut u64) -> Option<String> {
        let (least, most) = (self.limit(Of::LeastMemory)?, self.limit(Of::MostMemory)?);
        let fitting = self.memory_for(*asked).unwrap_or(most);
        if fitting == *asked {
            return None;
        }
        let has = match (least == most, self.memory_step()) {
            (true, _) => format!("{least} alone"),
            (false, 1) => format!("{least} to {most}"),
            (false, step) => format!("{least} to {most} in steps of {step}"),
        };
        let refused = format!("{} has memory_mib of {has}, not {asked}", self.title());
        *asked = fitting;
        Some(refused)
    }

    /// The least memory that the target has and that is at least so much, MiB; `None` where it has not so much.
    pub fn memory_for(self, mib: u64) -> Option<u64> {
        let least = self.limit(Of::LeastMemory).unwrap_or(1);
        let steps = mib.saturating_sub(least).div_ceil(self.memory_step());
        let has = least + steps * self.memory_step();
        self.limit(Of::MostMemory).is_none_or(|most| has <= most).then_some(has)
    }

    fn memory_step(self) -> u64 {
        self.limit(Of::MemoryStep).unwrap_or(1)
    }
}

/// True for a failure in which a limit was met: another target may not have it.
pub fn is_met_by(code: Code) -> bool {
    matches!(
        code,
        Code::BodyTooLarge
            | Code::ResponseTooLarge
            | Code::RequestTimeout
            | Code::LoadTimeout
            | Code::OutOfMemory
    )
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|target| target.as_str() == text)
            .ok_or_else(|| format!("the targets are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn imposed(target: Target, asked: &[(&str, u64)]) -> Result<Settings, String> {
        let mut patch = SettingsPatch::default();
        for (name, value) in asked {
            patch.set(name, *value).unwrap();
        }
        target.impose(&mut patch)?;
        patch.over(&Settings::default())
    }

    #[test]
    fn a_function_that_asks_for_nothing_gets_what_the_target_gives_by_default() {
        let lambda = imposed(Target::AwsLambda, &[]).unwrap();
        assert_eq!((lambda.memory_mib, lambda.request_timeout_ms, lambda.tmp_mib), (128, 3_000, 512));
        assert_eq!((lambda.body_limit_bytes(), lambda.response_limit_bytes()), (6_291_456, 6_291_456));
        assert_eq!((lambda.open_files_limit, lambda.processes_limit), (1_024, 1_024));
        let run = imposed(Target::CloudRun, &[]).unwrap();
        assert_eq!((run.memory_mib, run.request_timeout_ms, run.body_limit_mib), (512, 300_000, 32));
        let azure = imposed(Target::AzureFunctions, &[]).unwrap();
        assert_eq!((azure.memory_mib, azure.request_timeout_ms, azure.body_limit_mib), (1_536, 230_000, 210));
        let vertex = imposed(Target::Vertex, &[]).unwrap();
        assert_eq!((vertex.memory_mib, vertex.request_timeout_ms, vertex.body_limit_mib), (1_024, 60_000, 2));
        let sagemaker = imposed(Target::Sagemaker, &[]).unwrap();
        assert_eq!((sagemaker.memory_mib, sagemaker.request_timeout_ms), (2_048, 60_000));
        assert_eq!((sagemaker.body_limit_mib, sagemaker.response_limit_mib), (4, 4));
    }

    #[test]
    fn what_a_target_does_not_have_is_refused_by_name() {
        let refused = |target, name, value| imposed(target, &[(name, value)]).unwrap_err();
        assert_eq!(
            refused(Target::AwsLambda, "memory_mib", 64),
            "AWS Lambda has memory_mib of 128 to 10240, not 64"
        );
        assert_eq!(
            refused(Target::Sagemaker, "memory_mib", 1_536),
            "SageMaker Serverless Inference has memory_mib of 1024 to 6144 in steps of 1024, not 1536"
        );
        assert!(refused(Target::AzureFunctions, "memory_mib", 2_048).contains("1536 alone"));
        assert_eq!(
            refused(Target::AwsLambda, "request_timeout_ms", 900_001),
            "AWS Lambda has request_timeout_ms up to 900000, not 900001"
        );
        assert!(refused(Target::AwsLambda, "body_limit_mib", 7).contains("body_limit_mib up to 6"));
        assert!(refused(Target::AwsLambda, "tmp_mib", 10_241).contains("tmp_mib up to 10240"));
        assert_eq!(imposed(Target::AwsLambda, &[("body_limit_mib", 2)]).unwrap().body_limit_mib, 2);
    }

    #[test]
    fn all_that_a_target_does_not_have_becomes_the_nearest_that_it_has() {
        let mut asked = SettingsPatch::default();
        for (name, value) in [("memory_mib", 1_500), ("request_timeout_ms", 90_000), ("body_limit_mib", 3)] {
            asked.set(name, value).unwrap();
        }
        let refused = Target::Sagemaker.fit(&mut asked);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert_eq!((asked.memory_mib, asked.request_timeout_ms), (Some(2_048), Some(60_000)));
        assert_eq!(asked.body_limit_mib, Some(3));
        assert_eq!(Target::Sagemaker.fit(&mut asked), Vec::<String>::new());
    }

    #[test]
    fn memory_comes_in_the_targets_steps() {
        assert_eq!(Target::AwsLambda.memory_for(1), Some(128));
        assert_eq!(Target::AwsLambda.memory_for(129), Some(129));
        assert_eq!(Target::AwsLambda.memory_for(10_241), None);
        assert_eq!(Target::Sagemaker.memory_for(1_025), Some(2_048));
        assert_eq!(Target::AzureFunctions.memory_for(1_537), None);
        assert_eq!(Target::Vertex.memory_for(9_000), Some(9_000));
    }

    #[test]
    fn lambda_begins_a_slow_start_again_within_the_first_call() {
        let load = |asked: &[(&str, u64)]| imposed(Target::AwsLambda, asked).unwrap().load_timeout_ms;
        assert_eq!(load(&[]), 10_000);
        assert_eq!(load(&[("request_timeout_ms", 60_000)]), 60_000);
        assert_eq!(load(&[("load_timeout_ms", 5_000)]), 5_000);
        assert_eq!(imposed(Target::CloudRun, &[]).unwrap().load_timeout_ms, 240_000);
    }

    #[test]
    fn every_target_is_found_by_its_name() {
        for target in Target::ALL {
            assert_eq!(target.as_str().parse(), Ok(target));
        }
        assert!("lambda".parse::<Target>().unwrap_err().contains("aws-lambda, cloud-run"));
    }
}
