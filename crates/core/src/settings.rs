//! Every limit of a function, by name, with its default.

use serde::{Deserialize, Serialize};

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $name:ident: $default:expr, $min:expr => $max:expr;)*) => {
        /// The limits of one function, all resolved. Times in milliseconds, memory in MiB.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(default)]
        pub struct Settings { $($(#[doc = $doc])* pub $name: u64,)* }

        impl Default for Settings {
            fn default() -> Self { Self { $($name: $default,)* } }
        }

        impl Settings {
            /// Refuses a value out of its bounds, with a sentence that names the setting.
            pub fn check(&self) -> Result<(), String> {
                $(if !($min..=$max).contains(&self.$name) {
                    return Err(format!(
                        "{} = {} is out of bounds: it must be from {} to {}",
                        stringify!($name), self.$name, $min, $max as u64
                    ));
                })*
                Ok(())
            }
        }

        /// What a manifest or a command line may set; what is absent keeps its default.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct SettingsPatch {
            $($(#[doc = $doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)*
        }

        impl SettingsPatch {
            /// The settings that come of laying this patch over others; a value outside its bounds is refused with
            /// a sentence that names the setting.
            pub fn over(&self, base: &Settings) -> Result<Settings, String> {
                let settings = Settings { $($name: self.$name.unwrap_or(base.$name),)* };
                settings.check().map(|()| settings)
            }

            /// Sets one limit by its name; an unknown name is refused with the list of all.
            pub fn set(&mut self, name: &str, value: u64) -> Result<(), String> {
                match name {
                    $(stringify!($name) => self.$name = Some(value),)*
                    _ => return Err(format!("there is no setting {name:?}; the settings are {}", Settings::NAMES.join(", "))),
                }
                Ok(())
            }
        }

        impl Settings {
            /// The names of all settings.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Every setting as name, value and meaning, for tables.
            pub fn rows(&self) -> Vec<(&'static str, u64, String)> {
                vec![$((stringify!($name), self.$name, [$($doc),*].concat().trim().to_owned()),)*]
            }
        }
    };
}

settings! {
    /// Calls that one instance works on at once.
    concurrency: 16, 1 => 1_000;
    /// Most instances of one version at a time.
    max_instances: 4, 1 => 1_000;
    /// Calls that may wait for an instance before further ones get 429.
    queue_limit: 1_000, 0 => 100_000;
    /// An instance without work for this long is stopped.
    idle_timeout_ms: 600_000, 0 => 86_400_000;
    /// A call, from its arrival to the end of its answer, without the time an instance takes to load.
    request_timeout_ms: 60_000, 1 => 3_600_000;
    /// An instance, from its start until it is ready.
    load_timeout_ms: 120_000, 1 => 3_600_000;
    /// Calls in flight when an instance is told to stop get this long to end.
    drain_timeout_ms: 30_000, 0 => 3_600_000;
    /// Memory of one instance; one that grows beyond is stopped.
    memory_mib: 1_024, 64 => 1_048_576;
    /// Threads that the engine computes with.
    threads: 1, 1 => 256;
    /// Largest request body, as sent and after decompression; JSON takes up to 8 times as much memory while it is read.
    body_limit_mib: 64, 1 => 2_048;
    /// Largest response body that an instance may answer with.
    response_limit_mib: 256, 1 => 2_048;
}

impl Settings {
    /// The body limit in bytes.
    pub const fn body_limit_bytes(&self) -> u64 {
        self.body_limit_mib << 20
    }

    /// The response limit in bytes.
    pub const fn response_limit_bytes(&self) -> u64 {
        self.response_limit_mib << 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_overrides_what_it_names_and_nothing_else() {
        let patch: SettingsPatch = serde_json::from_str(r#"{"memory_mib": 256}"#).unwrap();
        let settings = patch.over(&Settings::default()).unwrap();
        assert_eq!(settings, Settings { memory_mib: 256, ..Settings::default() });
    }

    #[test]
    fn values_out_of_bounds_and_unknown_names_are_refused_by_name() {
        let mut patch = SettingsPatch::default();
        patch.set("concurrency", 0).unwrap();
        let error = patch.over(&Settings::default()).unwrap_err();
        assert_eq!(error, "concurrency = 0 is out of bounds: it must be from 1 to 1000");
        assert!(patch.set("memory", 1).unwrap_err().contains("memory_mib"));
        assert!(serde_json::from_str::<SettingsPatch>(r#"{"memroy_mib": 1}"#).is_err());
    }

    #[test]
    fn every_default_is_within_its_own_bounds_and_has_a_meaning() {
        let defaults = Settings::default();
        let mut patch = SettingsPatch::default();
        for (name, value, meaning) in defaults.rows() {
            patch.set(name, value).unwrap();
            assert!(meaning.len() > 20, "{name}");
        }
        assert_eq!(patch.over(&defaults).unwrap(), defaults);
    }
}
