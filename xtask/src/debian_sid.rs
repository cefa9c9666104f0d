//! Programs that Debian has in sid only: their packages are unpacked into a folder of the build.
//!
//! Nothing of them is installed on this machine. The programs run with the libraries that they were
//! built with, through sid's own loader.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell;

/// Packages that are unpacked together.
pub(crate) struct Unpacked {
    /// Where, under the target directory.
    folder: &'static str,
    packages: &'static [&'static str],
    /// What is run, under `usr`, and what it must be told of its place.
    programs: &'static [(&'static str, &'static str)],
    /// Those of the programs that others start too, where they would lie if they were installed.
    started: &'static [&'static str],
    /// Folders under `usr/lib` with libraries that only these programs use.
    libraries: &'static [&'static str],
}

/// Where the tests look for it.
pub(crate) const MYSQL9: Unpacked = Unpacked {
    folder: "tests/mysql9",
    packages: &["mysql-server-core", "mysql-client-core"],
    programs: &[
        ("sbin/mysqld", "--basedir=\"$here/usr\""),
        ("bin/mysql", "--plugin-dir=\"$here/usr/lib/mysql/plugin\""),
        ("bin/mysqldump", "--plugin-dir=\"$here/usr/lib/mysql/plugin\""),
    ],
    started: &[],
    libraries: &[],
};

/// Where the tests look for it.
pub(crate) const POSTGRES18: Unpacked = Unpacked {
    folder: "tests/postgres18",
    packages: &["postgresql-18", "postgresql-client-18"],
    programs: &[
        ("lib/postgresql/18/bin/initdb", ""),
        ("lib/postgresql/18/bin/postgres", ""),
        ("lib/postgresql/18/bin/psql", ""),
        ("lib/postgresql/18/bin/pgbench", ""),
    ],
    started: &["lib/postgresql/18/bin/postgres"],
    libraries: &[],
};

pub(crate) const MYSQL_ROUTER: Unpacked = Unpacked {
    folder: "bench/mysql-router",
    packages: &["mysql-router"],
    programs: &[(
        "bin/mysqlrouter",
        "--DEFAULT.plugin_folder=\"$here/usr/lib/mysqlrouter/plugin\"",
    )],
    started: &[],
    libraries: &["mysql-router"],
};

pub(crate) const PGBOUNCER: Unpacked = Unpacked {
    folder: "bench/pgbouncer",
    packages: &["pgbouncer"],
    programs: &[("sbin/pgbouncer", "")],
    started: &[],
    libraries: &[],
};

pub(crate) const ODYSSEY: Unpacked = Unpacked {
    folder: "bench/odyssey",
    packages: &["odyssey"],
    programs: &[("bin/odyssey", "")],
    started: &[],
    libraries: &[],
};

impl Unpacked {
    /// Unpacks it, unless that was done before.
    ///
    /// # Errors
    /// On a machine that is not Debian, or cannot reach the packages.
    pub(crate) fn install(&self) -> Result<()> {
        let folder = self.folder();
        if folder.is_dir() {
            return Ok(());
        }
        if shell::find("apt-get").is_none() {
            bail!("it is taken from Debian's packages, and this machine has no apt-get");
        }
        eprintln!("  unpacking {}", self.packages.join(" "));
        // It gets its name when it is complete.
        let unfinished = folder.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let packages = unfinished.join("packages");
        download(self.packages, &packages)?;
        unpack(&packages, &unfinished)?;
        fs::remove_dir_all(&packages)?;
        self.write_programs(&unfinished)?;
        fs::rename(unfinished, folder)?;
        Ok(())
    }

