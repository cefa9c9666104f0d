//! The table: medians over the rounds, and how they compare with the direct way and with the relay.

use std::fmt::Write as _;

use super::plan::{Cell, IDLE, Mode, Workload};
use super::row::Row;
use super::target::Target;

/// What a group of rows is headed by.
pub(super) fn title(cell: Cell) -> String {
    let clients = match cell.clients {
        1 => "1 client".to_owned(),
        many => format!("{many} clients"),
    };
    match (cell.workload, cell.mode) {
        (Workload::PointSelect, Mode::Text) => format!("point selects, text, {clients}"),
        (Workload::PointSelect, Mode::Prepared) => format!("point selects, prepared, {clients}"),
        (Workload::Churn, _) => format!("log in, SELECT 1, quit: {clients}"),
        (Workload::Idle, _) => format!("{clients} that do nothing"),
    }
}

/// All that was measured, for people.
pub(super) fn table(rows: &[Row], targets: &[Target], cells: &[Cell]) -> String {
    let mut text = String::from(
        "medians of the rounds; CPU is the proxy's, user and system, per 1,000 queries; \
         the ratios are to `direct` and to `relay`\n",
    );
    for cell in cells {
        let group: Vec<&Row> = rows.iter().filter(|row| row.is_of(*cell)).collect();
        queries(&mut text, *cell, &group, targets);
    }
    let idle: Vec<&Row> = rows.iter().filter(|row| row.is_of(IDLE)).collect();
    if !idle.is_empty() {
        memory(&mut text, &idle);
    }
    text
}

/// The medians of one target under one load.
struct Medians {
    qps: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    cpu: Option<f64>,
    cpu_least: Option<f64>,
    rss: Option<f64>,
}

impl Medians {
    fn of(target: Target, rows: &[&Row]) -> Self {
        let values = |field: fn(&Row) -> Option<f64>| -> Vec<f64> {
            let mine = rows.iter().filter(|row| row.target == target);
            mine.filter_map(|row| field(row)).collect()
        };
        Self {
            qps: median(values(|row| row.qps)),
            p50: median(values(|row| row.p50_us)),
            p99: median(values(|row| row.p99_us)),
            cpu: median(values(|row| row.proxy_cpu_us_per_query)),
            cpu_least: values(|row| row.proxy_cpu_us_per_query).into_iter().reduce(f64::min),
            rss: median(values(|row| row.rss_mib)),
        }
    }
}

fn queries(text: &mut String, cell: Cell, rows: &[&Row], targets: &[Target]) {
    let direct = Medians::of(Target::Direct, rows);
    let relay = Medians::of(Target::Relay, rows);
    line(text, &title(cell), &HEADINGS);
    for target in targets {
        let it = Medians::of(*target, rows);
        let cells = [
            number(it.qps, 0),
            number(ratio(it.qps, direct.qps), 2),
            number(it.p50, 0),
            number(it.p99, 0),
            number(it.cpu, 1),
            number(it.cpu_least, 1),
            number(ratio(it.cpu, relay.cpu), 2),
            number(it.rss, 1),
        ];
        line(text, &format!("  {}", target.name()), &cells.each_ref().map(String::as_str));
    }
}

const HEADINGS: [&str; 8] =
    ["queries/s", "x direct", "p50 us", "p99 us", "CPU ms/1k", "its least", "x relay", "RSS MiB"];

fn memory(text: &mut String, rows: &[&Row]) {
    line(text, &title(IDLE), &["KiB each", "RSS MiB"]);
    for row in rows {
        let cells = [number(row.idle_client_kib, 1), number(row.rss_mib, 1)];
        let name = format!("  {}", row.target.name());
        line(text, &name, &cells.each_ref().map(String::as_str));
    }
}

fn line(text: &mut String, name: &str, cells: &[&str]) {
    if !name.starts_with(' ') {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "{name:<42}");
    for cell in cells {
        let _ = write!(text, "{cell:>11}");
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

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn ratios_stand_beside_what_was_measured() {
        let cell = Cell { workload: Workload::PointSelect, mode: Mode::Text, clients: 16 };
        let row = |target, qps, cpu| Row {
            qps: Some(qps),
            proxy_cpu_us_per_query: cpu,
            ..Row::new(target, cell, 1)
        };
        let rows = [
            row(Target::Direct, 2000.0, None),
            row(Target::Relay, 1500.0, Some(10.0)),
            row(Target::Tidegate, 1000.0, Some(11.0)),
        ];
        let targets = [Target::Direct, Target::Relay, Target::Tidegate];
        let text = table(&rows, &targets, &[cell]);
        let tidegate = text.lines().last().unwrap_or_default();
        let words: Vec<&str> = tidegate.split_whitespace().collect();
        assert_eq!(words, ["tidegate", "1000", "0.50", "-", "-", "11.0", "11.0", "1.10", "-"]);
    }
}
