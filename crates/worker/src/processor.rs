//! How much processor time a process has used.

use std::fs;

/// Processor time of all threads of a process, in user and kernel mode, in milliseconds; its resolution is the kernel's clock
/// tick, mostly 10 ms. `None` when the process is gone.
///
/// Source: `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat` (proc(5)).
pub fn used_ms(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    ticks(&stat).map(|ticks| ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// The program's name, field 2, stands in brackets and may hold any character: what is counted comes after the last bracket.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_is_seen_whatever_the_program_is_called() {
        assert_eq!(ticks("7 (a) b 1) S 1 7 7 0 -1 4194304 93 0 0 0 30 12 0 0 20 0"), Some(42));
        assert_eq!(ticks("7 (a"), None);
        let before = used_ms(std::process::id()).unwrap();
        let begin = Instant::now();
        // Some work, however slow the machine: at most a minute.
        while used_ms(std::process::id()).unwrap() < before + 20 && begin.elapsed().as_secs() < 60 {
            black_box((0..1_000_000_u64).fold(1, |sum: u64, n| sum.wrapping_mul(n | 1)));
        }
        assert!(used_ms(std::process::id()).unwrap() >= before + 20);
        assert_eq!(used_ms(u32::MAX), None);
    }
}
