//! The admin interface, asked as `curl` would.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::{PATIENCE, wait_for};

/// Where the admin interface listens.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    port: u16,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Admin {
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When there is no answer, or none that is HTTP.
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        parse(&text).ok_or_else(|| io::Error::other(format!("not HTTP: {text:?}")))
    }

    /// The status of `GET path`, if there is an answer at all.
    #[must_use]
    pub fn status(&self, path: &str) -> Option<u16> {
        self.get(path).ok().map(|answer| answer.status)
    }

    /// The text of `/metrics`.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.get("/metrics").expect("the admin port answers").body
    }

    /// The sum of all series of a metric whose labels contain all of `labels` (`name="value"`);
    /// 0 when there is none.
    #[must_use]
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum(&self.metrics(), name, labels)
    }

    /// Waits until [`Self::metric`] satisfies `enough`.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn wait_for_metric(
        &self,
        name: &str,
        labels: &[&str],
        enough: impl Fn(f64) -> bool,
    ) -> f64 {
        wait_for(&format!("metric {name} {labels:?}"), || {
            Some(self.metric(name, labels)).filter(|value| enough(*value))
        })
    }

    /// Waits until a path answers with a status.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait_for_status(&self, path: &str, status: u16, limit: Duration) {
        crate::wait_until(&format!("{status} from {path}"), limit, || {
            (self.status(path) == Some(status)).then_some(())
        });
    }
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let series =
            rest.starts_with(['{', ' ']) && labels.iter().all(|label| rest.contains(label));
        series.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    metrics.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_chosen_by_name_and_labels() {
        let text = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"2\"} 4\nab 5\n";
        assert!((sum(text, "a", &[]) - 7.0).abs() < f64::EPSILON);
        assert!((sum(text, "a", &["x=\"1\""]) - 3.0).abs() < f64::EPSILON);
        assert!((sum(text, "ab", &[]) - 5.0).abs() < f64::EPSILON);
        assert!(sum(text, "b", &[]).abs() < f64::EPSILON);
    }
}
