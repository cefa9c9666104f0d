//! Goes through the rules with one statement, as ProxySQL does.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use regex::Regex;
use tidegate_sdk::sql::{Session, Statement, Target};
use tidegate_sdk::sql_text::digest_text;

use crate::prefilter::Prefilter;
use crate::profiles::Profile;
use crate::replace::{placeholders, replace};
use crate::rule::{Flag, Replace, Rule};

/// With fewer patterns to try, trying them is quicker than looking for their strings first.
const PREFILTER_FROM: usize = 2;

/// All rules, with what makes them quick.
#[derive(Debug)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// What rules out a `match_pattern` and a `match_digest`, where there are many.
    texts: Option<Prefilter>,
    digests: Option<Prefilter>,
    /// How often a `flagOUT` starts again with the first rule.
    iterations: u64,
}

impl RuleSet {
    pub(crate) fn new(rules: Vec<Rule>, iterations: u64) -> Self {
        let texts = prefilter(&rules, |rule| rule.match_pattern.as_ref());
        let digests = prefilter(&rules, |rule| rule.match_digest.as_ref());
        Self { rules, texts, digests, iterations }
    }
}

fn prefilter(rules: &[Rule], pattern: fn(&Rule) -> Option<&Regex>) -> Option<Prefilter> {
    let many = rules.iter().filter_map(pattern).count() >= PREFILTER_FROM;
    let of_rule = |rule| pattern(rule).map(|pattern| (pattern.as_str(), rule.caseless));
    many.then(|| Prefilter::new(rules.iter().map(of_rule)))
}

/// What the rules that held have said; of each action the last.
#[derive(Debug, Default)]
pub(crate) struct Found<'r> {
    pub(crate) destination: Option<&'r Target>,
    pub(crate) mirror: Option<&'r Target>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) delay: Option<Duration>,
    pub(crate) error: Option<&'r str>,
    pub(crate) ok: Option<&'r str>,
    pub(crate) log: Option<bool>,
    pub(crate) next_flag: Option<Flag>,
    /// The text after all replacements.
    pub(crate) rewritten: Option<String>,
    /// Why the statement cannot be carried out as the rules want it.
    pub(crate) refused: Option<String>,
    /// The numbers of the rules.
    pub(crate) ids: Vec<u64>,
    /// More of the text was looked at than its digest tells.
    pub(crate) by_text: bool,
}

/// One statement on its way through the rules. What is asked of it is found out once, and only then.
pub(crate) struct Scan<'r, 's> {
    set: &'r RuleSet,
    session: &'s Session,
    statement: &'s Statement,
    schema: OnceCell<Option<String>>,
    text: OnceCell<Cow<'s, str>>,
    digest_text: OnceCell<String>,
    /// By the place of the rule: might its pattern match?
    possible_text: OnceCell<Vec<bool>>,
    possible_digest: OnceCell<Vec<bool>>,
    found: Found<'r>,
}

impl<'r, 's> Scan<'r, 's> {
    pub(crate) fn new(set: &'r RuleSet, session: &'s Session, statement: &'s Statement) -> Self {
        Self {
            set,
            session,
            statement,
            schema: OnceCell::new(),
            text: OnceCell::new(),
            digest_text: OnceCell::new(),
            possible_text: OnceCell::new(),
            possible_digest: OnceCell::new(),
            found: Found::default(),
        }
    }

