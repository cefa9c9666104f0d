//! Scratch folders that servers under another user can enter, swept by a later run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// A folder of its own, removed on drop.
///
/// One that belongs to a `static` is never dropped; whoever next makes a scratch folder removes
/// what dead processes left.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty folder that every user can enter.
    ///
    /// # Panics
    /// When the machine's temporary folder cannot be written.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder on disk")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let name = format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = parent().join(name);
        make(&folder).expect("the temporary folder can be written");
        Self(folder)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is swept by a later run.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Short, because the path of a Unix socket may only have 107 bytes.
fn parent() -> PathBuf {
    // SAFETY: geteuid has no preconditions and cannot fail.
    let user = unsafe { libc::geteuid() };
    env::temp_dir().join(format!("tidegate-tests-{user}"))
}

fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for folder in [&parent(), folder] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Removes the folders of processes that are no more.
fn sweep() {
    let Ok(entries) = fs::read_dir(parent()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
