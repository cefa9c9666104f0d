//! The functions of PostgreSQL.

use crate::effects::Effects;

/// Keywords that stand before a parenthesis, and functions that only compute; sorted, one a line, in
/// lower case.
///
/// The functions are those of `pg_catalog` that `pg_proc` calls immutable or stable under every
/// signature, without what implements operators, types, aggregates and indexes, and without those
/// that tell of this very connection, transaction or server. Those of PostgreSQL 15, and what 16 to
/// 18 added.
const HARMLESS: &str = include_str!("postgres.txt");

/// What calling `name`, in lower case, does.
pub(crate) fn effects(name: &[u8]) -> Effects {
    match name {
        b"nextval"
        | b"setval"
        | b"txid_current"
        | b"pg_current_xact_id"
        | b"pg_export_snapshot" => Effects::FUNCTION_ACTS,
        b"currval" | b"lastval" => Effects::LAST_INSERT_ID,
        b"set_config" | b"setseed" => Effects::SESSION_FUNCTION,
        b"current_setting" => Effects::SYSTEM_VARIABLE,
        b"pg_notify"
        | b"pg_cancel_backend"
        | b"pg_terminate_backend"
        | b"pg_backend_pid"
        | b"pg_switch_wal"
        | b"pg_promote"
        | b"pg_reload_conf"
        | b"pg_rotate_logfile"
        | b"pg_create_restore_point"
        | b"pg_logical_emit_message"
        | b"pg_my_temp_schema"
        | b"pg_listening_channels"
        | b"pg_prepared_statement"
        | b"pg_cursor"
        | b"inet_client_addr"
        | b"inet_client_port"
        | b"inet_server_addr"
        | b"inet_server_port" => Effects::FUNCTION_ACTS,
        b"loread" | b"lowrite" | b"lo_close" | b"lo_creat" | b"lo_create" | b"lo_export"
        | b"lo_from_bytea" | b"lo_get" | b"lo_import" | b"lo_lseek" | b"lo_lseek64"
        | b"lo_open" | b"lo_put" | b"lo_tell" | b"lo_tell64" | b"lo_truncate"
        | b"lo_truncate64" | b"lo_unlink" => Effects::FUNCTION_ACTS,
        _ if is_harmless(name) => Effects::default(),
        _ => by_prefix(name),
    }
}

/// Families of functions.
fn by_prefix(name: &[u8]) -> Effects {
    const FAMILIES: [(&[u8], Effects); 6] = [
        (b"pg_advisory_xact_lock", Effects::TRANSACTION_LOCK),
        (b"pg_try_advisory_xact_lock", Effects::TRANSACTION_LOCK),
        (b"pg_advisory_", Effects::NAMED_LOCK),
        (b"pg_try_advisory_", Effects::NAMED_LOCK),
        (b"pg_sleep", Effects::FUNCTION_ACTS),
        (b"pg_wal_replay_", Effects::FUNCTION_ACTS),
    ];
    let family = FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix));
    family.map_or(Effects::FUNCTION_UNKNOWN, |(_, effects)| *effects)
}

/// Looks for a line in the sorted ones: halves the text, each time at the line in its middle.
fn is_harmless(name: &[u8]) -> bool {
    let mut rest = HARMLESS.as_bytes();
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let is_break = |byte: &u8| *byte == b'\n';
        let (before, after) = rest.split_at(middle);
        let start = before.iter().rposition(is_break).map_or(0, |at| at + 1);
        let end = after.iter().position(is_break).map_or(rest.len(), |at| middle + at);
        let line = rest.get(start..end).unwrap_or_default();
        rest = match name.cmp(line) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest.get(..start),
            std::cmp::Ordering::Greater => rest.get(end + 1..),
        }
        .unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(HARMLESS.lines().is_sorted_by(|one, other| one < other));
        assert!(HARMLESS.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'\n')));
    }

    #[test]
    fn every_line_is_found_and_nothing_else() {
        for name in HARMLESS.lines() {
            assert!(is_harmless(name.as_bytes()), "{name}");
            for other in [format!("{name}_x"), format!("a{name}"), name[1..].to_owned()] {
                let listed = HARMLESS.lines().any(|line| line == other);
                assert_eq!(is_harmless(other.as_bytes()), listed, "{other}");
            }
        }
    }
}
