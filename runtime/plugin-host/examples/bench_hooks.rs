//! Measures what a hook costs: from the data plane's call to the verdict, by size of the statement,
//! decided anew and reused; and how long a reload and the recovery from a trap take.
//!
//! `cargo run --release -p tidegate-plugin-host --example bench_hooks -- [--json] [--quick]`, with the
//! fixture plugins built. All cases are measured in turn, several times over, so that a busy moment
//! of the machine hits all of them; medians and 90th percentiles are of those rounds.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tidegate_hook::{
    Hooks, ListenerId, SessionContext, Statement, StatementTraits, Targets, Verdict,
};
use tidegate_plugin_host::{ListenerPlugins, PluginHost, Settings};
use tidegate_sql::{Dialect, analyze};

const SIZES: [usize; 3] = [50, 500, 5000];
/// The base of all statements; it has 50 bytes.
const STATEMENT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid=12";

fn main() -> Result<()> {
    let options: Vec<String> = env::args().skip(1).collect();
    let has = |option: &str| options.iter().any(|given| given == option);
    let effort = if has("--quick") {
        Effort { rounds: 7, calls: 2_000, reloads: 3 }
    } else {
        Effort { rounds: 21, calls: 20_000, reloads: 11 }
    };
    let report = Report { json: has("--json") };
    report.heading();
    measure_calls(&effort, &report)?;
    measure_reloads(&effort, &report)
}

struct Effort {
    rounds: usize,
    calls: u32,
    reloads: usize,
}

/// One thing to measure, in nanoseconds a call for each round.
struct Case {
    name: &'static str,
    bytes: usize,
    call: Box<dyn FnMut()>,
    rounds: Vec<f64>,
}

fn measure_calls(effort: &Effort, report: &Report) -> Result<()> {
    let mut cases = Vec::new();
    for size in SIZES {
        cases.push(digest(size));
    }
    for (name, chain) in [
        ("no-plugin", &[][..]),
        ("noop", &[("noop", "")][..]),
        ("reads-text", &[("looper", "")]),
        ("route", &[("route-all", "target = 'orders/replica'")]),
        ("reused", &[("reuse", "target = 'orders/replica'\nscope = 'user'")]),
        ("reused-for-text", &[("reuse", "target = 'orders/replica'\nscope = 'text'")]),
        ("chain-of-3", &[("looper", ""), ("looper", ""), ("route-all", "target = 'orders'")]),
    ] {
        let bench = Arc::new(Bench::start(chain)?);
        for size in SIZES {
            cases.push(hook(name, size, &bench));
        }
    }
    for _ in 0..effort.rounds {
        for case in &mut cases {
            let started = Instant::now();
            for _ in 0..effort.calls {
                (case.call)();
            }
            case.rounds.push(nanos(started.elapsed()) / f64::from(effort.calls));
        }
    }
    for case in cases {
        report.row(case.name, case.bytes, case.rounds);
    }
    Ok(())
}

fn digest(bytes: usize) -> Case {
    let text = statement(bytes);
    let call = Box::new(move || {
        black_box(analyze(black_box(text.as_bytes()), Dialect::Mysql));
    });
    Case { name: "digest", bytes, call, rounds: Vec::new() }
}

fn hook(name: &'static str, bytes: usize, bench: &Arc<Bench>) -> Case {
    let (bench, text, mut session) = (Arc::clone(bench), statement(bytes), session());
    let call = Box::new(move || {
        black_box(bench.ask(&mut session, black_box(&text)));
    });
    Case { name, bytes, call, rounds: Vec::new() }
}

/// From the moment that a file is in place to the first verdict of the new version, and from a call
/// that traps to the next verdict.
fn measure_reloads(effort: &Effort, report: &Report) -> Result<()> {
    let bench = Bench::start(&[("trap", "")])?;
    let components = [component("trap")?, component("noop")?].map(fs::read);
    let [trap, noop] = components;
    let (trap, noop) = (trap?, noop?);
    let (mut of_component, mut of_config, mut of_trap) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..effort.reloads {
        of_component.push(bench.reload("0-trap.wasm", &noop)?);
        bench.reload("0-trap.wasm", &trap)?;
        let sidecar = format!("{}\norder = {round}", bench.sidecar);
        of_config.push(bench.reload("0-trap.toml", sidecar.as_bytes())?);
        // After a fifth failure the plugin would be left alone; each version may fail anew.
        for _ in 0..4 {
            of_trap.push(bench.trap()?);
        }
    }
    report.row("reload-component", noop.len(), of_component);
    report.row("reload-config", 0, of_config);
    report.row("trap-and-recovery", 0, of_trap);
    Ok(())
}

