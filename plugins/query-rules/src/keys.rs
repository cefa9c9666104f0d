//! The keys of a rule: those that there are, and those of ProxySQL that mean nothing here.

use tidegate_sdk::{Config, ConfigError};

/// In the order of the README.
const KEYS: [&str; 26] = [
    "rule_id",
    "active",
    "comment",
    "listener",
    "proxy_port",
    "username",
    "client_addr",
    "schemaname",
    "schema_pattern",
    "digest",
    "match_digest",
    "match_pattern",
    "negate_match_pattern",
    "re_modifiers",
    "flagIN",
    "flagOUT",
    "apply",
    "next_query_flagIN",
    "replace_pattern",
    "destination",
    "mirror",
    "timeout",
    "delay",
    "error_msg",
    "OK_msg",
    "log",
];

/// Keys of ProxySQL's rules, and what to do instead.
const ELSEWHERE: [(&str, &str); 13] = [
    ("destination_hostgroup", "there are no hostgroups; name a target with \"destination\""),
    ("mirror_hostgroup", "there are no hostgroups; name a target with \"mirror\""),
    ("mirror_flagOUT", "a mirrored statement is a copy; it is not judged by rules of its own"),
    ("proxy_addr", "name the listener with \"listener\""),
    ("cache_ttl", "results are not cached"),
    ("cache_empty_result", "results are not cached"),
    ("cache_timeout", "results are not cached"),
    ("reconnect", "tidegate replaces a lost connection wherever nobody can tell"),
    ("retries", "tidegate repeats what was not sent, and never what may have run"),
    ("sticky_conn", "tidegate itself knows when a session must keep its connection"),
    ("multiplex", "tidegate itself knows when a session must keep its connection"),
    ("gtid_from_hostgroup", "reading after writing is the business of read-write-split"),
    ("attributes", "weighted flagOUTs are not there"),
];

/// Refuses what is no key of a rule, in words that help.
pub(crate) fn check(rule: &Config) -> Result<(), ConfigError> {
    for key in rule.keys() {
        if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == key) {
            return Err(ConfigError::new(*instead).inside(key));
        }
    }
    rule.deny_unknown(&KEYS)
}
