//! What is wrong with a plugin's configuration, and where.

use std::fmt;

/// What is wrong with a plugin's configuration, and at which key. The operator reads it in the log.
///
/// ```
/// use tidegate_sdk::{Config, ConfigError};
///
/// fn percentage(config: &Config) -> Result<u64, ConfigError> {
///     match config.get("percentage")? {
///         value @ 0..=100 => Ok(value),
///         other => Err(ConfigError::new(format!("{other} is no percentage")).inside("percentage")),
///     }
/// }
///
/// let config = Config::from_json(r#"{ "percentage": 101 }"#)?;
/// let error = percentage(&config).unwrap_err();
/// assert_eq!(error.to_string(), "[config] \"percentage\": 101 is no percentage");
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    problem: String,
}

impl ConfigError {
    /// Something is wrong with the table as a whole.
    ///
    /// ```
    /// # use tidegate_sdk::ConfigError;
    /// assert_eq!(ConfigError::new("it is empty").to_string(), "[config]: it is empty");
    /// ```
    pub fn new(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    /// The same, one key further down.
    ///
    /// ```
    /// # use tidegate_sdk::ConfigError;
    /// let error = ConfigError::new("no such user").inside("ann").inside("users");
    /// assert_eq!(error.to_string(), "[config] \"users.ann\": no such user");
    /// ```
    #[must_use]
    pub fn inside(mut self, key: &str) -> Self {
        self.path =
            if self.path.is_empty() { key.to_owned() } else { format!("{key}.{}", self.path) };
        self
    }

    pub(super) fn unknown(key: &str, known: &[&str]) -> Self {
        let problem = match nearest(key, known) {
            Some(nearest) => format!("no such key; did you mean \"{nearest}\"?"),
            None if known.is_empty() => "no such key; there are none".to_owned(),
            None => format!("no such key; there are: {}", known.join(", ")),
        };
        Self::new(problem).inside(key)
    }
}

/// The key that was probably meant: what can be reached with a typing error for every third letter,
/// where upper and lower case are no error.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key = key.to_lowercase();
    let distance = |candidate: &&str| strsim::osa_distance(&key, &candidate.to_lowercase());
    let nearest = known.iter().copied().min_by_key(distance)?;
    (distance(&nearest) <= key.len().max(3) / 3).then_some(nearest)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "[config]: {}", self.problem)
        } else {
            write!(f, "[config] \"{}\": {}", self.path, self.problem)
        }
    }
}

impl std::error::Error for ConfigError {}
