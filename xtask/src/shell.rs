//! Where things are, and how other programs are run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.to_owned(), Path::to_owned)
}

/// Cargo's target directory of the main workspace.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us, started in `folder` of the repository.
pub(crate) fn cargo(folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root().join(folder));
    command
}

/// Runs a command whose output the user sees.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", show(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", show(command));
    }
    Ok(())
}

/// Runs a command whose output is shown only if it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs a command and returns what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", show(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({})\n{stdout}{stderr}", show(command), output.status);
    }
    Ok(stdout.into_owned())
}

/// Runs a command in the place of this process. Returns only if it cannot be started.
pub(crate) fn become_it(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    let why = command.exec();
    Err(why).with_context(|| format!("cannot start {}", show(command)))
}

/// The folders where programs are looked for: servers are often outside a user's `PATH`.
fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = newest_postgresql().into_iter().collect();
    folders.extend(env::split_paths(&path));
    folders.extend(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from));
    // Debian has the programs of each version of PostgreSQL in a folder of its own.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.into_iter()
}

/// Debian has the programs of each version of PostgreSQL in a folder of its own; those in the `PATH`
/// only find them, and that takes longer than what some of them do.
fn newest_postgresql() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |version: &PathBuf| version.file_name()?.to_str()?.parse::<u32>().ok();
    let with_server = |version: &PathBuf| version.join("bin/postgres").is_file();
    let versions = versions.map(|version| version.path()).filter(with_server);
    Some(versions.max_by_key(number)?.join("bin"))
}

/// Finds an installed program.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    search_path().map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn show(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
