//! What a `replace_pattern` says: text, parts of the match, and parts of the match in quotes.

use regex::Captures;
use tidegate_sdk::sql_text::Dialect;

use crate::quote::push_literal;

/// `\0` to `\9`, `\\`, `${quote:0}` and, for a `${` that is none, `\$`.
#[derive(Debug, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Group(usize),
    /// The group as a SQL string literal.
    Quoted(usize),
}

impl Template {
    /// Reads a template for a pattern with so many groups, the whole match among them.
    pub(crate) fn parse(text: &str, groups: usize) -> Result<Self, String> {
        let mut template = Self { parts: Vec::new() };
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '$']) {
            let (before, special) = rest.split_at(at);
            template.push(before);
            rest = template.special(special)?;
        }
        template.push(rest);
        template.check(groups)?;
        Ok(template)
    }

    /// Takes what a `\` or `$` begins, and answers what follows.
    fn special<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        if let Some(function) = text.strip_prefix("${") {
            let end = function
                .find('}')
                .ok_or("a \"${\" without its \"}\"; write \"\\${\" for itself")?;
            let (function, rest) = function.split_at(end);
            self.parts.push(call(function)?);
            return Ok(rest.get(1..).unwrap_or_default());
        }
        if let Some(rest) = text.strip_prefix('$') {
            self.push("$");
            return Ok(rest);
        }
        let escaped = text.get(1..).unwrap_or_default();
        match escaped.chars().next() {
            Some(digit @ '0'..='9') => {
                self.parts.push(Part::Group(digit.to_digit(10).map_or(0, |digit| digit as usize)));
            }
            Some(itself @ ('\\' | '$')) => self.push(itself.encode_utf8(&mut [0; 4])),
            Some(other) => {
                return Err(format!("\"\\{other}\" means nothing; write \"\\\\\" for a backslash"));
            }
            None => return Err("a \"\\\" at the end; write \"\\\\\" for a backslash".to_owned()),
        }
        Ok(escaped.get(1..).unwrap_or_default())
    }

    fn push(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn check(&self, groups: usize) -> Result<(), String> {
        let group = |part: &Part| match part {
            Part::Text(_) => None,
            Part::Group(group) | Part::Quoted(group) => Some(*group),
        };
        match self.parts.iter().filter_map(group).find(|group| *group >= groups) {
            Some(group) => Err(format!(
                "there is no group {group}: \"match_pattern\" has {} beside the whole match, 0",
                groups - 1
            )),
            None => Ok(()),
        }
    }

    /// Appends what takes the place of a match. A group that took no part in it is empty.
    pub(crate) fn expand(&self, captures: &Captures<'_>, dialect: Dialect, out: &mut String) {
        let group = |group: &usize| captures.get(*group).map_or("", |found| found.as_str());
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(number) => out.push_str(group(number)),
                Part::Quoted(number) => push_literal(out, group(number), dialect),
            }
        }
    }
}

/// A function and its group: `quote:0`.
fn call(text: &str) -> Result<Part, String> {
    let (function, group) = text.split_once(':').unwrap_or((text, ""));
    if function != "quote" {
        return Err(format!("no function \"{function}\"; there is: \"${{quote:0}}\""));
    }
    let group = group
        .parse()
        .map_err(|_| format!("\"${{{text}}}\" names no group; write \"${{quote:0}}\""))?;
    Ok(Part::Quoted(group))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn replaced(pattern: &str, template: &str, text: &str) -> String {
        let regex = Regex::new(pattern).unwrap();
        let template = Template::parse(template, regex.captures_len()).unwrap();
        let mut out = String::new();
        template.expand(&regex.captures(text).unwrap(), Dialect::Mysql, &mut out);
        out
    }

    fn refused(template: &str) -> String {
        Template::parse(template, 2).unwrap_err()
    }

    #[test]
    fn parts_of_the_match_are_put_in() {
        assert_eq!(replaced("(a+)(b)?", r"<\0|\1|\2>", "xaay"), "<aa|aa|>");
        assert_eq!(
            replaced("a", r"\\0 $1 $ \$ \${quote:0} 100$", "a"),
            r"\0 $1 $ $ ${quote:0} 100$"
        );
        assert_eq!(replaced("a", r"\01", "a"), "a1");
        assert_eq!(replaced("a", "", "a"), "");
    }

    #[test]
    fn and_can_be_quoted() {
        let call = "CALL run(${quote:1}, '${quote:0}')";
        assert_eq!(replaced("x(.*)", call, "xit's"), "CALL run('it''s', ''xit''s'')");
        assert_eq!(replaced("(a)(b)?", "${quote:2}", "a"), "''");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        assert!(refused(r"\2").contains("no group 2: \"match_pattern\" has 1"));
        assert!(refused("${quote:2}").contains("no group 2"));
        assert!(refused(r"\n").contains("\\\\"));
        assert!(refused("a\\").contains("at the end"));
        assert!(refused("${quote:0").contains("without its"));
        assert!(refused("${quot:0}").contains("no function \"quot\""));
        assert!(refused("${quote}").contains("names no group"));
        assert!(refused("${quote:-1}").contains("names no group"));
        assert!(refused("${quote:99999999999999999999}").contains("names no group"));
    }
}
