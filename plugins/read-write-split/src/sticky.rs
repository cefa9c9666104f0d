//! When a session has last written, kept in its mark.
//!
//! The mark is the host's monotonic time in nanoseconds, without its lowest bit, which tells whether the
//! open transaction has written: then each of its statements counts as the write, its `COMMIT` the last.

use std::time::Duration;

use tidegate_sdk::clock;
use tidegate_sdk::sql::{Kind, Session};

const UNFINISHED: u64 = 1;

/// Takes note of a statement that is about to be sent.
pub(crate) fn note(session: &Session, kind: Kind, writes: bool) {
    let mark = session.mark();
    let unfinished = mark & UNFINISHED != 0;
    let open = match kind {
        Kind::Commit => false,
        Kind::Begin => writes,
        _ => session.in_transaction(),
    };
    match kind {
        _ if !writes && !unfinished => {}
        Kind::Rollback if !writes => session.set_mark(mark & !UNFINISHED),
        _ => session.set_mark(now() | if open { UNFINISHED } else { 0 }),
    }
}

/// Is the session's last write no longer ago than that?
pub(crate) fn has_just_written(session: &Session, limit: Duration) -> bool {
    let written = session.mark() & !UNFINISHED;
    written != 0 && Duration::from_nanos(now().saturating_sub(written)) < limit
}

/// Never 0, which is the mark of a session that has not written.
fn now() -> u64 {
    let time = u64::try_from(clock::monotonic().as_nanos()).unwrap_or(u64::MAX);
    (time & !UNFINISHED).max(UNFINISHED + 1)
}
