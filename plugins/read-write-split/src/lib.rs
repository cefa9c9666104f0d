//! Sends reads to the replicas of an upstream and everything else to its primary.
//!
//! A read goes to a replica only if its text shows that nobody can tell the difference: it locks
//! nothing, calls nothing unknown, and neither uses nor leaves anything on its connection. For some time
//! after a session has written, it reads from the primary, which knows of the write. What is in doubt
//! goes to the primary.

mod class;
mod functions;
mod sticky;

use std::time::Duration;

use class::Class;
use functions::Functions;
use tidegate_sdk::sql_text::{Dialect, comments};
use tidegate_sdk::{Config, ConfigError, log, sql::*};

/// Long enough that asking costs nothing, short enough that the entries of old texts go away.
const REUSED_FOR: Duration = Duration::from_secs(10);

const KEYS: [&str; 5] =
    ["upstream", "sticky", "replica_functions", "primary_functions", "read_only_transactions"];

/// Longer than a replica lags on a good day.
const STICKY_DEFAULT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Splitter {
    primary: Target,
    replica: Target,
    /// Where `START TRANSACTION READ ONLY` goes, and `BEGIN READ ONLY`; `None`: as the protocol's users
    /// expect it.
    read_only_transactions: Option<Target>,
    /// How long a session reads from the primary after it has written; zero: no longer than the rest.
    sticky: Duration,
    functions: Functions,
}

impl Splitter {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        config.deny_unknown(&KEYS)?;
        let [primary, replica] = roles(&config.get::<String>("upstream")?)?;
        let read_only_transactions =
            role(config, "read_only_transactions")?.map(|role| match role {
                Role::Primary => primary.clone(),
                Role::Replica => replica.clone(),
            });
        let sticky = config.get_or("sticky", STICKY_DEFAULT)?;
        let functions = Functions::from_config(config)?;
        Ok(Self { primary, replica, read_only_transactions, sticky, functions })
    }

    /// Where a statement outside a transaction goes that brings no hint.
    fn route(&self, session: &Session, class: Class) -> Verdict {
        match class {
            Class::SafeRead => Verdict::route(self.unless_sticky(session, &self.replica)),
            Class::ReadOnlyTransaction => {
                let target = match (&self.read_only_transactions, session.dialect()) {
                    (Some(configured), _) => configured,
                    (None, Dialect::Postgres) => &self.replica,
                    (None, Dialect::Mysql) => &self.primary,
                };
                Verdict::route(self.unless_sticky(session, target))
            }
            // tidegate repeats a setting on every connection of the session, and asks about the last
            // statement on the connection that it went to.
            Class::Setting | Class::AboutTheLast => Verdict::next(),
            Class::Write | Class::Other => Verdict::route(&self.primary),
        }
    }

    fn unless_sticky<'a>(&'a self, session: &Session, target: &'a Target) -> &'a Target {
        if sticky::has_just_written(session, self.sticky) { &self.primary } else { target }
    }

    /// Where the client itself says that the statement goes.
    fn hinted(&self, session: &Session, statement: &Statement) -> Option<Verdict> {
        match comments::hint(statement.text().as_bytes(), session.dialect(), "route")? {
            "primary" => Some(Verdict::route(&self.primary)),
            "replica" => Some(Verdict::route(&self.replica)),
            other => {
                log::warn(format_args!("a hint is ignored: route={other:.40}"));
                None
            }
        }
    }
}

impl SqlPlugin for Splitter {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        let sticks = !self.sticky.is_zero();
        if session.in_transaction() && !sticks {
            return Verdict::next().reuse(Reuse::User, REUSED_FOR);
        }
        let class = self.functions.class(statement, session.dialect());
        if sticks {
            sticky::note(session, statement.kind(), class == Class::Write);
        }
        if session.in_transaction() {
            return Verdict::next();
        }
        let verdict = self.hinted(session, statement).unwrap_or_else(|| self.route(session, class));
        // Without marks and clocks, the text decides alone: its comments too, which no digest has. Texts
        // that are not prepared mostly differ in their literals, and would only fill the host's memory.
        if sticks || !statement.is_prepared() {
            return verdict;
        }
        verdict.reuse(Reuse::UserAndText, REUSED_FOR)
    }
}

tidegate_sdk::export!(Splitter: sql; init = Splitter::from_config);

/// The primary and the replicas of an upstream.
fn roles(upstream: &str) -> Result<[Target; 2], ConfigError> {
    let resolve = |role: &str| {
        let unknown = |error: tidegate_sdk::UnknownTarget| ConfigError::new(error.to_string());
        Target::resolve(format!("{upstream}/{role}"))
            .map_err(|error| unknown(error).inside("upstream"))
    };
    Ok([resolve("primary")?, resolve("replica")?])
}

enum Role {
    Primary,
    Replica,
}

fn role(config: &Config, key: &str) -> Result<Option<Role>, ConfigError> {
    match config.get::<Option<String>>(key)?.as_deref() {
        None => Ok(None),
        Some("primary") => Ok(Some(Role::Primary)),
        Some("replica") => Ok(Some(Role::Replica)),
        Some(other) => {
            let problem = format!("want \"primary\" or \"replica\", found {other:?}");
            Err(ConfigError::new(problem).inside(key))
        }
    }
}

#[cfg(test)]
mod tests;
