//! A TOML table that is read key by key; what nobody asked for is reported at the end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::error::{Error, Errors, Position};
use crate::upstream::Protocol;
use crate::value::Value;

/// Looks up a variable of the process's environment.
pub(crate) type Environment = dyn Fn(&str) -> Option<OsString>;

/// One file while it is read: where its errors are collected.
pub(crate) struct Document<'d> {
    text: &'d str,
    file: &'d Path,
    environment: &'d Environment,
    errors: RefCell<Vec<Error>>,
    warnings: RefCell<Vec<Error>>,
}

impl<'d> Document<'d> {
    /// Parses `text`, hands its root to `read` and answers what that made of it, with warnings.
    pub(crate) fn read<T>(
        text: &str,
        file: &Path,
        environment: &Environment,
        read: impl FnOnce(&mut Table<'_>) -> Option<T>,
    ) -> Result<(T, Vec<Error>), Errors> {
        let document = Document {
            text,
            file,
            environment,
            errors: RefCell::default(),
            warnings: RefCell::default(),
        };
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in syntax {
            let start = error.span().map_or(0, |span| span.start);
            document.fail("", start, error.message().to_owned());
        }
        document.stop_at_errors()?;
        let result = Table::new(&document, "", 0..0, root.get_ref()).read(read);
        document.stop_at_errors()?;
        // Whoever answers `None` has reported why; this guards that promise.
        let Some(result) = result else {
            document.fail("", 0, "cannot be understood".to_owned());
            return Err(Errors::new(document.errors.take(), file));
        };
        Ok((result, document.warnings.take()))
    }

    pub(crate) fn environment(&self) -> &'d Environment {
        self.environment
    }

    /// Where a path of this file leads; relative ones start at the file's directory.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().map_or_else(|| PathBuf::from(path), |parent| parent.join(path))
    }

    pub(crate) fn fail(&self, key: &str, offset: usize, message: String) {
        let error = self.error(key, offset, message);
        self.errors.borrow_mut().push(error);
    }

    /// Adds the errors of another file that this one names.
    pub(crate) fn fail_with(&self, errors: Errors) {
        self.errors.borrow_mut().extend(errors);
    }

    pub(crate) fn warn(&self, key: &str, offset: usize, message: String) {
        let warning = self.error(key, offset, message);
        self.warnings.borrow_mut().push(warning);
    }

    pub(crate) fn line(&self, offset: usize) -> usize {
        Position::of(self.text, offset).line
    }

    fn error(&self, key: &str, offset: usize, message: String) -> Error {
        Error {
            file: self.file.to_owned(),
            position: Some(Position::of(self.text, offset)),
            key: key.to_owned(),
            message,
        }
    }

    fn stop_at_errors(&self) -> Result<(), Errors> {
        match self.errors.take() {
            errors if errors.is_empty() => Ok(()),
            errors => Err(Errors::new(errors, self.file)),
        }
    }
}

/// The values that must be unique among the tables of one array, and the line of each.
#[derive(Default)]
pub(crate) struct Seen(HashMap<String, usize>);

impl Seen {
    /// Reports `text` at `value` if it was there before.
    pub(crate) fn claim(&mut self, value: &Value<'_>, text: &str) {
        if let Some(line) = self.0.get(text) {
            value.fail::<()>(format!("`{text}` is taken by line {line}"));
        } else {
            self.0.insert(text.to_owned(), value.line());
        }
    }
}

/// A table being read. Ask for every key first and give up afterwards, so that all errors show.
pub(crate) struct Table<'d> {
    document: &'d Document<'d>,
    key: String,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    pub(crate) fn new(
        document: &'d Document<'d>,
        key: &str,
        span: Range<usize>,
        entries: &'d DeTable<'d>,
    ) -> Self {
        Self { document, key: key.to_owned(), span, entries, asked: Vec::new() }
    }

    /// Lets `read` ask for its keys, then reports every key that it did not ask for.
    pub(crate) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let result = read(&mut self);
        for (key, _) in self.entries.iter() {
            if !self.asked.iter().any(|asked| *asked == key.get_ref()) {
                let message = format!("unknown key; {}", hint(key.get_ref(), &self.asked));
                self.document.fail(&self.dotted(key.get_ref()), key.span().start, message);
            }
        }
        result
    }

    /// The value of `key` if the table has it.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<Value<'d>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (_, value) = self.entries.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Value::new(self.document, self.dotted(key), value))
    }

    /// Reads `key`; `None` if it is absent or wrong.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'d>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|value| read(&value))
    }

    /// As [`Self::optional`], for what only one protocol has.
    pub(crate) fn optional_of<T>(
        &mut self,
        key: &'static str,
        protocol: Option<Protocol>,
        owner: Protocol,
        read: impl FnOnce(&Value<'d>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        match protocol {
            Some(protocol) if protocol != owner => {
                value.fail(format!("is for the protocol `{}` only", owner.name()))
            }
            _ => read(&value),
        }
    }

    /// Reads `key`; it is an error if it is absent.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'d>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(value) => read(&value),
            None => self.fail(key, "is missing"),
        }
    }

    /// Reads an array of at least one table, each with what its predecessors have claimed.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self, &mut Seen) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.get(key) else {
            return self.fail(key, format!("is missing; at least one `[[{key}]]` is needed"));
        };
        let mut seen = Seen::default();
        all(value.items_of_tables()?.iter().map(|item| item.table(|t| read(t, &mut seen))))
    }

    /// Looks into an array of tables, ahead of [`Self::tables`] and without reporting anything.
    pub(crate) fn peek_tables<T>(
        &mut self,
        key: &'static str,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Vec<T> {
        let value = self.entries.iter().find(|(name, _)| name.get_ref() == key);
        let tables = match value.map(|(_, value)| value.get_ref()) {
            Some(DeValue::Array(items)) => items.iter().map(|item| item.get_ref()).collect(),
            Some(table) => vec![table],
            None => Vec::new(),
        };
        let tables = tables.into_iter().filter_map(DeValue::as_table);
        tables
            .filter_map(|entries| look(&mut Table::new(self.document, key, 0..0, entries)))
            .collect()
    }

    /// Reports something wrong with `key`: at its value, or at the table if it is absent.
    pub(crate) fn fail<T>(&self, key: &str, message: impl Into<String>) -> Option<T> {
        let value = self.entries.iter().find(|(name, _)| name.get_ref() == key);
        let offset = value.map_or(self.span.start, |(_, value)| value.span().start);
        self.document.fail(&self.dotted(key), offset, message.into());
        None
    }

    fn dotted(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }
}

/// All or nothing, but every one is tried, so that each can report what is wrong with it.
pub(crate) fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<_> = items.collect();
    items.into_iter().collect()
}

/// Says which of `known` was probably meant, or lists them.
pub(crate) fn hint(written: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(written, name);
    match known.iter().min_by_key(distance) {
        None => "there is none".to_owned(),
        // A third of the letters may be wrong; more is no slip.
        Some(near) if distance(&near) <= near.chars().count().div_ceil(3) => {
            format!("did you mean `{near}`?")
        }
        Some(_) => format!("known are `{}`", known.join("`, `")),
    }
}
