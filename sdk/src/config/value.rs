//! Which Rust types a value of the configuration can be read as.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::json::Json;
use super::{Config, ConfigError};
use crate::Target;

/// A type that [`Config::get`] can answer.
///
/// ```
/// use tidegate_sdk::{Config, ConfigError, config::FromConfig};
///
/// fn at_least_one<T: FromConfig>(config: &Config, key: &str) -> Result<Vec<T>, ConfigError> {
///     let list: Vec<T> = config.get(key)?;
///     if list.is_empty() { Err(ConfigError::new("is empty").inside(key)) } else { Ok(list) }
/// }
/// ```
pub trait FromConfig: Sized {
    /// Reads a value, where there is one.
    #[doc(hidden)]
    fn read(value: Option<&Json>) -> Result<Self, ConfigError>;
}

/// Reads a value that has to be there, with a conversion that may fail.
fn required<T>(
    value: Option<&Json>,
    wanted: &str,
    convert: impl FnOnce(&Json) -> Option<T>,
) -> Result<T, ConfigError> {
    let Some(value) = value else {
        return Err(ConfigError::new(format!("is missing; want {wanted}")));
    };
    convert(value).ok_or_else(|| ConfigError::new(format!("want {wanted}, found {value}")))
}

impl<T: FromConfig> FromConfig for Option<T> {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        value.map(|value| T::read(Some(value))).transpose()
    }
}

impl FromConfig for String {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a text", |value| text(value).map(Self::from))
    }
}

impl FromConfig for bool {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "true or false", |value| match value {
            Json::Bool(value) => Some(*value),
            _ => None,
        })
    }
}

impl FromConfig for i64 {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a whole number", number)
    }
}

impl FromConfig for u64 {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a whole number from 0", number)
    }
}

impl FromConfig for f64 {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a number", number)
    }
}

impl FromConfig for Duration {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a duration such as \"500ms\"", |value| duration(text(value)?))
    }
}

impl FromConfig for Target {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        let name = required(value, "the name of a target", |value| text(value).map(String::from))?;
        Self::resolve(name).map_err(|error| ConfigError::new(error.to_string()))
    }
}

impl<T: FromConfig> FromConfig for Vec<T> {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        let list = required(value, "a list", |value| match value {
            Json::List(list) => Some(list.clone()),
            _ => None,
        })?;
        let item = |(position, value): (usize, &Json)| {
            T::read(Some(value)).map_err(|error| error.inside(&position.to_string()))
        };
        list.iter().enumerate().map(item).collect()
    }
}

impl<T: FromConfig> FromConfig for BTreeMap<String, T> {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        let table = Config::read(value)?;
        table.keys().map(|key| Ok((key.to_owned(), table.get(key)?))).collect()
    }
}

impl FromConfig for Config {
    fn read(value: Option<&Json>) -> Result<Self, ConfigError> {
        required(value, "a table", |value| match value {
            Json::Table(table) => Some(Self { table: table.clone() }),
            _ => None,
        })
    }
}

fn text(value: &Json) -> Option<&str> {
    match value {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

fn number<T: FromStr>(value: &Json) -> Option<T> {
    match value {
        Json::Number(text) => text.parse().ok(),
        _ => None,
    }
}

/// `250us`, `500ms`, `2s`, `5m`, `1h`, `7d`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        _ => None,
    }
}
