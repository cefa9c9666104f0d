//! Child processes that die with us, even if we are killed.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::wait_until;

type Job = Box<dyn FnOnce() + Send>;

/// Starts a process that the kernel kills when this process ends.
///
/// The kernel watches the *thread* that started it, and test threads end early; so all children
/// are started by one thread that lives as long as the process.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: prctl with a constant is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let (answer, answered) = channel();
    let job: Job = Box::new(move || drop(answer.send(command.spawn())));
    nurse().send(job).map_err(|_| io::ErrorKind::BrokenPipe)?;
    answered.recv().map_err(io::Error::other)?
}

fn nurse() -> &'static Sender<Job> {
    static NURSE: OnceLock<Sender<Job>> = OnceLock::new();
    NURSE.get_or_init(|| {
        let (jobs, work) = channel::<Job>();
        thread::spawn(move || work.iter().for_each(|job| job()));
        jobs
    })
}

/// Sends a signal to a child, if it still runs: the id of one that has ended may be another's.
pub(crate) fn signal(child: &mut Child, signal: libc::c_int) {
    if let (Ok(None), Ok(pid)) = (child.try_wait(), libc::pid_t::try_from(child.id())) {
        // SAFETY: the child is ours and not yet reaped, so the id cannot belong to another process.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Asks a child to end, and waits until it has.
pub(crate) fn terminate(child: &mut Child) -> ExitStatus {
    signal(child, libc::SIGTERM);
    wait_until("a child to end on SIGTERM", crate::PATIENCE, || child.try_wait().ok().flatten())
}

/// Ends a child at once.
pub(crate) fn kill(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}
