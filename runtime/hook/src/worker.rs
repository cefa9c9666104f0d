//! Which worker thread runs this code; plugins have one instance for each.

use std::cell::Cell;

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// To be called once at the start of each worker thread.
pub fn set_current_worker(worker: usize) {
    WORKER.set(worker);
}

/// The number that [`set_current_worker`] gave this thread; 0 on any other thread.
#[must_use]
pub fn current_worker() -> usize {
    WORKER.get()
}
