//! The walls between crates, read from their manifests.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::Finding;
use super::files::Tree;

/// What a crate may depend on.
struct Wall {
    folder: &'static str,
    /// Crates of ours, by their folders.
    ours: &'static [&'static str],
    others: Others,
}

enum Others {
    /// Nothing else: these crates do no I/O, know no clock and no randomness.
    Only(&'static [&'static str]),
    /// Anything but these.
    Without(&'static [&'static str]),
}

use Others::{Only, Without};

const WALLS: &[Wall] = &[
    wall("runtime/wire", &[], Only(&["bytes", "thiserror"])),
    wall("runtime/sql", &[], Only(&[])),
    wall(
        "runtime/mysql-wire",
        &["runtime/wire"],
        Only(&[
            "base64ct",
            "bitflags",
            "bytes",
            "ed25519-dalek",
            "flate2",
            "pbkdf2",
            "sha1",
            "sha2",
            "subtle",
            "thiserror",
            "zeroize",
            "zstd",
        ]),
    ),
    wall(
        "runtime/postgres-wire",
        &["runtime/wire"],
        Only(&[
            "base64ct",
            "bytes",
            "hmac",
            "md-5",
            "pbkdf2",
            "sha2",
            "stringprep",
            "subtle",
            "thiserror",
            "zeroize",
        ]),
    ),
    wall("runtime/hook", &["runtime/sql"], Only(&["bitflags", "bytes"])),
    wall("runtime/config", &[], Only(&["serde", "strsim", "thiserror", "toml", "zeroize"])),
    wall(
        "runtime/telemetry",
        &[],
        Only(&["prometheus", "serde", "serde_json", "thiserror", "tracing", "tracing-subscriber"]),
    ),
    wall(
        "runtime/proxy",
        &[
            "runtime/wire",
            "runtime/mysql-wire",
            "runtime/postgres-wire",
            "runtime/sql",
            "runtime/hook",
            "runtime/config",
            "runtime/telemetry",
        ],
        Without(&["wasmtime", "wasmtime-wasi", "wit-bindgen", "prometheus"]),
    ),
    wall(
        "runtime/plugin-host",
        &["runtime/hook", "runtime/config", "runtime/telemetry", "runtime/sql"],
        Without(&["rustls", "tokio-rustls", "hyper"]),
    ),
    wall("runtime/server", &["runtime/"], Without(&["wasmtime", "wasmtime-wasi", "prometheus"])),
    wall("sdk", &["runtime/sql"], Without(&["tokio", "wasmtime"])),
    wall("plugins/", &["sdk"], Without(&["tokio", "wasmtime"])),
    wall("tests/plugins/", &["sdk"], Without(&["tokio", "wasmtime"])),
    wall("tests/fuzz", &["runtime/"], Without(&["wasmtime"])),
    wall("tests", &["runtime/"], Without(&["wasmtime"])),
    wall("xtask", &["tests/upstreams", "tests"], Without(&["wasmtime"])),
];

const fn wall(folder: &'static str, ours: &'static [&'static str], others: Others) -> Wall {
    Wall { folder, ours, others }
}

/// Tests of these may lean on crates that the product may not; never on a heavy one.
const HEAVY: [&str; 4] = ["wasmtime", "wasmtime-wasi", "mysql_async", "sqlx"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let root: Table = parse("Cargo.toml", tree.get("Cargo.toml").unwrap_or_default())?;
    let mut findings = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| path.ends_with("/Cargo.toml")) {
        let manifest = parse(path, text)?;
        if manifest.contains_key("package") {
            findings.extend(check_manifest(path, &manifest, &root));
        }
    }
    Ok(findings)
}

fn parse(path: &str, text: &str) -> Result<Table> {
    text.parse().with_context(|| path.to_owned())
}

fn check_manifest(path: &str, manifest: &Table, root: &Table) -> Vec<Finding> {
    let folder = path.trim_end_matches("/Cargo.toml");
    let mut findings = licence(path, manifest);
    let Some(wall) = WALLS.iter().find(|wall| folder.starts_with(wall.folder)) else {
        findings.push(Finding::new(path, 0, "a crate that no wall is written for"));
        return findings;
    };
    for (kind, name, dependency) in dependencies(manifest) {
        if let Some(message) =
            judge(wall, folder, kind, &name, local_path(&name, &dependency, folder, root))
        {
            findings.push(Finding::new(path, 0, message));
        }
    }
    findings
}

