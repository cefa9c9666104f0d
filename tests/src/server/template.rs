//! A data directory made once, and copied for each server.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::programs::{self, Programs};
use crate::tidegate::target_dir;
use crate::{Scratch, free_port, nursery, wait_for};

/// Fills the `data` of a folder with a copy of the template, and equips it.
pub(super) fn copy_into<P: Programs>(folder: &Path) {
    copy(&find_or_make::<P>(), &folder.join("data"));
    P::equip(folder);
    give_away::<P>(folder);
}

/// Makes a folder the server's own, if it runs as another user.
pub(super) fn give_away<P: Programs>(folder: &Path) {
    if let Some((user, group)) = programs::system_user::<P>() {
        own(folder, user, group);
    }
}

fn copy(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    let status = copy.args(["-R", "--reflink=auto", "--sparse=always"]).arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot copy {}", from.display());
}

fn own(path: &Path, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).expect("root may give away a file");
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            own(&entry.path(), user, group);
        }
    }
}

/// One template for each version of the server and of what is in it; made by whoever comes first.
fn find_or_make<P: Programs>() -> PathBuf {
    let parent = target_dir().join("tests");
    fs::create_dir_all(&parent).expect("the target directory can be written");
    let lock = File::create(parent.join("template.lock")).expect("and a file in it");
    lock.lock().expect("and locked");
    let template = parent.join(format!("{}-{:016x}", P::NAME, fingerprint::<P>()));
    if !template.exists() {
        make::<P>(&template);
    }
    template
}

fn fingerprint<P: Programs>() -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    P::recipe().iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Makes the template in a scratch folder; it gets its name when it is complete.
fn make<P: Programs>(template: &Path) {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("a scratch folder can be written");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("by its owner");
    give_away::<P>(scratch.path());
    P::initialise(&data);
    fill::<P>(scratch.path());
    for file in P::UNIQUE {
        fs::remove_file(data.join(file)).ok();
    }
    let incomplete = template.with_extension("incomplete");
    fs::remove_dir_all(&incomplete).ok();
    copy(&data, &incomplete);
    fs::rename(incomplete, template).expect("in the same folder");
}

fn fill<P: Programs>(folder: &Path) {
    let port = free_port();
    let mut command = P::server(folder, port);
    command.args(P::FILLING);
    let mut server = nursery::spawn(command).expect("it was found a moment ago");
    wait_for("a new server", || P::query(folder, port, "select 1").ok());
    P::query(folder, port, &P::contents())
        .unwrap_or_else(|error| panic!("cannot make the users: {error}"));
    nursery::end(&mut server, P::STOP);
}
