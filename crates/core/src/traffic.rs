//! Who gets the calls of the default alias: one version, or two of which the second is tried with a part of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::Version;

/// A part of the calls that leaves some for others: 1 to 99 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "i64", into = "u8")]
#[schemars(with = "u8", extend("minimum" = 1, "maximum" = 99))]
pub struct Percent(u8);

impl Percent {
    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Percent {
    type Error = String;

    fn try_from(percent: i64) -> Result<Self, String> {
        let part = u8::try_from(percent).ok().filter(|part| (1..100).contains(part));
        part.map(Self).ok_or_else(|| {
            format!(
                "a canary gets 1 to 99 percent of the calls, and not {percent}: leave it out to give it none, or give its version all"
            )
        })
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// A version that is tried with a part of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The version.
    pub version: Version,
    /// Its part.
    pub percent: Percent,
}

/// Who gets the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The version that gets all calls, or all but the canary's.
    pub version: Version,
    /// Another that gets a part.
    #[serde(default)]
    pub canary: Option<Canary>,
}

impl Traffic {
    /// Draws are below this.
    pub const DRAWS: u8 = 100;

    /// All calls to one version.
    pub const fn all(version: Version) -> Self {
        Self { version, canary: None }
    }

    /// The versions that get calls: one or two.
    pub fn versions(self) -> impl Iterator<Item = Version> {
        [Some(self.version), self.canary.map(|canary| canary.version)].into_iter().flatten()
    }

    /// True for a version that gets calls.
    pub fn reaches(self, version: Version) -> bool {
        self.versions().any(|live| live == version)
    }

    /// The version of one call, by a random number below [`Traffic::DRAWS`].
    pub fn pick(self, draw: u8) -> Version {
        let canary = self.canary.filter(|canary| draw < canary.percent.get());
        canary.map_or(self.version, |canary| canary.version)
    }

    /// Who gets the calls once a version is deployed: that one gets all of them, or a part. What has all calls but a canary's is not
    /// made a canary itself.
    #[must_use]
    pub fn deployed(self, version: Version, part: Option<Percent>) -> Self {
        match part.filter(|_| version != self.version) {
            None => Self::all(version),
            Some(percent) => Self { version: self.version, canary: Some(Canary { version, percent }) },
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.canary {
            None => write!(f, "all calls to version {}", self.version),
            Some(Canary { version, percent }) => {
                let percent = percent.get();
                write!(
                    f,
                    "{percent} % of the calls to version {version}, the others to version {}",
                    self.version
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(version: u32, canary: Option<(u32, i64)>) -> Traffic {
        let canary = canary.map(|(version, percent)| Canary {
            version: Version(version),
            percent: percent.try_into().unwrap(),
        });
        Traffic { version: Version(version), canary }
    }

    #[test]
    fn a_canary_gets_its_part_of_a_seeded_sequence() {
        for percent in [1, 10, 50, 99] {
            let both = traffic(1, Some((2, percent)));
            let mut state = 7_u64;
            let mut picked = 0_i64;
            const CALLS: i64 = 100_000;
            for _ in 0..CALLS {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let draw = u8::try_from((state >> 33) % u64::from(Traffic::DRAWS)).unwrap();
                picked += i64::from(both.pick(draw) == Version(2));
            }
            // Five standard deviations of 100,000 calls are at most 0.8 percent.
            assert!((picked - CALLS / 100 * percent).abs() < 800, "{percent} %: {picked}");
        }
        assert!((0..Traffic::DRAWS).all(|draw| traffic(1, None).pick(draw) == Version(1)));
        let one = traffic(1, Some((2, 1)));
        assert_eq!((0..Traffic::DRAWS).filter(|draw| one.pick(*draw) == Version(2)).count(), 1);
    }

    #[test]
    fn a_deploy_gives_all_calls_or_a_part_and_ends_the_canary_before() {
        let tried = traffic(1, Some((2, 10)));
        let part = Some(20.try_into().unwrap());
        assert_eq!(tried.deployed(Version(3), None), traffic(3, None));
        assert_eq!(tried.deployed(Version(3), part), traffic(1, Some((3, 20))));
        assert_eq!(tried.deployed(Version(2), part), traffic(1, Some((2, 20))));
        assert_eq!(tried.deployed(Version(1), part), traffic(1, None));
    }

    #[test]
    fn parts_are_percents_that_leave_some() {
        let read = |text: &str| serde_json::from_str::<Traffic>(text);
        assert_eq!(
            read(r#"{"version": 3, "canary": {"version": 4, "percent": 10}}"#).unwrap(),
            traffic(3, Some((4, 10)))
        );
        assert_eq!(read(r#"{"version": 3}"#).unwrap(), traffic(3, None));
        for percent in ["0", "100", "-1", "256"] {
            let refused =
                read(&format!(r#"{{"version": 3, "canary": {{"version": 4, "percent": {percent}}}}}"#));
            assert!(refused.unwrap_err().to_string().contains("1 to 99 percent"), "{percent}");
        }
        assert!(read(r#"{"version": 3, "canery": null}"#).is_err());
        assert_eq!(
            traffic(3, Some((4, 10))).to_string(),
            "10 % of the calls to version 4, the others to version 3"
        );
    }
}
