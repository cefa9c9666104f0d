//! Names of upstreams, listeners and servers.

use crate::value::Value;

/// Names become metric labels and parts of targets.
const LONGEST: usize = 64;

/// A name that can stand in a target: `/` and `@` mean something there.
pub(crate) fn read(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > LONGEST {
        return value.fail(format!("is longer than {LONGEST} characters"));
    }
    if !text.chars().all(allowed) {
        return value.fail("may have only letters, digits, `-`, `_` and `.`");
    }
    Some(text.to_owned())
}

/// `host:port`, where the host is a name or an IP address (IPv6 in brackets).
pub(crate) fn host_and_port(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Some(text.to_owned());
    }
    value.fail(format!("`{text}` is not a host with a port, such as `10.0.0.1:3306`"))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    host.len() <= 253 && host.trim_end_matches('.').split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["db", "db-1.example.com", "db.example.com.", "10.0.0.1", "[::1]", "my_db"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "::1", "[::1", "a..b", "db/", &"x".repeat(64), "user@db"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
