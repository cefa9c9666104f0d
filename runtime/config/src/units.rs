//! Spans of time and sizes as people write them: `2s`, `64MiB`.

use std::time::Duration;

/// Longer than any limit here means, and far from where a clock overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads `500ms`, `2s`, `5m`, `1h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `500ms`, `2s`, `5m`, `1h` or `7d`");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return Err(wrong()),
    };
    let duration = number.checked_mul(milliseconds).map(Duration::from_millis);
    duration
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("`{text}` is longer than 365d"))
}

/// Reads `512B`, `64KiB`, `16MiB`, `1GiB`, in bytes.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("`{text}` is not a size such as `512B`, `64KiB`, `16MiB` or `1GiB`");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let bytes = number.checked_mul(factor).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| format!("`{text}` is too large"))
}

/// Writes a size in the largest unit that holds it exactly.
pub(crate) fn show_size(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor)) {
        Some((factor, unit)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("365d"), Ok(LONGEST));
        for wrong in ["", "5", "s", "-1s", "1.5s", "5 s", "5S", "1h30m", "99999999999999999999s"] {
            let message = duration(wrong).unwrap_err();
            assert!(message.contains("is not a time such as"), "{wrong}: {message}");
        }
        assert_eq!(duration("366d").unwrap_err(), "`366d` is longer than 365d");
        assert_eq!(
            duration("18446744073709551615d").unwrap_err(),
            "`18446744073709551615d` is longer than 365d"
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for wrong in ["", "64", "64MB", "MiB", "1.5GiB"] {
            assert!(size(wrong).unwrap_err().contains("is not a size such as"), "{wrong}");
        }
        assert_eq!(
            size("18446744073709551615GiB").unwrap_err(),
            "`18446744073709551615GiB` is too large"
        );
        assert_eq!([show_size(1 << 30), show_size(1536), show_size(0)], ["1GiB", "1536B", "0B"]);
    }
}