/// A host with one chain.
struct Bench {
    host: Arc<PluginHost>,
    dir: TempDir,
    sidecar: String,
}

impl Bench {
    fn start(chain: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut sidecar = String::new();
        for (position, (fixture, config)) in chain.iter().enumerate() {
            sidecar = format!("deadline = '1s'\n[config]\n{config}");
            fs::write(dir.path().join(format!("{position}-{fixture}.toml")), &sidecar)?;
            let file = dir.path().join(format!("{position}-{fixture}.wasm"));
            fs::copy(component(fixture)?, file)?;
        }
        let name = "orders".to_owned();
        let servers = vec!["10.0.0.1:3306".to_owned()];
        let host = PluginHost::start(Settings {
            dir: dir.path().to_owned(),
            workers: 1,
            targets: Arc::new(Targets::new([("orders", servers)])),
            listeners: vec![ListenerPlugins { id: ListenerId(0), name, plugins: None }],
            registry: prometheus::Registry::new(),
        })?;
        let live = host.status().iter().filter(|status| status.last_error.is_none()).count();
        ensure!(live == chain.len(), "not all plugins are live: {:?}", host.status());
        Ok(Self { host, dir, sidecar })
    }

    fn ask(&self, session: &mut Box<SessionContext>, text: &str) -> Verdict {
        // The digest has a case of its own; here it is any number that belongs to the text.
        let statement = Statement {
            bytes: text.as_bytes(),
            kind: tidegate_sql::Kind::Read,
            traits: StatementTraits::empty(),
            digest: text.len() as u64,
            attributes: &[],
        };
        self.host.on_statement(session, &statement)
    }

    /// How long it takes until a new generation serves, in nanoseconds.
    fn reload(&self, file: &str, content: &[u8]) -> Result<f64> {
        let aside = self.dir.path().join(".aside");
        fs::write(&aside, content)?;
        let generation = self.host.generation();
        let started = Instant::now();
        fs::rename(aside, self.dir.path().join(file))?;
        while self.host.generation() == generation {
            ensure!(started.elapsed() < Duration::from_secs(10), "{file} was not reloaded");
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(nanos(started.elapsed()))
    }

    /// How long a call that traps and the next one take together, in nanoseconds.
    fn trap(&self) -> Result<f64> {
        let mut session = session();
        let started = Instant::now();
        self.ask(&mut session, "SELECT trap");
        let verdict = self.ask(&mut session, STATEMENT);
        let took = nanos(started.elapsed());
        ensure!(verdict.annotations.is_some(), "the plugin did not recover");
        Ok(took)
    }
}

fn session() -> Box<SessionContext> {
    let mut session = SessionContext::default();
    session.id = 1;
    session.user = "app".into();
    session.refresh_identity();
    Box::new(session)
}

fn statement(bytes: usize) -> String {
    let padding = bytes.saturating_sub(STATEMENT.len());
    format!("{STATEMENT}{}", " AND a<>1".chars().cycle().take(padding).collect::<String>())
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn component(fixture: &str) -> Result<PathBuf> {
    let built = "../../tests/plugins/target/wasm32-wasip2/release";
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join(built);
    let dir = env::var_os("TIDEGATE_TEST_PLUGINS").map_or_else(default, PathBuf::from);
    let path = dir.join(format!("{}.wasm", fixture.replace('-', "_")));
    fs::metadata(&path)
        .with_context(|| format!("{} is not built: run `cargo xtask plugins`", path.display()))?;
    Ok(path)
}

struct Report {
    json: bool,
}

impl Report {
    fn heading(&self) {
        if !self.json {
            println!("{:<20} {:>7} {:>14} {:>14}", "case", "bytes", "ns (median)", "ns (p90)");
        }
    }

    fn row(&self, case: &str, bytes: usize, mut rounds: Vec<f64>) {
        rounds.sort_by(f64::total_cmp);
        let at = |share: usize| rounds[(rounds.len() - 1) * share / 100];
        let (median, p90) = (at(50), at(90));
        if self.json {
            println!(
                r#"{{"bench":"hooks","case":"{case}","bytes":{bytes},"ns_median":{median:.1},"ns_p90":{p90:.1}}}"#
            );
        } else {
            println!("{case:<20} {bytes:>7} {median:>14.1} {p90:>14.1}");
        }
    }
}
