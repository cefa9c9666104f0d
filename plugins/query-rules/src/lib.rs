//! Routes, rewrites, answers, delays and mirrors statements by rules in the vocabulary of ProxySQL.
//!
//! The rules are read once and checked strictly. For each session, those that can hold for it are
//! found out once (`profiles`); for each statement, patterns that cannot match are ruled out together
//! (`prefilter`), and the rest is gone through in order (`scan`).

mod address;
mod keys;
mod pattern;
mod prefilter;
mod profiles;
mod quote;
mod replace;
mod rule;
mod scan;
mod template;

use std::time::Duration;

use profiles::{Profile, Profiles};
use scan::{Found, RuleSet, Scan};
use tidegate_sdk::{Config, ConfigError, log, sql::*};

/// Long enough that asking costs nothing, short enough that the entries of old texts go away.
const REUSED_FOR: Duration = Duration::from_secs(10);
/// More rounds than this cost more time than a hook has.
const ITERATIONS_MAX: u64 = 100;
/// What ProxySQL answers with an `error_msg`.
const ERROR_CODE: u32 = 1148;
const ERROR_SQLSTATE: &str = "42000";

#[derive(Debug)]
struct QueryRules {
    set: RuleSet,
    profiles: Profiles,
    /// Some rule sets the flag with which the next statement starts.
    remembers: bool,
}

impl QueryRules {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        config.deny_unknown(&["rules", "iterations"])?;
        let iterations = config.get_or("iterations", 0)?;
        if iterations > ITERATIONS_MAX {
            let problem = format!("at most {ITERATIONS_MAX}");
            return Err(ConfigError::new(problem).inside("iterations"));
        }
        let rules = rule::read_all(config)?;
        if rules.is_empty() {
            log::warn("there are no rules: every statement goes where it would have gone anyway");
        }
        let remembers = rules.iter().any(|rule| rule.actions.next_flag.is_some());
        let profiles = Profiles::new(&rules);
        Ok(Self { set: RuleSet::new(rules, iterations), profiles, remembers })
    }

    /// For what a verdict holds that came from these rules.
    fn reuse(&self, profile: &Profile, found: &Found<'_>, statement: &Statement) -> Option<Reuse> {
        match (found.by_text, profile.by_address) {
            _ if self.remembers => None,
            (false, false) => Some(Reuse::User),
            (false, true) => Some(Reuse::Session),
            // Texts that are not prepared mostly differ, and would only fill the host's memory.
            (true, false) if statement.is_prepared() => Some(Reuse::UserAndText),
            (true, _) => None,
        }
    }
}

impl SqlPlugin for QueryRules {
    fn on_statement(&self, session: &Session, statement: &Statement) -> Verdict {
        let profile = self.profiles.of(session, &self.set.rules);
        // Verdicts that are reused know nothing of flags that other rules have left behind.
        let flag = if self.remembers { profiles::flag(session) } else { 0 };
        let found = Scan::new(&self.set, session, statement).run(&profile, flag);
        let reuse = self.reuse(&profile, &found, statement);
        if let Some(next) = found.next_flag {
            profiles::set_flag(session, next);
        }
        let verdict = verdict(found);
        match reuse {
            Some(reuse) => verdict.reuse(reuse, REUSED_FOR),
            None => verdict,
        }
    }
}

/// An OK goes before an error, and both before a place to go.
fn verdict(found: Found<'_>) -> Verdict {
    let mut verdict = match found {
        Found { refused: Some(why), .. } => Verdict::reject(why),
        Found { ok: Some(info), .. } => Verdict::reply_done(0).info(info),
        Found { error: Some(message), .. } => {
            Verdict::reject(Rejection::new(message).code(ERROR_CODE).sqlstate(ERROR_SQLSTATE))
        }
        Found { rewritten: Some(text), .. } => Verdict::rewrite(text),
        _ => Verdict::next(),
    };
    if let (Action::Next | Action::Rewrite(_), Some(target)) = (&verdict.action, found.destination)
    {
        verdict = verdict.to(target);
    }
    verdict.timeout = found.timeout;
    verdict.delay = found.delay;
    verdict.mirror = found.mirror.cloned();
    if found.log == Some(true) {
        let ids: Vec<String> = found.ids.iter().map(u64::to_string).collect();
        verdict = verdict.tag("rules", ids.join(","));
    }
    verdict
}

tidegate_sdk::export!(QueryRules: sql; init = QueryRules::from_config);

#[cfg(test)]
mod tests;
