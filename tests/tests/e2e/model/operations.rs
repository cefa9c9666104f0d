//! What a client may do, and how often it does it.

use super::client::{Client, Outcome};
use super::random::Random;
use super::{disruptions, last, pins, prepared, rows, settings};

#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    weight: usize,
    pub(super) run: fn(&mut Client) -> Outcome,
}

/// Gives up all that holds a connection, or others would wait for it in vain.
pub(super) const LET_GO: Operation = operation("let go", 0, pins::let_go);

const OPERATIONS: &[Operation] = &[
    operation("set variables", 8, settings::set_variables),
    operation("read variables", 8, settings::read_variables),
    operation("set a setting", 8, settings::set_setting),
    operation("set nonsense", 2, settings::set_nonsense),
    operation("read settings", 8, settings::read_settings),
    operation("set names", 4, settings::set_names),
    operation("read character sets", 4, settings::read_character_sets),
    operation("use", 5, settings::use_database),
    operation("insert", 8, rows::insert),
    operation("change", 6, rows::change),
    operation("read", 12, rows::read),
    operation("begin", 5, rows::begin),
    operation("commit", 4, rows::commit),
    operation("rollback", 3, rows::rollback),
    operation("set autocommit", 2, rows::set_autocommit),
    operation("set transaction", 2, rows::set_transaction),
    operation("use a savepoint", 2, rows::use_savepoint),
    operation("make a temporary table", 3, pins::make_temporary),
    operation("use a temporary table", 6, pins::use_temporary),
    operation("get a lock", 4, pins::get_lock),
    operation("release a lock", 3, pins::release_lock),
    operation("lock tables", 2, pins::lock_tables),
    operation("prepare by name", 2, pins::prepare_by_name),
    operation("execute by name", 3, pins::execute_by_name),
    operation("set in passing", 2, pins::set_in_passing),
    operation("set by a prepared statement", 1, prepared::set_variable),
    operation("prepare", 8, prepared::prepare),
    operation("execute", 16, prepared::execute),
    operation("send long data", 3, prepared::long_data),
    operation("fetch from a cursor", 3, prepared::cursor),
    operation("close a statement", 3, prepared::close),
    operation("read a warning", 4, last::warning),
    operation("read an error", 4, last::error),
    operation("read no warnings", 3, last::no_warning),
    operation("count found rows", 4, last::found_rows),
    operation("count changed rows", 4, last::row_count),
    operation("read the insert id", 6, last::insert_id),
    operation("set the insert id", 3, last::set_insert_id),
    operation("take time", 4, disruptions::take_time),
    operation("read much", 3, disruptions::read_much),
    operation("ping", 2, disruptions::ping),
    operation("run into a limit", 2, disruptions::run_into_limit),
    operation("kill a query", 5, disruptions::kill_query),
    operation("kill a session", 1, disruptions::kill_session),
    operation("reset", 2, disruptions::reset),
    operation("change user", 2, disruptions::change_user),
    operation("quit", 1, disruptions::quit),
    operation("vanish", 2, disruptions::vanish),
];

const fn operation(
    name: &'static str,
    weight: usize,
    run: fn(&mut Client) -> Outcome,
) -> Operation {
    Operation { name, weight, run }
}

pub(super) fn choose(random: &mut Random) -> Operation {
    let total = OPERATIONS.iter().map(|operation| operation.weight).sum();
    let mut drawn = random.below(total);
    for operation in OPERATIONS {
        match drawn.checked_sub(operation.weight) {
            Some(rest) => drawn = rest,
            None => return *operation,
        }
    }
    LET_GO
}
