//! The real `tidegate` binary, started on a configuration in a scratch folder.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, thread};

use crate::{Admin, PATIENCE, Scratch, Setup, nursery, plugins, wait::becomes_true, wait_for};

/// A running proxy. Ends on drop; its log is shown if the test fails.
#[derive(Debug)]
pub struct Tidegate {
    folder: Scratch,
    setup: Setup,
    process: Child,
    log: Arc<Log>,
    admin: Admin,
}

impl Tidegate {
    /// Starts the proxy and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends or does not get ready; the message has its log.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        Self::start_with_plugins(setup, &[])
    }

    /// As [`Self::start`], with plugins in place from the start: (file name without `.wasm`, crate).
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with_plugins(setup: Setup, installed: &[(&str, &str)]) -> Self {
        let mut tidegate = Self::launch(setup, installed);
        tidegate.wait_for_status("/readyz", 200);
        let refused = tidegate.log().into_iter().find(|line| line.contains("cannot be used"));
        assert_eq!(refused, None, "a plugin was not loaded");
        tidegate
    }

    /// Starts the proxy and waits only until it lives: its servers may be out of reach.
    ///
    /// # Panics
    /// When it ends.
    #[must_use]
    pub fn start_unready(setup: Setup) -> Self {
        let mut tidegate = Self::launch(setup, &[]);
        tidegate.wait_for_status("/livez", 200);
        tidegate
    }

    fn launch(setup: Setup, installed: &[(&str, &str)]) -> Self {
        let folder = Scratch::new();
        setup.write(folder.path());
        for (name, source) in installed {
            let file = folder.path().join("plugins").join(format!("{name}.wasm"));
            fs::copy(plugins::component(source), file).expect("a plugin can be copied");
        }
        let process = spawn(folder.path());
        let admin = Admin::new(setup.admin_port());
        let mut tidegate = Self { folder, setup, process, log: Arc::default(), admin };
        tidegate.collect_log();
        tidegate
    }

    fn collect_log(&mut self) {
        let stderr = self.process.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let stdout = self.process.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        for pipe in [stderr, stdout].into_iter().flatten() {
            let log = Arc::clone(&self.log);
            thread::spawn(move || {
                BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| log.push(line))
            });
        }
    }

    fn wait_for_status(&mut self, path: &str, status: u16) {
        wait_for(&format!("{status} from tidegate's {path}"), || {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("tidegate ended with {status}");
            }
            (self.admin.status(path) == Some(status)).then_some(())
        });
    }

    /// The port of the listener.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.setup.port()
    }

    /// The admin interface.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The process id, for looking at its memory.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory, in KiB.
    ///
    /// # Panics
    /// When the process is gone.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("a number of KiB")
    }

    /// The folder of `tidegate.toml`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that was logged so far, a line each.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line of the log that contains all of these, and returns it.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait_for_log(&self, parts: &[&str]) -> String {
        self.log
            .wait(|line| parts.iter().all(|part| line.contains(part)), PATIENCE)
            .unwrap_or_else(|| panic!("no line of the log has {parts:?}"))
    }

    /// Waits for a line of a query log that contains all of these, and returns it.
    ///
    /// # Panics
    /// When none comes in time.
    #[must_use]
    pub fn wait_for_query(&self, log: &str, parts: &[&str]) -> serde_json::Value {
        let log = self.folder.path().join(log);
        wait_for(&format!("{parts:?} in {}", log.display()), || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text.lines().find(|line| parts.iter().all(|part| line.contains(part)))?;
            serde_json::from_str(line).ok()
        })
    }

    /// Puts a built plugin into the plugin folder, as a user would: a rename into place.
    ///
    /// # Panics
    /// When the plugin has not been built.
    pub fn drop_plugin(&self, name: &str, source: &str) {
        let bytes = fs::read(plugins::component(source)).expect("a built plugin can be read");
        self.write_plugin_file(&format!("{name}.wasm"), &bytes);
    }

    /// Writes the sidecar of a plugin.
    pub fn write_sidecar(&self, name: &str, text: &str) {
        self.write_plugin_file(&format!("{name}.toml"), text.as_bytes());
    }

    /// Writes any file of the plugin folder in one step.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write_plugin_file(&self, name: &str, bytes: &[u8]) {
        let unfinished = self.folder.path().join("unfinished");
        fs::write(&unfinished, bytes).expect("a scratch folder can be written");
        fs::rename(unfinished, self.plugin_file(name)).expect("and renamed into place");
    }

    /// Removes a file of the plugin folder.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove_plugin_file(&self, name: &str) {
        fs::remove_file(self.plugin_file(name)).expect("the file is there");
    }

    fn plugin_file(&self, name: &str) -> PathBuf {
        self.folder.path().join("plugins").join(name)
    }

    /// Asks it to shut down, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        nursery::end(&mut self.process, libc::SIGTERM)
    }

    /// Sends SIGHUP.
    pub fn hang_up(&mut self) {
        nursery::signal(&mut self.process, libc::SIGHUP);
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Whether the process ends before the limit is over.
    #[must_use]
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        becomes_true(limit, || !self.is_running())
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        nursery::signal(&mut self.process, libc::SIGTERM);
        if !self.ends_within(Duration::from_millis(500)) {
            nursery::kill(&mut self.process);
        }
        if thread::panicking() {
            eprintln!("--- tidegate.toml\n{}", self.setup.text());
            eprintln!("--- the last lines of tidegate's log");
            let log = self.log();
            log.iter().skip(log.len().saturating_sub(200)).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// What the process has written, line by line.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.grown.notify_all();
    }

    fn wait(&self, wanted: impl Fn(&str) -> bool, limit: Duration) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |lines: &[String]| lines.iter().find(|line| wanted(line)).cloned();
        let (lines, _) = self
            .grown
            .wait_timeout_while(lines, limit, |lines| find(lines).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        find(&lines)
    }
}

fn spawn(folder: &Path) -> Child {
    let mut command = command();
    command.args(["run", "--config", "tidegate.toml"]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    nursery::spawn(command).expect("tidegate can be started")
}

/// The binary that was built with these tests.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn command() -> Command {
    let program = profile_dir().join("tidegate");
    assert!(program.is_file(), "{} is missing: run `cargo xtask test`", program.display());
    Command::new(program)
}

/// Where cargo has put the binaries of this build: the test itself lies in `deps` under it.
fn profile_dir() -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    test.ancestors().nth(2).expect("target/debug/deps/name").to_owned()
}

/// Cargo's target directory.
#[must_use]
pub fn target_dir() -> PathBuf {
    profile_dir().parent().map_or_else(PathBuf::new, Path::to_owned)
}
