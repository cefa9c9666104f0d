//! The functions of PostgreSQL.

use crate::effects::Effects;

/// Keywords that stand before a parenthesis, and functions that only compute; sorted, one a line, in
/// lower case.
///
/// The functions are those of `pg_catalog` that `pg_proc` calls immutable or stable under every
/// signature, without what implements operators, types, aggregates and indexes, and without those
/// that tell of this very connection, transaction or server. Those of PostgreSQL 15, and what 16 to
/// 18 added.
const HARMLESS: &[u8] = include_bytes!("postgres.txt");

const LINES: usize = count_lines();

/// Where each line begins, and behind the last.
static STARTS: [u16; LINES + 1] = starts();

const fn count_lines() -> usize {
    let (mut at, mut lines) = (0, 0);
    while at < HARMLESS.len() {
        lines += (HARMLESS[at] == b'\n') as usize;
        at += 1;
    }
    lines
}

#[expect(clippy::cast_possible_truncation, reason = "the text is shorter than 64 KiB")]
const fn starts() -> [u16; LINES + 1] {
    assert!(HARMLESS.len() < u16::MAX as usize);
    let mut starts = [0; LINES + 1];
    let (mut at, mut line) = (0, 0);
    while at < HARMLESS.len() {
        at += 1;
        if HARMLESS[at - 1] == b'\n' {
            line += 1;
            starts[line] = at as u16;
        }
    }
    starts
}

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

fn is_harmless(name: &[u8]) -> bool {
    let line = |ends: &[u16; 2]| {
        let [start, next] = ends.map(usize::from);
        HARMLESS.get(start..next.saturating_sub(1)).unwrap_or_default()
    };
    let (mut low, mut high) = (0, LINES);
    while low < high {
        let middle = usize::midpoint(low, high);
        let Some(ends) = STARTS.get(middle..).and_then(|rest| rest.first_chunk()) else {
            return false;
        };
        match line(ends).cmp(name) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> impl Iterator<Item = &'static str> {
        str::from_utf8(HARMLESS).unwrap().lines()
    }

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(lines().is_sorted_by(|one, other| one < other));
        assert!(HARMLESS.ends_with(b"\n"));
        assert!(HARMLESS.iter().all(|&b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'\n')));
    }

    #[test]
    fn every_line_is_found_and_nothing_else() {
        for name in lines() {
            assert!(is_harmless(name.as_bytes()), "{name}");
            for other in [format!("{name}_x"), format!("a{name}"), name[1..].to_owned()] {
                let listed = lines().any(|line| line == other);
                assert_eq!(is_harmless(other.as_bytes()), listed, "{other}");
            }
        }
    }
}
