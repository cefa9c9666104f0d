//! Reads the JSON in which the host hands a configuration over.
//!
//! A general JSON crate made components three times as large, most of it for numbers; here a number
//! stays text until somebody wants it.

use std::collections::BTreeMap;
use std::fmt;

/// A plugin's stack is small; no configuration is nested so deeply.
const DEPTH_MAX: usize = 64;

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
}

/// The text is not JSON; the host never sends such a thing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Json {
    /// Reads a whole text as one value.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.rest.is_empty() { Ok(value) } else { Err(Malformed) }
    }
}

/// As JSON again, near enough for a message.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed);
        }
        self.skip_space();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.table(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn table(&mut self, depth: usize) -> Result<Json, Malformed> {
        let mut table = BTreeMap::new();
        self.items('{', '}', |reader| {
            reader.skip_space();
            let key = reader.text()?;
            reader.skip_space();
            reader.expect(':')?;
            table.insert(key, reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(Json::Table(table))
    }

    fn list(&mut self, depth: usize) -> Result<Json, Malformed> {
        let mut list = Vec::new();
        self.items('[', ']', |reader| {
            list.push(reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(Json::List(list))
    }

    /// What stands between two brackets, with commas in between.
    fn items(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(open)?;
        self.skip_space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.take(close) {
                return Ok(());
            }
            self.expect(',')?;
        }
    }

    fn text(&mut self) -> Result<String, Malformed> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            let end = self.rest.find(['"', '\\']).ok_or(Malformed)?;
            text.push_str(self.split(end)?);
            if self.take('"') {
                return Ok(text);
            }
            self.expect('\\')?;
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        Ok(match self.split(1)? {
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => self.unicode()?,
            "\"" => '"',
            "\\" => '\\',
            "/" => '/',
            _ => return Err(Malformed),
        })
    }

    /// What follows `\u`: a character, or the first half of one and `\u` with the second.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        if let Some(character) = char::from_u32(first.into()) {
            return Ok(character);
        }
        self.expect('\\')?;
        self.expect('u')?;
        let mut pair = char::decode_utf16([first, self.hex()?]);
        match (pair.next(), pair.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(Malformed),
        }
    }

    fn hex(&mut self) -> Result<u16, Malformed> {
        let digits = self.split(4)?;
        if digits.starts_with('+') {
            return Err(Malformed);
        }
        u16::from_str_radix(digits, 16).map_err(|_| Malformed)
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        Ok(Json::Number(self.split(end)?.to_owned()))
    }

    fn word(&mut self) -> Result<Json, Malformed> {
        let words =
            [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)];
        for (word, value) in words {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), Malformed> {
        if self.take(wanted) { Ok(()) } else { Err(Malformed) }
    }

    fn split(&mut self, end: usize) -> Result<&'a str, Malformed> {
        let (text, rest) = self.rest.split_at_checked(end).ok_or(Malformed)?;
        self.rest = rest;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_general_parser_writes() {
        let value = serde_json::json!({
            "text": "a \"quoted\" \\ line\n\ttab \u{8}\u{c} é 😀 /",
            "numbers": [0, -1, 1.5, 1e300, u64::MAX],
            "empty": [{}, [], ""],
            "words": [true, false, null],
        });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            assert_eq!(Json::parse(&text), Ok(convert(&value)), "{text}");
        }
    }

    fn convert(value: &serde_json::Value) -> Json {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(*value),
            serde_json::Value::Number(number) => Json::Number(number.to_string()),
            serde_json::Value::String(text) => Json::Text(text.clone()),
            serde_json::Value::Array(list) => Json::List(list.iter().map(convert).collect()),
            serde_json::Value::Object(table) => Json::Table(
                table.iter().map(|(key, value)| (key.clone(), convert(value))).collect(),
            ),
        }
    }

    #[test]
    fn escapes_may_be_surrogate_pairs() {
        let text = |escaped: &str| Json::parse(&format!("\"{escaped}\""));
        assert_eq!(text(r"\u00e9\ud83d\ude00\/"), Ok(Json::Text("é😀/".to_owned())));
        for wrong in
            [r"\ud83d", r"\ud83dx", r"\ud83dA", r"\ude00", r"\u+123", r"\u12", r"\x", r"\é"]
        {
            assert_eq!(text(wrong), Err(Malformed), "{wrong}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        let deep = "[".repeat(100_000);
        for text in [
            "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{1:2}", "nul", "\"open", "1 1",
            "x", &deep,
        ] {
            assert_eq!(Json::parse(text), Err(Malformed), "{text:.20}");
        }
    }
}
