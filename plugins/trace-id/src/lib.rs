//! Finds the trace that a statement belongs to: in its comments, in what is attached to it, in a
//! variable of the session, in what the client said when it connected. The id is then in the query log,
//! with other plugins and, if wished, in a comment that the server sees.

mod comment;
mod trace;
mod variable;

use std::hash::{DefaultHasher, Hash, Hasher};

use tidegate_sdk::{Config, ConfigError, sql::*};
use trace::{Generator, TRACEPARENT, Trace};

const KEYS: [&str; 6] = ["sources", "keys", "variable", "answer_variable", "comment", "generate"];

/// The session attribute under which the variable's value is kept, for other plugins too.
const ATTRIBUTE: &str = "trace-id";

/// The mark of a session that was looked at: from its highest bits, how this plugin is configured, and
/// whether the session has a variable, and whether its client named a trace when it connected.
const VARIABLE: u64 = 1;
const CONNECTION: u64 = 1 << 1;
const FLAGS: u64 = VARIABLE | CONNECTION;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Comment,
    QueryAttribute,
    SessionVariable,
    ConnectionAttribute,
}

const SOURCES: [(&str, Source); 4] = [
    ("comment", Source::Comment),
    ("query-attribute", Source::QueryAttribute),
    ("session-variable", Source::SessionVariable),
    ("connection-attribute", Source::ConnectionAttribute),
];

#[derive(Debug)]
struct TraceId {
    /// The first that has a trace counts.
    sources: Vec<Source>,
    /// The names under which a trace may stand, in this order.
    keys: Vec<String>,
    variable: String,
    /// Answers what only sets the variable; no server sees it.
    answer_variable: bool,
    comment: bool,
    generator: Option<Generator>,
    /// Tells the marks of this configuration from those of others. Its lowest bits are 0.
    configured: u64,
}

