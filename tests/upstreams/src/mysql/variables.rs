//! System variables: what drivers ask first, and what tells one server from another.

use crate::server::{Role, Server};

/// Every variable and its value, in alphabetical order.
pub(super) fn all(server: &Server) -> Vec<(&'static str, String)> {
    let read_only = if server.role == Role::Replica { "1" } else { "0" };
    let mut all = vec![("hostname", server.name()), ("server_id", server.id.to_string())];
    all.extend(["read_only", "super_read_only"].map(|name| (name, read_only.to_owned())));
    all.extend(FIXED.map(|(name, value)| (name, value.to_owned())));
    all.sort_unstable();
    all
}

/// The value of `global.read_only`, `session.sql_mode` or `hostname`; `None` for no variable.
pub(super) fn get(server: &Server, name: &str) -> Option<String> {
    let name = ["global.", "session.", "local."]
        .iter()
        .find_map(|scope| name.strip_prefix(scope))
        .unwrap_or(name);
    let found = all(server).into_iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value)
}

/// What servers of this kind call themselves in the greeting.
pub(super) const VERSION: &str = "8.0.0-tidegate-demo";

const FIXED: [(&str, &str); 24] = [
    ("auto_increment_increment", "1"),
    ("autocommit", "1"),
    ("character_set_client", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_results", "utf8mb4"),
    ("character_set_server", "utf8mb4"),
    ("collation_connection", "utf8mb4_general_ci"),
    ("collation_server", "utf8mb4_general_ci"),
    ("init_connect", ""),
    ("interactive_timeout", "28800"),
    ("license", "Apache-2.0 OR MIT"),
    ("lower_case_table_names", "0"),
    ("max_allowed_packet", "16777216"),
    ("net_write_timeout", "60"),
    ("performance_schema", "0"),
    ("socket", ""),
    ("sql_mode", ""),
    ("system_time_zone", "UTC"),
    ("time_zone", "SYSTEM"),
    ("transaction_isolation", "SERIALIZABLE"),
    ("tx_isolation", "SERIALIZABLE"),
    ("version", VERSION),
    ("version_comment", "tidegate demo server over SQLite"),
    ("wait_timeout", "28800"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_says_that_it_is_one() {
        let server = Server { role: Role::Replica, id: 2, path: "unused".into() };
        assert_eq!(get(&server, "global.read_only").as_deref(), Some("1"));
        assert_eq!(get(&server, "hostname").as_deref(), Some("replica-2"));
        assert_eq!(get(&server, "no_such_variable"), None);
    }
}