fn judge(
    wall: &Wall,
    folder: &str,
    kind: &str,
    name: &str,
    local: Option<String>,
) -> Option<String> {
    if let Some(target) = local {
        let inside = target.starts_with("tests/plugins") || wall.ours.contains(&target.as_str());
        let allowed =
            inside || wall.ours.iter().any(|ours| ours.ends_with('/') && target.starts_with(ours));
        return (!allowed).then(|| format!("the arrow {folder} → {target} is forbidden"));
    }
    let forbidden = match (&wall.others, kind) {
        (Only(_), "dev-dependencies") => HEAVY.contains(&name),
        (Only(allowed), _) => !allowed.contains(&name),
        (Without(forbidden), _) => forbidden.contains(&name),
    };
    forbidden.then(|| format!("{folder} must not depend on {name}"))
}

/// Every dependency of a manifest: in which table, its name, and what is said about it.
fn dependencies(manifest: &Table) -> Vec<(&'static str, String, Value)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in [manifest].into_iter().chain(tables) {
        for kind in KINDS {
            let listed = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            found.extend(listed.map(|(name, value)| (kind, name.clone(), value.clone())));
        }
    }
    found
}

/// The folder of a dependency that is a crate of ours.
fn local_path(name: &str, dependency: &Value, folder: &str, root: &Table) -> Option<String> {
    if dependency.get("workspace").and_then(Value::as_bool) == Some(true) {
        let shared = root.get("workspace")?.get("dependencies")?.get(name)?;
        return shared.get("path")?.as_str().map(str::to_owned);
    }
    let path = dependency.get("path")?.as_str()?;
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else if part != "." {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// Licence and lints are said once, at the root of each workspace.
fn licence(path: &str, manifest: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let licence = manifest.get("package").and_then(|package| package.get("license"));
    let inherited = licence.and_then(|licence| licence.get("workspace")).is_some();
    if !inherited && licence.and_then(Value::as_str) != Some("Apache-2.0 OR MIT") {
        findings.push(Finding::new(path, 0, "the licence is `Apache-2.0 OR MIT`"));
    }
    // What a newcomer copies out of the repository stands alone; fuzzers are a workspace of one.
    let alone = matches!(path, "plugins/example/Cargo.toml" | "tests/fuzz/Cargo.toml");
    if manifest.get("lints").is_none() && !alone {
        findings.push(Finding::new(path, 0, "the lints of the workspace are missing"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, manifest: &str) -> Vec<String> {
        let head = "[package]\nlicense = \"Apache-2.0 OR MIT\"\n[lints]\nworkspace = true\n";
        let root = "[workspace.dependencies]\ntidegate-hook = { path = \"runtime/hook\" }\n\
                    tidegate-wire = { path = \"runtime/wire\" }\ntokio = \"1\"\n";
        let tree = Tree::of(&[("Cargo.toml", root), (path, &format!("{head}{manifest}"))]);
        check(&tree).unwrap().into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_forbidden_arrow_is_found() {
        let found =
            messages("runtime/wire/Cargo.toml", "[dependencies]\ntidegate-hook.workspace = true");
        assert_eq!(found, ["the arrow runtime/wire → runtime/hook is forbidden"]);
        let found = messages(
            "plugins/a/Cargo.toml",
            "[dependencies]\nhost = { path = \"../../runtime/plugin-host\" }",
        );
        assert_eq!(found, ["the arrow plugins/a → runtime/plugin-host is forbidden"]);
        let allowed = "[dependencies]\ntidegate-wire.workspace = true";
        assert!(messages("runtime/mysql-wire/Cargo.toml", allowed).is_empty());
    }

    #[test]
    fn a_heavy_crate_stays_behind_its_wall() {
        let found =
            messages("runtime/mysql-wire/Cargo.toml", "[dependencies]\ntokio.workspace = true");
        assert_eq!(found, ["runtime/mysql-wire must not depend on tokio"]);
        let found = messages(
            "runtime/proxy/Cargo.toml",
            "[target.'cfg(unix)'.dependencies]\nwasmtime = \"1\"",
        );
        assert_eq!(found, ["runtime/proxy must not depend on wasmtime"]);
    }

    #[test]
    fn a_crate_without_a_wall_is_found() {
        assert_eq!(messages("elsewhere/Cargo.toml", ""), ["a crate that no wall is written for"]);
    }
}
