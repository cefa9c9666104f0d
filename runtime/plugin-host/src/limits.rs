//! The memory that an instance may use, and has used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

/// A component holds several core instances; this many are more than any compiler makes.
const INSTANCES_MAX: usize = 64;
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// The cap of one instance, over all its memories.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    cap: usize,
    used: usize,
    /// The most that any instance of the plugin has used, for the gauge.
    high_water: Arc<AtomicUsize>,
    denied: bool,
}

impl MemoryLimit {
    pub(crate) fn new(cap: usize, high_water: Arc<AtomicUsize>) -> Self {
        Self { cap, used: 0, high_water, denied: false }
    }

    /// Forgets that the cap was hit, before a call.
    pub(crate) fn clear(&mut self) {
        self.denied = false;
    }

    /// Was more asked for than the cap, since [`Self::clear`]?
    pub(crate) fn was_denied(&self) -> bool {
        self.denied
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.cap {
            self.denied = true;
            return Ok(false);
        }
        self.used = used;
        self.high_water.fetch_max(used, Ordering::Relaxed);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        INSTANCES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together_and_the_most_is_remembered() {
        let high_water = Arc::new(AtomicUsize::new(0));
        let mut limit = MemoryLimit::new(100, Arc::clone(&high_water));
        assert!(limit.memory_growing(0, 60, None).unwrap());
        assert!(!limit.memory_growing(0, 41, None).unwrap());
        assert!(limit.was_denied());
        limit.clear();
        assert!(limit.memory_growing(60, 100, None).unwrap() && !limit.was_denied());
        assert_eq!(high_water.load(Ordering::Relaxed), 100);
    }
}
