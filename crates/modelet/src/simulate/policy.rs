//! What is compared: a keep-alive policy, perhaps with an idle timeout of its own.

use std::fmt;
use std::str::FromStr;

use modelet_core::Settings;
use modelet_core::manifest::KeepAlive;
use modelet_core::settings::SettingsPatch;

use crate::spans::{UNITS, milliseconds};

/// `fixed`, `hybrid`, `fixed:60s`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Which policy.
    pub keep_alive: KeepAlive,
    /// Its idle timeout, in milliseconds; absent, that of the settings.
    pub idle_timeout_ms: Option<u64>,
}

impl Policy {
    /// The settings with this policy's own idle timeout.
    pub fn over(&self, settings: &Settings) -> Settings {
        let idle_timeout_ms = self.idle_timeout_ms.unwrap_or(settings.idle_timeout_ms);
        Settings { idle_timeout_ms, ..settings.clone() }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, timeout) = text.split_once(':').map_or((text, None), |(name, time)| (name, Some(time)));
        let keep_alive = match name.trim() {
            "fixed" => KeepAlive::Fixed,
            "hybrid" => KeepAlive::Hybrid,
            _ => return Err(format!("there is no policy {name:?}; the policies are fixed and hybrid")),
        };
        let idle_timeout_ms = timeout.map(milliseconds).transpose()?;
        let patch = SettingsPatch { idle_timeout_ms, ..SettingsPatch::default() };
        patch.over(&Settings::default())?;
        Ok(Self { keep_alive, idle_timeout_ms })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.keep_alive {
            KeepAlive::Fixed => "fixed",
            KeepAlive::Hybrid => "hybrid",
        };
        let Some(timeout_ms) = self.idle_timeout_ms else { return f.write_str(name) };
        let whole = UNITS.iter().find(|(_, factor)| timeout_ms.is_multiple_of(*factor) && timeout_ms > 0);
        let (unit, factor) = whole.copied().unwrap_or(("s", 1_000));
        write!(f, "{name}:{}{unit}", timeout_ms / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_written_alike() {
        let read = |text: &str| text.parse::<Policy>().unwrap();
        let hybrid = Policy { keep_alive: KeepAlive::Hybrid, idle_timeout_ms: Some(90_000) };
        assert_eq!(read("hybrid:90s"), hybrid);
        assert_eq!(read("fixed"), Policy { keep_alive: KeepAlive::Fixed, idle_timeout_ms: None });
        for (text, shown) in [("fixed", "fixed"), ("fixed:600s", "fixed:10m"), ("hybrid:1h", "hybrid:1h")] {
            assert_eq!(read(text).to_string(), shown);
            assert_eq!(read(shown), read(text));
        }
        assert_eq!(read("fixed:0s").to_string(), "fixed:0s");
        assert_eq!(read("fixed:1500ms").to_string(), "fixed:1500ms");
    }

    #[test]
    fn what_is_no_policy_is_refused_with_what_would_be_one() {
        let problem = |text: &str| text.parse::<Policy>().unwrap_err();
        assert!(problem("lru").contains("fixed and hybrid"));
        for text in ["fixed:", "fixed:10", "fixed:10d", "fixed:-1s", "fixed:9999999999999999999h"] {
            assert!(problem(text).contains("10m"), "{text}");
        }
        assert!(problem("fixed:48h").contains("idle_timeout_ms = 172800000 is out of bounds"));
    }

    #[test]
    fn a_timeout_of_its_own_goes_before_that_of_the_settings() {
        let settings = Settings { idle_timeout_ms: 5, ..Settings::default() };
        let timeout = |text: &str| text.parse::<Policy>().unwrap().over(&settings).idle_timeout_ms;
        assert_eq!((timeout("fixed"), timeout("hybrid:1s")), (5, 1_000));
    }
}
