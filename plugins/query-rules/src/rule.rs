//! One rule as it is configured: when it holds, and what it does.

use std::time::Duration;

use regex::Regex;
use tidegate_sdk::sql::Target;
use tidegate_sdk::{Config, ConfigError};

use crate::address::AddressPattern;
use crate::keys;
use crate::pattern::Modifiers;
use crate::template::Template;

/// A statement is not held back for longer.
const DELAY_MAX: Duration = Duration::from_secs(3600);

/// A number that leads from rule to rule.
pub(crate) type Flag = u16;

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: u64,
    pub(crate) session: SessionConditions,
    pub(crate) flag_in: Flag,
    pub(crate) schema: Option<String>,
    pub(crate) schema_pattern: Option<Regex>,
    pub(crate) digest: Option<u64>,
    pub(crate) match_digest: Option<Regex>,
    pub(crate) match_pattern: Option<Regex>,
    /// Both patterns must not match.
    pub(crate) negate: bool,
    pub(crate) caseless: bool,
    pub(crate) flag_out: Option<Flag>,
    pub(crate) apply: bool,
    pub(crate) replace: Option<Replace>,
    pub(crate) actions: Actions,
}

/// What stays the same as long as the client is the same.
#[derive(Debug, Default)]
pub(crate) struct SessionConditions {
    pub(crate) listener: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) address: Option<AddressPattern>,
}

#[derive(Debug)]
pub(crate) struct Replace {
    pub(crate) template: Template,
    /// Every match, not only the first.
    pub(crate) global: bool,
}

/// What a later rule overrides.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) destination: Option<Target>,
    pub(crate) mirror: Option<Target>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) delay: Option<Duration>,
    pub(crate) error: Option<String>,
    pub(crate) ok: Option<String>,
    pub(crate) log: Option<bool>,
    pub(crate) next_flag: Option<Flag>,
}

/// The active rules in the order of their numbers.
pub(crate) fn read_all(config: &Config) -> Result<Vec<Rule>, ConfigError> {
    let mut rules = Vec::new();
    let mut ids = Vec::new();
    for (position, table) in config.get_or("rules", Vec::<Config>::new())?.iter().enumerate() {
        // By its number where it has one, as in `rules.rule_id=30.apply`.
        let id = table.get::<u64>("rule_id");
        let name = id.as_ref().map_or_else(|_| position.to_string(), |id| format!("rule_id={id}"));
        let inside = |error: ConfigError| error.inside(&name).inside("rules");
        let id = id.map_err(inside)?;
        if ids.contains(&id) {
            let taken = ConfigError::new("another rule has this number").inside("rule_id");
            return Err(inside(taken));
        }
        ids.push(id);
        let rule = Rule::read(id, table).map_err(inside)?;
        if table.get_or("active", true).map_err(inside)? {
            rules.push(rule);
        }
    }
    rules.sort_by_key(|rule| rule.id);
    Ok(rules)
}

impl Rule {
    fn read(id: u64, table: &Config) -> Result<Self, ConfigError> {
        keys::check(table)?;
        table.get::<Option<String>>("comment")?;
        let modifiers = Modifiers::from_config(table)?;
        let rule = Self {
            id,
            session: SessionConditions::read(table)?,
            flag_in: flag(table, "flagIN")?.unwrap_or(0),
            schema: table.get("schemaname")?,
            schema_pattern: modifiers.pattern(table, "schema_pattern")?,
            digest: digest(table)?,
            match_digest: modifiers.pattern(table, "match_digest")?,
            match_pattern: modifiers.pattern(table, "match_pattern")?,
            negate: table.get_or("negate_match_pattern", false)?,
            caseless: modifiers.caseless,
            flag_out: flag(table, "flagOUT")?,
            apply: table.get_or("apply", false)?,
            replace: None,
            actions: Actions::read(table)?,
        };
        if rule.negate && rule.match_digest.is_none() && rule.match_pattern.is_none() {
            let problem = "needs \"match_digest\" or \"match_pattern\"";
            return Err(ConfigError::new(problem).inside("negate_match_pattern"));
        }
        let replace = rule.replacement(table, modifiers)?;
        Ok(Self { replace, ..rule })
    }

    fn replacement(
        &self,
        table: &Config,
        modifiers: Modifiers,
    ) -> Result<Option<Replace>, ConfigError> {
        const KEY: &str = "replace_pattern";
        let Some(text) = table.get::<Option<String>>(KEY)? else {
            return Ok(None);
        };
        let pattern = self.match_pattern.as_ref().filter(|_| !self.negate);
        let Some(pattern) = pattern else {
            let problem =
                "needs a \"match_pattern\" that is not negated, whose matches it replaces";
            return Err(ConfigError::new(problem).inside(KEY));
        };
        let template = Template::parse(&text, pattern.captures_len())
            .map_err(|problem| ConfigError::new(problem).inside(KEY))?;
        Ok(Some(Replace { template, global: modifiers.global }))
    }
}

impl SessionConditions {
    fn read(table: &Config) -> Result<Self, ConfigError> {
        let address = table.get::<Option<String>>("client_addr")?;
        let address = address.map(|text| AddressPattern::parse(&text)).transpose();
        let port = match table.get::<Option<u64>>("proxy_port")? {
            Some(port) => match u16::try_from(port) {
                Ok(port) if port > 0 => Some(port),
                _ => {
                    return Err(ConfigError::new(format!("{port} is no port")).inside("proxy_port"));
                }
            },
            None => None,
        };
        Ok(Self {
            listener: table.get("listener")?,
            port,
            user: table.get("username")?,
            address: address.map_err(|why| ConfigError::new(why).inside("client_addr"))?,
        })
    }
}

impl Actions {
    fn read(table: &Config) -> Result<Self, ConfigError> {
        let delay = table.get::<Option<Duration>>("delay")?;
        if delay.is_some_and(|delay| delay > DELAY_MAX) {
            return Err(ConfigError::new("at most \"1h\"").inside("delay"));
        }
        Ok(Self {
            destination: table.get("destination")?,
            mirror: table.get("mirror")?,
            timeout: table.get("timeout")?,
            delay,
            error: table.get("error_msg")?,
            ok: table.get("OK_msg")?,
            log: table.get("log")?,
            next_flag: flag(table, "next_query_flagIN")?,
        })
    }
}

fn flag(table: &Config, key: &str) -> Result<Option<Flag>, ConfigError> {
    let Some(number) = table.get::<Option<u64>>(key)? else {
        return Ok(None);
    };
    let flag = Flag::try_from(number);
    flag.map(Some)
        .map_err(|_| ConfigError::new(format!("want 0 to 65535, found {number}")).inside(key))
}

/// As the query log shows it: sixteen hexadecimal digits.
fn digest(table: &Config) -> Result<Option<u64>, ConfigError> {
    let Some(text) = table.get::<Option<String>>("digest")? else {
        return Ok(None);
    };
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    let number = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16);
    number.map(Some).ok_or_else(|| {
        let problem = format!("want the sixteen digits that the query log shows, found {text:?}");
        ConfigError::new(problem).inside("digest")
    })
}
