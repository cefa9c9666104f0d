//! The hooks of a statement: `sql-hooks` and `sql-observer`.

use std::time::Duration;

use crate::bindings::sql::exports::tidegate::plugin::sql_hooks;
use crate::bindings::sql_observer::exports::tidegate::plugin::sql_observer;
use crate::host::answer;
use crate::host::sql_types::{self, Traits};
use crate::host::types::{self, Client};
use crate::sql::{
    Action, Kind, Outcome, OutcomeKind, Reply, Reuse, Rows, SqlObserver, SqlPlugin, Verdict,
};
use crate::statement::{Statement, StatementTraits};

use super::{Adapter, Hosted, milliseconds, number, reject, session};

impl<H: Hosted> sql_hooks::Guest for Adapter<H>
where
    H::Plugin: SqlPlugin,
{
    fn on_statement(client: Client, statement: sql_types::Statement) -> sql_hooks::Decision {
        let statement = self::statement(statement);
        decide(Self::plugin().on_statement(&session(&client), &statement))
    }
}

impl<H: Hosted> sql_observer::Guest for Adapter<H>
where
    H::Plugin: SqlObserver,
{
    fn on_outcome(
        client: Client,
        digest: u64,
        kind: sql_types::Kind,
        outcome: types::Outcome,
        error_code: u32,
        rows: u64,
        duration_ns: u64,
    ) {
        let outcome = Outcome {
            digest,
            kind: self::kind(kind),
            outcome: ended(outcome),
            error_code,
            rows,
            duration: Duration::from_nanos(duration_ns),
        };
        Self::plugin().on_outcome(&session(&client), &outcome);
    }
}

fn statement(statement: sql_types::Statement) -> Statement {
    let has = |flag| statement.traits.contains(flag);
    let traits = StatementTraits {
        prepared: has(Traits::PREPARED),
        truncated: has(Traits::TRUNCATED),
        not_utf8: has(Traits::NOT_UTF8),
        multiple: has(Traits::MULTIPLE),
        partial: has(Traits::PARTIAL),
        attributes: has(Traits::ATTRIBUTES),
    };
    Statement::new(statement.text, kind(statement.kind), traits, statement.digest)
}

fn kind(kind: sql_types::Kind) -> Kind {
    match kind {
        sql_types::Kind::Read => Kind::Read,
        sql_types::Kind::Write => Kind::Write,
        sql_types::Kind::Ddl => Kind::Ddl,
        sql_types::Kind::Begin => Kind::Begin,
        sql_types::Kind::Commit => Kind::Commit,
        sql_types::Kind::Rollback => Kind::Rollback,
        sql_types::Kind::SessionState => Kind::SessionState,
        sql_types::Kind::Call => Kind::Call,
        sql_types::Kind::Admin => Kind::Admin,
        sql_types::Kind::Unknown => Kind::Unknown,
    }
}

fn ended(outcome: types::Outcome) -> OutcomeKind {
    match outcome {
        types::Outcome::Ok => OutcomeKind::Ok,
        types::Outcome::ServerError => OutcomeKind::ServerError,
        types::Outcome::Rejected => OutcomeKind::Rejected,
        types::Outcome::TimedOut => OutcomeKind::TimedOut,
        types::Outcome::ClientGone => OutcomeKind::ClientGone,
        types::Outcome::ProxyError => OutcomeKind::ProxyError,
    }
}

/// Hands the texts of a verdict to the host, and the rest back as scalars.
fn decide(verdict: Verdict) -> sql_hooks::Decision {
    let target = verdict.target.as_ref().map_or(0, number);
    let (reuse, reuse_ms) = reuse(verdict.reuse);
    let notes = match verdict.idempotent {
        None => sql_hooks::Notes::empty(),
        Some(true) => sql_hooks::Notes::IDEMPOTENT,
        Some(false) => sql_hooks::Notes::NOT_IDEMPOTENT,
    };
    annotate(&verdict);
    sql_hooks::Decision {
        action: act(verdict.action),
        target,
        reuse,
        reuse_ms,
        timeout_ms: verdict.timeout.map_or(0, milliseconds),
        notes,
    }
}

fn act(action: Action) -> sql_hooks::Action {
    match action {
        Action::Next => sql_hooks::Action::Next,
        Action::Route => sql_hooks::Action::Route,
        Action::Rewrite(text) => {
            answer::rewrite(&text);
            sql_hooks::Action::Rewrite
        }
        Action::Reply(Reply::Done { affected, last_insert_id, info }) => {
            answer::reply_done(affected, last_insert_id, &info);
            sql_hooks::Action::Reply
        }
        Action::Reply(Reply::Rows(rows)) => {
            answer::reply_rows(&self::rows(rows));
            sql_hooks::Action::Reply
        }
        Action::Reject(why) => {
            reject(why);
            sql_hooks::Action::Reject
        }
    }
}

fn rows(rows: Rows) -> answer::Rows {
    let column = |(name, kind): (String, crate::sql::ColumnType)| answer::Column {
        name,
        type_name: kind.as_str().to_owned(),
    };
    let row = |row: Vec<crate::sql::Value>| row.into_iter().map(|value| value.0).collect();
    answer::Rows {
        columns: rows.columns.into_iter().map(column).collect(),
        rows: rows.rows.into_iter().map(row).collect(),
    }
}

fn reuse(reuse: Option<(Reuse, Duration)>) -> (sql_hooks::Reuse, u32) {
    let Some((scope, duration)) = reuse else {
        return (sql_hooks::Reuse::Never, 0);
    };
    let scope = match scope {
        Reuse::User => sql_hooks::Reuse::User,
        Reuse::UserAndText => sql_hooks::Reuse::UserAndText,
        Reuse::Session => sql_hooks::Reuse::Session,
    };
    (scope, milliseconds(duration))
}

fn annotate(verdict: &Verdict) {
    if let Some(id) = &verdict.trace_id {
        answer::trace_id(id);
    }
    if let Some(key) = &verdict.idempotency_key {
        answer::idempotency_key(key);
    }
    for (key, value) in &verdict.tags {
        answer::tag(key, value);
    }
    if let Some(delay) = verdict.delay {
        answer::delay(milliseconds(delay));
    }
    if let Some(target) = &verdict.mirror {
        answer::mirror(number(target));
    }
}
