//! Moments as text.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_S: u64 = 86_400;

/// A moment as the logs of Apache have it, in UTC: `24/Nov/2026:23:26:12 +0000`.
///
/// `unix_s`: seconds since 1970.
pub fn clf(unix_s: u64) -> String {
    let (year, month, day) = date(unix_s / DAY_S);
    let name = MONTHS[month as usize - 1];
    let (hour, minute, second) = time(unix_s);
    format!("{day:02}/{name}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
}

/// A moment as RFC 3339 has it, in UTC, to the millisecond: `2026-11-24T23:26:12.772Z`.
///
/// `unix_ms`: milliseconds since 1970.
pub fn rfc3339(unix_ms: u64) -> String {
    let unix_s = unix_ms / 1_000;
    let (year, month, day) = date(unix_s / DAY_S);
    let (hour, minute, second) = time(unix_s);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", unix_ms % 1_000)
}

/// A moment as the basic form of ISO 8601 has it, in UTC: `20261124T232612Z`.
///
/// `unix_s`: seconds since 1970.
pub fn basic(unix_s: u64) -> String {
    let (year, month, day) = date(unix_s / DAY_S);
    let (hour, minute, second) = time(unix_s);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a day since 1970. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn date(day: u64) -> (u64, u64, u64) {
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    // Years begin in March there.
    let year = year + era * 400 + u64::from(month >= 10);
    (year, (month + 2) % 12 + 1, day)
}

/// Hour, minute and second of a day.
fn time(unix_s: u64) -> (u64, u64, u64) {
    let second = unix_s % DAY_S;
    (second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_in_logs() {
        for (unix_s, text) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (951_782_400, "29/Feb/2000:00:00:00 +0000"),
            (1_795_562_772, "24/Nov/2026:23:26:12 +0000"),
            (4_102_444_799, "31/Dec/2099:23:59:59 +0000"),
        ] {
            assert_eq!(clf(unix_s), text);
        }
        assert_eq!(basic(1_795_562_772), "20261124T232612Z");
        assert_eq!(rfc3339(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(rfc3339(1_795_562_772_772), "2026-11-24T23:26:12.772Z");
    }
}