    /// One of its programs, once it is installed.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder().join("bin").join(name)
    }

    fn folder(&self) -> PathBuf {
        shell::target_dir().join(self.folder)
    }

    /// A script for each program, because each needs a loader and libraries that are not this machine's.
    fn write_programs(&self, folder: &Path) -> Result<()> {
        let loader = loader(folder)?;
        let shared = loader.parent().context("it is in a folder")?.to_owned();
        let own = self.libraries.iter().map(|name| Path::new("usr/lib").join(name));
        let libraries: Vec<String> = [shared]
            .into_iter()
            .chain(own)
            .map(|folder| format!("$here/{}", folder.display()))
            .collect();
        let bin = folder.join("bin");
        fs::create_dir_all(&bin)?;
        for (program, place) in self.programs {
            ensure!(folder.join("usr").join(program).is_file(), "the packages have no {program}");
            let script = |root: &str, program: &str| {
                format!(
                    "#!/bin/sh\nhere=$(CDPATH= cd -- \"$(dirname -- \"$0\")/{root}\" && pwd)\n\
                     exec \"$here/{}\" --library-path \"{}\" \"$here/usr/{program}\" \"$@\" {place}\n",
                    loader.display(),
                    libraries.join(":"),
                )
            };
            let file = bin.join(Path::new(program).file_name().context("a program has a name")?);
            if self.started.contains(program) {
                let moved = format!("{program}.program");
                fs::rename(folder.join("usr").join(program), folder.join("usr").join(&moved))?;
                let root = vec![".."; program.split('/').count()].join("/");
                write_script(&folder.join("usr").join(program), &script(&root, &moved))?;
                write_script(&file, &script("..", &moved))?;
            } else {
                write_script(&file, &script("..", program))?;
            }
        }
        Ok(())
    }
}

fn write_script(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

/// Has apt find and fetch the packages and all that they need, as if nothing were installed.
fn download(packages: &[&str], folder: &Path) -> Result<()> {
    for list in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(folder.join(list))?;
    }
    fs::write(folder.join("status"), "")?;
    fs::write(folder.join("sources.list"), source()?)?;
    let at = |name: &str| folder.join(name).display().to_string();
    let settings = [
        ("Dir::State::Lists", at("lists")),
        ("Dir::State::Status", at("status")),
        ("Dir::State::Extended_States", at("extended_states")),
        ("Dir::Cache", at("")),
        ("Dir::Cache::Archives", at("archives")),
        ("Dir::Etc::SourceList", at("sources.list")),
        ("Dir::Etc::SourceParts", at("none")),
        ("Dir::Etc::Preferences", at("none")),
        ("Dir::Etc::PreferencesParts", at("none")),
        // Who fetches must be able to enter the folder, which may be in somebody's home.
        ("APT::Sandbox::User", "root".to_owned()),
    ];
    let text: String =
        settings.iter().map(|(name, value)| format!("{name} \"{value}\";\n")).collect();
    let config = folder.join("apt.conf");
    fs::write(&config, text)?;
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", &config).arg("--quiet");
        command
    };
    shell::run_quietly(apt_get().arg("update")).context("Debian sid cannot be reached")?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends", "--download-only"]).args(packages);
    shell::run_quietly(&mut install)
}

/// Sid at the mirror that this machine has its own packages from.
fn source() -> Result<String> {
    const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]);
    let targets = shell::output(&mut command)?;
    // Updates of a release (`bookworm-security`) may be where nothing else is.
    let releases = targets.lines().filter_map(|line| line.split_once(' '));
    let (_, mirror) = releases
        .into_iter()
        .find(|(release, _)| !release.contains('-'))
        .context("apt has no source of packages")?;
    // Where there is no such file, apt trusts the keys that it was given.
    let keys =
        if Path::new(KEYS).is_file() { format!("[signed-by={KEYS}] ") } else { String::new() };
    Ok(format!("deb {keys}{mirror} sid main\n"))
}

fn unpack(packages: &Path, folder: &Path) -> Result<()> {
    for package in files(&packages.join("archives"))? {
        if package.extension().is_some_and(|extension| extension == "deb") {
            shell::run_quietly(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))?;
        }
    }
    Ok(())
}

/// The loader that the packages bring, relative to their folder.
fn loader(folder: &Path) -> Result<PathBuf> {
    let is_loader = |path: &PathBuf| path.to_string_lossy().contains("/ld-linux-");
    let loader = files(&folder.join("usr/lib"))?
        .iter()
        .filter_map(|folder| files(folder).ok())
        .find_map(|files| files.into_iter().find(is_loader))
        .context("the packages have no loader")?;
    Ok(loader.strip_prefix(folder)?.to_owned())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}
