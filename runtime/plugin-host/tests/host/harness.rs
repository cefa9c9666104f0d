//! A host on a directory of its own, and what tests do with it.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::proto::MetricFamily;
use tempfile::TempDir;
use tidegate_hook::{
    Answer, Attribute, Hooks, ListenerId, Rejection, Reply, SessionContext, Statement,
    StatementTraits, TargetId, Targets, Verdict,
};
use tidegate_plugin_host::{ListenerPlugins, PluginHost, PluginStatus, Settings};
use tidegate_sql::analyze;

use crate::log;

/// Machines that run tests are busy; only what tests a deadline sets a shorter one.
pub(crate) const PATIENT: &str = "deadline = \"5s\"\n";

/// A host and its directory. `orders` and `users` are its listeners and upstreams.
pub(crate) struct TestHost {
    pub(crate) host: Arc<PluginHost>,
    pub(crate) registry: prometheus::Registry,
    dir: TempDir,
}

impl TestHost {
    /// Starts with these plugins: name, fixture, and what the sidecar says beside [`PATIENT`].
    pub(crate) fn start(plugins: &[(&str, &str, &str)]) -> Self {
        Self::with_orders(None, plugins)
    }

    /// The same, where the listener `orders` lists its plugins.
    pub(crate) fn with_orders(orders: Option<&[&str]>, plugins: &[(&str, &str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, fixture, sidecar) in plugins {
            let sidecar = format!("{PATIENT}{sidecar}");
            fs::write(dir.path().join(format!("{name}.toml")), sidecar).unwrap();
            fs::copy(component(fixture), dir.path().join(format!("{name}.wasm"))).unwrap();
        }
        Self::on(dir.path().to_owned(), dir, orders)
    }

    /// Starts on a directory which may not be there yet, below `dir`.
    pub(crate) fn on(path: PathBuf, dir: TempDir, orders: Option<&[&str]>) -> Self {
        log::install();
        let registry = prometheus::Registry::new();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let host = PluginHost::start(Settings {
            dir: path,
            workers: 2,
            targets: targets(),
            listeners: vec![
                ListenerPlugins {
                    id: ListenerId(0),
                    name: "orders".to_owned(),
                    plugins: orders.map(names),
                },
                ListenerPlugins { id: ListenerId(1), name: "users".to_owned(), plugins: None },
            ],
            registry: registry.clone(),
        })
        .unwrap();
        Self { host, registry, dir }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Puts a component in place, as whole as a rename makes it.
    pub(crate) fn drop_in(&self, name: &str, fixture: &str) {
        self.write(&format!("{name}.wasm"), &fs::read(component(fixture)).unwrap());
    }

    /// Puts a sidecar file in place.
    pub(crate) fn configure(&self, name: &str, sidecar: &str) {
        self.write(&format!("{name}.toml"), format!("{PATIENT}{sidecar}").as_bytes());
    }

    /// Writes a file aside and renames it.
    pub(crate) fn write(&self, file: &str, content: &[u8]) {
        let aside = self.path(&format!(".{file}.new"));
        fs::write(&aside, content).unwrap();
        fs::rename(aside, self.path(file)).unwrap();
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).unwrap();
    }

    /// Does it, and waits until the host has published a generation for it.
    pub(crate) fn reload(&self, change: impl FnOnce(&Self)) {
        let before = self.host.generation();
        change(self);
        wait_for("the reload", || self.host.generation() > before);
    }

    /// What the chain says about a statement of a new session.
    pub(crate) fn ask(&self, text: &str) -> Verdict {
        ask(&*self.host, &mut session("ann"), text)
    }

    pub(crate) fn status(&self, name: &str) -> PluginStatus {
        let status = self.host.status().into_iter().find(|status| status.name == name);
        status.unwrap_or_else(|| panic!("there is no plugin {name}"))
    }

    /// Why the plugin's file cannot be used.
    pub(crate) fn error(&self, name: &str) -> String {
        self.status(name).last_error.unwrap_or_default()
    }

    /// The sum of a metric's series that have all these labels.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        family.map_or(0.0, |family| sum(family, labels))
    }
}

