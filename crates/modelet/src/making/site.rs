//! Where something that is made is to run, and what follows from that while it is made.

use std::env::consts::ARCH;

use modelet_cloud::lambda::start;
use modelet_core::{Code, EngineName, Manifest, Target};
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
    /// On another host, or any.
    Host(Option<Target>),
    /// By itself, as one program.
    Alone,
}

impl Site {
    /// The engines that it can have.
    pub const fn engines(self) -> &'static [EngineName] {
        match self {
            Self::Here | Self::Host(_) => EngineName::ALL,
            Self::Alone => &standalone::ENGINES,
        }
    }

    /// What decides between engines; `model_bytes`: how large the model is.
    pub const fn by(self, model_bytes: u64) -> By {
        match self {
            Self::Here => By::Clock,
            Self::Host(_) | Self::Alone => By::Rule { model_bytes },
        }
    }

    /// What packages are resolved for, as `uv` names it; `None`: this machine.
    pub fn wheels(self, python: &str) -> Option<String> {
        let glibc = match self {
            Self::Here => return None,
            Self::Host(Some(Target::AwsLambda)) => start::glibc(python).unwrap_or(USUAL_GLIBC),
            Self::Host(_) | Self::Alone => USUAL_GLIBC,
        };
        let (major, minor) = WHEELS.into_iter().find(|wheels| *wheels <= glibc).unwrap_or(USUAL_GLIBC);
        Some(format!("{ARCH}-manylinux_{major}_{minor}"))
    }

    /// Refuses what a function asks for and the target does not have.
    ///
    /// # Errors
    /// `bad-manifest`, with the setting or the variable.
    pub fn check(self, manifest: &Manifest) -> Result<(), Report> {
        let Self::Host(Some(target)) = self else { return Ok(()) };
        let checked = target.impose(&mut manifest.settings.clone());
        checked.and_then(|()| target.check_environment(&manifest.env)).map_err(|why| {
            Report::new(Code::BadManifest, why)
                .hint("change it in modelet.toml, or package it for another target")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_for_the_glibc_that_is_there_with_the_python() {
        let wheels = |site: Site, python| site.wheels(python).map(|name| name.replace(ARCH, "here"));
        let lambda = Site::Host(Some(Target::AwsLambda));
        assert_eq!(wheels(lambda, "3.11").as_deref(), Some("here-manylinux_2_17"));
        assert_eq!(wheels(lambda, "3.12").as_deref(), Some("here-manylinux_2_34"));
        assert_eq!(wheels(Site::Host(None), "3.12").as_deref(), Some("here-manylinux_2_28"));
        assert_eq!(wheels(Site::Here, "3.12"), None);
    }
}
