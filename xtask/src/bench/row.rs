//! One measurement, in the form that every benchmark of the project prints.

use serde::Serialize;

use super::plan::Cell;
use super::target::Target;

/// Times are microseconds. What a target does not have is `null`: no proxy, no proxy's CPU.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) bench: &'static str,
    pub(super) target: &'static str,
    #[serde(flatten)]
    pub(super) cell: Cell,
    pub(super) round: u32,
    pub(super) qps: Option<f64>,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) proxy_cpu_us_per_query: Option<f64>,
    /// How often a thread of the proxy slept and was woken.
    pub(super) proxy_wakeups_per_query: Option<f64>,
    /// Of the primary and its replica together.
    pub(super) server_cpu_us_per_query: Option<f64>,
    pub(super) rss_mib: Option<f64>,
    /// How much the proxy grew for each idle client; only in rows of that workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle_client_kib: Option<f64>,
}

impl Row {
    /// A row with nothing measured yet.
    pub(super) fn new(bench: &'static str, target: Target, cell: Cell, round: u32) -> Self {
        Self {
            bench,
            target: target.name,
            cell,
            round,
            qps: None,
            p50_us: None,
            p99_us: None,
            proxy_cpu_us_per_query: None,
            proxy_wakeups_per_query: None,
            server_cpu_us_per_query: None,
            rss_mib: None,
            idle_client_kib: None,
        }
    }
}
