//! Servers that a benchmark starts, and that never outlive it.

use std::cmp;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use libc::c_int;

const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server. It is ended when this is dropped, or when we die ourselves.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// The signal by which it ends, whoever is connected.
    end: c_int,
}

impl Process {
    /// Starts a server whose output goes to `name.log` in `folder`, and waits until it listens on `port`.
    pub(super) fn start(name: &str, command: Command, folder: &Path, port: u16) -> Result<Self> {
        Self::start_ended_by(libc::SIGKILL, name, command, folder, port)
    }

    /// The same for a server that has something to clean up.
    pub(super) fn start_ended_by(
        end: c_int,
        name: &str,
        mut command: Command,
        folder: &Path,
        port: u16,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        die_with_us(&mut command, end);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut process = Self { name: name.to_owned(), child, log, end };
        process.wait_until_it_listens(port)?;
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait_until_it_listens(&mut self, port: u16) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(loopback(port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}):\n{}", self.name, self.log());
            }
            if Instant::now() > deadline {
                bail!("{} does not listen on port {port}", self.name);
            }
            sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        signal(&mut self.child, self.end);
        let deadline = Instant::now() + PATIENCE_AT_THE_END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(PAUSE);
        }
        // It may have ended by itself; either way there is nothing left to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends a signal to a child, if it still runs.
pub(super) fn signal(child: &mut Child, signal: c_int) {
    if let (Ok(None), Ok(id)) = (child.try_wait(), child.id().try_into()) {
        // SAFETY: the child is not yet reaped, so the id cannot belong to another process.
        unsafe { libc::kill(id, signal) };
    }
}

/// A port that nobody listens on, and that was not handed out before.
pub(super) fn free_port() -> Result<u16> {
    // Below the range that the kernel gives to outgoing connections, so that none takes it meanwhile.
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if port > 32_000 {
            bail!("there is no free port");
        }
        if TcpListener::bind(loopback(port)).is_ok() {
            return Ok(port);
        }
    }
}

/// Has a program that refuses to be root run as another user where we are root; and the user's number.
pub(super) fn unprivileged(command: &mut Command, user: &str) -> Result<Option<u32>> {
    // SAFETY: geteuid has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(":x:"));
    let mut numbers = line.unwrap_or_default().split(':').map(str::parse);
    let (Some(Ok(id)), Some(Ok(group))) = (numbers.next(), numbers.next()) else {
        bail!("there is no user {user}");
    };
    command.uid(id).gid(group);
    Ok(Some(id))
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Raises the limit of open files to what a thousand clients need, for us and for what we start.
pub(super) fn allow_many_files() -> Result<()> {
    // Not to the top: where that is a thousand million, some servers allocate a table as long.
    const WANTED: libc::rlim_t = 20_000;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes the structure, which outlives the call.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    ensure!(read, "the limit of open files: {}", io::Error::last_os_error());
    if limit.rlim_cur >= WANTED {
        return Ok(());
    }
    limit.rlim_cur = cmp::min(WANTED, limit.rlim_max);
    // SAFETY: setrlimit only reads the structure, which outlives the call.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    ensure!(raised, "the limit of open files: {}", io::Error::last_os_error());
    Ok(())
}

/// Asks the kernel to end the child with us, so that an interrupted run leaves nothing behind.
#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command, signal: c_int) {
    // SAFETY: prctl with numbers is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, signal);
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command, _signal: c_int) {}
