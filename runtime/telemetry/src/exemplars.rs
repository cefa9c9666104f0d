//! Statements that a trace can be found for: one for each bucket of a histogram.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars>

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::histogram::{BUCKETS, bucket};

/// The specification allows 128 characters for names and values together.
const TRACE_ID_MAX: usize = 120;

/// One is kept for so long before another takes its place: who scrapes sees no difference.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Exemplar {
    trace_id: String,
    seconds: f64,
    at: SystemTime,
    since: Instant,
}

/// The latest of each bucket.
#[derive(Debug, Default)]
pub(crate) struct Exemplars(Mutex<[Option<Exemplar>; BUCKETS]>);

impl Exemplars {
    /// Whoever finds another one at it passes on: any statement is as good an example.
    pub(crate) fn offer(&self, trace_id: &str, duration: Duration) {
        let Ok(mut exemplars) = self.0.try_lock() else {
            return;
        };
        let Some(slot) = exemplars.get_mut(bucket(duration)) else {
            return;
        };
        let fresh = slot.as_ref().is_some_and(|known| known.since.elapsed() < FRESH);
        if fresh || trace_id.chars().count() > TRACE_ID_MAX {
            return;
        }
        *slot = Some(Exemplar {
            trace_id: trace_id.to_owned(),
            seconds: duration.as_secs_f64(),
            at: SystemTime::now(),
            since: Instant::now(),
        });
    }

    /// What stands behind the sample of a bucket.
    pub(crate) fn text(&self, bucket: usize) -> Option<String> {
        let exemplars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Exemplar { trace_id, seconds, at, .. } = exemplars.get(bucket)?.as_ref()?;
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let trace_id = trace_id.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Some(format!(" # {{trace_id=\"{trace_id}\"}} {seconds} {at:.3}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_has_its_own() {
        let exemplars = Exemplars::default();
        exemplars.offer("a\"b", Duration::from_micros(70));
        exemplars.offer("later", Duration::from_micros(80));
        exemplars.offer("slow", Duration::from_secs(60));
        exemplars.offer(&"x".repeat(121), Duration::from_millis(2));
        let text = exemplars.text(1).unwrap();
        assert!(text.starts_with(" # {trace_id=\"a\\\"b\"} 0.00007 1"), "{text}");
        assert!(exemplars.text(BUCKETS - 1).unwrap().contains("slow"));
        assert_eq!(exemplars.text(0), None);
        assert!((2..BUCKETS - 1).all(|bucket| exemplars.text(bucket).is_none()));
    }
}
