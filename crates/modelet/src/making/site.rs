//! Where something that is made is to run, and what follows from that while it is made.

use modelet_cloud::lambda::start;
use modelet_core::{Code, EngineName, Manifest, Processor, Target};
use modelet_package::By;
use modelet_package::shipment::standalone;

use crate::report::Report;

/// The glibc that packages may ask for where it is not known which host gets them: that of Debian 10 and RHEL 8.
const USUAL_GLIBC: (u32, u32) = (2, 28);
/// The versions of glibc that `uv` resolves packages for, the newest first.
const WHEELS: [(u32, u32); 3] = [(2, 34), (2, 28), (2, 17)];

/// Where it is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Site {
    /// On this machine.
    #[default]
    Here,
    /// On another host, or any, with this processor.
    Host(Option<Target>, Processor),
    /// By itself, as one program for this processor.
    Alone(Processor),
}

impl Site {
    /// The processor.
    pub const fn processor(self) -> Processor {
        match self {
            Self::Here => Processor::HERE,
            Self::Host(_, processor) | Self::Alone(processor) => processor,
        }
    }

    /// The same, but on a processor that runs here: where code is tried.
    pub const fn tried_at(self) -> Self {
        match self {
            Self::Here => Self::Here,
            Self::Host(target, _) => Self::Host(target, Processor::HERE),
            Self::Alone(_) => Self::Alone(Processor::HERE),
        }
    }

    /// The engines that it can have.
    pub const fn engines(self) -> &'static [EngineName] {
        match self {
            Self::Here | Self::Host(..) => EngineName::ALL,
            Self::Alone(_) => &standalone::ENGINES,
        }
    }

    /// What decides between engines; `model_bytes`: how large the model is.
    pub const fn by(self, model_bytes: u64) -> By {
        match self {
            Self::Here => By::Clock,
            Self::Host(..) | Self::Alone(_) => By::Rule { model_bytes },
        }
    }

    /// What packages are resolved for, as `uv` names it; `None`: this machine.
    pub fn wheels(self, python: &str) -> Option<String> {
        let glibc = match self {
            Self::Here => return None,
            Self::Host(Some(Target::AwsLambda), _) => start::glibc(python).unwrap_or(USUAL_GLIBC),
            Self::Host(..) | Self::Alone(_) => USUAL_GLIBC,
        };
        let (major, minor) = WHEELS.into_iter().find(|wheels| *wheels <= glibc).unwrap_or(USUAL_GLIBC);
        Some(format!("{}-manylinux_{major}_{minor}", self.processor().of_linux()))
    }

    /// Refuses what a function asks for and the target does not have.
    ///
    /// # Errors
    /// `bad-input` by the processor, `bad-manifest` with the setting or the variable.
    pub fn check(self, manifest: &Manifest) -> Result<(), Report> {
        let Self::Host(Some(target), processor) = self else { return Ok(()) };
        target.check_processor(processor).map_err(|why| {
            Report::new(Code::BadInput, why).hint("leave --arch out, or package it for another target")
        })?;
        let checked = target.impose(&mut manifest.settings.clone());
        checked.and_then(|()| target.check_environment(&manifest.env)).map_err(|why| {
            Report::new(Code::BadManifest, why)
                .hint("change it in modelet.toml, or package it for another target")
        })
    }
}

#[cfg(test)]
mod tests {
    use Processor::{Arm64, X86_64};

    use super::*;

    #[test]
    fn packages_are_for_the_glibc_that_is_there_with_the_python() {
        let lambda = Site::Host(Some(Target::AwsLambda), X86_64);
        assert_eq!(lambda.wheels("3.11").as_deref(), Some("x86_64-manylinux_2_17"));
        assert_eq!(lambda.wheels("3.12").as_deref(), Some("x86_64-manylinux_2_34"));
        assert_eq!(Site::Host(None, Arm64).wheels("3.12").as_deref(), Some("aarch64-manylinux_2_28"));
        assert_eq!(Site::Here.wheels("3.12"), None);
    }

    #[test]
    fn code_for_another_processor_is_tried_with_packages_of_the_same_system_for_this_one() {
        for processor in [X86_64, Arm64] {
            let tried = Site::Host(Some(Target::AwsLambda), processor).tried_at();
            assert_eq!(tried, Site::Host(Some(Target::AwsLambda), Processor::HERE));
        }
    }

    #[test]
    fn a_target_without_the_processor_is_refused() {
        let refused =
            |site: Site| site.check(&Manifest::default()).map_err(|report| report.message().to_owned());
        assert_eq!(refused(Site::Host(Some(Target::AwsLambda), Arm64)), Ok(()));
        let vertex = refused(Site::Host(Some(Target::Vertex), Arm64));
        assert_eq!(vertex, Err("Vertex AI has x86_64 alone, not arm64".to_owned()));
    }
}
