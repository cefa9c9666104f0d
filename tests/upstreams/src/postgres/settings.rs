//! Settings: what a session may change of them, what drivers are told without asking.

use std::collections::BTreeMap;

use tidegate_postgres_wire::message::ErrorResponse;

use super::error::{CANT_CHANGE_RUNTIME_PARAM, UNDEFINED_OBJECT, error};
use crate::server::{Role, Server};

/// What a server of this kind calls its version.
pub(super) const VERSION: &str = "17.0 (tidegate demo over SQLite)";

/// By name, in the letters in which it is told.
type Values = BTreeMap<String, String>;

/// The settings of one session.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// What nobody changes.
    fixed: Values,
    /// What the session began with.
    initial: Values,
    session: Values,
    /// Those of `SET LOCAL`.
    local: Values,
    /// `session`, as it was before the transaction.
    before: Values,
}

impl Settings {
    /// Those of a session of `user`, which has asked for some when it logged in.
    pub(super) fn new(server: &Server, user: &str, asked: &[(String, String)]) -> Self {
        let standby = if server.role == Role::Replica { "on" } else { "off" };
        let own = [
            ("cluster_name", server.name()),
            ("in_hot_standby", standby.to_owned()),
            ("session_authorization", user.to_owned()),
            ("transaction_read_only", standby.to_owned()),
        ];
        let fixed = FIXED.map(|(name, value)| (name, value.to_owned())).into_iter().chain(own);
        let mut settings = Self {
            fixed: fixed.map(|(name, value)| (name.to_owned(), value)).collect(),
            initial: CHANGEABLE.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            session: Values::new(),
            local: Values::new(),
            before: Values::new(),
        };
        for (name, value) in asked {
            // What is unknown here is known to servers of another version.
            if let Ok(name) = settings.changeable(name) {
                settings.initial.insert(name, value.clone());
            }
        }
        settings.session.clone_from(&settings.initial);
        settings
    }

    /// The value of a setting, by its name in any letters.
    pub(super) fn get(&self, name: &str) -> Result<&str, ErrorResponse> {
        let known = [&self.local, &self.session, &self.fixed].into_iter();
        let mut found = known.filter_map(|values| find(values, name));
        found.next().map(|(_, value)| value.as_str()).ok_or_else(|| unknown(name))
    }

    /// `None` for the value that the session began with.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: Option<String>,
        local: bool,
    ) -> Result<(), ErrorResponse> {
        let name = self.changeable(name)?;
        let value = value.or_else(|| self.initial.get(&name).cloned()).unwrap_or_default();
        if local {
            self.local.insert(name, value);
        } else {
            self.local.remove(&name);
            self.session.insert(name, value);
        }
        Ok(())
    }

    /// All as the session began.
    pub(super) fn reset(&mut self) {
        self.local.clear();
        self.session.clone_from(&self.initial);
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.before.clone_from(&self.session);
    }

    pub(super) fn commit(&mut self) {
        self.local.clear();
    }

    pub(super) fn roll_back(&mut self) {
        self.local.clear();
        self.session.clone_from(&self.before);
    }

    /// What clients are told at the login, and whenever it changes.
    pub(super) fn reported(&self) -> Vec<(&'static str, String)> {
        let value = |name: &'static str| Some((name, self.get(name).ok()?.to_owned()));
        REPORTED.into_iter().filter_map(value).collect()
    }

    /// The name of a setting that a session may change, in its own letters.
    fn changeable(&self, name: &str) -> Result<String, ErrorResponse> {
        if find(&self.fixed, name).is_some() {
            let message = format!("parameter \"{name}\" cannot be changed");
            return Err(error(CANT_CHANGE_RUNTIME_PARAM, message));
        }
        match find(&self.initial, name) {
            Some((name, _)) => Ok(name.clone()),
            // Applications have settings of their own.
            None if name.contains('.') => Ok(name.to_ascii_lowercase()),
            None => Err(unknown(name)),
        }
    }
}

fn find<'a>(values: &'a Values, name: &str) -> Option<(&'a String, &'a String)> {
    values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn unknown(name: &str) -> ErrorResponse {
    error(UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

const FIXED: [(&str, &str); 7] = [
    ("integer_datetimes", "on"),
    ("is_superuser", "off"),
    ("max_connections", "100"),
    ("scram_iterations", "4096"),
    ("server_encoding", "UTF8"),
    ("server_version", VERSION),
    ("server_version_num", "170000"),
];

const CHANGEABLE: [(&str, &str); 13] = [
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("DateStyle", "ISO, MDY"),
    ("default_transaction_read_only", "off"),
    ("extra_float_digits", "1"),
    ("IntervalStyle", "postgres"),
    ("search_path", "\"$user\", public"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("TimeZone", "UTC"),
    ("transaction_isolation", "serializable"),
];

const REPORTED: [&str; 14] = [
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "scram_iterations",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let server = Server { role: Role::Replica, id: 2, path: "unused".into() };
        let asked = [("datestyle", "German"), ("no_such_one", "1"), ("server_version", "9")];
        Settings::new(&server, "app", &asked.map(|(a, b)| (a.to_owned(), b.to_owned())))
    }

    #[test]
    fn a_session_begins_with_what_it_has_asked_for() {
        let settings = settings();
        assert_eq!(settings.get("DateStyle").unwrap(), "German");
        assert_eq!(settings.get("server_version").unwrap(), VERSION);
        assert_eq!(settings.get("CLUSTER_NAME").unwrap(), "replica-2");
        assert_eq!(settings.get("no_such_one").unwrap_err().sqlstate(), UNDEFINED_OBJECT);
        let reported = settings.reported();
        assert_eq!(reported.len(), REPORTED.len());
        assert!(reported.contains(&("in_hot_standby", "on".to_owned())));
    }

    #[test]
    fn transactions_undo_what_they_set() {
        let mut settings = settings();
        let set = |settings: &mut Settings, value: &str, local| {
            settings.set("timezone", Some(value.to_owned()), local).unwrap();
        };
        settings.begin();
        set(&mut settings, "CET", false);
        set(&mut settings, "EET", true);
        assert_eq!(settings.get("TimeZone").unwrap(), "EET");
        settings.commit();
        assert_eq!(settings.get("TimeZone").unwrap(), "CET");
        settings.begin();
        set(&mut settings, "WET", false);
        settings.roll_back();
        assert_eq!(settings.get("TimeZone").unwrap(), "CET");
        settings.set("timezone", None, false).unwrap();
        assert_eq!(settings.get("TimeZone").unwrap(), "UTC");
        let refused = settings.set("in_hot_standby", None, false).unwrap_err();
        assert_eq!(refused.sqlstate(), CANT_CHANGE_RUNTIME_PARAM);
    }
}
