//! The table: medians over the rounds, and how they compare with the direct way and with the relay.

use std::fmt::Write as _;

use super::plan::{Cell, Mode, Workload};
use super::row::Row;
use super::target::{DIRECT, RELAY, Target};
use super::tidegate::{Pooling, Setup};

/// What a group of rows is headed by.
pub(super) fn title(cell: Cell) -> String {
    let load = match cell.workload {
        Workload::PointSelect => format!("point selects, {}", mode(cell.mode)),
        Workload::ReadWrite => {
            format!("transactions that read and write, {}", mode(cell.mode))
        }
        Workload::Churn => "log in, one statement, quit".to_owned(),
        Workload::Idle => "doing nothing".to_owned(),
    };
    let clients = match cell.clients {
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    };
    let mut title = format!("{load}, {clients}");
    // Writing to a String cannot fail.
    if cell.idle_clients > 0 {
        let _ = write!(title, " beside {} idle ones", cell.idle_clients);
    }
    if let Some(connections) = cell.server_connections {
        let _ = write!(title, "; in transaction mode on {connections} server connections");
    }
    title
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Text => "text",
        Mode::Simple => "simple protocol",
        Mode::Extended => "extended protocol without names",
        Mode::Prepared => "prepared",
    }
}

/// All that was measured, for people.
pub(super) fn table(rows: &[Row], targets: &[Target], cells: &[Cell]) -> String {
    let mut text = String::from(
        "medians of the rounds; CPU (user and system) and wake-ups are the proxy's, per query; \
         the ratios are to `direct` and to `relay`; \
         where clients run transactions, p50 and p99 are of those\n",
    );
    let (idle, busy): (Vec<Cell>, Vec<Cell>) =
        cells.iter().partition(|cell| cell.workload == Workload::Idle);
    let group = |cell| rows.iter().filter(|row| row.cell == cell).collect::<Vec<_>>();
    for cell in &busy {
        queries(&mut text, *cell, &group(*cell), targets);
    }
    handover(&mut text, rows, targets, &busy);
    for cell in idle {
        memory(&mut text, cell, &group(cell));
    }
    text
}

type Field = fn(&Row) -> Option<f64>;

const CPU: Field = |row| row.proxy_cpu_us_per_query;
const WAKEUPS: Field = |row| row.proxy_wakeups_per_query;
const SERVER_CPU: Field = |row| row.server_cpu_us_per_query;

/// What was measured of one target under one load.
struct Measured<'a>(Vec<&'a Row>);