fn sum(family: &MetricFamily, labels: &[(&str, &str)]) -> f64 {
    let has = |metric: &&prometheus::proto::Metric| {
        labels.iter().all(|(name, value)| {
            metric.get_label().iter().any(|pair| pair.name() == *name && pair.value() == *value)
        })
    };
    let value = |metric: &prometheus::proto::Metric| {
        metric.get_counter().get_value()
            + metric.get_gauge().get_value()
            + metric.get_histogram().get_sample_sum()
    };
    family.get_metric().iter().filter(has).map(value).sum()
}

pub(crate) fn targets() -> Arc<Targets> {
    let servers = || vec!["10.0.0.1:3306".to_owned()];
    Arc::new(Targets::new([("orders", servers()), ("users", servers())]))
}

pub(crate) fn target(name: &str) -> Option<TargetId> {
    Some(targets().resolve(name).unwrap())
}

/// A new session of the listener `orders`.
pub(crate) fn session(user: &str) -> Box<SessionContext> {
    static SESSIONS: AtomicU64 = AtomicU64::new(1);
    let mut session = Box::new(SessionContext::default());
    session.id = SESSIONS.fetch_add(1, Ordering::Relaxed);
    session.user = user.into();
    session.listener_name = "orders".into();
    session.refresh_identity();
    session
}

/// What a chain says about a statement of this session.
pub(crate) fn ask(host: &impl Hooks, session: &mut Box<SessionContext>, text: &str) -> Verdict {
    ask_with(host, session, text, &[])
}

/// The same, with something attached to the statement.
pub(crate) fn ask_with(
    host: &impl Hooks,
    session: &mut Box<SessionContext>,
    text: &str,
    attached: &[(&str, &str)],
) -> Verdict {
    let attribute = |(name, value)| Attribute { name, value: Cow::Borrowed(value) };
    let attributes: Vec<_> = attached.iter().copied().map(attribute).collect();
    let analysis = analyze(text.as_bytes(), session.protocol.dialect());
    let mut traits = StatementTraits::empty();
    traits.set(StatementTraits::MULTIPLE, analysis.multiple);
    let statement = Statement {
        bytes: text.as_bytes(),
        kind: analysis.kind,
        traits,
        digest: analysis.digest,
        attributes: &attributes,
    };
    host.on_statement(session, &statement)
}

/// The value of a tag of a verdict.
pub(crate) fn tag<'a>(verdict: &'a Verdict, key: &str) -> Option<&'a str> {
    let tags = &verdict.annotations.as_ref()?.tags;
    tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

pub(crate) fn rejection(verdict: &Verdict) -> &Rejection {
    match &verdict.answer {
        Some(Answer::Reject(rejection)) => rejection,
        other => panic!("no rejection but {other:?}"),
    }
}

/// The one value of a reply of one row and column.
pub(crate) fn value(verdict: &Verdict) -> String {
    match &verdict.answer {
        Some(Answer::Reply(Reply::Rows(rows))) => {
            let value = rows.rows[0][0].clone().unwrap_or_default();
            String::from_utf8(value).unwrap()
        }
        other => panic!("no rows but {other:?}"),
    }
}

/// Polls until it is so.
pub(crate) fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A fixture's component.
pub(crate) fn component(fixture: &str) -> PathBuf {
    let built = "../../tests/plugins/target/wasm32-wasip2/release";
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join(built);
    let dir = std::env::var_os("TIDEGATE_TEST_PLUGINS").map_or_else(default, PathBuf::from);
    let path = dir.join(format!("{}.wasm", fixture.replace('-', "_")));
    assert!(path.is_file(), "{} is not built: run `cargo xtask test`", path.display());
    path
}
