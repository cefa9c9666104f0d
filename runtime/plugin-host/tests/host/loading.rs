//! What is loaded, and what is said about what cannot be.

use tidegate_hook::{Hooked, Hooks, ListenerId, Verdict};
use tidegate_plugin_host::PluginState;

use crate::harness::{TestHost, component, target, wait_for};
use crate::log::lines_of;

#[test]
fn a_broken_plugin_at_the_start_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let core_module = b"\0asm\x01\0\0\0";
    let broken_component = b"\0asm\x0d\0\x01\0\xff\xff\xff";
    for (name, bytes) in [
        ("core.wasm", &core_module[..]),
        ("broken.wasm", broken_component),
        ("empty.wasm", b""),
        ("text.wasm", b"not a component"),
        ("nothing.wasm", b"\0asm\x0d\0\x01\0"),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    std::fs::copy(component("noop"), dir.path().join("noop.wasm")).unwrap();
    let test = TestHost::on(dir.path().to_owned(), dir, None);
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::SQL);
    for (name, words) in [
        ("core", "build it for the target wasm32-wasip2"),
        ("broken", "it does not compile"),
        ("empty", "the file is empty"),
        ("text", "is not WebAssembly"),
        ("nothing", "it exports no hook; this host calls: ticker, connection-hooks"),
    ] {
        let error = test.error(name);
        assert!(error.contains(words) && !error.contains('\n'), "{name}: {error}");
        assert_eq!(test.status(name).state, PluginState::Failed);
    }
    assert_eq!(test.status("noop").state, PluginState::Live);
}

#[test]
fn what_does_not_link_is_told_what_is_here() {
    let dir = tempfile::tempdir().unwrap();
    for (name, fixture, from, to) in [
        ("interface", "kv", "tidegate:plugin/kv@", "tidegate:plugin/kw@"),
        ("package", "kv", "tidegate:plugin/kv@", "acmegate:plugin/kv@"),
        ("version", "kv", "plugin/kv@0.1.", "plugin/kv@0.9."),
        ("function", "kv", "increment", "excrement"),
        ("export", "noop", "plugin/sql-hooks@0.1.", "plugin/sql-hooks@0.9."),
    ] {
        let bytes = replaced(&std::fs::read(component(fixture)).unwrap(), from, to);
        std::fs::write(dir.path().join(format!("{name}.wasm")), bytes).unwrap();
    }
    let test = TestHost::on(dir.path().to_owned(), dir, None);
    for (name, needs, here) in [
        ("interface", "it needs tidegate:plugin/kw@0.1.0; this host has 0.1.0: types, targets", ""),
        ("package", "it needs acmegate:plugin/kv@0.1.0; this host has tidegate:plugin@0.1.0", ""),
        ("version", "it needs tidegate:plugin/kv@0.9.0; this host has version 0.1.0", ""),
        ("function", "it needs tidegate:plugin/kv@0.1.0 `excrement`; this host has: ", "increment"),
        (
            "export",
            "it exports tidegate:plugin/sql-hooks@0.9.0; this host calls tidegate",
            "@0.1.0",
        ),
    ] {
        let error = test.error(name);
        assert!(error.starts_with(needs) && error.contains(here), "{name}: {error}");
    }
}

/// The bytes with each `from` replaced by a `to` of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let found: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|start| bytes[*start..].starts_with(from.as_bytes()))
        .collect();
    assert!(!found.is_empty(), "{from} is not in the component");
    for start in found {
        bytes[start..start + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[test]
fn a_mistake_in_a_sidecar_file_is_named() {
    let test = TestHost::start(&[("wrong", "noop", "on_failur = 'open'")]);
    let error = test.error("wrong");
    let expected = "its .toml file, line 2: unknown key `on_failur`; did you mean `on_failure`?";
    assert_eq!(error, expected);
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    test.reload(|test| test.configure("wrong", "on_failure = 'open'"));
    assert_eq!(test.status("wrong").state, PluginState::Live);
}

#[test]
fn init_may_refuse() {
    let test = TestHost::start(&[("refusing", "refuse-init", "[config]\nreason = 'not today'")]);
    assert_eq!(test.error("refusing"), "its init refused: not today");
    let log = lines_of("refusing");
    assert!(log.iter().any(|line| line.contains("ERROR") && line.contains("not today")), "{log:?}");
}

#[test]
fn a_target_that_is_not_there_is_found_out_at_load() {
    let test = TestHost::start(&[("lost", "route-all", "[config]\ntarget = 'order'")]);
    let error = test.error("lost");
    assert!(error.contains("order") && error.contains("orders/replica"), "{error}");
}

#[test]
fn the_directory_may_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plugins");
    let test = TestHost::on(path.clone(), dir, None);
    assert!(test.host.status().is_empty());
    let aside = test.path("aside");
    std::fs::create_dir(&aside).unwrap();
    std::fs::copy(component("noop"), aside.join("noop.wasm")).unwrap();
    std::fs::rename(aside, &path).unwrap();
    wait_for("the plugin", || !test.host.status().is_empty());
    // A directory that is gone for a moment does not take its plugins with it.
    std::fs::rename(&path, test.path("away")).unwrap();
    let log = || lines_of("cannot be read").iter().filter(|l| l.contains("plugins")).count();
    wait_for("the loss to be noticed", || log() > 1);
    assert_eq!(test.status("noop").state, PluginState::Live);
}

#[test]
fn a_host_that_has_stopped_decides_nothing() {
    let to_orders = "[config]\ntarget = 'orders'";
    let test = TestHost::start(&[("route", "route-all", to_orders)]);
    assert_eq!(test.ask("SELECT 1").target, target("orders"));
    test.host.shutdown();
    test.host.shutdown();
    assert_eq!(test.ask("SELECT 1"), Verdict::default());
    assert_eq!(test.host.wanted(ListenerId(0)), Hooked::empty());
    wait_for("the plugins to be dropped", || test.host.live_generations() == 1);
    assert!(test.registry.gather().is_empty());
}
