//! Processors that functions run on, by the names that they have in different places.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A processor of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Processor {
    /// Intel's and AMD's.
    X86_64,
    /// ARM's.
    Arm64,
}

impl Processor {
    /// That of this machine.
    pub const HERE: Self = if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 };

    /// The name on command lines and in sentences, which is AWS' too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// As Linux, wheels of Python and `std::env::consts::ARCH` call it.
    pub const fn of_linux(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// As container images call it.
    pub const fn of_images(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Processor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_named = |processor: &Self| {
            [processor.as_str(), processor.of_linux(), processor.of_images()].contains(&text)
        };
        let found = [Self::X86_64, Self::Arm64].into_iter().find(is_named);
        found.ok_or_else(|| "the processors are x86_64 and arm64".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_known_by_each_of_its_names() {
        for name in ["x86_64", "amd64"] {
            assert_eq!(name.parse(), Ok(Processor::X86_64));
        }
        for name in ["arm64", "aarch64"] {
            assert_eq!(name.parse(), Ok(Processor::Arm64));
        }
        assert!("riscv64".parse::<Processor>().unwrap_err().contains("x86_64 and arm64"));
        assert_eq!(Processor::HERE.of_linux(), std::env::consts::ARCH);
        assert_eq!(serde_json::to_string(&Processor::X86_64).unwrap(), "\"x86_64\"");
        assert_eq!(serde_json::to_string(&Processor::Arm64).unwrap(), "\"arm64\"");
    }
}
