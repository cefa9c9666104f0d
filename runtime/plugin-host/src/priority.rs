//! Lets the data plane go first while plugins are compiled.

/// How much this thread gives way, from 0 to 19. At 5, a saturated machine still leaves it a quarter
/// of a core's time, so that a reload takes effect in time.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 5;

/// Lowers the priority of this thread and of those that it will start, such as the compiler's.
///
/// Where that cannot be done, or is not permitted, nothing changes.
#[cfg(target_os = "linux")]
pub(crate) fn give_way() {
    // On Linux this is about the calling thread only, whatever its manual says about processes.
    // SAFETY: it takes and gives plain numbers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn give_way() {}
