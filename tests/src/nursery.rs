//! Child processes that die with us, even if we are killed.

use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::{fs, io, thread};

use crate::{PATIENCE, wait_until};

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
    if let Some(pid) = running(child) {
        send(pid, signal);
    }
}

/// Sends a signal to a child and to the processes that it has started.
pub(crate) fn signal_family(child: &mut Child, signal: libc::c_int) {
    if let Some(pid) = running(child) {
        send(pid, signal);
        children_of(pid).into_iter().for_each(|child| send(child, signal));
    }
}

/// Asks a child to end, by a signal that it takes for that, and waits until it has.
pub(crate) fn end(child: &mut Child, by: libc::c_int) -> ExitStatus {
    signal(child, by);
    wait_until("a child to end when asked to", PATIENCE, || child.try_wait().ok().flatten())
}

/// Ends a child at once, and the processes that it has started.
pub(crate) fn kill(child: &mut Child) {
    // Who stands still starts no more.
    signal_family(child, libc::SIGSTOP);
    let family = running(child).map(children_of).unwrap_or_default();
    family.iter().for_each(|child| send(*child, libc::SIGKILL));
    child.kill().ok();
    child.wait().ok();
    let ended = |pid: &libc::pid_t| status_of(*pid).is_none_or(|(state, _)| state == "Z");
    wait_until("killed processes to be gone", PATIENCE, || family.iter().all(ended).then_some(()));
}

fn running(child: &mut Child) -> Option<libc::pid_t> {
    let runs = matches!(child.try_wait(), Ok(None));
    runs.then(|| libc::pid_t::try_from(child.id()).ok()).flatten()
}

fn send(pid: libc::pid_t, signal: libc::c_int) {
    // SAFETY: it is our child, or a child of that, and not yet reaped, so that the id cannot belong
    // to another process.
    unsafe { libc::kill(pid, signal) };
}

fn children_of(parent: libc::pid_t) -> Vec<libc::pid_t> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| status_of(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

/// The state of a process and the id of its parent.
fn status_of(pid: libc::pid_t) -> Option<(String, libc::pid_t)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses, and may have anything in it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
