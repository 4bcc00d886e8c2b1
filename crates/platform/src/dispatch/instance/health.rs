//! Watches a running instance: how much memory it holds, whether a fresh one would be better, and whether it is stuck.
//!
//! Busy is told from stuck by two questions: an instance that computes does not answer but uses a processor; one that waits for
//! something slow answers. One that does neither for `stuck_timeout_ms` is stuck.

use std::time::Duration;

use modelet_core::Settings;
use modelet_scheduler::{Event, Wear};
use modelet_worker::Usage;

use super::Instance;
use crate::dispatch::VersionDispatch;

/// An instance that works, or loads, is looked at this often.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
/// One that idles: it can hardly grow, and a call that comes is a reason to look.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// The beginning and the end of a call are reasons to look sooner, but not more often than this …
const GAP: Duration = Duration::from_millis(50);
/// … nor than this once it has grown near to what it is replaced for, so that its next calls do not take it beyond its limit.
const NEAR_GAP: Duration = Duration::from_millis(10);
/// Near: this part of what it is replaced for.
const NEAR_PART: u64 = 2;
/// Memory is told to the scheduler when it differs by this much from what was told last.
const TOLD_STEP_MIB: u64 = 8;
/// A model that fills most of its memory by itself is not worn: an instance has to grow by this part of what it held when it was
/// ready.
const GROWTH_PART: u64 = 8;
/// Less processor time than this is no work: a process that waits wakes up now and then.
const CPU_STEP_MS: u64 = 10;
/// The answer to a question about health may take this long.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    memory_kib: u64,
    threads: u64,
    cpu_ms: u64,
    in_flight: usize,
    /// What it held without a call in it, if there was such a moment.
    between_calls_kib: Option<u64>,
}

/// What is remembered between looks.
#[derive(Debug, Default)]
struct Watch {
    /// The first look after it was ready.
    fresh: Option<Look>,
    told_mib: Option<u64>,
    worn: bool,
    last_cpu_ms: u64,
    /// Since when it has worked on a call and used no processor.
    silent_since: Option<Duration>,
}

impl Watch {
    /// What wears the instance, told once.
    fn wear(&mut self, look: Look, settings: &Settings) -> Option<Wear> {
        let by_memory = self.has_grown(look.between_calls_kib.unwrap_or(0), 1, settings);
        let fresh = *self.fresh.get_or_insert(look);
        if self.worn {
            return None;
        }
        let by_threads = settings.recycle_thread_growth > 0
            && look.threads > fresh.threads + settings.recycle_thread_growth;
        let wear = match (by_memory, by_threads) {
            (true, _) => Some(Wear::Memory),
            (_, true) => Some(Wear::Threads),
            _ => None,
        };
        self.worn = wear.is_some();
        wear
    }

    /// True when it has grown, to this part of what it is replaced for. What a call takes for itself is given back at its end:
    /// held, therefore, between calls.
    fn has_grown(&self, held_kib: u64, part: u64, settings: &Settings) -> bool {
        let fresh_kib = self.fresh.map_or(held_kib, |fresh| fresh.memory_kib);
        let most_kib = settings.memory_mib * settings.recycle_memory_percent * 1_024 / 100;
        settings.recycle_memory_percent > 0
            && held_kib > fresh_kib + fresh_kib / GROWTH_PART
            && held_kib >= most_kib / part
    }

    /// The memory to tell the scheduler, in MiB, when it has changed.
    fn news_mib(&mut self, look: Look) -> Option<u64> {
        let mib = look.memory_kib.div_ceil(1 << 10);
        let is_news = self.told_mib.is_none_or(|told| mib.abs_diff(told) >= TOLD_STEP_MIB);
        is_news.then(|| *self.told_mib.insert(mib))
    }

    /// True when it has worked for so long without using a processor that its health is in question.
    fn is_silent(&mut self, look: Look, timeout: Duration, now: Duration) -> bool {
        if look.in_flight == 0 || look.cpu_ms != self.last_cpu_ms {
            self.silent_since = None;
        }
        self.last_cpu_ms = look.cpu_ms;
        look.in_flight > 0 && now - *self.silent_since.get_or_insert(now) >= timeout
    }
}

