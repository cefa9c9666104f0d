//! Turns what does not link into a sentence that says what the plugin needs and what is here.

use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentInstance, ComponentItem};

use crate::failure::one_line;

/// The contract itself says what this host has.
const CONTRACT: &str = include_str!("../../../wit/plugin.wit");
const PACKAGE: &str = "tidegate:plugin";

/// The exports that the host calls.
const HOOKS: [&str; 6] =
    ["lifecycle", "ticker", "connection-hooks", "connection-observer", "sql-hooks", "sql-observer"];

/// What an import lacks here. `error` is the linker's own, for what is not found out otherwise.
pub(crate) fn explain_imports(
    component: &Component,
    engine: &Engine,
    error: &wasmtime::Error,
) -> String {
    let ty = component.component_type();
    let missing = ty.imports(engine).find_map(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(instance) => explain_import(name, &instance, engine),
        _ => Some(format!("it needs {name}, which is no interface that plugins can import")),
    });
    missing.unwrap_or_else(|| one_line(format!("it does not link: {error:#}")))
}

fn explain_import(name: &str, import: &ComponentInstance, engine: &Engine) -> Option<String> {
    if name.starts_with("wasi:") {
        return None;
    }
    let Some((interface, version)) = of_contract(name) else {
        let version = host_version();
        return Some(format!("it needs {name}; this host has {PACKAGE}@{version} and WASI 0.2"));
    };
    let Some(here) = functions(interface) else {
        let known = interfaces().join(", ");
        return Some(format!("it needs {name}; this host has {}: {known}", host_version()));
    };
    if !compatible(version, host_version()) {
        return Some(format!("it needs {name}; this host has version {}", host_version()));
    }
    let wanted = import.exports(engine);
    let functions = wanted.filter(|(_, e)| matches!(e.ty, ComponentItem::ComponentFunc(_)));
    let missing = functions.map(|(function, _)| function).find(|f| !here.contains(f))?;
    Some(format!("it needs {name} `{missing}`; this host has: {}", here.join(", ")))
}

/// Checks the exports of a component against those that were found callable.
///
/// Returns the ones of our package that this host does not know, which do no harm.
pub(crate) fn check_exports<'a>(names: &[&'a str], found: &[&str]) -> Result<Vec<&'a str>, String> {
    let mut unknown = Vec::new();
    for name in names {
        let Some((interface, _)) = of_contract(name) else {
            continue;
        };
        if HOOKS.contains(&interface) && !found.contains(&interface) {
            let version = host_version();
            return Err(format!(
                "it exports {name}; this host calls {PACKAGE}/{interface}@{version}"
            ));
        }
        if !HOOKS.contains(&interface) {
            unknown.push(*name);
        }
    }
    if found.iter().all(|interface| *interface == "lifecycle") {
        let hooks = HOOKS.get(1..).unwrap_or_default().join(", ");
        return Err(format!("it exports no hook; this host calls: {hooks}"));
    }
    Ok(unknown)
}

fn of_contract(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// Versions of one track serve each other: 0.1.x, and from 1.0 on all of a major.
fn compatible(wanted: &str, here: &str) -> bool {
    let track = |version: &str| {
        let mut parts = version.split('.').map(str::to_owned);
        match (parts.next(), parts.next()) {
            (Some(major), Some(minor)) if major == "0" => (major, minor),
            (major, _) => (major.unwrap_or_default(), String::new()),
        }
    };
    track(wanted) == track(here)
}

fn host_version() -> &'static str {
    let after = CONTRACT.split_once("package tidegate:plugin@").map(|(_, rest)| rest);
    after.and_then(|rest| rest.split(';').next()).unwrap_or_default()
}

fn interfaces() -> Vec<&'static str> {
    let declared = code_lines().filter_map(|line| line.trim().strip_prefix("interface "));
    declared.filter_map(|rest| rest.split([' ', '{']).next()).collect()
}

/// The functions of an interface of the contract; `None` if there is no such interface.
fn functions(interface: &str) -> Option<Vec<&'static str>> {
    let start = format!("interface {interface} ");
    let mut body = code_lines().skip_while(move |line| !line.trim().starts_with(&start));
    let first = body.next()?;
    let rest = body.take_while(|line| !line.trim().starts_with("interface "));
    let lines = std::iter::once(first).chain(rest);
    let declared = lines.filter_map(|line| line.split_once(": func("));
    Some(declared.filter_map(|(before, _)| before.split([' ', '{']).next_back()).collect())
}

fn code_lines() -> impl Iterator<Item = &'static str> {
    CONTRACT.lines().filter(|line| !line.trim().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_says_what_is_here() {
        assert_eq!(host_version().split('.').count(), 3);
        assert!(interfaces().contains(&"session") && interfaces().contains(&"sql-hooks"));
        assert!(functions("session").unwrap().contains(&"set-mark"));
        assert!(!functions("session").unwrap().contains(&"rewrite"));
        assert_eq!(functions("clock").unwrap(), ["now-unix-ns", "monotonic-ns"]);
        assert_eq!(functions("nothing"), None);
        for hook in HOOKS {
            assert!(functions(hook).is_some_and(|functions| functions.len() == 1), "{hook}");
        }
    }

    #[test]
    fn versions_of_one_track_serve_each_other() {
        assert!(compatible("0.1.7", "0.1.0") && compatible("1.2.0", "1.9.3"));
        assert!(!compatible("0.2.0", "0.1.0") && !compatible("2.0.0", "1.0.0"));
    }

    #[test]
    fn exports_are_checked() {
        let name = "tidegate:plugin/sql-hooks@0.1.0";
        assert_eq!(check_exports(&[name], &["sql-hooks"]), Ok(vec![]));
        let other = "tidegate:plugin/http-hooks@0.1.0";
        assert_eq!(check_exports(&[name, other], &["sql-hooks"]), Ok(vec![other]));
        let error = check_exports(&["tidegate:plugin/sql-hooks@0.9.0"], &[]).unwrap_err();
        assert!(error.contains("@0.9.0; this host calls"), "{error}");
        let error = check_exports(&["wasi:cli/run@0.2.6"], &["lifecycle"]).unwrap_err();
        assert!(error.contains("no hook") && error.contains("sql-hooks"), "{error}");
    }
}
