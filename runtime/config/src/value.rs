//! One value of a configuration file, and what it can be read as.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::error::describe;
use crate::table::{Document, Table, hint};
use crate::units;

/// A value, its dotted key and its place. A reader that answers `None` has reported why.
pub(crate) struct Value<'d> {
    document: &'d Document<'d>,
    key: String,
    span: Range<usize>,
    value: &'d DeValue<'d>,
}

impl<'d> Value<'d> {
    pub(crate) fn new(
        document: &'d Document<'d>,
        key: String,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Self {
        Self { document, key, span: value.span(), value: value.get_ref() }
    }

    pub(crate) fn document(&self) -> &'d Document<'d> {
        self.document
    }

    pub(crate) fn line(&self) -> usize {
        self.document.line(self.span.start)
    }

    pub(crate) fn fail<T>(&self, message: impl Into<String>) -> Option<T> {
        self.document.fail(&self.key, self.span.start, message.into());
        None
    }

    pub(crate) fn warn(&self, message: String) {
        self.document.warn(&self.key, self.span.start, message);
    }

    fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.fail(format!("must be {wanted}, not {found}"))
    }

    /// The text, if it is a string; reports nothing.
    pub(crate) fn as_str(&self) -> Option<&'d str> {
        self.value.as_str()
    }

    pub(crate) fn string(&self) -> Option<&'d str> {
        self.as_str().or_else(|| self.wrong_type("a string"))
    }

    pub(crate) fn text(&self) -> Option<&'d str> {
        let text = self.string()?;
        if text.is_empty() { self.fail("must not be empty") } else { Some(text) }
    }

    pub(crate) fn count(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let DeValue::Integer(integer) = self.value else {
            return self.wrong_type("an integer");
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.and_then(|number| usize::try_from(number).ok()) {
            Some(number) if range.contains(&number) => Some(number),
            _ => self.fail(format!("must be from {} to {}", range.start(), range.end())),
        }
    }

    /// A span of time that may be zero.
    pub(crate) fn duration_or_zero(&self) -> Option<Duration> {
        match units::duration(self.string()?) {
            Ok(duration) => Some(duration),
            Err(message) => self.fail(message),
        }
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.duration_or_zero()? {
            Duration::ZERO => self.fail("must be more than nothing"),
            duration => Some(duration),
        }
    }

    pub(crate) fn size(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let bytes = match units::size(self.string()?) {
            Ok(bytes) => bytes,
            Err(message) => return self.fail(message),
        };
        if range.contains(&bytes) {
            return Some(bytes);
        }
        let (least, most) = (units::show_size(*range.start()), units::show_size(*range.end()));
        self.fail(format!("must be from {least} to {most}"))
    }

    /// An address to listen on; port 0 lets the system choose one.
    pub(crate) fn bind(&self) -> Option<SocketAddr> {
        let text = self.string()?;
        text.parse().ok().or_else(|| {
            self.fail(format!(
                "`{text}` is not an IP address with a port, such as `127.0.0.1:3306`"
            ))
        })
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        self.fail(format!("`{text}` is unknown; {}", hint(text, &names)))
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        Some(self.document.resolve(self.text()?))
    }

    /// A file that exists and that this process may read.
    pub(crate) fn readable(&self) -> Option<PathBuf> {
        let path = self.path()?;
        let file = std::fs::File::open(&path).and_then(|file| file.metadata());
        match file {
            Ok(metadata) if metadata.is_dir() => self.fail(format!("{path:?} is a directory")),
            Ok(_) => Some(path),
            Err(error) => self.fail(format!("cannot read {path:?}: {}", describe(&error))),
        }
    }

    /// A directory; it may come later, but then that is worth a warning.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let path = self.path()?;
        match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_dir() => {
                return self.fail(format!("{path:?} is not a directory"));
            }
            Ok(_) => {}
            Err(_) => self.warn(format!("there is no directory {path:?}")),
        }
        Some(path)
    }

    /// The elements of an array; they share its dotted key.
    pub(crate) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            return self.wrong_type("an array");
        };
        let item = |item| Self::new(self.document, self.key.clone(), item);
        Some(array.iter().map(item).collect())
    }

    /// Like [`Self::items`], for what is written as `[[key]]`.
    pub(crate) fn items_of_tables(&self) -> Option<Vec<Self>> {
        match self.value {
            DeValue::Table(_) => {
                self.fail(format!("may be there several times: write `[[{}]]`", self.key))
            }
            DeValue::Array(array) if array.is_empty() => self.fail("must not be empty"),
            _ => self.items(),
        }
    }

    pub(crate) fn table<T>(&self, read: impl FnOnce(&mut Table<'d>) -> Option<T>) -> Option<T> {
        match self.value {
            DeValue::Table(table) => {
                Table::new(self.document, &self.key, self.span.clone(), table).read(read)
            }
            _ => self.wrong_type("a table"),
        }
    }
}
