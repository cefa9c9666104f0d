//! A data directory made once, and copied for each server.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::mariadb::{program, query_socket};
use crate::tidegate::target_dir;
use crate::{Scratch, nursery, wait_for};

/// The contents of every server; to change it makes a new template.
const USERS: &str = "
create user app@'%' identified by 'apppw';
grant all on *.* to app@'%' with grant option;
revoke super, read_only admin on *.* from app@'%';
create user ro@'%' identified by 'ropw';
grant select on *.* to ro@'%';
create user tlsonly@'%' identified by 'apppw' require ssl;
grant select on *.* to tlsonly@'%';
create user mon@'%' identified by 'monpw';
grant replication client, slave monitor on *.* to mon@'%';
grant select on mysql.user to mon@'%';
grant select on mysql.global_priv to mon@'%';
create user nopw@'%';
grant select on *.* to nopw@'%';
create user repl@'%' identified by 'replpw';
grant replication slave on *.* to repl@'%';
create database app;
";

/// Fills a folder that does not exist yet with a copy of the template.
pub(super) fn copy_to(data: &Path) {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    let template = TEMPLATE.get_or_init(find_or_make);
    copy(template, data);
    if let (Some((user, group)), Some(folder)) = (program::server_user(), data.parent()) {
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
fn find_or_make() -> PathBuf {
    let parent = target_dir().join("tests");
    fs::create_dir_all(&parent).expect("the target directory can be written");
    let lock = File::create(parent.join("template.lock")).expect("and a file in it");
    lock.lock().expect("and locked");
    let template = parent.join(format!("mariadb-{:016x}", fingerprint()));
    if !template.exists() {
        make(&template);
    }
    template
}

fn fingerprint() -> u64 {
    let version = program::server().arg("--version").output();
    let version = version.map(|output| output.stdout).unwrap_or_default();
    let settings = program::SETTINGS.concat();
    let parts = [version.as_slice(), USERS.as_bytes(), settings.as_bytes()];
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    parts.concat().iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Makes the template in a scratch folder; it gets its name when it is complete.
fn make(template: &Path) {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    fs::create_dir(&data).expect("a scratch folder can be written");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("by its owner");
    if let Some((user, group)) = program::server_user() {
        own(scratch.path(), user, group);
    }
    initialise(&data);
    fill(scratch.path());
    fs::remove_file(scratch.path().join("data/pid")).ok();
    let incomplete = template.with_extension("incomplete");
    fs::remove_dir_all(&incomplete).ok();
    copy(&data, &incomplete);
    fs::rename(incomplete, template).expect("in the same folder");
}

fn initialise(data: &Path) {
    let mut install = program::unprivileged("mariadb-install-db");
    install.arg(format!("--datadir={}", data.display())).args(program::SETTINGS);
    install.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
    let output = install.output().expect("it was found a moment ago");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// No binary log is written here, so that primary and replica start from the same nothing.
fn fill(folder: &Path) {
    let mut command = program::server();
    command.args(program::arguments(folder)).arg("--skip-networking");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = nursery::spawn(command).expect("it was found a moment ago");
    let socket = folder.join("socket");
    wait_for("a new server", || query_socket(&socket, "select 1").ok());
    query_socket(&socket, USERS).unwrap_or_else(|error| panic!("cannot make the users: {error}"));
    nursery::terminate(&mut server);
}