impl TraceId {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        config.deny_unknown(&KEYS)?;
        let sources = sources(config)?;
        let keys = config.get_or("keys", vec![TRACEPARENT.to_owned(), "trace_id".to_owned()])?;
        if let Some(empty) = keys.iter().position(String::is_empty) {
            let error = ConfigError::new("want a name, found \"\"");
            return Err(error.inside(&empty.to_string()).inside("keys"));
        }
        let variable: String = config.get_or("variable", "trace_id".to_owned())?;
        let mut hash = DefaultHasher::new();
        (&sources, &keys, &variable).hash(&mut hash);
        Ok(Self {
            sources,
            keys,
            variable,
            answer_variable: config.get_or("answer_variable", false)?,
            comment: config.get_or("comment", false)?,
            generator: config.get_or("generate", false)?.then(Generator::default),
            // Of a session that was not looked at, the mark is 0.
            configured: (hash.finish() | 1 << 63) & !FLAGS,
        })
    }

    /// Takes note of a SET. `true`: it does nothing else, and no server needs to see it.
    fn note_variable(&self, session: &Session, statement: &Statement) -> bool {
        let wanted = self.sources.contains(&Source::SessionVariable);
        if !wanted || statement.kind() != Kind::SessionState || statement.is_truncated() {
            return false;
        }
        let set = variable::assignment(statement.text(), &self.variable, session.dialect());
        let Some(set) = set else {
            return false;
        };
        let flags = self.flags(session);
        let valid = |value: &&String| Trace::new(&self.variable, value).is_some();
        match set.value.as_ref().filter(valid) {
            Some(value) => {
                session.set_attribute(ATTRIBUTE, value);
                session.set_mark(self.configured | flags | VARIABLE);
            }
            None => {
                session.remove_attribute(ATTRIBUTE);
                session.set_mark(self.configured | flags & !VARIABLE);
            }
        }
        set.alone && set.value.is_some()
    }

    /// What the session itself has, found out once.
    fn flags(&self, session: &Session) -> u64 {
        let mark = session.mark();
        if mark & !FLAGS == self.configured {
            return mark & FLAGS;
        }
        let mut flags = 0;
        if session.attribute(ATTRIBUTE).is_some() {
            flags |= VARIABLE;
        }
        if self.of_connection(session).is_some() {
            flags |= CONNECTION;
        }
        session.set_mark(self.configured | flags);
        flags
    }

    fn find(&self, session: &Session, statement: &Statement) -> Option<(Source, Trace)> {
        let found = |source: &Source| Some((*source, self.look(*source, session, statement)?));
        self.sources.iter().find_map(found)
    }

    fn look(&self, source: Source, session: &Session, statement: &Statement) -> Option<Trace> {
        match source {
            Source::Comment if statement.is_truncated() => {
                let text = String::from_utf8_lossy(statement.bytes());
                comment::find(&text, &self.keys, session.dialect())
            }
            Source::Comment => comment::find(statement.text(), &self.keys, session.dialect()),
            Source::QueryAttribute => self.under_keys(|key| statement.attribute(key)),
            Source::SessionVariable if self.flags(session) & VARIABLE != 0 => {
                Trace::new(&self.variable, &session.attribute(ATTRIBUTE)?)
            }
            Source::ConnectionAttribute if self.flags(session) & CONNECTION != 0 => {
                self.of_connection(session)
            }
            Source::SessionVariable | Source::ConnectionAttribute => None,
        }
    }

    fn of_connection(&self, session: &Session) -> Option<Trace> {
        self.under_keys(|key| session.connection_attribute(key))
    }

    fn under_keys(&self, value: impl Fn(&str) -> Option<String>) -> Option<Trace> {
        self.keys.iter().find_map(|key| Trace::new(key, &value(key)?))
    }

    /// The statement with the trace in a comment, where it may have one.
    fn commented(&self, session: &Session, statement: &Statement, trace: &Trace) -> Option<String> {
        // What is prepared is used again for other traces; what is defined keeps its text for ever.
        let runs_once = matches!(statement.kind(), Kind::Read | Kind::Write | Kind::Call);
        let whole = !statement.is_truncated() && statement.is_utf8();
        let may = self.comment && runs_once && whole && !statement.is_prepared();
        may.then(|| comment::append(statement.text(), trace, session.dialect()))
    }
}

impl SqlPlugin for TraceId {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        let sets_variable = self.note_variable(session, statement);
        let found = self.find(session, statement);
        let made = || self.generator.as_ref().map(|generator| generator.make(session.id()));
        let (from, trace) = match found {
            Some((source, trace)) => (Some(source), Some(trace)),
            None => (None, made()),
        };
        let commented = trace.as_ref().filter(|_| from != Some(Source::Comment));
        let commented = commented.and_then(|trace| self.commented(session, statement, trace));
        let verdict = match commented {
            _ if sets_variable && self.answer_variable => Verdict::reply_done(0),
            Some(text) => Verdict::rewrite(text),
            None => Verdict::next(),
        };
        match trace {
            Some(trace) => verdict.trace_id(trace.id()),
            None => verdict,
        }
    }
}

fn sources(config: &Config) -> Result<Vec<Source>, ConfigError> {
    let Some(names) = config.get::<Option<Vec<String>>>("sources")? else {
        return Ok(SOURCES.map(|(_, source)| source).to_vec());
    };
    let known = |name: &String| SOURCES.iter().find(|(known, _)| known == name);
    let source = |(position, name): (usize, &String)| match known(name) {
        Some((_, source)) => Ok(*source),
        None => {
            let all = SOURCES.map(|(name, _)| name).join(", ");
            let error = ConfigError::new(format!("no source {name:?}; there are: {all}"));
            Err(error.inside(&position.to_string()).inside("sources"))
        }
    };
    names.iter().enumerate().map(source).collect()
}

tidegate_sdk::export!(TraceId: sql; init = TraceId::from_config);

#[cfg(test)]
mod tests;
