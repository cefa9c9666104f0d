//! Points in time as RFC 3339 writes them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time in UTC, to the millisecond: `2026-01-31T23:59:59.123Z`.
///
/// Put together digit by digit, since the formatting machinery takes ten times as long.
pub(crate) struct Rfc3339([u8; 24]);

impl Rfc3339 {
    pub(crate) fn new(time: SystemTime) -> Self {
        // A clock that stands before 1970 is wrong anyway.
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], second / 3600);
        digits(&mut text[14..16], second / 60 % 60);
        digits(&mut text[17..19], second % 60);
        digits(&mut text[20..23], since.subsec_millis().into());
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Fills `place` with the last digits of `number`.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Year, month and day of the day that is this many days after 1970-01-01.
///
/// Counted in eras of 400 years that start in March, so that leap days come last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_points_in_time() {
        let show = |milliseconds| {
            let time = Rfc3339::new(UNIX_EPOCH + Duration::from_millis(milliseconds));
            String::from_utf8(time.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(show(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(show(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(show(1_000_000_000_999), "2001-09-09T01:46:40.999Z");
        assert_eq!(show(1_709_251_199_001), "2024-02-29T23:59:59.001Z");
        assert_eq!(show(1_767_225_600_000), "2026-01-01T00:00:00.000Z");
        assert_eq!(show(4_107_542_399_000), "2100-02-28T23:59:59.000Z");
        assert_eq!(show(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }
}
