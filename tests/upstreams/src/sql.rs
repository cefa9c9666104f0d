//! What statements of every dialect are made of.

use std::iter;

/// A part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Code(&'a str),
    /// Something in quotes, or a comment: no dialect changes it.
    Fixed(&'a str),
}

/// The parts of a statement, from its first character to its last.
pub(crate) fn parts(mut text: &str) -> impl Iterator<Item = Part<'_>> {
    iter::from_fn(move || {
        let len = fixed_len(text);
        let (part, rest) = match len {
            0 => text.split_at(code_len(text)),
            len => text.split_at(len),
        };
        text = rest;
        match (part, len) {
            ("", _) => None,
            (part, 0) => Some(Part::Code(part)),
            (part, _) => Some(Part::Fixed(part)),
        }
    })
}

/// Writes a statement anew: what it is made of by `code`, all else as it is.
pub(crate) fn rewrite(text: &str, code: impl Fn(&str, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Code(part) => code(part, &mut out),
            Part::Fixed(part) => out.push_str(part),
        }
    }
    out
}

/// Bytes of the quotation or comment that `text` begins with; 0 if it begins with neither.
fn fixed_len(text: &str) -> usize {
    let end = |skip: usize, end: &str| {
        text[skip..].find(end).map_or(text.len(), |at| skip + at + end.len())
    };
    match text.as_bytes() {
        [b'\'', ..] => end(1, "'"),
        [b'"', ..] => end(1, "\""),
        [b'`', ..] => end(1, "`"),
        [b'-', b'-', ..] => end(2, "\n"),
        [b'/', b'*', ..] => end(2, "*/"),
        _ => 0,
    }
}

/// Bytes before the next quotation or comment.
fn code_len(text: &str) -> usize {
    let mut starts = text.match_indices(['\'', '"', '`', '-', '/']).map(|(at, _)| at);
    starts.find(|at| fixed_len(&text[*at..]) > 0).unwrap_or(text.len())
}

/// The words of a statement, without what encloses and separates them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || ";`'\"=,()".contains(c);
    without_comments(text).split(separates).filter(|word| !word.is_empty())
}

/// The statement without the space and the comments that it begins with.
pub(crate) fn without_comments(text: &str) -> &str {
    let text = text.trim_start();
    match text.starts_with("--") || text.starts_with("/*") {
        true => without_comments(&text[fixed_len(text)..]),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_and_comments_are_whole() {
        use Part::{Code, Fixed};
        let text = "SELECT 'it''s', \"a;b\" - 1 /* don't */ / 2 -- 'x\n, `y";
        let found: Vec<_> = parts(text).collect();
        let expected = [
            Code("SELECT "),
            Fixed("'it'"),
            Fixed("'s'"),
            Code(", "),
            Fixed("\"a;b\""),
            Code(" - 1 "),
            Fixed("/* don't */"),
            Code(" / 2 "),
            Fixed("-- 'x\n"),
            Code(", "),
            Fixed("`y"),
        ];
        assert_eq!(found, expected);
        assert_eq!(parts("").next(), None);
        assert_eq!(parts("/*").collect::<Vec<_>>(), [Fixed("/*")]);
    }

    #[test]
    fn words_come_without_what_is_around_them() {
        let found: Vec<_> = words(" /* a */ -- b\nset `x` = 'y z';").collect();
        assert_eq!(found, ["set", "x", "y", "z"]);
        assert_eq!(words("-- only this").next(), None);
    }
}
