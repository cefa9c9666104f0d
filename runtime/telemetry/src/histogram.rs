//! A histogram of durations that costs two additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::proto;

use crate::collect::seconds;
use crate::sharded::Sharded;

/// Upper bounds in nanoseconds: 50 µs to 10 s, three a decade or so.
pub(crate) const BOUNDS: [u64; 17] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// One for each bound and one for what is beyond.
pub(crate) const BUCKETS: usize = BOUNDS.len() + 1;

/// The one that a duration falls into.
pub(crate) fn bucket(duration: Duration) -> usize {
    let nanoseconds = nanoseconds(duration);
    BOUNDS.partition_point(|bound| *bound < nanoseconds)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Debug, Default)]
struct Cells {
    counts: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

/// Durations by order of magnitude.
#[derive(Debug)]
pub(crate) struct Histogram(Sharded<Cells>);

impl Histogram {
    pub(crate) fn new() -> Self {
        Self(Sharded::new(Cells::default))
    }

    #[inline]
    pub(crate) fn observe(&self, duration: Duration) {
        let cells = self.0.mine();
        // At most `BOUNDS.len()`, and there is one cell more than bounds.
        cells.counts[bucket(duration)].fetch_add(1, Ordering::Relaxed);
        cells.nanoseconds.fetch_add(nanoseconds(duration), Ordering::Relaxed);
    }

    /// What has been observed, as Prometheus wants it: each bucket includes those below it.
    pub(crate) fn snapshot(&self) -> proto::Histogram {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (index, bound) in BOUNDS.iter().enumerate() {
            total += self.count(index);
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(seconds(*bound));
            bucket.set_cumulative_count(total);
            buckets.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total + self.count(BOUNDS.len()));
        let sum = self.0.sum(|cells| cells.nanoseconds.load(Ordering::Relaxed));
        histogram.set_sample_sum(seconds(sum));
        histogram
    }

    fn count(&self, bucket: usize) -> u64 {
        self.0.sum(|cells| cells.counts[bucket].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_not_above_its_bound() {
        let histogram = Histogram::new();
        for microseconds in [0, 50, 51, 100, 9_999_999, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let snapshot = histogram.snapshot();
        let counts: Vec<_> = snapshot.get_bucket().iter().map(|b| b.cumulative_count()).collect();
        assert_eq!(counts[..3], [2, 4, 4], "50 µs, 100 µs, 250 µs");
        assert_eq!(counts[15..], [4, 6], "5 s, 10 s");
        assert_eq!(snapshot.get_sample_count(), 7);
        assert!((snapshot.get_sample_sum() - 30.000_201).abs() < 1e-6);
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
