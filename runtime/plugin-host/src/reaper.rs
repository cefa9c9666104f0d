//! Drops what is slow to drop: stores give their memory back to the kernel, which takes its time.

use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

/// Anything whose drop should not happen here.
type Remains = Box<dyn Send>;

/// Hands things to a thread that drops them. The thread ends with the last reaper.
#[derive(Clone, Debug)]
pub(crate) struct Reaper {
    remains: Sender<Remains>,
}

impl Reaper {
    pub(crate) fn start() -> io::Result<Self> {
        let (remains, incoming) = channel::<Remains>();
        thread::Builder::new()
            .name("plugin-reaper".to_owned())
            .spawn(move || incoming.into_iter().for_each(drop))?;
        Ok(Self { remains })
    }

    /// Drops it later. If the thread is gone the process is ending, and it is dropped here.
    pub(crate) fn bury(&self, remains: impl Send + 'static) {
        self.remains.send(Box::new(remains)).ok();
    }
}
