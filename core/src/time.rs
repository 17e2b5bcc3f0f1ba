//! Moments and spans, as the core counts them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// From a protobuf timestamp; none for Teleport's "unset", which arrives as year 1.
    #[must_use]
    pub fn from_timestamp(timestamp: &prost_types::Timestamp) -> Option<Self> {
        (timestamp.seconds > 0).then(|| {
            Self(timestamp.seconds.saturating_mul(1_000).saturating_add(i64::from(timestamp.nanos) / 1_000_000))
        })
    }

    /// As a protobuf timestamp.
    #[must_use]
    pub fn to_timestamp(self) -> prost_types::Timestamp {
        let nanos = i32::try_from(self.0.rem_euclid(1_000)).unwrap_or(0).saturating_mul(1_000_000);
        prost_types::Timestamp { seconds: self.0.div_euclid(1_000), nanos }
    }
}

impl fmt::Display for Time {
    /// Writes the minute it falls in, such as `2026-01-31 16:05 UTC`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.div_euclid(60_000);
        let (days, minute) = (minutes.div_euclid(1_440), minutes.rem_euclid(1_440));
        let (year, month, day) = civil(days);
        write!(formatter, "{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
    }
}

/// The civil date of a day counted from 1970-01-01 (Gregorian, in 400-year eras that start on a first of March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A span in words, in its largest unit or two: `45 seconds`, `1 hour 30 minutes`, `3 days`.
#[must_use]
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("day", seconds / 86_400), ("hour", seconds / 3_600 % 24), ("minute", seconds / 60 % 60)];
    let words: Vec<String> = units
        .into_iter()
        .skip_while(|(_, count)| *count == 0)
        .take(2)
        .filter(|(_, count)| *count > 0)
        .map(|(unit, count)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() { format!("{seconds} second{}", if seconds == 1 { "" } else { "s" }) } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_minute_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(Time(millis).to_string(), text);
        }
    }

    #[test]
    fn teleports_unset_time_is_no_time() {
        let unset = prost_types::Timestamp { seconds: -62_135_596_800, nanos: 0 };
        assert_eq!(Time::from_timestamp(&unset), None);
        let set = prost_types::Timestamp { seconds: 12, nanos: 345_000_000 };
        assert_eq!(Time::from_timestamp(&set), Some(Time(12_345)));
        assert_eq!(Time(12_345).to_timestamp(), set);
    }

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (5_400, "1 hour 30 minutes"),
            (86_400, "1 day"),
            (86_460, "1 day"),
            (180_000, "2 days 2 hours"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), text);
        }
    }
}
