//! What is PostgreSQL's own: dollar quotes, strings that go on in the next line, comments in comments.

use super::{Class, FrequentWord, Syntax, TokenKind, digits_end, follows, quoted_end};
use crate::chunk;

/// PostgreSQL, with `standard_conforming_strings` on.
#[derive(Clone, Debug)]
pub(crate) struct Postgres;

static CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Operator; 256];
    let mut byte = 0u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'0'..=b'9' => Class::Digit,
            b'b' | b'B' | b'e' | b'E' | b'n' | b'N' | b'u' | b'U' | b'x' | b'X' => {
                Class::Introducer
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x7f.. => Class::Word,
            b'(' => Class::Open,
            b')' => Class::Close,
            b'.' => Class::Dot,
            b'\'' => Class::Quote,
            b'"' => Class::NameQuote,
            // A bracket that closes is followed by an operator, which the rules for signs must know.
            b'/' | b'-' | b'+' | b';' | b'$' | b']' => Class::Special,
            _ => Class::Operator,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

impl Syntax for Postgres {
    const CLASSES: &'static [Class; 256] = &CLASSES;
    const SELECT_INTO_WRITES: bool = true;

    #[inline(always)]
    fn frequent_word(text: &[u8], start: usize, end: usize, byte: u8) -> FrequentWord {
        if byte == b'$' {
            let digits = end - start - 1;
            let plain = digits > 0 && chunk::are_digits(text, start + 1, digits);
            return if plain { FrequentWord::Literal } else { FrequentWord::Rare };
        }
        if end == start + 1 && matches!(text.get(end), Some(b'\'' | b'&')) {
            return FrequentWord::Rare;
        }
        FrequentWord::Word
    }

    #[inline(never)]
    fn other(text: &[u8], start: usize, class: Class, _: bool) -> (TokenKind, usize) {
        match class {
            Class::Introducer => introduced(text, start),
            Class::Digit => (TokenKind::Number, number_end(text, start)),
            Class::Quote => (TokenKind::String, plain_end(text, start)),
            Class::NameQuote => (TokenKind::QuotedName, quoted_end(text, start, b'"')),
            Class::Space | Class::Word => (TokenKind::Word, chunk::word_end(text, start)),
            Class::Dot | Class::Special => special(text, start),
            Class::Operator | Class::Open | Class::Close | Class::Star | Class::Placeholder => {
                (TokenKind::Punctuation, start + 1)
            }
        }
    }
}

/// A word, or the string or name that it introduces.
fn introduced(text: &[u8], start: usize) -> (TokenKind, usize) {
    let end = chunk::word_end(text, start);
    let word = text.get(start..end).unwrap_or_default();
    match (word, text.get(end), text.get(end + 1)) {
        ([b'e' | b'E'], Some(b'\''), _) => (TokenKind::String, escaped_end(text, end)),
        ([b'b' | b'B' | b'n' | b'N' | b'x' | b'X'], Some(b'\''), _) => {
            (TokenKind::String, plain_end(text, end))
        }
        ([b'u' | b'U'], Some(b'&'), Some(b'\'')) => (TokenKind::String, plain_end(text, end + 1)),
        ([b'u' | b'U'], Some(b'&'), Some(b'"')) => {
            (TokenKind::QuotedName, quoted_end(text, end + 1, b'"'))
        }
        _ => (TokenKind::Word, end),
    }
}

/// The end of a string in which nothing but a doubled quote has a meaning.
fn plain_end(text: &[u8], quote: usize) -> usize {
    quoted_end(text, quote, b'\'')
}

/// The end of a string with backslashes. It goes on behind a line break, and only there do backslashes
/// still escape; of other strings the next part is read alike by itself.
fn escaped_end(text: &[u8], mut quote: usize) -> usize {
    loop {
        let end = quoted_end(text, quote, b'\\');
        match continuation(text, end) {
            Some(next) => quote = next,
            None => return end,
        }
    }
}

/// The quote with which the string that ended at `at` goes on: behind white space with a line break,
/// and `--` comments.
fn continuation(text: &[u8], mut at: usize) -> Option<usize> {
    let mut broken = false;
    loop {
        match text.get(at)? {
            b'\n' | b'\r' => broken = true,
            b' ' | b'\t' | 0x0b | 0x0c => {}
            b'-' if text.get(at + 1) == Some(&b'-') => {
                at = line_end(text, at);
                continue;
            }
            b'\'' if broken => return Some(at),
            _ => return None,
        }
        at += 1;
    }
}

fn special(text: &[u8], start: usize) -> (TokenKind, usize) {
    match (text.get(start), text.get(start + 1)) {
        (Some(b'-'), Some(b'-')) => (TokenKind::Comment, line_end(text, start)),
        (Some(b'/'), Some(b'*')) => (TokenKind::Comment, comment_end(text, start)),
        (Some(b'$'), Some(b'0'..=b'9')) => (TokenKind::Placeholder, digits_end(text, start + 1)),
        (Some(b'$'), Some(_)) => dollar(text, start),
        // `1..2` is a range.
        (Some(b'.'), Some(b'0'..=b'9')) if !follows(text, start, |byte| byte == b'.') => (
            TokenKind::Number,
            exponent_end(text, grouped_end(text, start + 1, u8::is_ascii_digit)),
        ),
        _ => (TokenKind::Punctuation, start + 1),
    }
}

fn line_end(text: &[u8], start: usize) -> usize {
    chunk::find(text, start, b'\n', b'\r')
}

/// One behind the comment that starts at `at`, and all comments in it.
fn comment_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        at = chunk::find(text, at, b'*', b'/');
        match (text.get(at), text.get(at + 1)) {
            (None, _) => return text.len(),
            (Some(b'/'), Some(b'*')) => depth += 1,
            (Some(b'*'), Some(b'/')) if depth == 1 => return at + 2,
            (Some(b'*'), Some(b'/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
}

/// `$tag$…$tag$`, or a dollar that means nothing.
fn dollar(text: &[u8], start: usize) -> (TokenKind, usize) {
    let Some(mark) = tag(text, start) else {
        return (TokenKind::Punctuation, start + 1);
    };
    let mut at = start + mark.len();
    loop {
        at = chunk::find(text, at, b'$', b'$');
        match text.get(at..) {
            Some(rest) if rest.starts_with(mark) => return (TokenKind::String, at + mark.len()),
            Some([_, ..]) => at += 1,
            _ => return (TokenKind::String, text.len()),
        }
    }
}

/// The mark `$tag$` at `start`, whose tag is a name without dollars, or nothing.
fn tag(text: &[u8], start: usize) -> Option<&[u8]> {
    let name = text.get(start + 1..)?;
    let length = name.iter().position(|&byte| !is_of_tag(byte)).unwrap_or(name.len());
    let opens = name.get(length) == Some(&b'$') && !name.first()?.is_ascii_digit();
    opens.then(|| text.get(start..start + length + 2))?
}

fn is_of_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The end of the number at `start`. What follows it without a space is the next token; all versions
/// of the server refuse it, or take it for one too.
fn number_end(text: &[u8], start: usize) -> usize {
    if text.get(start) == Some(&b'0')
        && let Some(end) = based_end(text, start + 1)
    {
        return end;
    }
    let whole = grouped_end(text, start, u8::is_ascii_digit);
    let fraction = match (text.get(whole), text.get(whole + 1)) {
        (Some(b'.'), Some(b'.')) => return whole,
        (Some(b'.'), _) => grouped_end(text, whole + 1, u8::is_ascii_digit),
        _ => whole,
    };
    exponent_end(text, fraction)
}

/// The end of a number in another base, whose letter stands at `letter`.
fn based_end(text: &[u8], letter: usize) -> Option<usize> {
    let is_digit: fn(&u8) -> bool = match text.get(letter)? {
        b'x' | b'X' => u8::is_ascii_hexdigit,
        b'o' | b'O' => |digit| matches!(digit, b'0'..=b'7'),
        b'b' | b'B' => |digit| matches!(digit, b'0' | b'1'),
        _ => return None,
    };
    let first = letter + 1;
    let digits = first + usize::from(text.get(first) == Some(&b'_'));
    text.get(digits).is_some_and(is_digit).then(|| grouped_end(text, digits, is_digit))
}

/// The end of the exponent that may stand at `start`.
fn exponent_end(text: &[u8], start: usize) -> usize {
    let Some(b'e' | b'E') = text.get(start) else {
        return start;
    };
    let digits = start + 1 + usize::from(matches!(text.get(start + 1), Some(b'+' | b'-')));
    let end = grouped_end(text, digits, u8::is_ascii_digit);
    if end > digits { end } else { start }
}

/// The end of digits, between which single underscores may stand.
fn grouped_end(text: &[u8], mut at: usize, is_digit: fn(&u8) -> bool) -> usize {
    loop {
        match (text.get(at), text.get(at + 1)) {
            (Some(digit), _) if is_digit(digit) => at += 1,
            (Some(b'_'), Some(digit)) if is_digit(digit) => at += 2,
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests;
