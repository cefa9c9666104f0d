//! The beat of a millisecond: it interrupts what runs too long and keeps a clock that costs a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use wasmtime::{Engine, EngineWeak};

/// One tick of the engine's epoch.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// A coarse monotonic clock, advanced by a thread of its own.
///
/// It is an OS thread and not a task, since a plugin that spins could starve a task. The thread
/// ends when the clock or the engine is gone.
#[derive(Debug)]
pub(crate) struct Pulse {
    origin: Instant,
    now_ms: AtomicU64,
}

impl Pulse {
    /// Starts the beat.
    pub(crate) fn start(engine: &Engine) -> io::Result<Arc<Self>> {
        // The clock starts at 1, so that 0 can mean "never".
        let pulse = Arc::new(Self { origin: Instant::now(), now_ms: AtomicU64::new(1) });
        let (beat, engine) = (Arc::downgrade(&pulse), engine.weak());
        thread::Builder::new().name("plugin-pulse".to_owned()).spawn(move || {
            while let Some(pulse) = beat.upgrade() {
                if !pulse.advance(&engine) {
                    return;
                }
                drop(pulse);
                thread::sleep(TICK);
            }
        })?;
        Ok(pulse)
    }

    fn advance(&self, engine: &EngineWeak) -> bool {
        self.now_ms.store(1 + millis(self.origin.elapsed()), Ordering::Relaxed);
        engine.upgrade().map(|engine| engine.increment_epoch()).is_some()
    }

    /// Milliseconds since the start, at most two behind. Never 0.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Nanoseconds since the start, exactly.
    pub(crate) fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The whole milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