impl<'a> Measured<'a> {
    fn of(target: Target, rows: &[&'a Row]) -> Self {
        Self(rows.iter().copied().filter(|row| row.target == target.name).collect())
    }

    fn values(&self, field: Field) -> Vec<f64> {
        self.0.iter().filter_map(|row| field(row)).collect()
    }

    fn median(&self, field: Field) -> Option<f64> {
        median(self.values(field))
    }

    fn least(&self, field: Field) -> Option<f64> {
        self.values(field).into_iter().reduce(f64::min)
    }

    /// How much more it was than another target's, by the median of the rounds.
    fn more_than(&self, other: &Self, field: Field) -> Option<f64> {
        let same_round = |row: &Row| other.0.iter().find(|other| other.round == row.round);
        let differences =
            self.0.iter().filter_map(|row| Some(field(row)? - field(same_round(row)?)?));
        median(differences.collect())
    }
}

fn queries(text: &mut String, cell: Cell, rows: &[&Row], targets: &[Target]) {
    const HEADINGS: [&str; 11] = [
        "queries/s",
        "x direct",
        "p50 us",
        "p99 us",
        "CPU us",
        "its least",
        "x relay",
        "wake-ups",
        "server us",
        "x direct",
        "RSS MiB",
    ];
    let qps: Field = |row| row.qps;
    let direct = Measured::of(DIRECT, rows);
    let relay = Measured::of(RELAY, rows).median(CPU);
    headings(text, &title(cell), &HEADINGS);
    for target in targets {
        let it = Measured::of(*target, rows);
        let cells = [
            number(it.median(qps), 0),
            number(ratio(it.median(qps), direct.median(qps)), 2),
            number(it.median(|row| row.p50_us), 0),
            number(it.median(|row| row.p99_us), 0),
            number(it.median(CPU), 1),
            number(it.least(CPU), 1),
            number(ratio(it.median(CPU), relay), 2),
            number(it.median(WAKEUPS), 2),
            number(it.median(SERVER_CPU), 1),
            number(ratio(it.median(SERVER_CPU), direct.median(SERVER_CPU)), 2),
            number(it.median(|row| row.rss_mib), 1),
        ];
        line(text, target.name, &cells);
    }
}

/// What it costs to lend and take back a connection for each transaction: the same set-up in both modes.
fn handover(text: &mut String, rows: &[Row], targets: &[Target], cells: &[Cell]) {
    for (session, transaction) in in_both_modes(targets) {
        let names = (transaction.name, session.name);
        let _ = writeln!(text, "\nwhat {} uses more than {}, per query", names.0, names.1);
        let _ = writeln!(text, "{:>11}{:>11}", "CPU us", "wake-ups");
        for cell in cells {
            let group: Vec<&Row> = rows.iter().filter(|row| row.cell == *cell).collect();
            let of = |target| Measured::of(target, &group);
            let more = |field| of(transaction).more_than(&of(session), field);
            let (cpu, wakeups) = (number(more(CPU), 1), number(more(WAKEUPS), 2));
            let _ = writeln!(text, "{cpu:>11}{wakeups:>11}  {}", title(*cell));
        }
    }
}

/// The targets that differ in nothing but how long a session holds a connection.
fn in_both_modes(targets: &[Target]) -> Vec<(Target, Target)> {
    let session = |target: Target| {
        let setup = target.tidegate().filter(|setup| setup.pooling == Pooling::Transaction)?;
        let wanted = Some(Setup { pooling: Pooling::Session, ..setup });
        targets.iter().copied().find(|target| target.tidegate() == wanted)
    };
    targets.iter().filter_map(|target| Some((session(*target)?, *target))).collect()
}

fn memory(text: &mut String, cell: Cell, rows: &[&Row]) {
    headings(text, &title(cell), &["KiB each", "RSS MiB"]);
    for row in rows {
        line(text, row.target, &[number(row.idle_client_kib, 1), number(row.rss_mib, 1)]);
    }
}

fn headings(text: &mut String, title: &str, names: &[&str]) {
    let _ = write!(text, "\n{title}\n");
    line(text, "", names);
}

fn line(text: &mut String, name: &str, cells: &[impl AsRef<str>]) {
    let _ = write!(text, "  {name:<40}");
    for cell in cells {
        let _ = write!(text, "{:>11}", cell.as_ref());
    }
    text.push('\n');
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn ratio(value: Option<f64>, base: Option<f64>) -> Option<f64> {
    value.zip(base).map(|(value, base)| value / base)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::target::{PLAIN, POOLED};

    const CELL: Cell = Cell::new(Workload::Churn, Mode::Text);

    fn new_row(target: Target, round: u32) -> Row {
        Row::new("mysql", target, CELL, round)
    }

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn ratios_stand_beside_what_was_measured() {
        let row = |target, qps, cpu, server| Row {
            qps: Some(qps),
            proxy_cpu_us_per_query: cpu,
            server_cpu_us_per_query: Some(server),
            ..new_row(target, 1)
        };
        let rows = [
            row(DIRECT, 2000.0, None, 40.0),
            row(RELAY, 1500.0, Some(10.0), 40.0),
            row(PLAIN, 1000.0, Some(11.0), 30.0),
        ];
        let text = table(&rows, &[DIRECT, RELAY, PLAIN], &[CELL]);
        let last = text.lines().last().unwrap_or_default();
        let expected = [
            "tidegate", "1000", "0.50", "-", "-", "11.0", "11.0", "1.10", "-", "30.0", "0.75", "-",
        ];
        assert_eq!(words(last), expected);
    }

    #[test]
    fn the_cost_of_transaction_mode_is_taken_round_by_round() {
        let row = |target, round, cpu| Row {
            proxy_cpu_us_per_query: Some(cpu),
            proxy_wakeups_per_query: Some(cpu / 10.0),
            ..new_row(target, round)
        };
        let rows = [
            row(PLAIN, 1, 10.0),
            row(POOLED, 1, 13.0),
            row(PLAIN, 2, 20.0),
            row(POOLED, 2, 23.0),
            row(PLAIN, 3, 15.0),
            row(POOLED, 3, 90.0),
        ];
        let text = table(&rows, &[PLAIN, POOLED], &[CELL]);
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(words(last).first_chunk(), Some(&["3.0", "0.30"]));
    }
}
