//! Usage: what invocations and instances add up to.

use serde::{Deserialize, Serialize};

use crate::record::{InstanceRecord, InvocationRecord, Outcome};

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// Hours since 1970 (UTC) until a moment in milliseconds since 1970: usage is kept by the hour.
pub fn hour_of(unix_ms: i64) -> i64 {
    unix_ms.div_euclid(HOUR_MS)
}

macro_rules! usage {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty;)*) => {
        /// Sums over some time. Invocations count in the hour in which they arrived, instances' times in the hour in which
        /// they were told of.
        #[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
        pub struct Usage { $($(#[doc = $doc])* pub $name: $type,)* }

        impl Usage {
            /// The names of all sums, in their order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Adds other sums.
            pub fn add(&mut self, other: &Self) { $(self.$name += other.$name;)* }
        }
    };
}

usage! {
    /// Invocations.
    invocations: u64;
    /// Of them, those where the function or its input was wrong.
    errors_function: u64;
    /// Of them, those that the platform could not serve.
    errors_platform: u64;
    /// Of them, those whose client left.
    cancelled: u64;
    /// Of them, those that waited for an instance to start.
    cold_starts: u64;
    /// Billed time, milliseconds.
    billed_ms: u64;
    /// Billed time times memory, MiB · milliseconds.
    billed_mib_ms: u64;
    /// Processor time of the invocations, milliseconds.
    cpu_ms: f64;
    /// Body bytes in.
    request_bytes: u64;
    /// Body bytes out.
    response_bytes: u64;
    /// Instances started.
    instances: u64;
    /// Instances' time until they were ready, milliseconds.
    loading_ms: u64;
    /// Instances' time with at least one call, milliseconds.
    serving_ms: u64;
    /// Instances' time ready and without a call, milliseconds.
    idle_ms: u64;
    /// Processor time of the instances' processes, loading included, milliseconds.
    instance_cpu_ms: u64;
}

impl Usage {
    /// The usage of one invocation.
    pub fn of(record: &InvocationRecord) -> Self {
        let is = |outcome| u64::from(record.outcome == outcome);
        Self {
            invocations: 1,
            errors_function: is(Outcome::FunctionError),
            errors_platform: is(Outcome::PlatformError),
            cancelled: is(Outcome::Cancelled),
            cold_starts: u64::from(record.cold_start),
            billed_ms: record.billed_ms,
            billed_mib_ms: record.billed_ms * record.memory_mib,
            cpu_ms: record.cpu_ms,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            ..Self::default()
        }
    }

    /// What an instance used between two records of it; `before` is `None` at the first.
    pub fn between(before: Option<&InstanceRecord>, after: &InstanceRecord) -> Self {
        let more = |read: fn(&InstanceRecord) -> u64| read(after).saturating_sub(before.map_or(0, read));
        Self {
            instances: u64::from(before.is_none()),
            loading_ms: more(|r| r.loading_ms),
            serving_ms: more(|r| r.serving_ms),
            idle_ms: more(|r| r.idle_ms),
            instance_cpu_ms: more(|r| r.cpu_ms),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InstanceId, Version};

    #[test]
    fn hours_begin_on_the_hour_before_1970_too() {
        assert_eq!([0, HOUR_MS - 1, HOUR_MS, -1].map(hour_of), [0, 0, 1, -1]);
    }

    #[test]
    fn records_of_an_instance_add_up_to_its_last() {
        let record = |loading_ms, serving_ms, idle_ms| InstanceRecord {
            id: InstanceId("a-1-i1".into()),
            function: "a".parse().unwrap(),
            version: Version(1),
            memory_mib: 64,
            started_at_ms: 0,
            at_ms: 0,
            loading_ms,
            serving_ms,
            idle_ms,
            cpu_ms: 2 * serving_ms,
            peak_memory_kib: 1,
            calls: 1,
            end: None,
            reason: None,
            failure: None,
        };
        let told = [record(0, 0, 0), record(10, 0, 5), record(10, 7, 9)];
        let mut sum = Usage::default();
        let mut before = None;
        for after in &told {
            sum.add(&Usage::between(before, after));
            before = Some(after);
        }
        assert_eq!((sum.instances, sum.loading_ms, sum.serving_ms, sum.idle_ms), (1, 10, 7, 9));
        assert_eq!(sum.instance_cpu_ms, 14);
    }
}