    /// Goes through the rules of the session's profile, from the one with the lowest number on.
    pub(crate) fn run(mut self, profile: &Profile, mut flag: Flag) -> Found<'r> {
        let mut iterations = self.set.iterations;
        let mut places = profile.rules.iter();
        while let Some(place) = places.next() {
            let rule = &self.set.rules[*place];
            if rule.flag_in != flag || !self.holds(*place, rule) {
                continue;
            }
            self.take(rule);
            if rule.apply || self.found.refused.is_some() {
                break;
            }
            if let Some(next) = rule.flag_out {
                flag = next;
                if iterations > 0 {
                    iterations -= 1;
                    places = profile.rules.iter();
                }
            }
        }
        self.check_placeholders();
        self.found
    }

    fn holds(&mut self, place: usize, rule: &Rule) -> bool {
        rule.digest.is_none_or(|digest| digest == self.statement.digest())
            && self.holds_schema(rule)
            && rule
                .match_digest
                .as_ref()
                .is_none_or(|p| self.digest_matches(place, p) != rule.negate)
            && rule
                .match_pattern
                .as_ref()
                .is_none_or(|p| self.text_matches(place, p) != rule.negate)
    }

    fn holds_schema(&self, rule: &Rule) -> bool {
        if rule.schema.is_none() && rule.schema_pattern.is_none() {
            return true;
        }
        let Some(schema) = self.schema.get_or_init(|| self.session.database()) else {
            return false;
        };
        rule.schema.as_ref().is_none_or(|name| name == schema)
            && rule.schema_pattern.as_ref().is_none_or(|pattern| pattern.is_match(schema))
    }

    /// The digest text is always that of the client's statement.
    fn digest_matches(&self, place: usize, pattern: &Regex) -> bool {
        let text = self
            .digest_text
            .get_or_init(|| digest_text(self.statement.bytes(), self.session.dialect()));
        is_possible(self.set.digests.as_ref(), &self.possible_digest, text, place)
            && pattern.is_match(text)
    }

    /// The text is what the rules before have made of it.
    fn text_matches(&mut self, place: usize, pattern: &Regex) -> bool {
        self.found.by_text = true;
        if let Some(rewritten) = &self.found.rewritten {
            return pattern.is_match(rewritten);
        }
        let text = self.text();
        is_possible(self.set.texts.as_ref(), &self.possible_text, text, place)
            && pattern.is_match(text)
    }

    /// As much of the client's text as can be had, with what is not UTF-8 replaced.
    fn text(&self) -> &str {
        self.text.get_or_init(|| match self.statement.is_truncated() {
            false => Cow::Borrowed(self.statement.text()),
            true => String::from_utf8_lossy(self.statement.bytes()),
        })
    }

    fn take(&mut self, rule: &'r Rule) {
        let (found, actions) = (&mut self.found, &rule.actions);
        found.ids.push(rule.id);
        found.destination = actions.destination.as_ref().or(found.destination);
        found.mirror = actions.mirror.as_ref().or(found.mirror);
        found.timeout = actions.timeout.or(found.timeout);
        found.delay = actions.delay.or(found.delay);
        found.error = actions.error.as_deref().or(found.error);
        found.ok = actions.ok.as_deref().or(found.ok);
        found.log = actions.log.or(found.log);
        found.next_flag = actions.next_flag.or(found.next_flag);
        if let (Some(with), Some(pattern)) = (&rule.replace, &rule.match_pattern) {
            match self.replaced(pattern, with) {
                Ok(text) => self.found.rewritten = Some(text),
                Err(why) => self.refuse(rule.id, &why),
            }
        }
    }

    fn refuse(&mut self, id: u64, why: &str) {
        self.found.refused = Some(format!("query-rules: rule {id} rewrites this statement, {why}"));
    }

    fn replaced(&self, pattern: &Regex, with: &Replace) -> Result<String, String> {
        let text = match &self.found.rewritten {
            Some(text) => text,
            None if self.statement.is_partial() => {
                return Err("which is longer than 64 KiB".to_owned());
            }
            None => str::from_utf8(self.statement.bytes())
                .map_err(|_| "which is not all UTF-8".to_owned())?,
        };
        let replaced = replace(pattern, with, text, self.session.dialect());
        replaced.ok_or_else(|| "which would be longer than 1 MiB then".to_owned())
    }

    /// Who prepares a statement binds as many values as it has placeholders.
    fn check_placeholders(&mut self) {
        let Some(rewritten) =
            self.found.rewritten.as_ref().filter(|_| self.statement.is_prepared())
        else {
            return;
        };
        let dialect = self.session.dialect();
        let (before, after) =
            (placeholders(self.text(), dialect), placeholders(rewritten, dialect));
        if before != after {
            let id = self.found.ids.last().copied().unwrap_or_default();
            let why = format!("which then has {after} placeholders in the place of {before}");
            self.refuse(id, &why);
        }
    }
}

fn is_possible(
    prefilter: Option<&Prefilter>,
    known: &OnceCell<Vec<bool>>,
    text: &str,
    place: usize,
) -> bool {
    prefilter.is_none_or(|prefilter| {
        let possible = known.get_or_init(|| prefilter.possible(text));
        possible.get(place).copied().unwrap_or(true)
    })
}