/// Watches until the process holds more than it may, and says how much, in KiB.
pub(super) async fn watch(instance: &Instance, version: &VersionDispatch) -> u64 {
    let settings = &version.entry.card.settings;
    let timeout = Duration::from_millis(settings.stuck_timeout_ms);
    let mut watch = Watch::default();
    let mut rested_kib = None;
    loop {
        let look = look(instance, rested_kib).await;
        instance.account().seen(0, look.memory_kib);
        if look.memory_kib > settings.memory_mib << 10 {
            return look.memory_kib;
        }
        let is_ready = instance.readiness.get().is_some();
        if is_ready {
            if let Some(mib) = watch.news_mib(look) {
                version.event(Event::Measured(instance.no, mib));
            }
            if let Some(wear) = watch.wear(look, settings) {
                version.event(Event::Worn(instance.no, wear));
                version.log_event(instance, format!("to be replaced: {}", words(wear, look))).await;
            }
            if watch.is_silent(look, timeout, version.shared.clock.now()) {
                if !answers(instance).await {
                    version.log_event(instance, "stuck: it neither computes nor answers".to_owned()).await;
                    version.event(Event::Stuck(instance.no));
                }
                watch.silent_since = None;
            }
        }
        let gap = if watch.has_grown(look.memory_kib, NEAR_PART, settings) { NEAR_GAP } else { GAP };
        tokio::time::sleep(gap).await;
        if is_ready && look.in_flight == 0 {
            instance.rest.ended(IDLE_INTERVAL.saturating_sub(gap)).await;
            rested_kib = None;
        } else {
            rested_kib = instance.rest.next(BUSY_INTERVAL.saturating_sub(gap)).await;
        }
    }
}

/// Away from the thread on which calls are: without control groups every process of the machine is asked whose it is.
async fn look(instance: &Instance, rested_kib: Option<u64>) -> Look {
    let in_flight = || instance.diary().calls.len();
    let before = in_flight();
    let used = match instance.confinement() {
        Some(walls) => tokio::task::spawn_blocking(move || walls.usage()).await.unwrap_or_default(),
        None => Usage::default(),
    };
    let rests = before == 0 && in_flight() == 0;
    Look {
        memory_kib: used.memory_kib,
        threads: used.threads,
        cpu_ms: used.cpu_ms / CPU_STEP_MS * CPU_STEP_MS,
        in_flight: before,
        between_calls_kib: if rests { Some(used.memory_kib) } else { rested_kib },
    }
}

async fn answers(instance: &Instance) -> bool {
    let Some(feed) = instance.feed.get() else { return true };
    matches!(tokio::time::timeout(HEALTH_TIMEOUT, feed.health()).await, Ok(Ok(_)))
}

fn words(wear: Wear, look: Look) -> String {
    match wear {
        Wear::Calls => "it has had its recycle_calls".to_owned(),
        Wear::Memory => format!("it holds {} MiB between calls", look.between_calls_kib.unwrap_or(0) >> 10),
        Wear::Threads => format!("it has {} threads", look.threads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Look = Look {
        memory_kib: 50 << 10,
        threads: 4,
        cpu_ms: 100,
        in_flight: 0,
        between_calls_kib: Some(50 << 10),
    };

    fn holding(mib: u64) -> Look {
        Look { memory_kib: mib << 10, between_calls_kib: Some(mib << 10), ..FRESH }
    }

    fn settings() -> Settings {
        Settings {
            memory_mib: 100,
            recycle_memory_percent: 80,
            recycle_thread_growth: 10,
            ..Settings::default()
        }
    }

    #[test]
    fn growth_is_told_once_and_between_calls() {
        let mut watch = Watch::default();
        let grown = holding(85);
        assert_eq!(watch.wear(FRESH, &settings()), None);
        assert_eq!(
            watch.wear(Look { between_calls_kib: None, ..grown }, &settings()),
            None,
            "the call's own memory"
        );
        assert_eq!(watch.wear(grown, &settings()), Some(Wear::Memory));
        assert_eq!(watch.wear(grown, &settings()), None);
        let mut large = Watch::default();
        assert_eq!(large.wear(grown, &settings()), None, "a model that needs so much is not worn");
        assert_eq!(large.wear(holding(90), &settings()), None);
        let mut threads = Watch::default();
        threads.wear(FRESH, &settings());
        assert_eq!(threads.wear(Look { threads: 14, ..FRESH }, &settings()), None);
        assert_eq!(threads.wear(Look { threads: 15, ..FRESH }, &settings()), Some(Wear::Threads));
    }

    #[test]
    fn silence_is_work_without_a_processor() {
        let mut watch = Watch::default();
        let busy = Look { in_flight: 1, ..FRESH };
        let mut at =
            |s: u64, look: Look| watch.is_silent(look, Duration::from_secs(2), Duration::from_secs(s));
        assert!(!at(0, FRESH));
        assert!(!at(100, busy), "it idled before");
        assert!(!at(101, busy));
        assert!(at(102, busy));
        assert!(!at(103, Look { cpu_ms: 110, ..busy }), "it computes");
        assert!(!at(104, Look { cpu_ms: 110, ..busy }));
        assert!(at(105, Look { cpu_ms: 110, ..busy }));
    }

    #[test]
    fn memory_is_news_when_it_differs() {
        let mut watch = Watch::default();
        let mut at = |mib: u64| watch.news_mib(Look { memory_kib: mib << 10, ..FRESH });
        assert_eq!([at(50), at(55), at(58), at(45)], [Some(50), None, Some(58), Some(45)]);
    }
}
