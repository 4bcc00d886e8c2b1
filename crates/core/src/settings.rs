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
    /// Instances that are kept ready whether or not there are calls.
    min_instances: 0, 0 => 1_000;
    /// Instances that this function can always have: their memory is kept from other functions.
    reserved_instances: 0, 0 => 1_000;
    /// Idle instances that are kept ready beyond the busy ones while the function is in use.
    prewarmed_instances: 0, 0 => 1_000;
    /// Calls that may wait for an instance before further ones get 429.
    queue_limit: 1_000, 0 => 100_000;
    /// An instance without work for this long is stopped.
    idle_timeout_ms: 600_000, 0 => 86_400_000;
    /// Calls that are let in per second on average; further ones get 429. 0: no limit.
    rate_limit_per_s: 0, 0 => 1_000_000;
    /// Calls that are let in at once beyond the average rate. 0: as many as one second lets in.
    rate_burst: 0, 0 => 1_000_000;
    /// A call, from its arrival to the end of its answer, without the time an instance takes to load.
    request_timeout_ms: 60_000, 1 => 3_600_000;
    /// An instance, from its start until it is ready.
    load_timeout_ms: 120_000, 1 => 3_600_000;
    /// Calls in flight when an instance is told to stop get this long to end.
    drain_timeout_ms: 30_000, 0 => 3_600_000;
    /// An instance that works on a call, answers no question about its health and uses no processor for this long is stuck, and stopped.
    stuck_timeout_ms: 10_000, 100 => 3_600_000;
    /// An instance that has had this many calls is replaced between calls. 0: never.
    recycle_calls: 0, 0 => 1_000_000_000;
    /// An instance that holds this much of memory_mib between calls is replaced. 0: never.
    recycle_memory_percent: 80, 0 => 100;
    /// An instance that has this many threads more than when it was ready is replaced between calls. 0: never.
    recycle_thread_growth: 64, 0 => 100_000;
    /// Memory of one instance; one that grows beyond is stopped.
    memory_mib: 1_024, 64 => 1_048_576;
    /// Share of the processors, in thousandths of one. 0: memory_mib / 1,769 processors, as on AWS Lambda, but at least one.
    cpu_millis: 0, 0 => 1_024_000;
    /// Threads that the engine computes with. 0: as many as whole processors are in the share.
    threads: 0, 0 => 256;
    /// Processes and threads that an instance may have.
    processes_limit: 256, 8 => 32_768;
    /// Files that an instance may have open.
    open_files_limit: 4_096, 64 => 1_048_576;
    /// Size of an instance's own /tmp, which is gone with the instance; what lies there counts as its memory.
    tmp_mib: 512, 1 => 1_048_576;
    /// Most rows that waiting calls are put together to, for one computation. 1: never put together.
    batch_max_rows: 64, 1 => 65_536;
    /// How long a call waits for others to be put together with. 0: only those that are waiting already.
    batch_max_wait_ms: 0, 0 => 60_000;
    /// Largest request body, as sent and after decompression; JSON takes up to 8 times as much memory while it is read.
    body_limit_mib: 64, 1 => 2_048;
    /// Largest response body that an instance may answer with.
    response_limit_mib: 256, 1 => 2_048;
    /// Asynchronous invocations that are accepted and not yet ended; further ones get 429.
    async_queue_limit: 10_000, 0 => 1_000_000;
    /// Asynchronous invocations that are worked on at once.
    async_concurrency: 16, 1 => 1_000;
    /// How often an asynchronous invocation is tried again after it failed.
    async_retries: 2, 0 => 100;
    /// How long it waits before that; twice as long each further time.
    async_retry_ms: 60_000, 1 => 3_600_000;
    /// An asynchronous invocation of this age is not tried again.
    async_max_age_ms: 21_600_000, 0 => 604_800_000;
    /// How long the answer of an asynchronous invocation is kept.
    async_result_ms: 86_400_000, 1_000 => 2_592_000_000;
    /// Largest request body of an asynchronous invocation; the default is AWS Lambda's and Event Grid's.
    async_body_limit_mib: 1, 1 => 64;
    /// Largest answer of an asynchronous invocation, which is kept until it is fetched.
    async_response_limit_mib: 6, 1 => 64;
}

/// Memory that comes with one processor.
const MIB_PER_PROCESSOR: u64 = 1_769;

impl Settings {
    /// The body limit in bytes.
    pub const fn body_limit_bytes(&self) -> u64 {
        self.body_limit_mib << 20
    }

    /// The processor share of an instance, in thousandths of one processor.
    ///
    /// Source of the rule: AWS Lambda gives one vCPU per 1,769 MB of memory (docs, "Configure Lambda function memory").
    pub fn cpu_share_millis(&self) -> u64 {
        match self.cpu_millis {
            0 => (self.memory_mib * 1_000 / MIB_PER_PROCESSOR).max(1_000),
            millis => millis,
        }
    }

    /// The limit in bytes of a body that waits on the disk.
    pub fn async_body_limit_bytes(&self) -> u64 {
        self.async_body_limit_mib.min(self.body_limit_mib) << 20
    }

    /// The limit in bytes of an answer that is kept on the disk.
    pub fn async_response_limit_bytes(&self) -> u64 {
        self.async_response_limit_mib.min(self.response_limit_mib) << 20
    }

    /// Threads that the engine computes with: as set, else the whole processors of the share, at least one.
    pub fn engine_threads(&self) -> usize {
        let threads = match self.threads {
            0 => (self.cpu_share_millis() / 1_000).max(1),
            threads => threads,
        };
        usize::try_from(threads).unwrap_or(usize::MAX)
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
    fn threads_follow_the_share_and_the_share_follows_memory() {
        let of = |memory_mib, cpu_millis, threads| {
            let settings = Settings { memory_mib, cpu_millis, threads, ..Settings::default() };
            (settings.cpu_share_millis(), settings.engine_threads())
        };
        assert_eq!(of(1_024, 0, 0), (1_000, 1));
        assert_eq!(of(4 * 1_769, 0, 0), (4_000, 4));
        assert_eq!(of(1_024, 500, 0), (500, 1));
        assert_eq!(of(1_024, 0, 3), (1_000, 3));
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
