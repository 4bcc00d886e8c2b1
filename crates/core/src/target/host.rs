//! What a target's host has, and what it has not.
//!
//! From documentation and reports; none was looked at on a vendor's service.

use super::Target;
use super::finding::{About, Finding, Verdict};

/// The C library of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: &'static str,
    /// The version of glibc that it has.
    pub glibc: (u32, u32),
    /// Where that is from.
    pub source: &'static str,
}

const AMAZON_LINUX_2: System = System {
    name: "Amazon Linux 2",
    glibc: (2, 26),
    source: "AWS Lambda Developer Guide, Lambda runtimes (operating system); Amazon Linux 2, package glibc",
};
const AMAZON_LINUX_2023: System = System {
    name: "Amazon Linux 2023",
    glibc: (2, 34),
    source: "AWS Lambda Developer Guide, Lambda runtimes (operating system); Amazon Linux 2023, package glibc",
};
const DEBIAN_12: System = System {
    name: "Debian 12, which modelet's images stand on at least",
    glibc: (2, 36),
    source: "Docker Official Images, python:X.Y-slim; Debian 12, package libc6",
};
/// The Pythons that AWS Lambda has, and the system that is there with each.
pub const PYTHONS_OF_LAMBDA: &[(&str, System)] = &[
    ("3.10", AMAZON_LINUX_2),
    ("3.11", AMAZON_LINUX_2),
    ("3.12", AMAZON_LINUX_2023),
    ("3.13", AMAZON_LINUX_2023),
    ("3.14", AMAZON_LINUX_2023),
];

/// A path of the machine that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The path.
    pub path: &'static str,
    /// Where that is from.
    pub source: &'static str,
}

/// What Linux has and AWS Lambda has not.
const NOT_ON_LAMBDA: &[Missing] = &[
    Missing {
        path: "/dev/shm",
        source: "AWS Compute Blog, Parallel Processing in Python with AWS Lambda: no /dev/shm",
    },
    Missing {
        path: "/sys",
        source: "pytorch/cpuinfo issues 14 and 143: no /sys/devices/system/cpu/possible on AWS Lambda",
    },
];

/// Who gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// True when an instance gets one call at a time.
    pub one_at_a_time: bool,
    /// True when clients can have an answer while it is made.
    pub streams: bool,
    /// True for websockets.
    pub websockets: bool,
    /// Where that is from.
    pub source: &'static str,
}

impl Target {
    /// The system that a function runs in; `None` where it is not known. `python`: the version of its Python.
    pub fn system(self, python: Option<&str>) -> Option<System> {
        match self {
            Self::AwsLambda => match python {
                None => Some(AMAZON_LINUX_2023),
                Some(version) => {
                    PYTHONS_OF_LAMBDA.iter().find(|(own, _)| *own == version).map(|(_, system)| *system)
                }
            },
            Self::CloudRun | Self::Sagemaker | Self::Vertex => Some(DEBIAN_12),
            Self::AzureFunctions => None,
        }
    }

    /// Paths that Linux has and an instance there has not.
    pub const fn missing(self) -> &'static [Missing] {
        match self {
            Self::AwsLambda => NOT_ON_LAMBDA,
            Self::CloudRun | Self::AzureFunctions | Self::Sagemaker | Self::Vertex => &[],
        }
    }

    /// True where what lies in /tmp is memory of the instance; elsewhere it is a disk.
    pub const fn keeps_tmp_in_memory(self) -> bool {
        matches!(self, Self::CloudRun)
    }

    /// True where an answer that comes in pieces may have any size.
    pub const fn streams_without_limit(self) -> bool {
        matches!(self, Self::CloudRun)
    }

    /// True where instances have neither /dev/shm nor /sys.
    pub const fn is_bare(self) -> bool {
        !self.missing().is_empty()
    }

    /// Where code can write there, in words, and where that is from.
    pub const fn writable(self) -> (&'static str, &'static str) {
        match self {
            Self::AwsLambda => (
                "only below /tmp can be written: /var/task and the rest are read-only",
                "AWS Lambda Developer Guide, Lambda execution environment: /tmp",
            ),
            Self::AzureFunctions => (
                "the folder of the app is its package, mounted read-only",
                "Azure Functions documentation, Run your functions from a package file",
            ),
            Self::CloudRun | Self::Sagemaker | Self::Vertex => (
                "the files of the image belong to root and the function runs as another user: only below /tmp is sure",
                "modelet's own images",
            ),
        }
    }

    /// How calls come to a function there.
    pub const fn calls(self) -> Calls {
        match self {
            Self::AwsLambda => Calls {
                one_at_a_time: true,
                streams: true,
                websockets: false,
                source: "AWS Lambda Developer Guide, Understanding Lambda function scaling; Response streaming",
            },
            Self::CloudRun => Calls {
                one_at_a_time: false,
                streams: true,
                websockets: true,
                source: "Cloud Run documentation, Maximum concurrent requests; Using WebSockets",
            },
            Self::AzureFunctions => Calls {
                one_at_a_time: false,
                streams: false,
                websockets: false,
                source: "Azure Functions documentation, Custom handlers: a request is forwarded, and its answer whole",
            },
            Self::Sagemaker => Calls {
                one_at_a_time: false,
                streams: false,
                websockets: false,
                source: "SageMaker AI Developer Guide, Serverless Inference: InvokeEndpoint",
            },
            Self::Vertex => Calls {
                one_at_a_time: false,
                streams: false,
                websockets: false,
                source: "Vertex AI documentation, endpoints.predict and endpoints.rawPredict",
            },
        }
    }
}

impl Target {
    /// What there is to say of an answer that comes in pieces.
    pub fn of_stream(self) -> Option<Finding> {
        let there = self.calls();
        let what = match (there.streams, self) {
            (false, _) => format!("answers come in pieces, {} gives them to clients whole, when they have ended", self.title()),
            (true, Self::AwsLambda) => {
                "answers come in pieces, AWS Lambda gives them so by a function URL with RESPONSE_STREAM alone".to_owned()
            }
            (true, _) => return None,
        };
        Some(
            Finding::new(Verdict::Warning, About::Streams, what)
                .rule("answers in pieces", there.source)
                .fix("let clients do without, or choose a target that streams: cloud-run"),
        )
    }

    /// What there is to say of code that speaks by websockets, at these lines.
    pub fn of_websockets(self, lines: Vec<String>) -> Option<Finding> {
        let there = self.calls();
        if there.websockets || lines.is_empty() {
            return None;
        }
        Some(
            Finding::new(Verdict::Breaks, About::Websockets, format!("{} has no websockets", self.title()))
                .at(lines)
                .rule("no websockets", there.source)
                .fix("poll, or choose a target that has them: cloud-run"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_pythons_of_lambda_have_an_old_c_library() {
        let glibc = |python| Target::AwsLambda.system(python).map(|system| system.glibc);
        assert_eq!(glibc(Some("3.11")), Some((2, 26)));
        assert_eq!(glibc(Some("3.12")), Some((2, 34)));
        assert_eq!(glibc(None), Some((2, 34)));
        assert_eq!(glibc(Some("3.9")), None);
        assert_eq!(Target::CloudRun.system(Some("3.11")).map(|system| system.glibc), Some((2, 36)));
        assert_eq!(Target::AzureFunctions.system(None), None);
    }

    #[test]
    fn all_that_is_said_has_a_source() {
        for target in Target::ALL {
            let sources = target.missing().iter().map(|missing| missing.source);
            for source in sources.chain([target.writable().1, target.calls().source]) {
                assert!(source.len() > 15, "{target}: {source}");
            }
        }
    }
}
