//! The plugin to copy: it lets only administrators change tables, and counts who tried.
//!
//! Read it top to bottom. It has one of everything that a plugin usually needs: a configuration, a hook
//! for new sessions, a hook for statements, a metric, a line in the log, and tests.

use std::error::Error;

// Everything a statement hook needs, everything a session hook needs, and some services of the host.
use tidegate_sdk::metrics::Counter;
use tidegate_sdk::{Config, connection::*, log, sql::*};

/// The plugin. Each worker of tidegate has an instance of it; they share no memory.
#[derive(Debug)]
struct Guard {
    administrators: Vec<String>,
    message: String,
    refused: Counter,
}

/// What this plugin notes about a session; see [`Session::mark`]. 0 is what every session starts with.
const ADMINISTRATOR: u64 = 1;

impl Guard {
    /// Makes the plugin from the `[config]` table of `example.toml`.
    ///
    /// An error here is a refusal: the plugin is not loaded, what served before serves on, and the
    /// operator reads why. So check everything now, and nothing later.
    fn from_config(config: &Config) -> Result<Self, Box<dyn Error>> {
        config.deny_unknown(&["administrators", "message"])?;
        Ok(Self {
            administrators: config.get("administrators")?,
            message: config.get_or("message", "only administrators may do this".to_owned())?,
            refused: Counter::register("refused", &[])?,
        })
    }
}

/// Asked once for each session, when the client has proved who it is.
impl ConnectionPlugin for Guard {
    fn on_authenticated(&self, session: &Session) -> Admission {
        // The name of the user costs a call to the host. The mark comes with every statement for free,
        // so what is found out once is kept there.
        if self.administrators.contains(&session.user()) {
            session.set_mark(ADMINISTRATOR);
        }
        // No opinion about where the session goes: the next plugin may have one.
        Admission::next()
    }
}

/// Asked for each statement, before it is sent anywhere.
impl SqlPlugin for Guard {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        // The kind is that of the first statement; what comes behind it is not looked into.
        let suspicious = statement.kind() == Kind::Ddl || statement.is_multiple();
        if !suspicious || session.mark() == ADMINISTRATOR {
            return Verdict::next();
        }
        self.refused.add(1);
        log::warn(format_args!("{} tried: {}", session.user(), statement.text()));
        Verdict::reject(Rejection::new(self.message.as_str()).code(1142).sqlstate("42000"))
    }
}

// The one line that makes a component of it: the type, its hooks, and how it is made.
tidegate_sdk::export!(Guard: sql, connection; init = Guard::from_config);

/// Hooks are ordinary methods: `cargo native-test` calls them natively, with a host that is made up.
#[cfg(test)]
mod tests {
    use tidegate_sdk::mock;

    use super::*;

    const SIDECAR: &str = include_str!("../example.toml");

    fn guard() -> Guard {
        Guard::from_config(&mock::sidecar(SIDECAR)).expect("the shipped file is right")
    }

    /// A session as it is after its hook has seen it.
    fn session(guard: &Guard, user: &str) -> mock::MockSession {
        let session = mock::session(user);
        assert_eq!(guard.on_authenticated(&session), Admission::next());
        session
    }

    #[test]
    fn an_administrator_changes_tables() {
        let guard = guard();
        let admin = session(&guard, "admin");
        let drop = mock::statement("DROP TABLE orders");
        assert_eq!(guard.on_statement(&admin, &drop), Verdict::next());
    }

    #[test]
    fn others_are_refused_and_counted() {
        let host = mock::Host::new();
        let guard = guard();
        let ann = session(&guard, "ann");
        let verdict = guard.on_statement(&ann, &mock::statement("DROP TABLE orders"));
        assert!(matches!(verdict.action, Action::Reject(why) if why.code == 1142));
        assert_eq!(host.metric("refused", &[]), Some(1.0));
        assert_eq!(host.logged(), [(log::Level::Warn, "ann tried: DROP TABLE orders".to_owned())]);
    }

    #[test]
    fn whatever_changes_no_table_passes() {
        let guard = guard();
        let ann = session(&guard, "ann");
        for sql in ["SELECT * FROM orders", "DELETE FROM orders", "BEGIN"] {
            assert_eq!(guard.on_statement(&ann, &mock::statement(sql)), Verdict::next(), "{sql}");
        }
    }

    #[test]
    fn nothing_hides_behind_a_harmless_statement() {
        let guard = guard();
        let ann = session(&guard, "ann");
        let verdict = guard.on_statement(&ann, &mock::statement("SELECT 1; DROP TABLE orders"));
        assert!(matches!(verdict.action, Action::Reject(_)));
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let sidecar = mock::sidecar("[config]\nadministrator = ['admin']");
        let wanted = "[config] \"administrator\": no such key; did you mean \"administrators\"?";
        assert_eq!(Guard::from_config(&sidecar).unwrap_err().to_string(), wanted);
    }
}
