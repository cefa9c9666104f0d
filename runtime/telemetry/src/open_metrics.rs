//! The text format of OpenMetrics, which has room for exemplars.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#text-format>

/// Makes it of Prometheus's text format, in which counters are named otherwise in what describes
/// them. `exemplar` is asked for each bucket of each histogram in its turn: by the histogram's name,
/// its labels but for `le`, and the number of the bucket.
pub(crate) fn from_text(
    text: &str,
    exemplar: impl Fn(&str, &str, usize) -> Option<String>,
) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut at = ("", "", 0);
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            out.push_str("# ");
            out.push_str(&described.replacen("_total ", " ", 1));
        } else {
            out.push_str(line);
            if let Some((name, labels)) = bucket(line) {
                let next = if (name, labels) == (at.0, at.1) { at.2 + 1 } else { 0 };
                at = (name, labels, next);
                out.extend(exemplar(name, labels, next));
            }
        }
        out.push('\n');
    }
    out.push_str("# EOF\n");
    out
}

/// The name of a histogram and the labels of a sample that is one of its buckets: `le` comes last.
fn bucket(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once("_bucket{")?;
    let (labels, _) = rest.rsplit_once("le=\"")?;
    Some((name, labels.trim_end_matches(',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_without_their_ending_and_buckets_have_exemplars() {
        let text = "\
# HELP a_total Of all things, the _total number.
# TYPE a_total counter
a_total{listener=\"x\"} 5
# TYPE b_seconds histogram
b_seconds_bucket{listener=\"x\",le=\"0.1\"} 1
b_seconds_bucket{listener=\"x\",le=\"+Inf\"} 2
b_seconds_bucket{listener=\"y\",le=\"0.1\"} 3
b_seconds_sum{listener=\"x\"} 0.3
";
        let exemplar = |name: &str, labels: &str, bucket: usize| {
            let found = (name, labels, bucket) == ("b_seconds", "listener=\"x\"", 1);
            found.then(|| " # {trace_id=\"t\"} 0.2 7.000".to_owned())
        };
        let expected = "\
# HELP a Of all things, the _total number.
# TYPE a counter
a_total{listener=\"x\"} 5
# TYPE b_seconds histogram
b_seconds_bucket{listener=\"x\",le=\"0.1\"} 1
b_seconds_bucket{listener=\"x\",le=\"+Inf\"} 2 # {trace_id=\"t\"} 0.2 7.000
b_seconds_bucket{listener=\"y\",le=\"0.1\"} 3
b_seconds_sum{listener=\"x\"} 0.3
# EOF
";
        assert_eq!(from_text(text, exemplar), expected);
    }
}
