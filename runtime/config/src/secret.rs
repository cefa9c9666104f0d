//! A text that must not be shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::describe;
use crate::table::Table;
use crate::value::Value;

/// No password, key or verifier is longer, in bytes.
const LONGEST: u64 = 64 << 10;

/// A password or verifier. It is wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself; for where it is used, never for messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Reads `"text"`, `{ file = "…" }` or `{ env = "…" }`.
pub(crate) fn read(value: &Value<'_>) -> Option<Secret> {
    match value.as_str() {
        Some(text) => Some(Secret::new(text.to_owned())),
        None => value.table(elsewhere),
    }
}

fn elsewhere(table: &mut Table<'_>) -> Option<Secret> {
    let file = table.get("file");
    let env = table.get("env");
    match (file, env) {
        (Some(file), None) => from_file(&file),
        (None, Some(env)) => from_environment(&env),
        _ => table.fail("file", "give either `file` or `env`"),
    }
}

fn from_file(value: &Value<'_>) -> Option<Secret> {
    let path = value.path()?;
    match read_file(&path) {
        Ok((text, mode)) => {
            if mode & 0o007 != 0 {
                value.warn(format!("everybody may use {path:?} (mode {mode:04o}); 0640 is enough"));
            }
            Some(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned()))
        }
        Err(error) => value.fail(format!("cannot read {path:?}: {}", describe(&error))),
    }
}

/// The file's text and its permission bits.
fn read_file(path: &Path) -> io::Result<(Zeroizing<String>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= LONGEST) {
        Ok((text, metadata.mode() & 0o777))
    } else {
        Err(io::Error::other("it is longer than 64KiB"))
    }
}

fn from_environment(value: &Value<'_>) -> Option<Secret> {
    let name = value.text()?;
    let Some(text) = (value.document().environment())(name) else {
        return value.fail(format!("the environment has no variable `{name}`"));
    };
    match text.into_string() {
        Ok(text) => Some(Secret::new(text)),
        Err(_) => value.fail(format!("the variable `{name}` is not UTF-8")),
    }
}
