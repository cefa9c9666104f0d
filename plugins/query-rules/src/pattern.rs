//! The patterns of a rule.

use regex::{Regex, RegexBuilder};
use tidegate_sdk::{Config, ConfigError};

/// What one pattern may keep to be quick: enough for any that is not itself excessive. The library's own
/// limit is four times as much, and thirty patterns could take all the memory of an instance.
const CACHE_BYTES_MAX: usize = 512 << 10;

/// How patterns are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modifiers {
    pub(crate) caseless: bool,
    /// Replaces every match, not only the first.
    pub(crate) global: bool,
}

impl Modifiers {
    /// `"CASELESS,GLOBAL"`, either, or none; `CASELESS` where nothing is said.
    pub(crate) fn from_config(rule: &Config) -> Result<Self, ConfigError> {
        let mut modifiers = Self { caseless: false, global: false };
        let text = rule.get_or("re_modifiers", "CASELESS".to_owned())?;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "CASELESS" => modifiers.caseless = true,
                "GLOBAL" => modifiers.global = true,
                other => {
                    let problem = format!("no modifier {other:?}; there are: CASELESS, GLOBAL");
                    return Err(ConfigError::new(problem).inside("re_modifiers"));
                }
            }
        }
        Ok(modifiers)
    }

    /// The pattern under `key`, where there is one.
    pub(crate) fn pattern(self, rule: &Config, key: &str) -> Result<Option<Regex>, ConfigError> {
        let Some(text) = rule.get::<Option<String>>(key)? else {
            return Ok(None);
        };
        let mut builder = RegexBuilder::new(&text);
        builder.case_insensitive(self.caseless).dfa_size_limit(CACHE_BYTES_MAX);
        let built = builder.build();
        built.map(Some).map_err(|error| ConfigError::new(explain(&error)).inside(key))
    }
}

/// The library draws a picture over several lines; its last one has the words.
fn explain(error: &regex::Error) -> String {
    let words = error.to_string();
    let last = words.lines().last().unwrap_or_default();
    format!("no pattern: {}", last.trim_start_matches("error: "))
}
