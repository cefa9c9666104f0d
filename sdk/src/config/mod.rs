//! The `[config]` table of a plugin's sidecar file.
//!
//! A plugin that has one is made by a function of the [`Config`]; whatever that function refuses is
//! refused before the plugin serves anybody.

mod error;
mod json;
mod value;

use std::collections::BTreeMap;

pub use error::ConfigError;
use json::Json;
pub use value::FromConfig;

use crate::host;

/// The `[config]` table, or a table in it.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::{Config, ConfigError, Target, mock};
///
/// struct Settings {
///     writes: Target,
///     sticky: Duration,
///     users: Vec<String>,
/// }
///
/// fn settings(config: &Config) -> Result<Settings, ConfigError> {
///     config.deny_unknown(&["writes", "sticky", "users"])?;
///     Ok(Settings {
///         writes: config.get("writes")?,
///         sticky: config.get_or("sticky", Duration::from_secs(1))?,
///         users: config.get_or("users", Vec::new())?,
///     })
/// }
///
/// let config = mock::sidecar(r#"
///     [config]
///     writes = "orders/primary"
///     sticky = "500ms"
/// "#);
/// assert_eq!(settings(&config)?.sticky, Duration::from_millis(500));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    table: BTreeMap<String, Json>,
}

impl Config {
    /// Reads the form in which the host hands the table over.
    ///
    /// # Errors
    /// [`ConfigError`] for what is not a JSON object.
    ///
    /// ```
    /// use tidegate_sdk::Config;
    ///
    /// let config = Config::from_json(r#"{ "users": ["ann", "bob"] }"#)?;
    /// assert_eq!(config.get::<Vec<String>>("users")?, ["ann", "bob"]);
    /// # Ok::<(), tidegate_sdk::ConfigError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        match Json::parse(text) {
            Ok(Json::Table(table)) => Ok(Self { table }),
            _ => Err(ConfigError::new("not a table in JSON")),
        }
    }

    /// The value of a key: a `String`, `bool`, number, [`Duration`](std::time::Duration) (`"500ms"`),
    /// [`Target`](crate::Target), `Vec` or `BTreeMap` of these, or a table as `Config`. As an `Option`
    /// it may be absent.
    ///
    /// # Errors
    /// [`ConfigError`] when it is absent or of another type; for a `Target`, when there is no such one.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let config = mock::sidecar("[config]\nlimit = 3");
    /// assert_eq!(config.get::<u64>("limit")?, 3);
    /// assert_eq!(config.get::<Option<bool>>("strict")?, None);
    /// assert_eq!(
    ///     config.get::<bool>("limit").unwrap_err().to_string(),
    ///     "[config] \"limit\": want true or false, found 3",
    /// );
    /// # Ok::<(), tidegate_sdk::ConfigError>(())
    /// ```
    pub fn get<T: FromConfig>(&self, key: &str) -> Result<T, ConfigError> {
        T::read(self.table.get(key)).map_err(|error| error.inside(key))
    }

    /// The value of a key, or a default when it is absent.
    ///
    /// # Errors
    /// [`ConfigError`] when it is there and of another type.
    ///
    /// ```
    /// # use tidegate_sdk::Config;
    /// assert_eq!(Config::default().get_or("limit", 5)?, 5_u64);
    /// # Ok::<(), tidegate_sdk::ConfigError>(())
    /// ```
    pub fn get_or<T: FromConfig>(&self, key: &str, default: T) -> Result<T, ConfigError> {
        Ok(self.get::<Option<T>>(key)?.unwrap_or(default))
    }

    /// Refuses every key but these; a misspelt key must not be ignored in silence.
    ///
    /// # Errors
    /// [`ConfigError`], which names the nearest valid key.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let config = mock::sidecar("[config]\ndefualt = \"orders\"");
    /// assert_eq!(
    ///     config.deny_unknown(&["default", "users"]).unwrap_err().to_string(),
    ///     "[config] \"defualt\": no such key; did you mean \"default\"?",
    /// );
    /// ```
    pub fn deny_unknown(&self, known: &[&str]) -> Result<(), ConfigError> {
        match self.table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(ConfigError::unknown(key, known)),
            None => Ok(()),
        }
    }

    /// The keys of the table, in alphabetical order.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let config = mock::sidecar("[config]\nb = 1\na = 2");
    /// assert!(config.keys().eq(["a", "b"]));
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }
}

/// The value of a key, asked of the host in the middle of a hook: for a plugin that wants one value and
/// no `init`. A dotted key goes into tables. It costs a call each time.
///
/// # Errors
/// [`ConfigError`] as [`Config::get`].
///
/// ```
/// use tidegate_sdk::{config, mock};
///
/// let _host = mock::Host::new().with_sidecar("[config.limits]\nrows = 10");
/// assert_eq!(config::get::<u64>("limits.rows")?, 10);
/// # Ok::<(), tidegate_sdk::ConfigError>(())
/// ```
pub fn get<T: FromConfig>(key: &str) -> Result<T, ConfigError> {
    let read = |text: &str| match Json::parse(text) {
        Ok(value) => T::read(Some(&value)),
        Err(_) => Err(ConfigError::new("not JSON")),
    };
    host::config::get(key)
        .map_or_else(|| T::read(None), |text| read(&text))
        .map_err(|error| error.inside(key))
}

#[cfg(test)]
mod tests;
